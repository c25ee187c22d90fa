"""Non-negative terms, robust and relative."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.capacity.regression import CannotFit, fit_terms, independent


def test_exact_sums_are_found_again() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    columns = np.column_stack([np.ones(5), x])
    fit = fit_terms(["base", "slope"], columns, 3.0 + 0.5 * x)
    assert fit.coefficients == pytest.approx([3.0, 0.5], rel=1e-9)


def test_a_negative_term_is_held_at_zero() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = fit_terms(["base", "slope"], np.column_stack([np.ones(4), x]), 10.0 - 0.1 * x)
    assert fit.of("slope") == 0.0
    assert fit.of("base") == pytest.approx(9.6, rel=0.02)


def test_one_disturbed_trial_does_not_bend_the_curve() -> None:
    chance = np.random.default_rng(1)
    x = np.repeat([16.0, 32.0, 64.0, 128.0, 256.0], 4)
    measured = (100 + x) * np.exp(chance.normal(0, 0.005, len(x)))
    measured[-1] *= 1.6
    columns = np.column_stack([np.ones(len(x)), x])
    fit = fit_terms(["base", "slope"], columns, measured)
    assert fit.of("slope") == pytest.approx(1.0, rel=0.03)
    plain = np.linalg.lstsq(columns / measured[:, None], np.ones(len(x)), rcond=None)[0]
    assert abs(plain[1] - 1) > 2 * abs((fit.of("slope") or 0) - 1)


def test_columns_that_cannot_be_told_apart_are_left_out_in_order() -> None:
    ones = np.ones(6)
    batch = np.array([16.0, 32.0, 64.0] * 2)
    columns = np.column_stack([ones, batch, 5 * ones, batch + 3, batch**2, np.zeros(6)])
    assert independent(["base", "batch", "parameters", "mixed", "square", "nothing"], columns) == [0, 1, 4]


def test_too_few_rows_are_named() -> None:
    with pytest.raises(CannotFit, match="1 trials for 2 terms"):
        fit_terms(["a", "b"], np.ones((1, 2)), np.ones(1))


@pytest.mark.parametrize(("misfit", "as_levels"), [(0.0, False), (0.0, True), (0.03, True)])
def test_the_covariance_holds_the_truth_as_often_as_it_says(misfit: float, as_levels: bool) -> None:
    """Where levels of x have something of their own, the levels are the units, not the rows."""
    from scipy.stats import t

    chance = np.random.default_rng(7)
    x = np.repeat([16.0, 32.0, 64.0, 128.0, 256.0, 512.0], 6)
    columns = np.column_stack([np.ones(len(x)), x])
    inside = 0
    for _ in range(400):
        own = np.repeat(chance.normal(0, misfit, 6), 6)
        measured = (200 + x) * np.exp(own + chance.normal(0, 0.03, len(x)))
        fit = fit_terms(["base", "slope"], columns, measured, levels=x if as_levels else np.zeros(len(x)))
        half = float(t.ppf(0.975, fit.degrees)) * float(fit.variance("slope") or 0) ** 0.5
        inside += abs((fit.of("slope") or 0) - 1) <= half
    # ± 3 standard deviations of 400 draws at 95 %; the jackknife over 6 levels is on the safe side.
    assert 0.917 <= inside / 400 <= (0.995 if as_levels else 0.983)
