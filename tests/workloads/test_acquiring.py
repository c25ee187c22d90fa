"""`dlgauge data`: datasets from mirrors and folders, verified; other content under a name of its own."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import DataError
from harness.workloads import load_dataset, load_workload, prepare
from harness.workloads.datasets import description as descriptions
from harness.workloads.datasets import load_description
from harness.workloads.datasets.acquiring import fetch_dataset, import_dataset
from harness.workloads.datasets.description import DATASETS_FOLDER
from harness.workloads.datasets.fetching import Patience
from harness.workloads.datasets.idx import read_idx, write_idx
from tests.workloads.mirror import Mirror, serve

QUICK = Patience(silence_s=1.0, attempts=2, pause_s=0.01)
SUBSET = DATASETS_FOLDER / "mnist_subset"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Datasets are described as ever, and `digits` is one that has the subset's files on mirrors."""
    own = tmp_path / "descriptions"
    own.mkdir()
    for path in DATASETS_FOLDER.glob("*.yaml"):
        (own / path.name).write_text(path.read_text())
    text = (DATASETS_FOLDER / "mnist-subset.yaml").read_text().replace("embedded: mnist_subset\n", "")
    (own / "digits.yaml").write_text(text.replace("dataset: mnist-subset", "dataset: digits"))
    monkeypatch.setattr(descriptions, "DATASETS_FOLDER", own)
    monkeypatch.setattr("harness.workloads.datasets.contents.DATASETS_FOLDER", DATASETS_FOLDER)
    monkeypatch.setenv("DLGAUGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def published() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SUBSET.glob("*.gz")}


def test_fetching_gets_what_is_missing_and_nothing_twice(home: Path) -> None:
    with serve(Mirror(published(), break_after=1000, troubles=1)) as mirror:
        folder = fetch_dataset("digits", home, mirrors=[mirror.url.rstrip("/")], patience=QUICK)
        assert len(mirror.asked) == 5
        assert load_dataset("digits").train_images.shape == (10_000, 1, 28, 28)
        (folder / "t10k-labels-idx1-ubyte").write_bytes(b"damaged")
        mirror.asked.clear()
        mirror.break_after = None
        fetch_dataset("digits", home, mirrors=[mirror.url], patience=QUICK)
    assert [path for path, _ in mirror.asked] == ["/t10k-labels-idx1-ubyte.gz"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(name[:-3] for name in published())


def test_wrong_bytes_everywhere_end_in_an_error_that_names_the_mirror(home: Path) -> None:
    files = {**published(), "t10k-labels-idx1-ubyte.gz": gzip.compress(b"other")}
    with serve(Mirror(files)) as mirror, pytest.raises(DataError, match=r"t10k-labels.*\n.*wrong bytes: sha256"):
        fetch_dataset("digits", home, mirrors=[mirror.url], patience=QUICK)


def test_what_has_no_address_says_so(home: Path) -> None:
    with pytest.raises(DataError, match="'cifar10@jpeg75' cannot be fetched: no public address is known"):
        fetch_dataset("cifar10@jpeg75", home)
    with pytest.raises(DataError, match="'mnist-subset' cannot be fetched: it comes with the project"):
        fetch_dataset("mnist-subset", home)


def test_importing_finds_out_which_dataset_it_is(home: Path, tmp_path: Path) -> None:
    description = import_dataset(SUBSET, home, name="digits")
    assert description.name == "digits"
    assert load_dataset("digits").content_sha256 == description.content_sha256
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no dataset's files are there[\s\S]*cifar10: data_batch_1.bin"):
        import_dataset(tmp_path / "empty", home)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """The subset's files with other pixels, and fewer test images."""
    folder = tmp_path / "noisy"
    folder.mkdir()
    for name, content in published().items():
        array = read_idx(gzip.decompress(content)).copy()
        array = array[:1500] if name.startswith("t10k") else array
        if "images" in name:
            array[:, 0, 0] = 17
        (folder / name.removesuffix(".gz")).write_bytes(write_idx(array))
    return folder


def test_other_content_is_accepted_as_a_variant_only(home: Path, noisy: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--dataset digits --variant NAME"):
        import_dataset(noisy, home, name="digits")
    assert not (home / "digits").exists()
    description = import_dataset(noisy, home, name="digits", variant="noisy")
    assert (description.name, description.variant_of, description.test) == ("digits@noisy", "digits", 1500)
    assert description.content_sha256 != load_description("digits").content_sha256
    dataset = load_dataset("digits@noisy")
    assert (dataset.train_images[:, 0, 0, 0] == 17).all()
    assert import_dataset(noisy, home, name="digits", variant="noisy") == load_description("digits@noisy")
    with pytest.raises(DataError, match=r"'digits@noisy' has other content already"):
        import_dataset(SUBSET, home, name="digits", variant="noisy")


def test_a_variant_can_be_trained_on_at_once(home: Path, noisy: Path, tmp_path: Path) -> None:
    import_dataset(noisy, home, name="digits", variant="noisy")
    text = "workload: w\ndataset: digits@noisy\nnetwork: lenet\nloss: softmax_cross_entropy\n"
    (tmp_path / "w.yaml").write_text(text)
    workload = load_workload("w.yaml", relative_to=tmp_path)
    assert workload.dataset.name == "digits@noisy"
    assert prepare(workload).test_images.shape == (1500, 1, 28, 28)


@pytest.mark.parametrize("variant", ["", "Noisy", "a@b", "a/b"])
def test_names_of_variants_are_checked(home: Path, noisy: Path, variant: str) -> None:
    with pytest.raises((DataError, ValueError), match="NAME@VARIANT|no name of a variant"):
        import_dataset(noisy, home, name="digits", variant=variant)


def test_labels_outside_the_classes_are_refused(home: Path, noisy: Path) -> None:
    labels = np.full(1500, 12, np.uint8)
    (noisy / "t10k-labels-idx1-ubyte").write_bytes(write_idx(labels))
    with pytest.raises(DataError, match="a label 12, and 'digits' has 10 classes"):
        import_dataset(noisy, home, name="digits", variant="wrong")


def test_the_command(home: Path, noisy: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        return CliRunner().invoke(app, ["data", *arguments], catch_exceptions=False).output

    assert "mnist-subset  10,000 + 2,000  18b0c89d5d94  with the project" in run("list")
    with serve(Mirror(published())) as mirror:
        printed = run("fetch", "digits", "--mirror", mirror.url, "--to", str(tmp_path / "elsewhere"))
    assert "digits: verified, content 18b0c89d" in printed
    assert f"DLGAUGE_DATA={tmp_path / 'elsewhere'}" in printed
    assert "digits@noisy: verified" in run("import", str(noisy), "--dataset", "digits", "--variant", "noisy")
    assert "digits@noisy  10,000 + 1,500" in run("list")
