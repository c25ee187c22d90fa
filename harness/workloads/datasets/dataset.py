"""Loading datasets from their published files, verified by SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.workloads.datasets.description import DATASETS_FOLDER, DataFile, DatasetDescription, load_description
from harness.workloads.datasets.idx import decompress, read_idx

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory; arrays are read-only.

    Attributes:
        content_sha256: identity of the content, see `content_sha256`.
        train_images, test_images: uint8, `(N, C, H, W)`.
        train_labels, test_labels: int32, `(N,)`.
    """

    name: str
    content_sha256: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int32]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int32]


def content_sha256(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over the arrays `train_images`, `train_labels`, `test_images`, `test_labels`, in this order.

    Of each: the line `<name> <dtype> <shape>`, such as `train_images uint8 10000x1x28x28`, a newline, and the
    elements in C order, little-endian.
    """
    digest = hashlib.sha256()
    for name in ARRAYS:
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {'x'.join(str(size) for size in array.shape)}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def load_dataset(name: str, data_folder: Path | None = None) -> Dataset:
    """Load a dataset and verify it.

    Args:
        data_folder: where the published files lie (or a sub-folder named after the dataset holds them); default the
            environment variable `DLGAUGE_DATA`. Embedded datasets need none.

    Raises:
        DataError: a file is missing, truncated, or has another checksum than the published one.
    """
    description = load_description(name)
    found = {part: _find(description, getattr(description.files, part), data_folder) for part in ARRAYS}
    raw = {part: _read(path, getattr(description.files, part)) for part, path in found.items()}
    arrays: dict[str, NDArray[Any]] = {}
    for part, content in raw.items():
        arrays[part] = _as_images(content, description) if part.endswith("images") else content.astype(np.int32)
        arrays[part].setflags(write=False)
    if (actual := content_sha256(arrays)) != description.content_sha256:
        raise DataError(
            f"dataset {name!r} has content sha256 {actual}, its description says {description.content_sha256}",
            where=str(found["train_images"].parent),
        )
    return Dataset(name=name, content_sha256=actual, **arrays)


def _as_images(pixels: NDArray[np.uint8], description: DatasetDescription) -> NDArray[np.uint8]:
    return pixels.reshape(len(pixels), *description.shape)


def _find(description: DatasetDescription, file: DataFile, data_folder: Path | None) -> Path:
    folders = _folders(description, data_folder)
    for folder in folders:
        for candidate in (folder / file.name, folder / f"{file.name}.gz"):
            if candidate.is_file():
                return candidate
    tried = " or ".join(str(folder) for folder in folders)
    raise DataError(
        f"dataset {description.name!r}: file {file.name} (or {file.name}.gz) is missing; looked in {tried}; "
        f"expected {file.bytes} bytes uncompressed with sha256 {file.sha256}",
        hint=_get_it(description),
    )


def _folders(description: DatasetDescription, data_folder: Path | None) -> list[Path]:
    if description.embedded:
        return [DATASETS_FOLDER / description.embedded]
    folder = data_folder or (Path(os.environ["DLGAUGE_DATA"]) if os.environ.get("DLGAUGE_DATA") else None)
    if folder is None:
        raise DataError(
            f"dataset {description.name!r} needs its published files, and no data folder is given",
            hint=f"{_get_it(description)}; or use a workload on an embedded dataset, such as lenet-mnist-subset",
        )
    return [folder, *(folder / name for name in description.folders)]


def _get_it(description: DatasetDescription) -> str:
    if description.embedded:
        return "the installation is damaged: install dlgauge anew (the file is part of the package)"
    return (
        f"get the published files ({description.source}), put them into one folder, "
        "and name it with --data DIR or DLGAUGE_DATA"
    )


def _read(path: Path, file: DataFile) -> NDArray[np.uint8]:
    expected = f"expected {file.bytes} bytes uncompressed with sha256 {file.sha256}"
    hint = "remove the file and get it again from its source"
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = decompress(content)
    except OSError as error:
        raise DataError(f"cannot be read: {error}; {expected}", where=str(path)) from None
    except ValueError as error:
        raise DataError(f"{error}; {expected}", where=str(path), hint=hint) from None
    if len(content) != file.bytes:
        problem = "is truncated" if len(content) < file.bytes else "is too long"
        raise DataError(f"{problem}: {len(content)} bytes uncompressed; {expected}", where=str(path), hint=hint)
    if (actual := hashlib.sha256(content).hexdigest()) != file.sha256:
        raise DataError(f"wrong checksum: sha256 {actual}; {expected}", where=str(path), hint=hint)
    return read_idx(content)
