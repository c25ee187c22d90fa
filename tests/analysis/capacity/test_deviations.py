"""What batch sizes have of their own beside the law of samples/s."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.capacity.deviations import deviations
from tests.analysis.capacity.simulated import BATCH_SIZES


def residuals(means: dict[int, float], sd: float, seed: int, trials: int = 5) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    batches = np.repeat([float(batch) for batch in means], trials)
    return np.repeat(list(means.values()), trials) + chance.normal(0, sd, len(batches)), batches


def test_a_step_is_found_and_told_between_and_beyond_the_measured_batch_sizes() -> None:
    means = {batch: 0.1 if batch < 128 else -0.1 for batch in BATCH_SIZES}
    found = deviations(*residuals(means, 0.01, 1))
    assert found is not None
    told = np.log(found.factors(np.array([16, 8, 48, math.sqrt(64 * 128), 2048], dtype=float)))
    assert told == pytest.approx([0.1, 0.1, 0.1, 0.0, -0.1], abs=0.015)
    assert "128 -9" in found.words


def test_noise_is_no_deviation() -> None:
    found = [deviations(*residuals(dict.fromkeys(BATCH_SIZES, 0.0), 0.05, draw)) for draw in range(200)]
    assert sum(one is not None for one in found) <= 8  # the test is one at 1 %


def test_the_noise_of_the_trials_is_taken_out_of_a_deviation() -> None:
    means = {batch: 0.1 * (-1) ** place for place, batch in enumerate(BATCH_SIZES)}
    values, batches = residuals(means, 0.08, 5)
    found = deviations(values, batches)
    assert found is not None
    raw = [values[batches == batch].mean() for batch in found.batch_sizes]
    assert all(abs(own) < abs(mean) for own, mean in zip(found.logarithms, raw, strict=True))


@pytest.mark.parametrize(("batches", "trials"), [((16, 32, 64), 5), (BATCH_SIZES, 1)])
def test_few_batch_sizes_or_single_trials_tell_no_deviation(batches: tuple[int, ...], trials: int) -> None:
    assert deviations(*residuals({batch: 0.1 * batch for batch in batches}, 0.01, 1, trials)) is None
