"""CIFAR-10: its published forms, and variants under names of their own."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from harness.errors import DataError, FileFormatError
from harness.workloads import load_dataset, load_workload
from harness.workloads.datasets import dataset_names, load_description
from harness.workloads.datasets.cifar import read_records, records_from_pickle
from harness.workloads.datasets.description import CifarFiles, DatasetDescription
from harness.workloads.datasets.idx import compress

NAMES = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
COUNT = 4
TINY = "cifar10@tiny"


@pytest.fixture(scope="module")
def records() -> dict[str, bytes]:
    """Six files of four records each."""
    random = np.random.RandomState(3)
    batches = {name: random.randint(0, 256, (COUNT, 3073)).astype(np.uint8) for name in NAMES}
    for batch in batches.values():
        batch[:, 0] %= 10
    return {name: batch.tobytes() for name, batch in batches.items()}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: dict[str, bytes]) -> Path:
    """A data folder that knows the variant `cifar10@tiny`, without its files."""
    files = [{"name": name, "bytes": len(content), "sha256": digest(content)} for name, content in records.items()]
    listed = CifarFiles.model_validate({"train": files[:5], "test": files[5:]})
    published = load_description("cifar10").model_dump(mode="json", exclude={"name"}, exclude_none=True)
    changed = {"dataset": TINY, "variant_of": "cifar10", "train": 5 * COUNT, "test": COUNT}
    own = {**published, **changed, "files": listed.model_dump(mode="json"), "content_sha256": listed.content_sha256}
    (tmp_path / f"{TINY}.yaml").write_text(yaml.safe_dump(own))
    monkeypatch.setenv("DLGAUGE_DATA", str(tmp_path))
    return tmp_path


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pickled(content: bytes) -> bytes:
    batch = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return pickle.dumps({b"data": batch[:, 1:].copy(), b"labels": batch[:, 0].tolist()}, protocol=3)


def write_plain(folder: Path, records: dict[str, bytes]) -> None:
    for name, content in records.items():
        (folder / name).write_bytes(content)


def write_gzip(folder: Path, records: dict[str, bytes]) -> None:
    for name, content in records.items():
        (folder / f"{name}.gz").write_bytes(compress(content))


def write_pickles(folder: Path, records: dict[str, bytes]) -> None:
    (folder / "cifar-10-batches-py").mkdir()
    for name, content in records.items():
        (folder / "cifar-10-batches-py" / name.removesuffix(".bin")).write_bytes(pickled(content))


def write_archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {"readme.html": b"<html>", **members}.items():
            member = tarfile.TarInfo(f"cifar-10-batches/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def write_binary_archive(folder: Path, records: dict[str, bytes]) -> None:
    write_archive(folder / "cifar-10-binary.tar.gz", records)


def write_python_archive(folder: Path, records: dict[str, bytes]) -> None:
    members = {name.removesuffix(".bin"): pickled(content) for name, content in records.items()}
    write_archive(folder / "cifar-10-python.tar.gz", members)


@pytest.mark.parametrize("write", [write_plain, write_gzip, write_pickles, write_binary_archive, write_python_archive])
def test_every_published_form_gives_the_same_dataset(data: Path, records: dict[str, bytes], write) -> None:
    write(data, records)
    dataset = load_dataset(TINY)
    first = np.frombuffer(records["data_batch_1.bin"], np.uint8).reshape(COUNT, 3073)
    assert (dataset.train_images.shape, dataset.train_images.dtype) == ((5 * COUNT, 3, 32, 32), np.uint8)
    np.testing.assert_array_equal(dataset.train_images[1, 0, 2], first[1, 1 + 64 : 1 + 96])
    np.testing.assert_array_equal(dataset.train_labels[:COUNT], first[:, 0])
    assert (dataset.test_labels.shape, dataset.test_labels.dtype) == ((COUNT,), np.int32)
    assert dataset.content_sha256 == load_description(TINY).content_sha256
    assert not dataset.train_images.flags.writeable


def test_an_archive_that_is_cut_off_or_lacks_a_member_is_named(data: Path, records: dict[str, bytes]) -> None:
    path = data / "cifar-10-binary.tar.gz"
    write_binary_archive(data, {name: records[name] for name in NAMES[:5]})
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: the archive holds no test_batch.bin"):
        load_dataset(TINY)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz: the archive is cut off or damaged"):
        load_dataset(TINY)


def test_other_content_is_refused_with_the_way_to_a_variant(data: Path, records: dict[str, bytes]) -> None:
    write_plain(data, records)
    content = bytearray(records["data_batch_3.bin"])
    content[100] ^= 1
    (data / "data_batch_3.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_3.bin: wrong checksum[\s\S]*--dataset cifar10 --variant NAME"):
        load_dataset(TINY)


def test_content_of_a_known_variant_is_told_from_the_published_one(data: Path, records: dict[str, bytes]) -> None:
    published = data / "published"
    published.mkdir()
    padded = {name: content.ljust(30_730_000, b"\0") for name, content in records.items()}
    write_plain(published, padded)
    with pytest.raises(DataError, match=r"data_batch_1.bin: wrong checksum"):
        load_dataset("cifar10", published)
    description = yaml.safe_load((data / f"{TINY}.yaml").read_text())
    for file in (*description["files"]["train"], *description["files"]["test"]):
        file.update(bytes=30_730_000, sha256=digest(padded[file["name"]]))
    description["content_sha256"] = CifarFiles.model_validate(description["files"]).content_sha256
    (data / f"{TINY}.yaml").write_text(yaml.safe_dump(description))
    with pytest.raises(DataError, match=r"this is the content of the dataset 'cifar10@tiny'"):
        load_dataset("cifar10", published)


def test_missing_files_name_the_variants(data: Path) -> None:
    with pytest.raises(DataError, match=r"dlgauge data fetch cifar10[\s\S]*cifar10@jpeg75"):
        load_dataset("cifar10")


@pytest.mark.parametrize("content", [b"", b"x" * 3072, b"x" * 3074])
def test_what_is_no_number_of_records_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no number of records of 3073 bytes"):
        read_records(content, (3, 32, 32))


class Malicious:
    def __reduce__(self):
        return (os.system, ("true",))


@pytest.mark.parametrize("value", [Malicious(), {b"data": 3}, [1], {b"data": np.zeros((2, 3)), b"labels": [1]}])
def test_only_batches_are_unpickled(value: object) -> None:
    with pytest.raises(ValueError, match="no file of CIFAR-10's Python version"):
        records_from_pickle(pickle.dumps(value, protocol=3))


def test_the_published_identity_follows_from_the_published_checksums() -> None:
    description = load_description("cifar10")
    assert isinstance(description.files, CifarFiles)
    assert description.content_sha256 == description.files.content_sha256
    assert [file.name for file in description.files.all] == NAMES
    assert {file.bytes for file in description.files.all} == {30_730_000}
    assert description.content_sha256 != load_description("cifar10@jpeg75").content_sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "cifar10@"}, "a variant as NAME@VARIANT"),
        ({"name": "cifar10@a@b", "variant_of": "cifar10"}, "a variant as NAME@VARIANT"),
        ({"name": "cifar10@x"}, "is a variant of None"),
        ({"name": "cifar10", "variant_of": "mnist"}, "is a variant of 'mnist'"),
        ({"content_sha256": "0" * 64}, "content_sha256 should be"),
        ({"format": "idx"}, "not those of format 'idx'"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(changes: dict[str, str], message: str) -> None:
    published = load_description("cifar10").model_dump(mode="json")
    with pytest.raises(ValidationError, match=message):
        DatasetDescription.model_validate({**published, **changes})


def test_a_workload_on_a_variant_is_called_after_both(data: Path) -> None:
    assert TINY in dataset_names()
    published, variant = load_workload("caffe-cifar10"), load_workload("caffe-cifar10@tiny")
    assert (published.name, published.dataset.name) == ("caffe-cifar10", "cifar10")
    assert (variant.name, variant.dataset.name, variant.dataset.train) == ("caffe-cifar10@tiny", TINY, 5 * COUNT)
    assert variant.dataset.content_sha256 != published.dataset.content_sha256
    assert variant.network == published.network
    with pytest.raises(FileFormatError, match=r"caffe-cifar10.yaml:\d+: unknown dataset 'cifar10@tony' … did you mean"):
        load_workload("caffe-cifar10@tony")


def test_the_jpeg_variant_is_verified() -> None:
    folder = Path(os.environ.get("DLGAUGE_DATA", "")) / "cifar10-jpeg75"
    if not folder.is_dir():
        pytest.skip("the JPEG variant of CIFAR-10 is not here (DLGAUGE_DATA)")
    dataset = load_dataset("cifar10@jpeg75")
    assert np.bincount(dataset.train_labels).tolist() == [5000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [1000] * 10
