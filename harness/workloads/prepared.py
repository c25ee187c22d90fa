"""Prepared arrays on disk: preprocessed once, cached by content, shared by all trials and frameworks."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.paths import cache_folder
from harness.workloads.augmentation import evaluation_steps
from harness.workloads.datasets.dataset import ARRAYS, Dataset, load_dataset
from harness.workloads.preprocessing import Splits, preprocess
from harness.workloads.workload import Workload, parse_workload

CACHE_FORMAT = 2
MANIFEST_FILE = "manifest.json"
_ATTEMPTS = 8


@dataclass(frozen=True)
class PreparedData:
    """Preprocessed arrays in a folder that any process and any user may read.

    Attributes:
        folder: holds `train_images.npy`, `train_labels.npy`, `test_images.npy`, `test_labels.npy`.
        sha256: the cache key: dataset content and preprocessing.
        train_images, test_images: float32, `(N, C, H, W)`, memory-mapped, read-only. Where the workload has
            augmentation, the training images are those before it, the test images ready for evaluation.
        train_labels, test_labels: int32, `(N,)`, memory-mapped, read-only.
    """

    folder: Path
    sha256: str
    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int32]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int32]


def prepared_key(workload: Workload) -> str:
    """SHA-256 of what decides the prepared arrays: dataset content, preprocessing, format of the cache."""
    value = {
        "format": CACHE_FORMAT,
        "dataset": workload.dataset.content_sha256,
        "preprocessing": [step.model_dump(mode="json") for step in workload.preprocessing],
        "evaluation": [step.model_dump(mode="json") for step in evaluation_steps(workload.augmentation)],
    }
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def prepare(
    workload: Workload | Mapping[str, Any], dataset: Dataset | None = None, *, data_folder: Path | None = None
) -> PreparedData:
    """The workload's preprocessed arrays, from the cache or made now.

    Safe with several processes at once: each builds in a folder of its own, and one rename makes the first visible. A
    damaged cache is built anew.

    Args:
        dataset: the loaded dataset; without it the dataset is loaded from `data_folder`, and only where it is needed.

    Raises:
        DataError: the dataset's files are missing or wrong, or its content is not the workload's.
    """
    parsed = parse_workload(workload)
    key = prepared_key(parsed)
    target = cache_folder() / "prepared" / key
    for _ in range(_ATTEMPTS):
        if is_intact(target):
            return _open(target, key)
        if dataset is None:
            dataset = load_dataset(parsed.dataset.name, data_folder)
        _check_identity(parsed, dataset)
        _build(target, parsed, dataset)
    raise DataError(
        "the prepared arrays are damaged again and again",
        where=str(target),
        hint="another process may be changing the cache; remove the folder and run again",
    )


def is_intact(folder: Path) -> bool:
    """Whether a prepared folder is whole: all sizes as in its manifest; checksums too where a file changed since."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text())
        for name in ARRAYS:
            path, expected = folder / f"{name}.npy", manifest["files"][f"{name}.npy"]
            status = path.stat()
            if status.st_size != expected["bytes"]:
                return False
            if status.st_mtime_ns != expected["mtime_ns"] and _sha256(path) != expected["sha256"]:
                return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _check_identity(workload: Workload, dataset: Dataset) -> None:
    if dataset.content_sha256 != workload.dataset.content_sha256:
        raise DataError(
            f"dataset {dataset.name!r} has content sha256 {dataset.content_sha256}, workload {workload.name!r} "
            f"is on {workload.dataset.name!r} with {workload.dataset.content_sha256}"
        )


def _open(folder: Path, key: str) -> PreparedData:
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    return PreparedData(folder=folder, sha256=key, **arrays)


def _build(target: Path, workload: Workload, dataset: Dataset) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:16]}-", dir=target.parent))
    except OSError as error:
        raise DataError(f"the cache cannot be written: {error}", hint="name another one with DLGAUGE_CACHE") from None
    try:
        _write(temporary, workload, dataset)
        _move_away_damaged(target, temporary)
        temporary.rename(target)
    except OSError as error:
        # Another process was first: its folder is the one that counts, and the caller looks at it.
        if not is_intact(target):
            raise DataError(f"the prepared arrays cannot be written: {error}", where=str(target)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, workload: Workload, dataset: Dataset) -> None:
    files = {}
    splits = _prepared_images(workload, dataset)
    arrays = {"train_images": splits.train, "test_images": splits.test}
    for name in ARRAYS:
        path = folder / f"{name}.npy"
        np.save(path, arrays.get(name, getattr(dataset, name)))
        path.chmod(0o644)
        status = path.stat()
        files[path.name] = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": _sha256(path)}
    manifest = folder / MANIFEST_FILE
    manifest.write_text(json.dumps({"format": CACHE_FORMAT, "dataset": dataset.name, "files": files}, indent=1) + "\n")
    manifest.chmod(0o644)
    folder.chmod(0o755)


def _prepared_images(workload: Workload, dataset: Dataset) -> Splits:
    train, test = preprocess(dataset.train_images, dataset.test_images, workload.preprocessing)
    for step in evaluation_steps(workload.augmentation):
        test = step.transform(test)
    return Splits(train, np.ascontiguousarray(test))


def _move_away_damaged(target: Path, temporary: Path) -> None:
    if target.exists() and not is_intact(target):
        away = temporary.with_name(f"{temporary.name}-damaged")
        try:
            target.rename(away)
        except FileNotFoundError:
            return
        shutil.rmtree(away, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
