"""Effects, the mixed model and shares of variance on tables whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.mixed_linear_model import MixedLM

from harness.analysis.correlation.analysis import analyse
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


def columns_of(frame: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Intercept and slopes of each framework, written out."""
    columns, names = [], []
    for framework in ("a", "b"):
        inside = (frame["framework"] == framework).to_numpy(dtype=float)
        columns += [inside, inside * np.log2(frame["batch_size"]), inside * (frame["blas"] == "y")]
        names += [f"{framework} mean", f"{framework} batch_size", f"{framework} blas"]
    return np.column_stack(columns).astype(float), names


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
    slopes = []
    for _, part in own.groupby("block"):
        design = np.column_stack([np.ones(len(part)), np.log2(part["batch_size"]), part["blas"] == "y"]).astype(float)
        slopes.append(np.linalg.lstsq(design, part["training_time_s"].to_numpy(), rcond=None)[0][1])
    assert one.difference == pytest.approx(np.mean(slopes))
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
    design, names = columns_of(frame)
    expected = MixedLM(np.log(frame["training_time_s"].to_numpy()), design, groups=frame["block"].to_numpy()).fit()
    slopes = {(one.framework, one.factor): one for one in model.slopes}
    for framework in ("a", "b"):
        index = names.index(f"{framework} batch_size")
        one = slopes[framework, "batch_size"]
        assert one.value == pytest.approx(expected.fe_params[index], rel=1e-4)
        # The interval takes t on the degrees of freedom within blocks, wider than the normal one.
        low, high = expected.conf_int()[index]
        assert one.low < low
        assert one.high > high
        assert one.high - one.low == pytest.approx(
            (high - low) * stats.t.ppf(0.975, 70) / stats.norm.ppf(0.975), rel=5e-3
        )
    assert model.block_sd == pytest.approx(float(np.sqrt(np.asarray(expected.cov_re)[0, 0])), rel=1e-2)


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
    design, names = columns_of(frame)
    design = np.column_stack([design, np.eye(5)[frame["block"].to_numpy() - 1][:, 1:]])
    expected = OLS(np.log(frame["training_time_s"].to_numpy()), design).fit()
    index = names.index("b batch_size")
    one = {(one.framework, one.factor): one for one in model.slopes}["b", "batch_size"]
    low, high = expected.conf_int()[index]
    assert (one.value, one.low, one.high) == pytest.approx((expected.params[index], low, high))


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
    cells = {
        "framework": ["framework"],
        "batch_size": ["batch_size"],
        "blas": ["blas"],
        "framework × batch_size": ["framework", "batch_size"],
        "framework × blas": ["framework", "blas"],
        "batch_size × blas": ["batch_size", "blas"],
    }
    logs = np.log(frame["training_time_s"])
    inside = logs - logs.groupby(frame["block"]).transform("mean")
    # In complete blocks: squares of the means of a cell, without those of the factors that it is made of.
    squares = {
        name: float((inside.groupby([frame[k] for k in keys]).transform("mean") ** 2).sum())
        for name, keys in cells.items()
    }
    for name, keys in cells.items():
        squares[name] -= sum(squares[one] for one in keys) if len(keys) > 1 else 0.0
    degrees = {"framework": 1, "batch_size": 3, "blas": 1}
    degrees |= {"framework × batch_size": 3, "framework × blas": 1, "batch_size × blas": 3}
    total = float((inside**2).sum())
    mean_square = (total - sum(squares.values())) / (80 - 5 - 12)
    for name in cells:
        assert found[name].value == pytest.approx((squares[name] - degrees[name] * mean_square) / (total + mean_square))
        assert found[name].degrees == degrees[name]
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
    """Four trials in one block: a mean and three differences of batch sizes leave nothing."""
    frame = made_up(blocks=1)
    _, scopes = parts(frame[frame["blas"] == "x"])
    found = shares([scopes[0]], None, ["training_time_s"])
    assert {one.value for one in found} == {None}
    assert "no degrees of freedom" in str(found[0].reason)
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    assert "too few blocks" in str(model.reason)


def test_an_outcome_that_is_determined_wholly_has_no_tests() -> None:
    """Without noise every spread is rounding: nothing may be found in it."""
    frame = made_up(noise_sd=0.0)
    _, scopes = parts(frame)
    assert {one.p for one in effects(scopes, ["training_time_s"])} == {None}
    (model,) = models(scopes[-1], ["a", "b"], ["training_time_s"])
    assert model.interactions == ()
    assert "nothing is left" in str(model.reason)


def test_a_sample_of_combinations_is_analysed_as_well() -> None:
    """A Latin hypercube of 12 points: every level of rate and batch size occurs in one cell only."""
    chance = np.random.default_rng(8)
    batches, rates = np.round(2.0 ** np.linspace(4, 10, 12)), np.geomspace(0.001, 0.1, 12)[chance.permutation(12)]
    rows = []
    for block, framework, point in itertools.product(range(1, 6), ("a", "b"), range(12)):
        value = 100 * batches[point] ** 0.3 * np.exp(0.1 * block + chance.normal(0, 0.05))
        rows.append([f"{len(rows):04d}", block, framework, batches[point], rates[point], value])
    frame = pd.DataFrame(rows, columns=["trial", "block", "framework", "batch_size", "learning_rate", "samples_per_s"])
    factors, _ = find_factors(frame, ["framework", "batch_size", "learning_rate"])
    scopes = make_scopes(frame, [one.name for one in factors])
    found = analyse(scopes, factors, ["samples_per_s"])
    (one,) = [e for e in found.effects if (e.scope, e.factor) == ("a", "batch_size")]
    assert one.ratio_low < 2**0.3 < one.ratio_high
    (rate,) = [e for e in found.effects if (e.scope, e.factor) == (POOLED, "learning_rate")]
    assert not rate.found
    terms = {s.term: s for s in found.shares if s.scope == POOLED}
    assert terms["batch_size"].value > 0.9
    assert sum(s.value for s in terms.values()) == pytest.approx(1.0)
    (model,) = found.models
    assert model.method == MIXED
