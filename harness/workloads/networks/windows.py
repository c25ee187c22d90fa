"""Windows of convolutions and pools: how many there are, and which padding that takes on every side.

Frameworks differ in how they round and where they pad. A layer says what is meant; `resolve` turns it into numbers that
mean the same in every framework: the output size, and the rows to add before and after (a negative number of rows
after means rows that no window covers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import PlainValidator


def _check_padding(value: Any) -> Any:
    if value in ("valid", "same") or (type(value) is int and value >= 0):
        return value
    raise ValueError(f"should be 'valid', 'same' or a whole number from 0 on, not {value!r}")


# One validator, so that one mistake is one message; a union would give one for each member.
Padding = Annotated[int | Literal["valid", "same"], PlainValidator(_check_padding)]
"""`valid`: none. `same`: as TensorFlow's SAME. A number: so many rows and columns on every side."""

Rounding = Literal["floor", "ceil"]


class WindowError(ValueError):
    """Windows that do not fit their input."""


@dataclass(frozen=True)
class Windows:
    """Along one axis.

    Attributes:
        count: number of windows, the output size.
        before, after: padding; `after` is negative where trailing rows are covered by no window.
    """

    count: int
    before: int
    after: int


def resolve(size: int, kernel: int, stride: int, padding: Padding, rounding: Rounding | None) -> Windows:
    """The windows along an axis of `size` elements.

    * `same` (TensorFlow): `ceil(size / stride)` windows; the padding this takes is split evenly, an odd row goes after.
    * a number p, `floor`: `floor((size + 2p - kernel) / stride) + 1` windows (Torch, Theano, JAX).
    * a number p, `ceil`: `ceil((size + 2p - kernel) / stride) + 1`, less a last window that would start in the padding
      behind the image (Caffe 1.0.0, `src/caffe/layers/pooling_layer.cpp`; Torch's `ceil_mode`).

    Args:
        rounding: None where the layer does not say; then windows have to tile their padded input.

    Raises:
        WindowError: the kernel is larger than its padded input; windows do not tile and no rounding is given.
    """
    if padding == "same":
        count = -(-size // stride)
        total = max((count - 1) * stride + kernel - size, 0)
        return Windows(count, total // 2, (count - 1) * stride + kernel - size - total // 2)
    pad = 0 if padding == "valid" else padding
    room = size + 2 * pad - kernel
    if room < 0:
        raise WindowError(f"kernel {kernel} is larger than its padded input of {size + 2 * pad}")
    if rounding is None and room % stride:
        raise WindowError(
            f"windows of {kernel} with stride {stride} do not tile {size + 2 * pad}; "
            "say rounding: floor (the rest is dropped) or ceil (a last window hangs over)"
        )
    count = room // stride + 1
    if rounding == "ceil" and room % stride:
        count += 1
        if (count - 1) * stride >= size + pad:
            count -= 1
    return Windows(count, pad, (count - 1) * stride + kernel - size - pad)
