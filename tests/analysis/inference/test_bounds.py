"""Intervals of a mean over blocks: against SciPy, at their corners, and how often they hold the truth."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.bounds import (
    BCA_SHOWN_FROM,
    RESAMPLES,
    bca_bounds,
    resampling_weights,
    shown,
    t_bounds,
)

SKEWED = [0.1, 0.12, 0.11, 0.4, 0.09, 0.13, 0.1, 0.9, 0.15, 0.12]


def test_the_t_interval_is_scipys() -> None:
    found = t_bounds(SKEWED)
    expected = stats.ttest_1samp(SKEWED, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


@pytest.mark.parametrize("n", [5, 6, 10, 20])
def test_the_bca_interval_is_scipys_to_the_error_of_resampling(n: int) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    found = bca_bounds(values.tolist())
    expected = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=RESAMPLES, rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.high == pytest.approx(expected.high, abs=0.03 * width)


def test_bca_leans_where_the_values_do() -> None:
    found, mean = bca_bounds(SKEWED), sum(SKEWED) / len(SKEWED)
    assert found.low is not None and found.high is not None
    assert found.high - mean > 1.5 * (mean - found.low)
    mirrored = bca_bounds([-value for value in SKEWED])
    assert mirrored.low is not None and mirrored.high is not None
    assert (-mirrored.high, -mirrored.low) == pytest.approx((found.low, found.high), rel=0.05)


def test_the_same_values_give_the_same_interval() -> None:
    first = bca_bounds(SKEWED)
    resampling_weights.cache_clear()
    assert bca_bounds(SKEWED) == first


def test_resamples_are_of_whole_blocks() -> None:
    weights = resampling_weights(7)
    assert weights.shape == (RESAMPLES, 7)
    assert np.allclose(weights.sum(axis=1), 1.0)
    assert np.allclose(weights * 7, np.round(weights * 7))


def test_too_few_blocks_have_no_interval_and_a_reason() -> None:
    assert t_bounds([0.3]).reason == "1 block: no standard deviation, so no interval"
    assert t_bounds([0.3]).low is None
    assert bca_bounds([0.1, 0.2, 0.3, 0.4]).reason == "a bootstrap takes 5 blocks, there are 4"
    equal = bca_bounds([math.log(1.25)] * 6)
    assert equal.low is None and equal.reason == "all blocks have the same ratio: nothing to resample"


def test_which_interval_is_shown() -> None:
    t, bca = t_bounds(SKEWED), bca_bounds(SKEWED)
    assert shown(t, bca, BCA_SHOWN_FROM - 1) is t
    assert shown(t, bca, BCA_SHOWN_FROM) is bca
    assert shown(t, bca_bounds([1.0] * BCA_SHOWN_FROM), BCA_SHOWN_FROM) is t


def load_script() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "scripts" / "benchmarks" / "interval_coverage.py"
    specification = importlib.util.spec_from_file_location("interval_coverage", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("blocks", [5, 10, 20])
def test_coverage_of_lognormal_ratios(blocks: int) -> None:
    """The t interval holds its level; BCa does not at five blocks, which is why it is not the one shown there."""
    found = load_script().simulate("lognormal", blocks, 800)
    assert 0.95 - 3 * 0.0077 < found.t < 0.95 + 3 * 0.0077  # three standard errors of a share of 800
    assert found.called_different < 0.05 + 3 * 0.0077
    assert found.bca < found.t
    if blocks == 5:
        assert found.bca < 0.92
        assert found.called_different == 0.0  # no p can be below 0.0625
    if blocks == 20:
        assert found.bca > 0.90
