"""Intervals, tests and Holm's correction against SciPy and worked examples."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from harness.analysis.policies.intervals import difference, holm, interval, seeds_until


def test_a_t_interval_with_its_known_numbers() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    assert found.half_width == pytest.approx(4.302652729911275 / math.sqrt(3))


def test_one_value_has_no_interval_and_says_why() -> None:
    found = interval([98.5])
    assert found is not None
    assert found.half_width is None
    assert "one value" in str(found.reason)
    assert interval([]) is None


def test_equal_values_are_as_uncertain_as_their_grain() -> None:
    found = interval([98.5, 98.5, 98.5], grain=0.05)
    assert found is not None
    assert found.half_width == pytest.approx(4.302652729911275 * 0.05 / math.sqrt(12) / math.sqrt(3))
    assert interval([98.5, 98.5]).half_width == 0  # type: ignore[union-attr]


def test_pairs_are_tested_as_scipy_tests_them() -> None:
    a, b = {1: 97.1, 2: 97.9, 3: 98.4, 4: 97.0}, {1: 96.9, 2: 97.5, 3: 98.3, 4: 96.2}
    found = difference(a, b)
    expected = stats.ttest_rel(list(a.values()), list(b.values()))
    assert found is not None
    assert found.test == "paired t"
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_unshared_seeds_are_tested_by_welch() -> None:
    a, b = {1: 97.1, 2: 97.9, 3: 98.4}, {7: 96.9, 8: 95.5, 9: 96.3, 10: 96.2}
    found = difference(a, b)
    expected = stats.ttest_ind(list(a.values()), list(b.values()), equal_var=False)
    assert found is not None
    assert found.test == "Welch t"
    assert found.p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval()
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))


def test_one_seed_is_no_test() -> None:
    found = difference({1: 98.0}, {1: 97.0})
    assert found is not None
    assert (found.mean, found.p, found.half_width, found.test) == (1.0, None, None, "none")
    assert difference({}, {1: 97.0}) is None


def test_a_constant_difference_is_tested_by_its_grain() -> None:
    small = difference({1: 98.0, 2: 98.1}, {1: 97.95, 2: 98.05}, grain=0.05)
    large = difference({1: 98.0, 2: 98.1}, {1: 90.0, 2: 90.1}, grain=0.05)
    assert small is not None
    assert large is not None
    assert small.p is not None
    assert large.p is not None
    assert small.p > 0.05 > large.p


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_seeds_until_is_the_smallest_number_that_suffices() -> None:
    more = seeds_until(sd=0.3, distance=0.2, n=3, confidence=0.95)
    assert more is not None

    def half_width(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1)) * 0.3 / math.sqrt(n)

    assert half_width(3 + more) <= 0.2 < half_width(3 + more - 1)
    assert seeds_until(sd=0.3, distance=0.0, n=3, confidence=0.95) is None
    assert seeds_until(sd=300.0, distance=0.001, n=3, confidence=0.95) is None
