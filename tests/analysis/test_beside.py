"""A/A pairs and canaries: compared as what they are, and in no number of the matrix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.analysis import Comparison, compare
from harness.analysis.beside import a_a_pairs, drifts
from harness.analysis.observations import observations
from harness.records import Store
from harness.reporting.machine_readable import to_json
from harness.reporting.page import render
from tests.synthetic import write_record, write_study

ARM = {"arm": 2}


def compared(store: Path) -> Comparison:
    return compare(Store(store).records())


def write_pairs(store: Path, second_to_first: dict[int, float], **more) -> None:
    """Blocks with both arms of torch: training for 10 s and 10 s times the ratio."""
    for seed, ratio in second_to_first.items():
        write_record(store, "torch", seed, summary={"training_time_s": 10.0 + seed}, **more)
        write_record(store, "torch", seed, summary={"training_time_s": (10.0 + seed) * ratio}, role=ARM, **more)


def write_canary(store: Path, block: int, when: str, speed: float, minute: int, **more) -> str:
    """A canary that started in that minute; returns its id."""
    record = write_record(
        store,
        "torch",
        1,
        steps=300,
        role={"canary": {"block": block, "when": when}},
        summary={"samples_per_s": speed},
        profile={"name": "local"},
        started_at=f"2026-03-01T11:{minute:02d}:00+00:00",
        **more,
    )
    return record.id


def notes_about(comparison: Comparison, word: str) -> list[str]:
    return [note for note in comparison.notes if word in note]


def test_second_arms_are_in_no_number_of_the_matrix(tmp_path: Path) -> None:
    write_pairs(tmp_path / "with", {1: 1.2, 2: 1.3, 3: 1.1})
    for seed in (1, 2, 3):
        write_record(tmp_path / "without", "torch", seed, summary={"training_time_s": 10.0 + seed})
    both, alone = compared(tmp_path / "with"), compared(tmp_path / "without")
    assert [cell.values["training_time_s"] for cell in both.cells] == [
        cell.values["training_time_s"] for cell in alone.cells
    ]
    assert both.superseded == ()
    assert (both.trial_count, both.completed_count) == (6, 6)


def test_the_arms_of_a_pair_are_compared_block_by_block(tmp_path: Path) -> None:
    write_pairs(tmp_path, {1: 1.02, 2: 0.98, 3: 1.0, 4: 1.01})
    (pair,) = compared(tmp_path).a_a
    ratio = pair.ratios["training_time_s"]
    assert ratio.n == 4
    assert ratio.ratio == pytest.approx((1.02 * 0.98 * 1.0 * 1.01) ** 0.25)
    assert ratio.low is not None and ratio.high is not None and ratio.low < 1 < ratio.high
    assert set(pair.first) == set(pair.second) == {1, 2, 3, 4}
    assert set(pair.first.values()).isdisjoint(pair.second.values())
    (note,) = notes_about(compared(tmp_path), "A/A pair")
    assert note.startswith(
        "A/A pair of torch, second arm ÷ first arm over 4 blocks: training time 1.002 (95 % interval "
    )
    assert "does not hold 1" not in note


def test_an_interval_without_1_is_told(tmp_path: Path) -> None:
    write_pairs(tmp_path, {1: 1.100, 2: 1.101, 3: 1.099})
    (note,) = notes_about(compared(tmp_path), "A/A pair")
    assert "The interval of training time does not hold 1, the true ratio" in note


def test_a_block_with_one_arm_counts_for_no_pair(tmp_path: Path) -> None:
    write_pairs(tmp_path, {1: 1.0, 2: 1.0})
    write_record(tmp_path, "torch", 3)
    write_record(tmp_path, "torch", 4, role=ARM)
    write_record(tmp_path, "torch", 5, role=ARM, termination="crashed", reason="broken")
    result = compared(tmp_path)
    (pair,) = result.a_a
    assert pair.ratios["training_time_s"].n == 2
    assert [one.trial.seed for one in result.excluded] == [5]
    assert (result.trial_count, result.completed_count) == (7, 6)


def test_a_pair_that_says_nothing_is_told(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, role=ARM)
    (note,) = notes_about(compared(tmp_path), "A/A pair")
    assert "no block has a completed trial of both arms" in note


def test_many_pairs_are_told_in_one_sentence(tmp_path: Path) -> None:
    for size in range(1, 7):
        ratios = {1: 1.100, 2: 1.101, 3: 1.099} if size == 1 else {1: 1.02, 2: 0.98, 3: 1.0}
        write_pairs(tmp_path, ratios, varied={"batch_size": size}, setting={"batch_size": size})
    (note,) = notes_about(compared(tmp_path), "A/A pair")
    assert note.startswith(
        "A/A pairs of 6 cells, second arm ÷ first arm (the true ratio is 1): training time: ratios 0.9"
    )
    assert "to 1.1, the interval holds 1 in 5 of 6" in note


def test_canaries_are_in_no_number_of_the_matrix(tmp_path: Path) -> None:
    write_study(tmp_path / "with", ("torch",))
    write_canary(tmp_path / "with", 1, "before", 4000.0, 0)
    write_canary(tmp_path / "with", 3, "after", 3900.0, 30)
    write_study(tmp_path / "without", ("torch",))
    both, alone = compared(tmp_path / "with"), compared(tmp_path / "without")
    assert [cell.values for cell in both.cells] == [cell.values for cell in alone.cells]
    assert (both.trial_count, both.completed_count) == (alone.trial_count, alone.completed_count) == (3, 3)
    assert both.superseded == ()


def test_the_change_of_speed_is_told_as_drift(tmp_path: Path) -> None:
    write_study(tmp_path, ("torch",))
    last = write_canary(tmp_path, 3, "after", 3900.0, 30)
    first = write_canary(tmp_path, 1, "before", 4000.0, 0)
    result = compared(tmp_path)
    (drift,) = result.drifts
    assert [run.trial for run in drift.runs] == [first, last]
    assert drift.change == pytest.approx(-0.025)
    assert drift.apart is None
    (note,) = notes_about(result, "Drift")
    assert note == (
        "Drift of the machine: the canary trial (torch, 300 steps of lenet-mnist-subset, profile local) trained at "
        f"4000 samples/s before block 1 ({first}) and at 3900 after block 3 ({last}): -2.5 %."
    )


def test_two_canaries_in_a_row_tell_how_well_a_canary_can_tell(tmp_path: Path) -> None:
    speeds = [("before", 1, 4000.0), ("after", 1, 4100.0), ("before", 2, 4059.0), ("after", 2, 4040.0)]
    for minute, (when, block, speed) in enumerate(speeds):
        write_canary(tmp_path, block, when, speed, minute)
    (drift,) = drifts(Store(tmp_path).records())
    assert drift.apart == pytest.approx(0.01)
    assert drift.change == pytest.approx(0.01)
    (note,) = notes_about(compared(tmp_path), "Drift")
    assert note.endswith(
        "+1.0 %; all 4 lie between 4000 and 4100; two in a row, with nothing between them, differ by up to 1.0 %."
    )


def test_a_canary_that_failed_is_told(tmp_path: Path) -> None:
    write_study(tmp_path, ("torch",))
    write_canary(tmp_path, 1, "before", 4000.0, 0)
    failed = write_canary(tmp_path, 3, "after", 0.0, 30, termination="crashed")
    told = notes_about(compared(tmp_path), "canary")
    assert [note.partition("): ")[2] for note in told] == [
        f"not completed: after block 3 ({failed}): crashed.",
        "1 of 2 completed, so a drift of the machine cannot be told.",
    ]


def test_canaries_of_two_machines_are_two_drifts(tmp_path: Path) -> None:
    from tests.synthetic import MACHINE

    for minute, name in enumerate(("bench-1", "bench-2")):
        for when in ("before", "after"):
            write_canary(tmp_path, minute, when, 4000.0, minute, machine={**MACHINE, "hostname": name})
    assert [len(drift.runs) for drift in drifts(Store(tmp_path).records())] == [2, 2]


def test_other_readers_of_a_store_can_tell_them(tmp_path: Path) -> None:
    write_pairs(tmp_path, {1: 1.0, 2: 1.01})
    write_canary(tmp_path, 1, "before", 4000.0, 0)
    write_canary(tmp_path, 2, "after", 4000.0, 9)
    frame = harness.load(tmp_path)
    assert sorted(frame["role"].fillna("")) == ["", "", "arm 2", "arm 2", "canary", "canary"]
    table = observations(tmp_path)
    assert list(table.frame["seed"]) == [1, 2]
    assert table.superseded == () and table.excluded == ()
    (study,) = json.loads(to_json([compared(tmp_path)], tmp_path))["studies"]
    assert study["a_a"][0]["ratios"]["training_time_s"]["n"] == 2
    assert [one["samples_per_s"] for one in study["drift"][0]["canaries"]] == [4000.0, 4000.0]
    assert "Drift of the machine" in render(Store(tmp_path).records(), tmp_path)


def test_a_study_with_neither_says_nothing_of_them(tmp_path: Path) -> None:
    write_study(tmp_path)
    result = compared(tmp_path)
    assert (result.a_a, result.drifts) == ((), ())
    assert a_a_pairs(Store(tmp_path).records()) == ()
    assert "role" not in harness.load(tmp_path)
    assert not notes_about(result, "A/A") and not notes_about(result, "anary")
