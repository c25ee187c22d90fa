"""The binary format of CIFAR-10: records of a label byte and 3072 bytes of pixels, planes R, G, B, each by rows.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version". Its "Python version" holds the same records in
the same order as pickled arrays, from which the binary form is made here.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def read_records(content: bytes, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images `(N, *shape)` and labels `(N,)` in a file's content.

    Raises:
        ValueError: not a whole number of records.
    """
    size = 1 + int(np.prod(shape))
    if not content or len(content) % size:
        raise ValueError(f"holds {len(content)} bytes, which is no number of records of {size} bytes")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    return records[:, 1:].reshape(-1, *shape), records[:, 0].astype(np.int32)


def pickle_name(name: str) -> str:
    """Name of the file in the Python version that says the same as a file of the binary version."""
    return name.removesuffix(".bin")


def records_from_pickle(content: bytes) -> bytes:
    """The binary form of a file of the Python version. Nothing but arrays is unpickled.

    Raises:
        ValueError: no pickled dictionary of `data` `(N, 3072)` and `labels`.
    """
    try:
        batch: dict[bytes, Any] = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = np.asarray(batch[b"data"], np.uint8), np.array(batch[b"labels"], np.uint8)
        return np.column_stack([labels, pixels]).tobytes()
    except (
        pickle.UnpicklingError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
    ) as error:
        raise ValueError(f"no file of CIFAR-10's Python version: {error}") from None


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in an array") from None
