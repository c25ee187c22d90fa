"""Preprocessing: what the arrays hold afterwards, and what shape they have."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from harness.errors import FileFormatError
from harness.workloads import load_workload
from harness.workloads.preprocessing import Preprocessing, Splits, StepError, preprocess, preprocessed_shape
from harness.workloads.preprocessing.contrast import gaussian_kernel


def step(kind: str, **fields: Any) -> Preprocessing:
    return TypeAdapter(Preprocessing).validate_python({"kind": kind, **fields})


def run(train: np.ndarray, test: np.ndarray, *steps: Preprocessing) -> Splits:
    return preprocess(train, test, steps)


@pytest.fixture
def images() -> Callable[..., np.ndarray]:
    random = np.random.RandomState(7)
    return lambda *shape: random.randint(0, 256, shape).astype(np.uint8)


def test_noise_leaves_no_two_equal_neighbours_and_is_the_same_every_time() -> None:
    zeros = np.zeros((3, 1, 28, 28), np.uint8)
    steps = (step("scale", factor=1 / 256), step("uniform_noise", amplitude=0.01))
    first, second = run(zeros, zeros, *steps), run(zeros, zeros, *steps)
    assert np.array_equal(first.train, second.train)
    assert first.train.dtype == np.float32
    assert (first.train >= 0).all() and (first.train < 0.01).all()
    assert len(np.unique(first.train)) > 0.99 * first.train.size
    assert (zeros == 0).all()


def test_noise_is_different_for_every_image_and_every_seed() -> None:
    zeros = np.zeros((2, 1, 4, 4), np.uint8)
    first = run(zeros, zeros, step("uniform_noise", amplitude=1.0)).train
    other = run(zeros, zeros, step("uniform_noise", amplitude=1.0, seed=1)).train
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


def test_the_mean_image_is_that_of_the_training_split(images) -> None:
    train, test = images(30, 3, 5, 4), images(7, 3, 5, 4)
    found = run(train, test, step("subtract_mean_image"))
    mean = train.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(found.train, train - mean, atol=1e-4)
    np.testing.assert_allclose(found.test, test - mean, atol=1e-4)


@pytest.mark.parametrize("per_split", [False, True])
def test_global_normalisation_by_the_training_split_or_each_by_its_own(images, per_split: bool) -> None:
    train, test = images(1500, 1, 4, 4), images(50, 1, 4, 4) // 2
    found = run(train, test, step("global_normalisation", per_split=per_split))
    source = test if per_split else train
    expected = (test - source.astype(np.float64).mean()) / source.astype(np.float64).std(ddof=1)
    np.testing.assert_allclose(found.test, expected, rtol=1e-5, atol=1e-5)
    assert found.train.mean() == pytest.approx(0, abs=1e-6)
    assert found.train.std(ddof=1) == pytest.approx(1, rel=1e-5)


def test_a_split_of_one_value_becomes_zero() -> None:
    grey = np.full((3, 1, 4, 4), 9, np.uint8)
    assert not run(grey, grey, step("global_normalisation")).train.any()


def test_padding_grey_and_crop() -> None:
    image = np.arange(2 * 5 * 5, dtype=np.uint8).reshape(1, 2, 5, 5)
    padded = run(image, image, step("pad", pixels=2)).train
    assert padded.shape == (1, 2, 9, 9)
    np.testing.assert_array_equal(padded[:, :, 2:7, 2:7], image)
    assert padded.sum() == image.sum()
    grey = run(image, image, step("grey")).test
    np.testing.assert_array_equal(grey, (image[:, :1].astype(float) + image[:, 1:]) / 2)
    crop = run(image, image, step("centre_crop", size=2)).test
    np.testing.assert_array_equal(crop, image[:, :, 1:3, 1:3])
    assert crop.flags["C_CONTIGUOUS"]


def test_standardised_images_have_mean_zero_and_deviation_one(images) -> None:
    train = images(1200, 3, 6, 6)
    train[5] = 17
    found = run(train, train[:3], step("standardise")).train
    others = np.delete(found, 5, axis=0).reshape(1199, -1)
    np.testing.assert_allclose(others.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(others.std(axis=1), 1, rtol=1e-5)
    assert not found[5].any()


def test_a_small_deviation_is_held_at_that_of_one_pixel() -> None:
    image = np.zeros((1, 1, 4, 4), np.float32)
    image[0, 0, 0, 0] = 0.001
    found = run(image, image, step("standardise")).train
    np.testing.assert_allclose(found, (image - image.mean()) * math.sqrt(16), rtol=1e-5)


def local_contrast_by_loops(plane: np.ndarray) -> np.ndarray:
    """Torch's definition, written out: zeros outside, divided by what the kernel sees of the image."""
    kernel = np.outer(gaussian_kernel(), gaussian_kernel())
    height, width = plane.shape

    def smooth(values: np.ndarray) -> np.ndarray:
        result = np.zeros_like(values)
        for row in range(height):
            for column in range(width):
                for i in range(-3, 4):
                    for j in range(-3, 4):
                        if 0 <= row + i < height and 0 <= column + j < width:
                            result[row, column] += kernel[i + 3, j + 3] * values[row + i, column + j]
        return result

    border = smooth(np.ones_like(plane))
    centred = plane - smooth(plane) / border
    deviation = np.sqrt(smooth(centred**2)) / border
    return centred / np.where(deviation > 1e-4, deviation, 1e-4)


def test_torchs_yuv_with_local_contrast_is_its_definition(images) -> None:
    train, test = images(5, 3, 9, 8), images(2, 3, 9, 8)
    found = run(train, test, step("yuv_local_contrast"))
    red, green, blue = (test[:, channel].astype(np.float64) for channel in range(3))
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    np.testing.assert_allclose(found.test[1, 0], local_contrast_by_loops(luminance[1]), rtol=1e-4, atol=1e-4)
    u_train = -0.14713 * train[:, 0].astype(float) - 0.28886 * train[:, 1] + 0.436 * train[:, 2]
    u_test = -0.14713 * red - 0.28886 * green + 0.436 * blue
    np.testing.assert_allclose(found.test[:, 1], (u_test - u_train.mean()) / -u_train.std(ddof=1), rtol=1e-4, atol=1e-4)
    assert found.train[:, 2].mean() == pytest.approx(0, abs=1e-5)


def test_local_contrast_of_a_flat_image_is_zero() -> None:
    grey = np.full((2, 3, 8, 8), 77, np.uint8)
    found = run(grey, grey, step("yuv_local_contrast")).train
    assert np.abs(found).max() < 1e-6


def test_torchs_gaussian_kernel() -> None:
    kernel = gaussian_kernel(7)
    assert kernel[3] / kernel[0] == pytest.approx(math.exp((3 / 1.75) ** 2 / 2))
    assert kernel.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("shape", "steps", "expected"),
    [
        ((1, 28, 28), [("pad", {"pixels": 2}), ("global_normalisation", {})], (1, 32, 32)),
        ((3, 32, 32), [("centre_crop", {"size": 24}), ("grey", {}), ("standardise", {})], (1, 24, 24)),
        (
            (3, 32, 32),
            [("yuv_local_contrast", {}), ("subtract_mean_image", {}), ("scale", {"factor": 2.0})],
            (3, 32, 32),
        ),
    ],
)
def test_every_step_knows_its_shape(images, shape, steps, expected) -> None:
    chosen = [step(kind, **fields) for kind, fields in steps]
    assert preprocessed_shape(shape, chosen) == expected
    assert run(images(4, *shape), images(2, *shape), *chosen).test.shape == (2, *expected)


def test_steps_that_do_not_fit_are_named() -> None:
    with pytest.raises(StepError, match="'yuv_local_contrast': takes images of 3 channels .* not of 1"):
        preprocessed_shape((3, 8, 8), [step("grey"), step("yuv_local_contrast")])
    with pytest.raises(StepError, match="'centre_crop': cannot crop 24x24 out of 8x8"):
        preprocessed_shape((3, 8, 8), [step("centre_crop", size=24)])


def workload(folder: Path, preprocessing: str) -> str:
    lines = ["workload: w", "dataset: mnist-subset", f"preprocessing: {preprocessing}", "network: lenet"]
    (folder / "w.yaml").write_text("\n".join([*lines, "loss: softmax_cross_entropy", ""]))
    return "w.yaml"


def test_a_workload_is_checked_with_the_shape_after_preprocessing(tmp_path: Path) -> None:
    name = workload(tmp_path, "[{kind: pad, pixels: 2}, {kind: centre_crop, size: 28}]")
    assert load_workload(name, relative_to=tmp_path).network.input == (1, 28, 28)
    name = workload(tmp_path, "[{kind: pad, pixels: 2}]")
    message = r"w.yaml:4: network 'lenet' takes images of shape 1x28x28, .* has 1x28x28, after preprocessing 1x32x32"
    with pytest.raises(FileFormatError, match=message):
        load_workload(name, relative_to=tmp_path)
    name = workload(tmp_path, "[{kind: yuv_local_contrast}]")
    with pytest.raises(FileFormatError, match=r"w.yaml:3: preprocessing step 'yuv_local_contrast'"):
        load_workload(name, relative_to=tmp_path)
