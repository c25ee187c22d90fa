"""Effects, the mixed model and shares of variance on tables whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from harness.analysis.correlation.effects import effects
from harness.analysis.correlation.factors import find_factors
from harness.analysis.correlation.mixed import FIXED, MIXED, models
from harness.analysis.correlation.scopes import POOLED, make_scopes
from harness.analysis.correlation.shares import average_over_orders, shares


def made_up(
    blocks: int = 5, block_sd: float = 0.2, noise_sd: float = 0.1, seed: int = 0, **changes: object
) -> pd.DataFrame:
    """Two frameworks, four batch sizes, two libraries: each doubling ×1.1 on a, ×1.3 on b; library y is 20 % slower."""
    chance = np.random.default_rng(seed)
    rows = []
    for block in range(1, blocks + 1):
        shift = chance.normal(0, block_sd)
        for framework, batch, blas in itertools.product(("a", "b"), (16.0, 32.0, 64.0, 128.0), ("x", "y")):
            slope = {"a": np.log(1.1), "b": np.log(1.3)}[framework]
            mean = slope * np.log2(batch / 16) + (np.log(1.2) if blas == "y" else 0.0)
            value = np.exp(mean + shift + chance.normal(0, noise_sd))
            rows.append(
                {"block": block, "framework": framework, "batch_size": batch, "blas": blas, "training_time_s": value}
            )
    frame = pd.DataFrame(rows)
    frame["trial"] = [f"{i:04d}" for i in range(len(frame))]
    return frame.assign(**changes)


def parts(frame: pd.DataFrame):
    factors, _ = find_factors(frame, ["framework", "batch_size", "blas"])
    return factors, make_scopes(frame, [one.name for one in factors])


def test_effects_without_noise_are_what_was_planted() -> None:
    _, scopes = parts(made_up(noise_sd=1e-9))
    found = {(one.scope, one.factor): one for one in effects(scopes, ["training_time_s"])}
    assert found["a", "batch_size"].ratio == pytest.approx(1.1)
    assert found["b", "batch_size"].ratio == pytest.approx(1.3)
    assert found[POOLED, "batch_size"].ratio == pytest.approx(np.sqrt(1.1 * 1.3))
    assert found["a", "blas"].change == "y against x"
    assert found["a", "blas"].ratio == pytest.approx(1.2)
    assert found["a", "batch_size"].change == "doubling"


def test_an_effect_is_the_mean_of_the_blocks_own_slopes() -> None:
    frame = made_up(seed=3)
    _, scopes = parts(frame)
    (one,) = [e for e in effects(scopes, ["training_time_s"]) if (e.scope, e.factor) == ("b", "batch_size")]
    own = frame[frame["framework"] == "b"]
    slopes = [
        smf.ols("training_time_s ~ np.log2(batch_size) + blas", data=part).fit().params.iloc[2]
        for _, part in own.groupby("block")
    ]
    assert one.difference == pytest.approx(np.mean(slopes))
    from scipy import stats

    low, high = stats.t.interval(0.95, 4, np.mean(slopes), stats.sem(slopes))
    assert (one.difference_low, one.difference_high) == pytest.approx((low, high))


def test_too_few_blocks_give_effects_without_intervals_and_say_so() -> None:
    _, scopes = parts(made_up(blocks=2))
    for one in effects(scopes, ["training_time_s"]):
        assert one.ratio is not None
        assert (one.ratio_low, one.p) == (None, None)
        assert "too few blocks" in str(one.reason)


def test_an_outcome_with_zeros_has_differences_but_no_ratios() -> None:
    frame = made_up()
    frame.loc[0, "training_time_s"] = 0.0
    _, scopes = parts(frame)
    (one,) = [e for e in effects(scopes, ["training_time_s"]) if (e.scope, e.factor) == ("a", "blas")]
    assert one.ratio is None
    assert one.difference is not None
    assert "not positive" in str(one.reason)


def test_the_mixed_model_is_that_of_statsmodels() -> None:
    frame = made_up(seed=1)
    _, scopes = parts(frame)
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    assert (model.method, model.fallback) == (MIXED, None)
    formula = "np.log(training_time_s) ~ framework + framework:np.log2(batch_size) + framework:C(blas)"
    expected = smf.mixedlm(formula, frame, groups=frame["block"]).fit()
    slopes = {(one.framework, one.factor): one for one in model.slopes}
    for framework in ("a", "b"):
        name = f"framework[{framework}]:np.log2(batch_size)"
        one = slopes[framework, "batch_size"]
        assert one.value == pytest.approx(expected.params[name], rel=1e-4)
        # The interval takes t on the degrees of freedom within blocks, wider than the normal one.
        low, high = expected.conf_int().loc[name]
        assert one.low < low
        assert one.high > high
    assert model.block_sd == pytest.approx(float(np.sqrt(expected.cov_re.iloc[0, 0])), rel=1e-2)


def test_planted_interactions_are_found_and_others_are_not() -> None:
    _, scopes = parts(made_up(seed=2))
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    found = {one.factor: one for one in model.interactions}
    assert found["batch_size"].found
    assert not found["blas"].found
    assert found["batch_size"].degrees == (1, 80 - 5 - 1 - 4)


def test_no_variance_between_blocks_falls_back_with_the_reason_and_the_same_slopes() -> None:
    frame = made_up(seed=5)
    # Every block is moved to the same mean: nothing is left for the random intercept.
    logs = np.log(frame["training_time_s"])
    frame["training_time_s"] = np.exp(logs - logs.groupby(frame["block"]).transform("mean"))
    _, scopes = parts(frame)
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    assert model.method == FIXED
    assert model.fallback
    expected = smf.ols(
        "np.log(training_time_s) ~ C(block) + framework + framework:np.log2(batch_size) + framework:C(blas)", frame
    ).fit()
    slopes = {(one.framework, one.factor): one for one in model.slopes}
    name = "framework[b]:np.log2(batch_size)"
    low, high = expected.conf_int().loc[name]
    one = slopes["b", "batch_size"]
    assert (one.value, one.low, one.high) == pytest.approx((expected.params[name], low, high))


def test_a_factor_with_one_level_on_a_framework_has_no_slope_there_and_says_so() -> None:
    frame = made_up()
    frame.loc[frame["framework"] == "a", "blas"] = "x"
    _, scopes = parts(frame)
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    (one,) = [s for s in model.slopes if (s.framework, s.factor) == ("a", "blas")]
    assert one.value is None
    assert one.reason == "one level on this framework"


def test_shares_of_complete_blocks_are_those_of_the_analysis_of_variance() -> None:
    frame = made_up(seed=4)
    factors, scopes = parts(frame)
    framework = next(one for one in factors if one.name == "framework")
    found = {one.term: one for one in shares(scopes, framework, ["training_time_s"]) if one.scope == POOLED}
    formula = "np.log(training_time_s) ~ C(block) + (C(framework) + C(batch_size) + C(blas)) ** 2"
    squares = anova_lm(smf.ols(formula, frame).fit())
    inside = squares["sum_sq"].drop("C(block)").sum()
    mean_square = squares.loc["Residual", "mean_sq"]
    for name, term in {
        "framework": "C(framework)",
        "batch_size": "C(batch_size)",
        "framework × batch_size": "C(framework):C(batch_size)",
        "batch_size × blas": "C(batch_size):C(blas)",
    }.items():
        row = squares.loc[term]
        omega = (row["sum_sq"] - row["df"] * mean_square) / (inside + mean_square)
        assert found[name].value == pytest.approx(omega)
        assert found[name].degrees == row["df"]
    assert sum(one.value for one in found.values()) == pytest.approx(1.0)
    assert found["batch_size"].low < found["batch_size"].value < found["batch_size"].high


def test_shares_of_incomplete_blocks_add_up_as_well() -> None:
    frame = made_up(seed=6).drop(index=[3, 17, 40, 41, 66])
    factors, scopes = parts(frame)
    framework = next(one for one in factors if one.name == "framework")
    found = [one for one in shares(scopes, framework, ["training_time_s"]) if one.scope == POOLED]
    assert sum(one.value for one in found) == pytest.approx(1.0)
    # 75 trials in 5 blocks: 3 factors with 1, 3 and 1 degrees, their pairs with 3, 1 and 3.
    assert {one.term: one.degrees for one in found}["residual"] == 75 - 5 - 12


def test_the_average_over_orders_by_hand() -> None:
    """Two terms: alone they explain 4 and 6, together 7: the averages are 2.5 and 4.5."""
    known = {(0,): 4.0, (1,): 6.0, (0, 1): 7.0}
    squares, degrees = average_over_orders(2, lambda chosen: (np.array([known[chosen]]), len(chosen)), 1)
    assert squares[:, 0] == pytest.approx([2.5, 4.5])
    assert degrees == pytest.approx([1.0, 1.0])


def test_no_degrees_of_freedom_are_told() -> None:
    factors, scopes = parts(made_up(blocks=1))
    framework = next(one for one in factors if one.name == "framework")
    found = shares([scopes[0]], framework, ["training_time_s"])
    assert {one.value for one in found} == {None}
    assert "no degrees of freedom" in str(found[0].reason)
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    assert "too few blocks" in str(model.reason)
