"""Augmentation as data of a workload: its file, its shapes, what the prepared arrays hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frameworks.worker.augmentation import for_evaluation
from harness.errors import FileFormatError
from harness.workloads import load_dataset, load_workload, prepare
from harness.workloads.prepared import prepared_key
from harness.workloads.preprocessing import preprocess

FILE = """\
workload: w
dataset: mnist-subset
preprocessing: [{kind: pad, pixels: 2}]
augmentation:
  - {kind: random_crop, size: 28}
  - {kind: random_flip}
  - {kind: standardise}
network: lenet
loss: softmax_cross_entropy
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path / "cache"))


def load(folder: Path, text: str = FILE):
    (folder / "w.yaml").write_text(text)
    return load_workload("w.yaml", relative_to=folder)


def test_evaluation_gets_the_centre_standardised_and_training_the_whole_images(tmp_path: Path) -> None:
    dataset = load_dataset("mnist-subset")
    data = prepare(load(tmp_path), dataset)
    assert data.train_images.shape == (10_000, 1, 32, 32)
    np.testing.assert_array_equal(data.train_images[:, :, 2:30, 2:30], dataset.train_images)
    assert data.test_images.shape == (2_000, 1, 28, 28)
    flat = dataset.test_images.reshape(2_000, -1).astype(np.float64)
    expected = (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)
    np.testing.assert_allclose(data.test_images.reshape(2_000, -1), expected, rtol=1e-4, atol=1e-4)


def test_a_padded_crop_of_the_same_size_evaluates_the_image_itself(tmp_path: Path) -> None:
    text = FILE.replace("preprocessing: [{kind: pad, pixels: 2}]\n", "").replace("size: 28", "size: 28, padding: 4")
    data = prepare(load(tmp_path, text.replace("  - {kind: standardise}\n", "")))
    np.testing.assert_array_equal(data.test_images, load_dataset("mnist-subset").test_images)


@pytest.mark.parametrize("crop", ["size: 28", "size: 27, padding: 3"])
def test_validation_images_are_made_by_the_worker_as_test_images_are_by_the_harness(tmp_path: Path, crop: str) -> None:
    text = FILE.replace("size: 28", crop).replace("network: lenet", "network: ./n.yaml")
    side = 28 if crop == "size: 28" else 27
    layers = "[{name: logits, kind: dense, units: 10}]"
    (tmp_path / "n.yaml").write_text(f"network: n\ninput: [1, {side}, {side}]\nlayers: {layers}\n")
    workload = load(tmp_path, text)
    images = preprocess(*[load_dataset("mnist-subset").test_images] * 2, workload.preprocessing).train
    made = for_evaluation(images, [step.model_dump() for step in workload.augmentation])
    np.testing.assert_allclose(made, prepare(workload).test_images, rtol=1e-5, atol=1e-5)


def test_what_only_training_sees_needs_no_new_arrays(tmp_path: Path) -> None:
    plain = load(tmp_path)
    brighter = load(tmp_path, FILE.replace("{kind: random_flip}", "{kind: random_brightness, max_delta: 3.0}"))
    smaller = load(tmp_path, FILE.replace("  - {kind: standardise}\n", ""))
    assert prepared_key(plain) == prepared_key(brighter) != prepared_key(smaller)
    assert plain.model_dump(mode="json")["augmentation"][0] == {"kind": "random_crop", "size": 28, "padding": 0}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size: 28", "size: 24", r"w.yaml:8: network 'lenet' takes .* has 1x28x28, after augmentation 1x24x24"),
        ("size: 28", "size: 33", r"w.yaml:4: augmentation 'random_crop': cannot crop 33x33 out of 32x32"),
        ("{kind: random_flip}", "{kind: random_contrast, lower: 2.0, upper: 1.0}", r"w.yaml:6: .*lower=2.0"),
        ("{kind: random_flip}", "{kind: swirl}", r"w.yaml:6: .*swirl"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        load(tmp_path, FILE.replace(old, new))


def test_the_papers_workloads_with_augmentation() -> None:
    assert load_workload("tensorflow-cifar10").network.input == (3, 24, 24)
    assert load_workload("resnet-32@jpeg75").dataset.name == "cifar10@jpeg75"
