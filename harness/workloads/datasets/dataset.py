"""Loading datasets from their published files, verified by SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.workloads.datasets.cifar import read_records
from harness.workloads.datasets.contents import Contents, search_folders
from harness.workloads.datasets.description import CifarFiles, DatasetDescription, IdxFiles, load_description
from harness.workloads.datasets.idx import read_idx

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Dataset:
    """A dataset in memory; arrays are read-only.

    Attributes:
        content_sha256: identity of the content, as in the description.
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
    elements in C order, little-endian. The identity of datasets in idx format.
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
        data_folder: where the published files lie (or a sub-folder named after the dataset holds them); default
            `data_home()`. Embedded datasets need none.

    Raises:
        DataError: a file is missing, truncated, or has another checksum than the published one.
    """
    description = load_description(name)
    folders = search_folders(description, data_folder)
    arrays = read_arrays(description, Contents(description, folders))
    for array in arrays.values():
        array.setflags(write=False)
    if (actual := identity_of(description, arrays)) != description.content_sha256:
        raise DataError(
            f"dataset {name!r} has content sha256 {actual}, its description says {description.content_sha256}",
            where=str(folders[0]),
        )
    return Dataset(name=name, content_sha256=actual, **arrays)


def identity_of(description: DatasetDescription, arrays: Arrays) -> str:
    """The content's identity in the way of the dataset's format; in CIFAR-10's, that of the verified files."""
    files = description.files
    return files.content_sha256 if isinstance(files, CifarFiles) else content_sha256(arrays)


def read_arrays(description: DatasetDescription, contents: Contents) -> Arrays:
    """Images uint8 `(N, C, H, W)` and labels int32 `(N,)` of both splits.

    Raises:
        DataError: see `Contents.read`; and for content that has not the dataset's format, shape or classes.
    """
    files = description.files
    if isinstance(files, CifarFiles):
        return _read_cifar(description, files, contents)
    return _read_idx(description, files, contents)


def _read_idx(description: DatasetDescription, files: IdxFiles, contents: Contents) -> Arrays:
    arrays: Arrays = {}
    for part in ARRAYS:
        content, path = contents.read(getattr(files, part))
        try:
            array = read_idx(content)
            arrays[part] = (
                array.reshape(len(array), *description.shape) if part.endswith("images") else array.astype(np.int32)
            )
        except ValueError as error:
            raise DataError(str(error), where=str(path)) from None
    return arrays


def _read_cifar(description: DatasetDescription, files: CifarFiles, contents: Contents) -> Arrays:
    arrays: Arrays = {}
    for split in ("train", "test"):
        parts = []
        for file in getattr(files, split):
            content, path = contents.read(file)
            try:
                parts.append(read_records(content, description.shape))
            except ValueError as error:
                raise DataError(str(error), where=str(path)) from None
        arrays[f"{split}_images"] = np.concatenate([images for images, _ in parts])
        arrays[f"{split}_labels"] = np.concatenate([labels for _, labels in parts])
    return arrays
