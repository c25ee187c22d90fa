"""Preprocessing: what the arrays hold afterwards."""

from __future__ import annotations

import numpy as np

from harness.workloads.preprocessing import Scale, UniformNoise, preprocess


def test_noise_leaves_no_two_equal_neighbours_and_is_the_same_every_time() -> None:
    images = np.zeros((3, 1, 28, 28), np.uint8)
    steps = (Scale(kind="scale", factor=1 / 256), UniformNoise(kind="uniform_noise", amplitude=0.01))
    first, second = preprocess(images, steps), preprocess(images, steps)
    assert np.array_equal(first, second)
    assert first.dtype == np.float32
    assert (first >= 0).all() and (first < 0.01).all()
    assert len(np.unique(first)) > 0.99 * first.size
    assert (images == 0).all()


def test_noise_is_different_for_every_image_and_every_seed() -> None:
    images = np.zeros((2, 1, 4, 4), np.uint8)
    first = preprocess(images, (UniformNoise(kind="uniform_noise", amplitude=1.0),))
    other = preprocess(images, (UniformNoise(kind="uniform_noise", amplitude=1.0, seed=1),))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)
