from __future__ import annotations

import hashlib
import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.workloads import initial_weights, load_dataset, load_network, load_setting, load_workload, prepare
from harness.workloads.prepared import prepared_key
from harness.workloads.preprocessing import Scale, preprocess

WORKLOAD = load_workload("lenet-mnist-subset")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_caffes_xavier_and_zero_biases() -> None:
    weights = initial_weights(load_network("lenet"), load_setting("caffe-mnist"), 1)
    for name, fan_in in (("conv1", 25), ("conv2", 500), ("dense1", 800), ("dense2", 500)):
        values, bound = weights[f"{name}.weights"], (3 / fan_in) ** 0.5
        assert values.dtype == np.float32
        assert np.abs(values).max() <= bound * (1 + 1e-6)
        assert np.abs(values).max() > 0.97 * bound
        assert values.std() == pytest.approx(fan_in**-0.5, rel=0.1)
        assert not weights[f"{name}.biases"].any()


def test_the_same_seed_gives_the_same_weights_for_ever() -> None:
    setting = load_setting("caffe-mnist").model_dump(mode="json", exclude_none=True)
    first, again, other = (initial_weights(WORKLOAD.network, setting, seed) for seed in (1, 1, 2))
    digest = hashlib.sha256(b"".join(first[name].tobytes() for name in first)).hexdigest()
    assert digest == hashlib.sha256(b"".join(again[name].tobytes() for name in again)).hexdigest()
    assert not np.array_equal(first["conv1.weights"], other["conv1.weights"])
    assert digest == "dad662809dde7fd27894034196c8cf195c6d28431cb116d8c5e8e43e005c5f3b"


def test_gaussian_and_constant() -> None:
    given = {"weights": {"kind": "gaussian", "std": 0.01}, "biases": {"kind": "constant", "value": 0.1}}
    setting = load_setting("caffe-mnist").model_dump(mode="json", exclude_none=True)
    weights = initial_weights(WORKLOAD.network, {**setting, "initialisation": given}, 3)
    assert weights["dense1.weights"].std() == pytest.approx(0.01, rel=0.02)
    assert (weights["dense1.biases"] == np.float32(0.1)).all()


def test_scaling_by_a_power_of_two_is_exact_and_leaves_the_original() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    scaled = preprocess(images, images, [Scale(kind="scale", factor=1 / 256)]).train
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled * 256, images)
    assert images.dtype == np.uint8


def test_prepared_arrays_are_those_of_the_dataset() -> None:
    dataset = load_dataset("mnist-subset")
    data = prepare(WORKLOAD, dataset)
    np.testing.assert_array_equal(data.train_images, dataset.train_images.astype(np.float32) / 256)
    np.testing.assert_array_equal(data.test_labels, dataset.test_labels)
    assert data.train_labels.dtype == np.int32
    assert sorted(path.name for path in data.folder.iterdir()) == [
        "manifest.json",
        "test_images.npy",
        "test_labels.npy",
        "train_images.npy",
        "train_labels.npy",
    ]


def test_the_second_time_nothing_is_built(cache: Path) -> None:
    first = prepare(WORKLOAD)
    before = {path: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    again = prepare(WORKLOAD.model_dump(mode="json"))
    assert again.folder == first.folder == cache / "prepared" / first.sha256
    assert {path: path.stat().st_mtime_ns for path in again.folder.iterdir()} == before


def test_any_user_may_read_them_whatever_the_umask() -> None:
    old = os.umask(0o077)
    try:
        folder = prepare(WORKLOAD).folder
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}


def cut_off(folder: Path) -> None:
    with (folder / "train_images.npy").open("r+b") as file:
        file.truncate(1000)


def flip_a_byte(folder: Path) -> None:
    path = folder / "test_images.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def remove_one(folder: Path) -> None:
    (folder / "test_labels.npy").unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"files": []}))


@pytest.mark.parametrize("damage", [cut_off, flip_a_byte, remove_one, spoil_manifest])
def test_a_damaged_cache_is_built_anew(damage, cache: Path) -> None:
    good = prepare(WORKLOAD)
    expected = {path.name: path.read_bytes() for path in good.folder.glob("*.npy")}
    damage(good.folder)
    again = prepare(WORKLOAD)
    assert {path.name: path.read_bytes() for path in again.folder.glob("*.npy")} == expected
    assert [path.name for path in (cache / "prepared").iterdir()] == [again.sha256]


def _prepare_in_process(_: int) -> str:
    data = prepare(WORKLOAD)
    return hashlib.sha256(data.train_images.tobytes()).hexdigest()


def test_processes_at_once_agree_and_leave_nothing_behind(cache: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert len(set(pool.map(_prepare_in_process, range(8)))) == 1
    assert len(list((cache / "prepared").iterdir())) == 1


def test_the_key_depends_on_content_and_preprocessing_only() -> None:
    renamed = WORKLOAD.model_copy(update={"name": "other"})
    scaled = WORKLOAD.model_copy(update={"preprocessing": (Scale(kind="scale", factor=0.5),)})
    assert prepared_key(renamed) == prepared_key(WORKLOAD) != prepared_key(scaled)


def test_data_of_another_dataset_is_refused() -> None:
    identity = WORKLOAD.dataset.model_copy(update={"content_sha256": "0" * 64})
    with pytest.raises(DataError, match="content sha256"):
        prepare(WORKLOAD.model_copy(update={"dataset": identity}))


def test_a_cache_that_cannot_be_written_says_how_to_name_another(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="DLGAUGE_CACHE"):
        prepare(WORKLOAD)
