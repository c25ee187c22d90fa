"""The model of samples/s, and of interference, against trials whose law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.interference import fit_interference
from harness.analysis.capacity.models import CapacityModels, fit_models
from harness.analysis.capacity.prediction import Basis
from harness.analysis.capacity.throughput import ThroughputModel, curve_terms, fit_curve, fit_throughput
from tests.analysis.capacity import simulated
from tests.analysis.capacity.simulated import Truth


def fitted(rows: list[dict[str, object]]) -> CapacityModels:
    return fit_models(simulated.observed(rows))


def model_of(rows: list[dict[str, object]]) -> ThroughputModel:
    (model,) = fitted(rows).throughput
    return model


def rate_alone(rows: list[dict[str, object]]) -> ThroughputModel:
    """The same without the other models, for many draws."""
    ((group, found),) = table.groups(table.usable(simulated.observed(rows), "samples_per_s")[0], table.OF_A_WORKLOAD)
    return fit_throughput(group, found)


DRAWS = 16
LEAST_INSIDE = 11
"""Of 16 intervals that hold the truth with 95 % each, fewer than 11 do so once in 30,000 times."""


def check_intervals(truth: Truth, cpus: tuple[int, ...], **values: float) -> None:
    inside = dict.fromkeys(values, 0)
    for draw in range(DRAWS):
        rows, _ = table.usable(simulated.observed(simulated.study(truth, draw, cpus=cpus)), "samples_per_s")
        terms = {term.name: term for term in curve_terms(fit_curve(rows, intervals=True))}
        for name, value in values.items():
            low, high = terms[name].low, terms[name].high
            assert low is not None and high is not None
            inside[name] += low <= value <= high
    assert min(inside.values()) >= LEAST_INSIDE, inside


def test_amdahl_with_two_counts_of_workers() -> None:
    check_intervals(Truth(), (1, 2), image_s=4e-4, overhead_s=2e-3, contention=0.12)
    model = model_of(simulated.study(Truth(), 4))
    assert "Amdahl" in model.left_out_terms["image_coherency_s"]


def test_the_universal_scalability_law_with_five_counts() -> None:
    truth = Truth(contention=0.08, coherency=0.01)
    check_intervals(truth, (1, 2, 4, 8, 16), image_s=4e-4, overhead_s=2e-3, contention=0.08, coherency=0.01)
    rows, _ = table.usable(
        simulated.observed(simulated.study(truth, 4, cpus=(1, 2, 4, 8, 16), noise=0.005)), "samples_per_s"
    )
    terms = {term.name: term.value for term in curve_terms(fit_curve(rows, intervals=True))}
    assert terms["coherency"] == pytest.approx(0.01, rel=0.1)
    assert terms["contention"] == pytest.approx(0.08, rel=0.1)


def test_growth_of_the_time_of_an_image_is_found_and_not_invented() -> None:
    assert model_of(simulated.study(Truth(growth=0.1), 1)).curve.growth == pytest.approx(0.1, abs=0.05)
    assert sum(model_of(simulated.study(Truth(), seed)).curve.growth > 0.05 for seed in range(5)) == 0


def test_held_out_error_of_batch_sizes() -> None:
    by_batch, by_cell, by_profile = model_of(simulated.study(Truth(), 2)).held_out
    assert len(by_batch.cells) == len(by_cell.cells) == 14
    assert by_cell.mean_error_fraction is not None and by_cell.mean_error_fraction < 0.03
    assert by_batch.mean_error_fraction is not None and by_batch.mean_error_fraction < 0.03
    # One framework alone and two counts of workers: without one nothing tells of the other.
    assert by_profile.cells == ()
    assert by_profile.not_possible == (
        "profile cpu1, workers 1: the others do not tell how the outcome changes towards it",
        "profile cpu2, workers 2: the others do not tell how the outcome changes towards it",
    )


def test_threads_varied_within_one_profile_are_left_out_one_at_a_time() -> None:
    rows = [{**one, "profile": "local", "cpus": 4} for one in simulated.study(Truth(), 2, cpus=(1, 2, 4))]
    by_batch, _, by_profile = model_of(rows).held_out
    assert [cell.levels["workers"] for cell in by_batch.cells[:3]] == [1, 2, 4]
    assert len(by_profile.cells) == 21
    middle = [abs(cell.error_fraction) for cell in by_profile.cells if cell.levels["workers"] == 2]
    assert max(middle) < 0.05


def test_other_frameworks_lend_their_scaling() -> None:
    rows = [
        one
        for number, name in enumerate(("torch", "tensorflow", "caffe"))
        for one in simulated.study(Truth(image_s=3e-4 * (1 + number)), number, framework=name)
    ]
    only_one = simulated.study(Truth(), 9, framework="theano", cpus=(1,))
    models = {one.group.framework: one for one in fitted(rows + only_one).throughput}
    by_profile = models["torch"].held_out[-1]
    assert {cell.levels["profile"] for cell in by_profile.cells} == {"cpu1", "cpu2"}
    assert by_profile.mean_error_fraction is not None and by_profile.mean_error_fraction < 0.05
    found = models["theano"].predict(64, 2)
    assert found.basis is Basis.EXTRAPOLATION
    assert "scaling over workers borrowed from caffe, tensorflow, torch" in found.reasons
    assert found.low is not None and found.high is not None
    assert found.low <= Truth().samples_per_s(64, 2) <= found.high
    assert models["theano"].predict(64, 4).basis is Basis.REFUSED
    assert models["theano"].predict(64, 1).basis is Basis.MEASURED


def test_without_lenders_another_count_of_workers_is_refused() -> None:
    model = model_of(simulated.study(Truth(), 1, cpus=(1,)))
    assert model.predict(64, 2).basis is Basis.REFUSED
    assert "workers has one level in the records, 1" in model.predict(64, 2).reasons[0]


def test_outside_the_range_intervals_are_not_narrower() -> None:
    model = model_of(simulated.study(Truth(growth=0.15), 3, level_sd=0.03))
    assert model.spread is not None
    assert model.spread.factor(0.95, outside=True) >= model.spread.factor(0.95)
    assert model.predict(2048, 2).basis is Basis.EXTRAPOLATION
    assert model.predict(4, 2).basis is Basis.REFUSED


def test_different_versions_are_different_models() -> None:
    rows = simulated.study(Truth(), 1) + simulated.study(Truth(), 2, framework_version="2.0")
    assert [one.group.framework_version for one in fitted(rows).throughput] == ["1.0", "2.0"]


@pytest.mark.parametrize(("level_sd", "noise"), [(0.0, 0.02), (0.04, 0.01)])
def test_prediction_intervals_hold_a_new_trial_as_often_as_they_say(level_sd: float, noise: float) -> None:
    inside = total = 0
    chance = np.random.default_rng(5)
    for draw in range(12):
        truth = Truth(overhead_s=float(chance.uniform(5e-4, 8e-3)), contention=float(chance.uniform(0, 0.6)))
        model = rate_alone(simulated.study(truth, draw, level_sd=level_sd, noise=noise, blocks=3))
        for batch in 2 * (20, 24, 40, 48, 80, 96, 160, 192, 320, 384, 640, 768):
            found = model.predict(batch, 2)
            assert found.low is not None and found.high is not None
            new = truth.samples_per_s(batch, 2) * math.exp(chance.normal(0, level_sd) + chance.normal(0, noise))
            inside += found.low <= new <= found.high
            total += 1
    assert inside / total >= 0.9


def beside(truth: Truth, shared: bool, counts: tuple[int, ...], blocks: int = 4) -> list[dict[str, object]]:
    chance = np.random.default_rng(3)
    return [
        simulated.row(truth, chance, jobs=k, shared=shared and k > 1, seed=block, noise=0.01)
        for block in range(1, blocks + 1)
        for k in counts
    ]


def test_interference_is_measured_apart_for_shared_and_split_cores() -> None:
    truth = Truth()
    rows = simulated.study(truth, 1) + beside(truth, True, (1, 2, 3, 4)) + beside(truth, False, (2, 3, 4))
    split, shared = fitted(rows).interference
    assert (split.cores_shared, shared.cores_shared) == (False, True)
    assert shared.law.slowdown(2) == pytest.approx(2.0, rel=0.03)
    assert split.law.slowdown(4) == pytest.approx(3.55, rel=0.03)
    assert shared.measured[3] == pytest.approx(3.0, rel=0.03)
    found = shared.predict(4, 64)
    assert found.low is not None and found.high is not None and found.low <= 4.0 <= found.high
    assert shared.predict(8, 64).basis is Basis.EXTRAPOLATION
    assert shared.predict(9, 64).basis is Basis.REFUSED
    assert shared.predict(2, 128).basis is Basis.EXTRAPOLATION  # measured at a batch size of 64 alone
    assert shared.predict(2, 129).basis is Basis.REFUSED
    assert shared.predict(1, 64).estimate == 1.0


def test_intervals_of_the_slowdown_hold_the_noise_of_the_one_trial_alone() -> None:
    """All slowdowns are against the same trial alone: their residuals do not show how far it was off."""
    truth, inside, asked = Truth(), 0, 200
    for draw in range(asked):
        chance = np.random.default_rng(draw)
        rows = [
            simulated.row(truth, chance, jobs=k, shared=True, seed=block, noise=0.02)
            for k, blocks in ((1, 1), (2, 5), (3, 5), (4, 5))
            for block in range(1, blocks + 1)
        ]
        usable, _ = table.usable(simulated.observed(rows), "samples_per_s")
        ((group, own),) = table.groups(usable, table.OF_A_WORKLOAD)
        predicted = fit_interference(group, own, True, 2).predict(3, 64)
        assert predicted.low is not None and predicted.high is not None
        inside += predicted.low <= 3.0 * math.exp(chance.normal(0, 0.02)) <= predicted.high
    assert inside >= 0.92 * asked


def test_jobs_beside_others_are_no_part_of_the_models_of_one_alone() -> None:
    alone = simulated.study(Truth(), 1)
    with_others = fitted(alone + beside(Truth(), True, (2, 4)))
    (model,) = with_others.throughput
    assert len(model.records) == len(alone)
    assert len(with_others.memory[0].records) == len(alone)


def test_jobs_side_by_side_with_none_alone_are_named() -> None:
    rows = [{**one, "batch_size": 999} for one in beside(Truth(), True, (2,))]
    rows.append({**rows[0], "trial": "unmeasured", "overlap_samples_per_s": math.nan})
    found = fitted(simulated.study(Truth(), 1) + rows)
    assert found.interference == ()
    (missing,) = found.missing
    (omitted,) = found.omitted["samples_per_s"]
    assert omitted.records == ("unmeasured",)
    assert missing.why == "the trials side by side have none alone of the same job to compare with"


def test_intervals_at_a_count_of_workers_that_was_not_measured() -> None:
    """Every count has 5 % of its own: residuals of batch sizes left out, all at measured counts, do not know of it."""
    inside = asked = 0
    truth = Truth(contention=0.08)
    for draw in range(12):
        chance = np.random.default_rng(1000 + draw)
        own = {n: math.exp(chance.normal(0, 0.05)) for n in (1, 2, 3, 4, 8)}
        rows = [
            {**one, "samples_per_s": one["samples_per_s"] * own[n]}
            for n in (1, 2, 4, 8)
            for one in simulated.study(truth, draw, cpus=(n,), blocks=3)
        ]
        model = rate_alone(rows)
        for batch in (32, 128, 512):
            predicted = model.predict(batch, 3)
            assert predicted.low is not None and predicted.high is not None
            new = truth.samples_per_s(batch, 3) * own[3] * math.exp(chance.normal(0, 0.01))
            inside += predicted.low <= new <= predicted.high
            asked += 1
    assert inside >= 0.85 * asked, (inside, asked)


def test_two_counts_of_workers_give_no_interval_at_a_third() -> None:
    predicted = rate_alone(simulated.study(Truth(), 4, cpus=(1, 2))).predict(64, 4)
    assert predicted.estimate is not None
    assert (predicted.low, predicted.high) == (None, None)
    assert any("three counts of workers" in reason for reason in predicted.reasons)
