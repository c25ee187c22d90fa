"""What keeps records from speaking to a claim, and what is said beside a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.claims import Evaluation, Verdict, evaluate_claim
from harness.analysis.observations import observations, observe
from harness.records import Record
from tests.analysis.claims.synthetic import TIME, TOP1, claim, record, records, verdict
from tests.synthetic import MACHINE, write_record

FASTER = {"kind": "ratio", "of": "torch", "to": "caffe", "at_least": 1.5}
TWO = ("caffe", "torch")
EVERYTHING = ["hardware", "framework_version", "dataset_variant", "length"]


def pair(**options: Any) -> list[Record]:
    return [*records("caffe", [10, 10.1, 9.9], **options), *records("torch", [20, 20.3, 19.8], **options)]


def not_comparable(one: Evaluation) -> str:
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert one.reasons
    return " | ".join(one.reasons)


def test_a_cell_without_records_is_named_with_what_there_is() -> None:
    one = verdict(claim(FASTER, TWO), records("caffe", [10, 11]))
    assert "cell 'torch' has no completed record: none has framework torch" in not_comparable(one)
    assert "caffe" in one.reasons[0]


def test_no_record_at_all() -> None:
    one = verdict(claim(FASTER, TWO), [])
    assert "no completed record" in not_comparable(one)


def test_a_cell_with_failed_trials_only_says_how_they_ended() -> None:
    failed = [record("torch", block, termination="out_of_memory", reason="limit 1 GiB") for block in (1, 2)]
    one = verdict(claim(FASTER, TWO), [*records("caffe", [10, 11]), *failed])
    assert "no completed record, only 2 trials that did not complete (2 out_of_memory)" in not_comparable(one)
    assert "limit 1 GiB" in one.reasons[0]


def test_failed_trials_beside_completed_ones_are_counted_in_a_note() -> None:
    failed = [record("torch", 7, termination="diverged", reason="loss"), record("torch", 8, termination="killed")]
    one = verdict(claim(FASTER, TWO), [*pair(), *failed])
    assert (one.verdict, one.n) == (Verdict.SUPPORTED, 3)
    assert "cell 'torch': its numbers are without 2 trials that did not complete (1 diverged, 1 killed)" in one.notes
    assert not any("cell 'caffe'" in note for note in one.notes)


def test_cells_of_different_studies_share_seeds_only_and_it_is_said() -> None:
    found = [*records("caffe", [10, 10.1, 9.9], study="a"), *records("torch", [20, 20.3, 19.8], study="b")]
    one = verdict(claim(FASTER, TWO), found)
    assert one.verdict is Verdict.SUPPORTED
    assert any("different studies" in note and "caffe: a, torch: b" in note for note in one.notes)


def test_failed_trials_of_another_workload_are_not_blamed(tmp_path: Path) -> None:
    write_record(tmp_path, "caffe", 1)
    write_record(tmp_path, "torch", 1, termination="crashed", reason="lost")
    cells = {name: {"select": {"framework": name, "workload": "other"}} for name in TWO}
    (one,) = evaluate_claim(claim(FASTER, cells), observations(tmp_path))
    assert "did not complete" not in not_comparable(one)
    assert "workload other" in one.reasons[0]


def test_cells_of_different_dataset_content_are_never_put_side_by_side() -> None:
    found = [*records("caffe", [10, 11], content="a" * 64), *records("torch", [20, 21], content="b" * 64)]
    text = not_comparable(verdict(claim(FASTER, TWO), found))
    assert "content of the dataset" in text
    assert "aaaaaaaaaaaa" in text


def test_two_contents_that_both_have_every_cell_are_evaluated_apart() -> None:
    found = [*pair(content="a" * 64), *pair(content="b" * 64)]
    both = evaluate_claim(claim(FASTER, TWO), observe(found))
    assert [one.verdict for one in both] == [Verdict.SUPPORTED] * 2
    assert [one.conditions["content_sha256"][0] for one in both] == ["a", "b"]
    assert all("2 sets of conditions" in one.notes[0] for one in both)
    assert not {entry.path for entry in both[0].records} & {entry.path for entry in both[1].records}


@pytest.mark.parametrize("column", ["host", "profile"])
def test_machines_and_profiles_are_conditions(column: str) -> None:
    found = [*records("caffe", [10, 11], **{column: "one"}), *records("torch", [20, 21], **{column: "two"})]
    assert "no records under common conditions" in not_comparable(verdict(claim(FASTER, TWO), found))


def test_mixed_certificates_are_said_and_so_are_records_without_one() -> None:
    found = [
        *records("caffe", [10, 10.1, 9.9], certificate="a" * 64),
        *records("torch", [20, 20.2], certificate="b" * 64),
        record("torch", 3, {TIME: 20.1}, certificate=None),
    ]
    one = verdict(claim(FASTER, TWO), found)
    assert one.verdict is Verdict.SUPPORTED
    assert any(
        "mixed parity certificates" in note and "aaaaaaaaaaaa (3), bbbbbbbbbbbb (2)" in note for note in one.notes
    )
    assert any("1 of 6 records are covered by no parity certificate (torch)" in note for note in one.notes)


def test_a_cell_that_mixes_things_says_by_which_column() -> None:
    found = [*pair(), *records("torch", [30, 31, 32], policy="FIX")]
    text = not_comparable(verdict(claim(FASTER, TWO), found))
    assert "cell 'torch' mixes records that differ in policy (FIX, INV)" in text


def test_cells_that_differ_in_more_than_the_claim_says_are_not_compared() -> None:
    found = [*records("caffe", [10, 11, 12]), *records("torch", [20, 21, 22], batch_size=128)]
    text = not_comparable(verdict(claim(FASTER, TWO), found))
    assert "differ in batch_size, by which the claim does not tell them apart: 64 in caffe, 128 in torch" in text


def test_what_follows_from_a_setting_may_differ_with_it() -> None:
    cells = {name: {"select": {"framework": name, "setting": f"{name}-mnist"}} for name in TWO}
    found = [
        *records("caffe", [10, 10.1, 9.9], setting="caffe-mnist"),
        *records("torch", [20, 20.3, 19.8], setting="torch-mnist", batch_size=10, policy="FIX"),
    ]
    assert verdict(claim(FASTER, cells), found).verdict is Verdict.SUPPORTED


def test_the_latest_of_two_studies_counts_and_the_other_is_named() -> None:
    earlier = record("caffe", 1, {TIME: 1000}, study="earlier", started_at="2026-01-01T00:00:00+00:00")
    one = verdict(claim(FASTER, TWO), [earlier, *pair()])
    assert one.verdict is Verdict.SUPPORTED
    assert any(earlier.id in note and "left out" in note for note in one.notes)
    assert earlier.id not in {entry.id for entry in one.records}


def test_an_outcome_that_no_record_of_a_cell_has_is_a_reason_and_one_that_some_lack_a_note() -> None:
    found = [*records("caffe", [97, 98], TOP1), *records("torch", [10, 11], TIME, not_measured={TOP1: "no evaluation"})]
    text = not_comparable(verdict(claim({"kind": "order", "cells": list(TWO)}, TWO, TOP1), found))
    assert f"{TOP1} was not measured in any record of cell 'torch'" in text
    partly = [*pair(), record("caffe", 4), record("torch", 4, {TIME: 20})]
    one = verdict(claim(FASTER, TWO), partly)
    assert (one.verdict, one.n) == (Verdict.SUPPORTED, 3)
    assert any("was not measured in 1 of its records" in note for note in one.notes)


def test_a_ratio_of_values_that_are_not_positive_is_refused() -> None:
    found = [*records("caffe", [0.0, 1.0], "disk_read_bytes"), *records("torch", [1.0, 2.0], "disk_read_bytes")]
    text = not_comparable(verdict(claim(FASTER, TWO, "disk_read_bytes"), found))
    assert "disk_read_bytes of cell 'caffe' is not above 0" in text


def test_one_level_makes_no_trend() -> None:
    one = claim({"kind": "trend", "direction": "rising"}, levels={"of": "batch_size", "select": {"framework": "caffe"}})
    assert "a trend needs two levels at least; the records have 64" in not_comparable(verdict(one, pair()))


def test_a_level_that_was_never_measured_is_named() -> None:
    relation = {"kind": "best_of", "cell": "TRI"}
    one = claim(relation, levels={"of": "policy", "select": {"framework": "caffe"}})
    assert "no record of 'TRI'" in not_comparable(verdict(one, pair()))


def test_a_column_that_no_study_varies() -> None:
    one = claim(FASTER, {name: {"select": {"framework": name, "optimizer.nesterov": True}} for name in TWO})
    assert "no record varies 'optimizer.nesterov'" in not_comparable(verdict(one, pair()))


PUBLISHED = {
    "hardware": "an old server",
    "cpu_model": "Old CPU",
    "device": "cpu",
    "frameworks": {"caffe": "1.0.0", "torch": "7"},
}


def scoped(transfers: list[str], **options: Any) -> Any:
    cells = {
        name: {"select": {"framework": name, "dataset": "mnist"}, "steps": options.pop("steps", 100)} for name in TWO
    }
    return claim(FASTER, cells, published=PUBLISHED, scope={"transfers": transfers}, **options)


def test_a_scope_turns_reasons_into_notes() -> None:
    found = pair(dataset="mnist@jpeg75", steps=10)
    kinds = ("other hardware", "other framework versions", "a variant of the dataset", "shortened training")
    reasons = not_comparable(verdict(scoped([]), found))
    assert all(kind in reasons for kind in kinds)
    assert reasons.count("scope does not carry over") == 4
    one = verdict(scoped(EVERYTHING), found)
    assert one.verdict is Verdict.SUPPORTED
    assert [note.split(":")[0] for note in one.notes] == list(kinds)
    assert any("torch 2.13.0 for 7" in note and "caffe" not in note for note in one.notes)
    assert any("mnist@jpeg75 for mnist" in note for note in one.notes)
    assert any("10 % of the source's (10 of 100 steps in every cell" in note for note in one.notes)


@pytest.mark.parametrize("left_out", EVERYTHING)
def test_each_difference_alone_is_enough(left_out: str) -> None:
    found = pair(dataset="mnist@jpeg75", steps=10)
    one = verdict(scoped([kind for kind in EVERYTHING if kind != left_out]), found)
    assert len(one.reasons) == 1
    assert one.verdict is Verdict.NOT_COMPARABLE


def test_the_same_kind_of_machine_is_known_by_its_cpu(tmp_path: Path) -> None:
    for framework, seconds in (("caffe", 10.0), ("torch", 20.0)):
        for seed in (1, 2, 3):
            machine = {**MACHINE, "cpu_model": "Old CPU 3.6 GHz"}
            write_record(tmp_path, framework, seed, machine=machine, summary={TIME: seconds + seed / 10})
    (one,) = evaluate_claim(
        claim(FASTER, TWO, published=PUBLISHED, scope={"transfers": ["framework_version"]}), observations(tmp_path)
    )
    assert one.verdict is Verdict.SUPPORTED
    assert not any("hardware" in note for note in one.notes)


def test_no_scope_carries_a_cpu_over_to_a_gpu() -> None:
    one = claim(FASTER, TWO, published={"device": "gpu"}, scope={"transfers": EVERYTHING})
    assert "the claim is about a GPU; trained on CPUs: caffe, torch" in not_comparable(verdict(one, pair()))


def test_of_several_lengths_the_longest_that_all_cells_have_counts() -> None:
    found = [*pair(steps=10), *records("caffe", [1, 2, 3], steps=50), *records("torch", [5, 6, 7], steps=20)]
    one = verdict(scoped(EVERYTHING), found)
    assert one.verdict is Verdict.SUPPORTED
    assert any("10 % of the source's" in note for note in one.notes)
    assert any("cell 'caffe': records of 50 steps are left for those of 10" in note for note in one.notes)


def test_cells_shortened_by_different_shares_are_not_compared() -> None:
    found = [*records("caffe", [1, 2, 3], steps=50), *records("torch", [5, 6, 7], steps=20)]
    text = not_comparable(verdict(scoped(EVERYTHING), found))
    assert "different shares of the source's steps: caffe 50 %, torch 20 %" in text


def test_a_cost_to_an_accuracy_is_worked_out_from_the_records(tmp_path: Path) -> None:
    for framework in TWO:
        for seed in (1, 2, 3):
            write_record(tmp_path, framework, seed)  # 94 % after half of the steps
    relation = {"kind": "threshold", "value": 200, "tolerance": 1}
    (one,) = evaluate_claim(claim(relation, TWO, "steps_to:90"), observations(tmp_path))
    assert (one.verdict, one.parts[0].value) == (Verdict.SUPPORTED, 200)
    (never,) = evaluate_claim(claim(relation, TWO, "steps_to:99.9"), observations(tmp_path))
    assert "was not reached" in not_comparable(never)


def test_equal_steps_to_an_accuracy_are_known_to_an_evaluation_and_no_better(tmp_path: Path) -> None:
    for framework in TWO:
        for seed in (1, 2, 3):
            write_record(tmp_path, framework, seed, setting={"evaluation": {"every_steps": 100, "batch_size": 100}})
    relation = {"kind": "threshold", "value": 200, "tolerance": 1}
    (one,) = evaluate_claim(claim(relation, TWO, "steps_to:90"), observations(tmp_path))
    assert (one.verdict, one.parts[0].value) == (Verdict.UNDECIDED, 200)
    assert one.parts[0].low_95 is not None and one.parts[0].low_95 < 199


def test_an_untestable_finding_says_why() -> None:
    one = verdict(claim({"kind": "untestable", "why": "no such thing is recorded"}, outcome=None), pair())
    assert not_comparable(one) == "no such thing is recorded"
