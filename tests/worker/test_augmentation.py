"""Augmentation of mini-batches: what it computes, that it is the same every time, that it runs ahead of training."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from frameworks.worker import augmentation
from frameworks.worker.augmentation import AHEAD, AugmentedBatches, augment
from frameworks.worker.order import BatchOrder
from harness.workloads import load_workload

TENSORFLOW = [step.model_dump(mode="json") for step in load_workload("tensorflow-cifar10").augmentation]
LABELS = np.arange(40, dtype=np.int32) % 10


def images(count: int = 40, size: int = 32) -> np.ndarray:
    return np.random.RandomState(5).randint(0, 256, (count, 3, size, size)).astype(np.float32)


def one(kind: str, batch: np.ndarray, step: int = 1, **fields: Any) -> np.ndarray:
    return augment(batch.copy(), [{"kind": kind, **fields}], seed=1, step=step)


def test_the_same_seed_and_step_give_the_same_images_for_ever() -> None:
    batch = images(8)
    first = augment(batch.copy(), TENSORFLOW, 1, 7)
    np.random.seed(99)  # noqa: NPY002 - what happens elsewhere does not matter
    assert np.array_equal(first, augment(batch.copy(), TENSORFLOW, 1, 7))
    assert not np.array_equal(first, augment(batch.copy(), TENSORFLOW, 1, 8))
    assert not np.array_equal(first, augment(batch.copy(), TENSORFLOW, 2, 7))
    assert (first.shape, first.dtype, first.flags["C_CONTIGUOUS"]) == ((8, 3, 24, 24), np.float32, True)
    sample = [first[0, 0, 0, 0], first[3, 1, 10, 20], first[7, 2, 23, 23]]
    np.testing.assert_allclose(sample, [1.0631754, -0.3557439, -1.2778202], rtol=1e-4)


@pytest.mark.parametrize(("size", "padding"), [(24, 0), (32, 4), (30, 1), (32, 0)])
def test_crops_are_parts_of_the_padded_image_from_everywhere(size: int, padding: int) -> None:
    batch = images(300)
    found = one("random_crop", batch, size=size, padding=padding)
    padded = np.pad(batch, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    places = padded.shape[2] - size + 1
    seen = set()
    for crop, image in zip(found, padded, strict=True):
        matches = [
            (top, left)
            for top in range(places)
            for left in range(places)
            if np.array_equal(crop, image[:, top : top + size, left : left + size])
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert {top for top, _ in seen} == {left for _, left in seen} == set(range(places))


def test_about_half_of_the_images_are_mirrored() -> None:
    batch = images(400, 6)
    found = one("random_flip", batch)
    mirrored = [np.array_equal(new, old[..., ::-1]) for new, old in zip(found, batch, strict=True)]
    kept = [np.array_equal(new, old) for new, old in zip(found, batch, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250


def test_brightness_adds_one_number_to_each_image() -> None:
    batch = images(200, 4)
    added = one("random_brightness", batch, max_delta=63.0) - batch
    np.testing.assert_allclose(np.ptp(added.reshape(200, -1), axis=1), 0, atol=1e-4)
    deltas = added[:, 0, 0, 0]
    assert deltas.min() < -55 and deltas.max() > 55 and np.abs(deltas).max() <= 63


def test_contrast_keeps_the_means_of_channels_and_scales_the_rest() -> None:
    batch = images(200, 8)
    found = one("random_contrast", batch, lower=0.2, upper=1.8)
    np.testing.assert_allclose(found.mean(axis=(2, 3)), batch.mean(axis=(2, 3)), rtol=1e-5)
    factors = found.std(axis=(2, 3)) / batch.std(axis=(2, 3))
    np.testing.assert_allclose(factors[:, 0], factors[:, 2], rtol=1e-4)
    assert factors.min() < 0.3 and factors.max() > 1.7 and factors.min() > 0.19 and factors.max() < 1.81


def test_standardised_images_are_those_of_the_preprocessing() -> None:
    from harness.workloads.preprocessing import Standardise

    batch = images(20, 8)
    batch[3] = 9.0
    expected = Standardise(kind="standardise").transform(batch.copy())
    np.testing.assert_allclose(one("standardise", batch), expected, rtol=1e-5, atol=1e-5)


def test_batches_come_in_the_order_of_the_seed_with_their_labels() -> None:
    data = images()
    batches = AugmentedBatches(data, LABELS, TENSORFLOW, seed=3, batch_size=16, count=7)
    order = BatchOrder(3, 40, 16)
    for step in range(1, 8):
        indices = order.next()
        found, labels = batches.next()
        assert np.array_equal(labels, LABELS[indices])
        assert np.array_equal(found, augment(data[indices], TENSORFLOW, 3, step))
    batches.close()
    assert np.array_equal(data, images()), "the training split is left as it is"


def test_no_more_than_a_few_batches_are_prepared_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(augmentation, "augment", lambda batch, *_: made.append(1) or batch)
    batches = AugmentedBatches(images(), LABELS, [], seed=3, batch_size=8, count=1000)
    wait_until(lambda: len(made) == AHEAD + 1)
    time.sleep(0.05)
    assert len(made) == AHEAD + 1
    batches.next()
    wait_until(lambda: len(made) == AHEAD + 2)
    batches.close()
    assert "augmentation" not in [thread.name for thread in threading.enumerate()]


def test_an_error_in_the_thread_is_raised_where_training_waits() -> None:
    batches = AugmentedBatches(images(), LABELS, [{"kind": "swirl"}], seed=3, batch_size=8, count=5)
    with pytest.raises(KeyError, match="swirl"):
        batches.next()
    batches.close()


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert condition()
