"""Equivalence, and how many more blocks would decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis.inference.equivalence import equivalence_p, parse_margin
from harness.analysis.inference.planning import fewest_blocks, more_blocks
from harness.analysis.inference.sign_flips import smallest_p
from harness.errors import DlgaugeError


def test_two_one_sided_tests_are_scipys() -> None:
    logs, limit = [0.01, -0.004, 0.006, 0.002, 0.011], math.log(1.03)
    above = stats.ttest_1samp(logs, -limit, alternative="greater").pvalue
    below = stats.ttest_1samp(logs, limit, alternative="less").pvalue
    assert equivalence_p(logs, 0.03) == pytest.approx(max(above, below), rel=1e-9)
    assert equivalence_p([-value for value in logs], 0.03) == pytest.approx(max(above, below), rel=1e-9)


def test_equivalence_at_its_corners() -> None:
    assert equivalence_p([0.01], 0.03) is None
    assert equivalence_p([0.0, 0.0], 0.03) == 0.0
    assert equivalence_p([0.05, 0.05], 0.03) == 1.0
    far = equivalence_p([0.1, 0.11, 0.09], 0.03)
    assert far is not None and far > 0.95  # a mean beyond the margin is no equivalence


@pytest.mark.parametrize(("text", "margin"), [("3%", 0.03), (" 0.5 %", 0.005), ("12.5%", 0.125)])
def test_margins(text: str, margin: float) -> None:
    assert parse_margin(text) == pytest.approx(margin)


@pytest.mark.parametrize("text", ["3", "0.03", "%", "-1%", "0%", "100%", "nan%", "3%x", "three%"])
def test_what_is_no_margin(text: str) -> None:
    with pytest.raises(DlgaugeError, match="percentage"):
        parse_margin(text)


@pytest.mark.parametrize("comparisons", [1, 3, 6, 10, 78])
def test_fewest_blocks_are_the_fewest(comparisons: int) -> None:
    n = fewest_blocks(comparisons)
    assert comparisons * 2.0 ** (1 - n) < 0.05 <= comparisons * 2.0 ** (2 - n)


def test_five_blocks_are_too_few_for_one_pair() -> None:
    assert fewest_blocks() == 6
    assert smallest_p(5) == 0.0625


def test_more_blocks_give_the_power_they_promise() -> None:
    mean, sd, n = 0.02, 0.03, 4
    more = more_blocks(mean, sd, n, 1)
    assert more is not None
    total = n + more
    chance = np.random.default_rng(1)
    found = stats.ttest_1samp(chance.normal(mean, sd, (4000, total)), 0.0, axis=1).pvalue
    assert np.mean(found < 0.05) == pytest.approx(0.8, abs=0.04)
    fewer = stats.ttest_1samp(chance.normal(mean, sd, (4000, total - 5)), 0.0, axis=1).pvalue
    assert np.mean(fewer < 0.05) < 0.77


def test_more_blocks_at_their_corners() -> None:
    assert more_blocks(0.5, 0.001, 3, 1) == 3  # the test takes six, however clear it is
    assert more_blocks(0.5, 0.001, 3, 6) == 5
    assert more_blocks(0.5, 0.0, 5, 1) == 1
    assert more_blocks(0.0, 0.01, 5, 1) is None
    assert more_blocks(1e-6, 0.1, 5, 1) is None
    within = more_blocks(0.0, 0.01, 5, 1, margin=0.03)
    assert within is not None and within < 20
    assert more_blocks(0.05, 0.5, 5, 1, margin=0.03) == more_blocks(0.05, 0.5, 5, 1)  # beyond the margin
