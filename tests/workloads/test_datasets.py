from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError, FileFormatError
from harness.paths import PROJECT_ROOT
from harness.workloads.datasets import content_sha256, load_dataset, load_description
from harness.workloads.datasets.description import DATASETS_FOLDER
from harness.workloads.datasets.idx import compress, read_idx, write_idx
from harness.workloads.datasets.subset import SUBSET_SEED, class_counts, draw_subset

TRAIN_CLASSES = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_CLASSES = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def mnist_folder() -> Path:
    """Where the published files of MNIST are, for the tests that want them."""
    for folder in (os.environ.get("DLGAUGE_DATA"), PROJECT_ROOT.parent / "shared" / "data"):
        if folder and any((Path(folder) / part / "train-images-idx3-ubyte.gz").is_file() for part in ("", "mnist")):
            return Path(folder)
    pytest.skip("the published MNIST files are not here (DLGAUGE_DATA)")


def test_the_embedded_subset_needs_no_files_and_has_mnists_proportions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DLGAUGE_DATA", raising=False)
    subset = load_dataset("mnist-subset")
    assert (subset.train_images.shape, subset.train_images.dtype) == ((10_000, 1, 28, 28), np.uint8)
    assert (subset.test_images.shape, subset.test_labels.dtype) == ((2_000, 1, 28, 28), np.int32)
    for labels, original in ((subset.train_labels, TRAIN_CLASSES), (subset.test_labels, TEST_CLASSES)):
        share = np.array(original) * len(labels) / sum(original)
        assert np.abs(np.bincount(labels) - share).max() < 1
    assert subset.content_sha256 == load_description("mnist-subset").content_sha256
    with pytest.raises(ValueError, match="read-only"):
        subset.train_images[0] = 0


def test_the_embedded_files_are_small_and_carry_source_and_licence() -> None:
    folder = DATASETS_FOLDER / "mnist_subset"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 3_000_000
    text = (folder / "README.md").read_text()
    for word in ("Yann LeCun", "Corinna Cortes", "Burges", "CC BY-SA 3.0", "http://yann.lecun.com/exdb/mnist/"):
        assert word in text


def test_full_mnist_is_verified_and_the_subset_is_cut_from_it() -> None:
    mnist, subset = load_dataset("mnist", mnist_folder()), load_dataset("mnist-subset")
    assert np.bincount(mnist.train_labels).tolist() == TRAIN_CLASSES
    random = np.random.RandomState(SUBSET_SEED)
    for split, size in (("train", 10_000), ("test", 2_000)):
        chosen = draw_subset(random, getattr(mnist, f"{split}_labels"), size)
        np.testing.assert_array_equal(getattr(mnist, f"{split}_images")[chosen], getattr(subset, f"{split}_images"))


def test_the_script_makes_the_embedded_files_again(tmp_path: Path) -> None:
    script = PROJECT_ROOT / "scripts" / "make-mnist-subset"
    command = [sys.executable, str(script), str(mnist_folder()), "--output", str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    description = load_description("mnist-subset")
    assert f"content_sha256: {description.content_sha256}" in printed
    for path in tmp_path.iterdir():
        embedded = DATASETS_FOLDER / "mnist_subset" / path.name
        assert gzip.decompress(path.read_bytes()) == gzip.decompress(embedded.read_bytes())


def test_gzip_bytes_do_not_depend_on_the_time() -> None:
    assert compress(b"digits") == compress(b"digits")
    assert compress(b"digits")[4:8] == b"\0\0\0\0"


@given(st.lists(st.integers(0, 5), min_size=30, max_size=200), st.integers(1, 30))
def test_a_subset_has_its_size_and_every_class_its_share(labels: list[int], size: int) -> None:
    array = np.array(labels, dtype=np.int32)
    counts = class_counts(array, size)
    assert sum(counts) == size
    for label, count in enumerate(counts):
        assert abs(count - labels.count(label) * size / len(labels)) < 1
    chosen = draw_subset(np.random.RandomState(1), array, size)
    assert len(set(chosen.tolist())) == size
    assert np.bincount(array[chosen], minlength=len(counts)).tolist() == counts


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_idx_round_trip(shape: list[int]) -> None:
    array = np.arange(int(np.prod(shape)), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(read_idx(write_idx(array)), array)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\x01\0", b"\0\0\x08\x03\0\0", b"\0\0\x08\x01\0\0\0\x02a"]
)
def test_what_is_no_idx_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        read_idx(content)


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A folder with MNIST's files by links: a test replaces one of them."""
    source = mnist_folder()
    source = source / "mnist" if (source / "mnist").is_dir() else source
    folder = tmp_path / "mnist"
    folder.mkdir()
    for path in source.glob("*-ubyte.gz"):
        (folder / path.name).symlink_to(path)
    return tmp_path


def replace(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "mnist" / name
    path.unlink()
    path.write_bytes(content)
    return path


LABELS = "t10k-labels-idx1-ubyte"
LABELS_SHA256 = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"


def test_uncompressed_files_in_a_sub_folder_are_read(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = data_folder / "mnist" / f"{LABELS}.gz"
    (data_folder / "mnist" / LABELS).write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    monkeypatch.setenv("DLGAUGE_DATA", str(data_folder))
    assert len(load_dataset("mnist").test_labels) == 10_000


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda raw: compress(raw)[:-500], "the gzip stream is cut off"),
        (lambda raw: b"<html>not found</html>", "the gzip stream is damaged"),
        (lambda raw: compress(raw[:5000]), "is truncated: 5000 bytes uncompressed"),
        (lambda raw: compress(raw + b"x"), "is too long"),
        (lambda raw: compress(raw[:-1] + b"\x09"), "wrong checksum: sha256 "),
        (lambda raw: b"", "is truncated"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected(data_folder: Path, damage, problem: str) -> None:
    raw = gzip.decompress((data_folder / "mnist" / f"{LABELS}.gz").read_bytes())
    assert hashlib.sha256(raw).hexdigest() == LABELS_SHA256
    path = replace(data_folder, f"{LABELS}.gz", damage(raw))
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", data_folder)
    text = str(caught.value)
    assert text.startswith(f"{path}: {problem}")
    assert LABELS_SHA256 in text
    assert "10008 bytes" in text
    assert "get it again" in text


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", tmp_path)
    text = str(caught.value)
    for part in ("train-images-idx3-ubyte", str(tmp_path), str(tmp_path / "mnist"), "47040016 bytes", "--data DIR"):
        assert part in text


def test_no_data_folder_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DLGAUGE_DATA", raising=False)
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"--data DIR or DLGAUGE_DATA[\s\S]*lenet-mnist-subset"):
        load_dataset("mnist")


def test_an_unknown_dataset_is_answered_with_the_nearest() -> None:
    with pytest.raises(FileFormatError, match="unknown dataset 'minst' … did you mean 'mnist'"):
        load_dataset("minst")


def test_the_content_hash_sees_values_shapes_and_types() -> None:
    subset = load_dataset("mnist-subset")
    arrays = {name: getattr(subset, name) for name in ("train_images", "train_labels", "test_images", "test_labels")}
    whole = content_sha256(arrays)
    changed = arrays["test_labels"].copy()
    changed[-1] += 1
    flat = arrays["test_images"].reshape(2000, 1, 14, 56)
    hashes = {
        whole,
        content_sha256({**arrays, "test_labels": changed}),
        content_sha256({**arrays, "test_images": flat}),
        content_sha256({**arrays, "test_labels": arrays["test_labels"].astype(np.int64)}),
    }
    assert len(hashes) == 4
