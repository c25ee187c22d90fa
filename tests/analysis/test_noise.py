"""The noise floor: the formula against simulated experiments, and what it refuses."""

from __future__ import annotations

import math
import random

import pytest

from harness.analysis.noise import lag_one_autocorrelation, noise_floor, smallest_difference
from harness.analysis.statistics import summarise, t_quantile


@pytest.mark.parametrize("n", [3, 5, 20])
def test_the_difference_is_found_as_often_as_is_said(n: int) -> None:
    deviation, draw, experiments = 0.02, random.Random(n), 3000
    shift = math.log1p(smallest_difference(deviation, n))
    limit = t_quantile(0.975, 2 * n - 2)
    found = 0
    for _ in range(experiments):
        one = summarise([draw.gauss(0.0, deviation) for _ in range(n)])
        other = summarise([draw.gauss(shift, deviation) for _ in range(n)])
        pooled = math.sqrt(((one.sd or 0) ** 2 + (other.sd or 0) ** 2) / n)
        found += abs(other.mean - one.mean) / pooled > limit
    assert found / experiments == pytest.approx(0.8, abs=0.04)


def test_more_repeats_resolve_less_and_noise_scales_it() -> None:
    floor = noise_floor([1.0, 1.02, 0.99, 1.01, 0.98, 1.0])
    assert floor.runs == 6
    assert floor.median_s == 1.0
    assert list(floor.resolvable) == [3, 5, 10, 20]
    assert sorted(floor.resolvable.values(), reverse=True) == list(floor.resolvable.values())
    assert smallest_difference(0.04, 10) > 1.9 * smallest_difference(0.02, 10)


def test_drift_shows_in_the_autocorrelation() -> None:
    steady = random.Random(1)
    assert noise_floor([1 + 0.01 * step for step in range(20)]).drifts
    assert not noise_floor([1 + 0.01 * steady.random() for _ in range(20)]).drifts
    assert lag_one_autocorrelation([2.0] * 5) is None


@pytest.mark.parametrize("times_s", [[1.0] * 4, [1.0, 1.0, 0.0, 1.0, 1.0], [1.0, float("nan"), 1.0, 1.0, 1.0]])
def test_what_is_no_measurement_is_refused(times_s: list[float]) -> None:
    with pytest.raises(ValueError):
        noise_floor(times_s)


def test_one_repeat_compares_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        smallest_difference(0.01, 1)
