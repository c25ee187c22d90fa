"""Statistics against values worked by hand and printed tables."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.statistics import (
    paired_ratio,
    seeds_for_precision,
    summarise,
    t_cumulative,
    t_quantile,
)

# Two sided 95 %: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, to the printed three digits.
PRINTED_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 29: 2.045, 30: 2.042, 100: 1.984}


@pytest.mark.parametrize(("degrees", "printed"), PRINTED_975.items())
def test_t_quantile_agrees_with_the_printed_table(degrees: int, printed: float) -> None:
    assert t_quantile(0.975, degrees) == pytest.approx(printed, abs=5.1e-4)


def test_t_quantile_closed_forms() -> None:
    assert t_quantile(0.975, 1) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)  # Cauchy
    p = 0.99  # df = 2: t = (2p - 1) / sqrt(2 p (1 - p))
    assert t_quantile(p, 2) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-12)
    assert t_quantile(0.5, 7) == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 200), st.floats(0.5, 0.9999))
def test_quantile_inverts_the_distribution(degrees: int, probability: float) -> None:
    assert t_cumulative(t_quantile(probability, degrees), degrees) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize("arguments", [(1.0, 3), (0.4, 3), (0.9, 0)])
def test_t_quantile_refuses_what_has_no_meaning(arguments: tuple[float, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        t_quantile(*arguments)


def test_summarise_by_hand() -> None:
    result = summarise([10.0, 12.0, 14.0])
    assert (result.n, result.mean, result.sd, result.minimum, result.maximum) == (3, 12.0, 2.0, 10.0, 14.0)
    assert result.half_width == pytest.approx(4.302653 * 2 / math.sqrt(3), rel=1e-6)
    assert result.coefficient_of_variation == pytest.approx(1 / 6)


def test_one_value_has_no_standard_deviation() -> None:
    result = summarise([3.0])
    assert (result.n, result.mean, result.sd, result.half_width) == (1, 3.0, None, None)
    assert result.coefficient_of_variation is None


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_nothing_and_nan_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values"):
        summarise(values)


def test_paired_ratio_by_hand() -> None:
    result = paired_ratio({1: 2.0, 2: 8.0, 3: 5.0}, {1: 1.0, 2: 1.0, 9: 7.0})
    assert result is not None
    assert result.n == 2
    assert result.ratio == pytest.approx(4.0)  # sqrt(2 × 8)
    assert result.low == pytest.approx(4 * math.exp(-12.7062047 * math.log(2)), rel=1e-6)
    assert result.high == pytest.approx(4 * math.exp(12.7062047 * math.log(2)), rel=1e-6)


def test_paired_ratio_of_one_pair_has_no_interval() -> None:
    result = paired_ratio({1: 3.0}, {1: 2.0})
    assert result is not None
    assert (result.n, result.ratio, result.low, result.high) == (1, pytest.approx(1.5), None, None)


def test_no_shared_seed_or_no_positive_value_is_no_ratio() -> None:
    assert paired_ratio({1: 3.0}, {2: 2.0}) is None
    assert paired_ratio({1: 0.0}, {1: 2.0}) is None


def test_seeds_for_precision_by_hand() -> None:
    # cv = 5 %, wanted ± 5 %: t(n - 1)² ≤ n first holds at n = 7 (2.447² = 5.99), not at 6 (2.571² = 6.61).
    assert seeds_for_precision(0.05, 0.05) == 7
    assert seeds_for_precision(0.0, 0.05) == 2
    assert seeds_for_precision(50.0, 0.05) is None
    # cv = 50 %: about (1.96 × 10)² = 384.1, a little more for t with 386 degrees of freedom (1.9661² × 100 = 386.6).
    assert seeds_for_precision(0.5, 0.05) == 387
