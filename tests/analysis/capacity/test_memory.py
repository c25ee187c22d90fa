"""The model of peak memory against trials whose law is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.analysis.capacity import phase_peaks
from harness.analysis.capacity import rows as table
from harness.analysis.capacity.memory import MemoryModel, MemoryNeed, fit_memory
from harness.analysis.capacity.models import fit_models
from harness.analysis.capacity.prediction import Basis
from harness.errors import StoreError
from tests.analysis.capacity import simulated
from tests.analysis.capacity.simulated import MIB, NETWORKS, Truth


def model_of(rows: list[dict[str, object]]) -> MemoryModel:
    (model,) = fit_models(simulated.observed(rows)).memory
    return model


def memory_alone(rows: list[dict[str, object]]) -> MemoryModel:
    """The same without the other models, for many draws."""
    ((group, found),) = table.groups(
        table.usable(simulated.observed(rows), "peak_memory_bytes")[0], table.OVER_WORKLOADS
    )
    return fit_memory(group, found)


def need(batch_size: int, workers: int = 2, workload: str = "lenet-mnist") -> MemoryNeed:
    parameters, activations, dataset = NETWORKS[workload]
    return MemoryNeed(dataset, batch_size, parameters, activations, workers)


def test_base_slope_and_workers_are_found_within_their_intervals() -> None:
    truth = Truth()
    model = model_of(simulated.study(truth, 3))
    terms = {term.name: term for term in model.terms}
    # One network: its parameters are in the base, and the model says so.
    assert "one level" in model.left_out_terms["bytes_per_parameter"]
    for name, value in (
        ("base_bytes[mnist]", truth.base_bytes),
        ("bytes_per_activation", truth.bytes_per_activation),
        ("bytes_per_worker", truth.bytes_per_worker),
    ):
        term = terms[name]
        assert term.low is not None and term.high is not None
        assert term.low <= value <= term.high, name
    assert terms["bytes_per_activation"].value == pytest.approx(12.0, rel=0.05)


def test_two_networks_on_one_dataset_tell_the_bytes_of_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulated.NETWORKS, "wide", (8_000_000.0, 30_000.0, "mnist"))
    truth = Truth(bytes_per_parameter=12.0)
    model = model_of(simulated.study(truth, 1, workloads=("lenet-mnist", "wide"), noise=0.003))
    (term,) = [one for one in model.terms if one.name == "bytes_per_parameter"]
    assert term.low is not None and term.high is not None and term.low <= 12.0 <= term.high
    assert term.value == pytest.approx(12.0, rel=0.1)


def test_every_dataset_has_a_base_of_its_own() -> None:
    truth = Truth(base_of={"mnist": 300 * MIB, "cifar10": 520 * MIB})
    model = model_of(simulated.study(truth, 1, workloads=("lenet-mnist", "cnn3"), noise=0.002))
    bases = {one.name: one.value for one in model.terms if one.name.startswith("base")}
    assert bases["base_bytes[cifar10]"] == pytest.approx(520 * MIB, rel=0.02)
    assert bases["base_bytes[mnist]"] == pytest.approx(300 * MIB, rel=0.02)
    refused = model.predict(MemoryNeed("imagenet", 64, 431_080, 20_194, 2))
    assert refused.basis is Basis.REFUSED
    assert "no record with the dataset 'imagenet'" in refused.reasons[0]


def test_a_floor_of_the_batch_size_is_found_where_there_is_one() -> None:
    truth = Truth(floor_batch_size=100.0, bytes_per_activation=40.0)
    model = model_of(simulated.study(truth, 2, noise=0.003))
    assert model.curve.training.floor_batch_size == pytest.approx(100, rel=0.25)
    predicted = model.predict(need(16)).estimate
    assert predicted == pytest.approx(truth.memory_bytes("lenet-mnist", 16, 2), rel=0.01)
    assert model_of(simulated.study(Truth(), 2, noise=0.003)).curve.training.floor_batch_size < 32


def test_held_out_error_is_of_the_left_out_cells() -> None:
    model = model_of(simulated.study(Truth(), 5))
    by_batch, by_cell, by_profile = model.held_out
    assert by_cell.by == ("batch_size", "profile", "workers") and len(by_cell.cells) == len(by_batch.cells)
    assert by_batch.by == ("batch_size",)
    assert {cell.levels["batch_size"] for cell in by_batch.cells} == set(simulated.BATCH_SIZES)
    assert by_batch.mean_error_fraction is not None and by_batch.mean_error_fraction < 0.02
    assert [cell.levels["batch_size"] for cell in by_batch.cells if cell.outside] == [16, 16, 1024, 1024]
    # Without one profile the workers have no term: the error is what two workers take more than one.
    assert {cell.levels["profile"] for cell in by_profile.cells} == {"cpu1", "cpu2"}
    first = by_batch.cells[0]
    assert first.error_fraction == first.predicted / first.measured - 1
    rows = [one for one in simulated.study(Truth(), 5) if one["batch_size"] == 16 and one["profile"] == "cpu1"]
    assert first.measured == pytest.approx(math.exp(np.mean([math.log(one["peak_memory_bytes"]) for one in rows])))


def test_a_left_out_error_is_as_large_as_the_misfit_that_was_planted() -> None:
    rows = simulated.study(Truth(), 5, noise=0.001)
    for one in rows:
        if one["batch_size"] == 128:
            one["peak_memory_bytes"] *= 1.3
    by_batch = model_of(rows).held_out[0]
    assert by_batch.worst is not None
    assert by_batch.worst.levels["batch_size"] == 128
    assert by_batch.worst.error_fraction == pytest.approx(1 / 1.3 - 1, abs=0.02)


def test_within_outside_and_beyond_the_measured_range() -> None:
    model = model_of(simulated.study(Truth(), 1))
    inside, outside, beyond = (model.predict(need(batch)) for batch in (300, 2000, 2100))
    assert inside.basis is Basis.MEASURED and inside.reasons == ()
    assert outside.basis is Basis.EXTRAPOLATION and "outside the measured 16-1024" in outside.reasons[0]
    assert outside.low is not None and outside.high is not None
    assert beyond.basis is Basis.REFUSED and beyond.estimate is None
    assert "2.05 times outside" in beyond.reasons[0]
    assert model.predict(need(64, workers=8)).basis is Basis.REFUSED


def test_one_batch_size_answers_for_itself_alone() -> None:
    model = model_of(simulated.study(Truth(), 1, batch_sizes=(64,)))
    assert model.predict(need(64)).has_interval
    other = model.predict(need(65))
    assert other.basis is Basis.REFUSED
    assert "batch_size has one level" in other.reasons[0]
    assert model.held_out[0].cells == ()
    assert "nothing else was measured" in model.held_out[0].not_possible[0]


def test_one_trial_gives_an_estimate_without_interval() -> None:
    model = model_of(simulated.study(Truth(), 1, batch_sizes=(64,), cpus=(2,), blocks=1))
    found = model.predict(need(64))
    assert found.estimate is not None and not found.has_interval
    assert "no interval: not enough trials" in found.reasons[0]


def test_peaks_held_down_by_the_limit_and_missing_ones_are_named() -> None:
    rows = simulated.study(Truth(), 1)
    rows[0]["memory_bytes"] = rows[0]["peak_memory_bytes"] * 1.01
    rows[1]["peak_memory_bytes"] = math.nan
    rows[2]["threads"] = 8
    observations = simulated.observed(rows, not_measured={"peak_memory_bytes": {"no cgroup": 1}})
    found = fit_models(observations)
    reasons = {one.why: one.records for one in found.omitted["peak_memory_bytes"]}
    assert reasons == {
        "the peak is within 2 % of the memory limit, which held it down": (rows[0]["trial"],),
        "peak_memory_bytes was not measured: no cgroup (1)": (rows[1]["trial"],),
        "more threads than CPUs": (rows[2]["trial"],),
    }
    assert len(found.memory[0].records) == len(rows) - 3


def test_what_varies_without_a_term_is_said() -> None:
    rows = simulated.study(Truth(), 1)
    for one in rows:
        one["inter_op"] = one["seed"] % 2
        one["certificate"] = None
    (model,) = fit_models(simulated.observed(rows, varied=("batch_size", "inter_op"))).memory
    assert "inter_op varies over 2 levels and has no term: its effect is in the error" in model.notes
    assert "no parity certificate covers these trials" in model.notes


@pytest.mark.parametrize(("level_sd", "noise"), [(0.0, 0.01), (0.03, 0.01)])
def test_prediction_intervals_hold_a_new_trial_as_often_as_they_say(level_sd: float, noise: float) -> None:
    """New batch sizes within the range, each with an effect of its own that the model cannot know."""
    inside = total = 0
    chance = np.random.default_rng(11)
    for draw in range(12):
        truth = replace(Truth(), bytes_per_activation=float(chance.uniform(5, 40)))
        model = memory_alone(simulated.study(truth, draw, level_sd=level_sd, noise=noise, blocks=3))
        for batch in 2 * (20, 24, 40, 48, 80, 96, 160, 192, 320, 384, 640, 768):
            found = model.predict(need(batch))
            assert found.low is not None and found.high is not None
            new = truth.memory_bytes("lenet-mnist", batch, 2)
            new *= math.exp(chance.normal(0, level_sd) + chance.normal(0, noise))
            inside += found.low <= new <= found.high
            total += 1
    assert inside / total >= 0.9


def test_intervals_of_a_network_that_was_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network has 5 % of its own, common to all its batch sizes: these, left out, do not know of it."""
    sizes = {"a": (1e5, 1e4), "b": (2e5, 3e4), "c": (8e5, 2e4), "d": (4e5, 6e4), "new": (3e5, 2.5e4)}
    for name, (parameters, values) in sizes.items():
        monkeypatch.setitem(simulated.NETWORKS, name, (parameters, values, "mnist"))
    truth, inside, asked = Truth(bytes_per_parameter=16), 0, 0
    for draw in range(12):
        chance = np.random.default_rng(draw)
        own = {name: math.exp(chance.normal(0, 0.05)) for name in sizes}
        rows = simulated.study(truth, draw, workloads=("a", "b", "c", "d"), blocks=2)
        model = memory_alone(
            [{**one, "peak_memory_bytes": one["peak_memory_bytes"] * own[one["workload"]]} for one in rows]
        )
        for batch in (32, 128, 512):
            predicted = model.predict(need(batch, workload="new"))
            assert predicted.low is not None and predicted.high is not None
            new = truth.memory_bytes("new", batch, 2) * own["new"] * math.exp(chance.normal(0, 0.01))
            inside += predicted.low <= new <= predicted.high
            asked += 1
    assert inside >= 0.85 * asked, (inside, asked)


def test_two_counts_of_workers_give_no_interval_of_memory_at_a_third() -> None:
    predicted = memory_alone(simulated.study(Truth(), 4, cpus=(1, 2))).predict(need(64, workers=4))
    assert (predicted.low, predicted.high) == (None, None)
    assert any("three counts of workers" in reason for reason in predicted.reasons)


def with_peaks_of_phases(rows: list[dict[str, object]], before_bytes: float, seed: int) -> pd.DataFrame:
    """The rows as trials whose compiling takes so much memory, whatever the batch size."""
    frame, chance = pd.DataFrame(rows), np.random.default_rng(seed)
    before = before_bytes * np.exp(chance.normal(0, 0.005, len(frame)))
    since = frame["peak_memory_bytes"].to_numpy(float)
    return frame.assign(
        workers=frame["cpus"].astype(float),
        peak_memory_bytes=np.maximum(before, since),
        **{phase_peaks.BEFORE: before, phase_peaks.SINCE: since},
    )


def test_what_compiling_hides_of_the_training_steps_is_told_by_the_peaks_of_the_phases() -> None:
    truth = Truth(base_bytes=110 * MIB, bytes_per_activation=7.0)
    rows = with_peaks_of_phases(simulated.study(truth, 4, noise=0.005), 190 * MIB, 1)
    group = model_of(simulated.study(truth, 4)).group
    model = fit_memory(group, rows)
    plain = fit_memory(group, rows.drop(columns=[phase_peaks.BEFORE, phase_peaks.SINCE]))
    of_largest = [
        next(cell for cell in one.held_out[0].cells if cell.levels["batch_size"] == 1024) for one in (model, plain)
    ]
    assert abs(of_largest[0].error_fraction) < 0.03 < abs(of_largest[1].error_fraction)
    values = {term.name: term.value for term in model.terms}
    assert values["bytes_per_activation"] == pytest.approx(7.0, rel=0.05)
    assert values["base_bytes_before[mnist]"] == pytest.approx(190 * MIB, rel=0.02)
    assert model.predict(need(32)).estimate == pytest.approx(190 * MIB, rel=0.02)
    assert any("peaks of their phases" in note for note in plain.notes)


def test_compiling_a_larger_network_is_told_apart_with_one_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulated.NETWORKS, "wide", (8_000_000.0, 30_000.0, "mnist"))
    studied = simulated.study(Truth(), 4, workloads=("lenet-mnist", "wide"), batch_sizes=(64,), noise=0.002)
    before = [100 * MIB + 40 * float(str(one["parameters"])) for one in studied]
    rows = pd.DataFrame(studied).assign(workers=[float(str(one["cpus"])) for one in studied])
    rows = rows.assign(**{phase_peaks.BEFORE: before, phase_peaks.SINCE: rows["peak_memory_bytes"]})
    values = {term.name: term.value for term in fit_memory(model_of(studied).group, rows).terms}
    assert values["bytes_per_parameter_before"] == pytest.approx(40, rel=0.01)
    assert values["base_bytes_before[mnist]"] == pytest.approx(100 * MIB, rel=0.01)


def test_the_peaks_of_the_phases_come_from_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = {
        "whole": [
            ("import", 70),
            ("build", 187),
            ("warm_up", 120),
            ("train", 127),
            ("evaluate", 121),
            ("teardown", None),
        ],
        "missed": [("import", 70), ("train", 127)],
        "untold": [("import", None), ("train", None)],
    }

    def read(folder: Path) -> dict[str, object]:
        if folder.name not in manifests:
            raise StoreError("gone", where=str(folder))
        return {"phases": [{"phase": name, "memory_peak_bytes": peak} for name, peak in manifests[folder.name]]}

    monkeypatch.setattr(phase_peaks, "read_manifest", read)
    paths = ["whole", "missed", "untold", "gone"]
    found = phase_peaks.with_phase_peaks(pd.DataFrame({"path": paths, "peak_memory_bytes": [187.0] * 4}))
    assert found.loc[0, [phase_peaks.BEFORE, phase_peaks.SINCE]].tolist() == [187.0, 127.0]
    assert found.loc[1:, [phase_peaks.BEFORE, phase_peaks.SINCE]].isna().all(axis=None)
