"""`leave_out`: which cells a condition takes away, and that none of them goes without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.plan import left_out_lines, plan_as_dict
from harness.study import make_plan
from harness.study.conditions import CellValues, read_conditions
from harness.yaml_files import YamlDocument
from tests.study.test_study_files import error_of

VARIED = "profiles: [cpu1, cpu2]\nvary: {batch_size: [16, 64, 256]}\n"


def entry(when: str, reason: str = "too slow") -> str:
    return f"leave_out:\n  - when: {when}\n    reason: {reason}\n"


def kept_and_left_out(study) -> tuple[set, set]:
    kept = {cell.label for cell in study.cells}
    return kept, {cell.description for cell in study.left_out}


def test_a_cell_is_left_out_where_every_line_holds(study_of) -> None:
    whole = {cell.label for cell in study_of(VARIED).cells}
    study = study_of(VARIED + entry("{profile: cpu1, batch_size: {at_least: 64}, framework: alpha}"))
    kept, left_out = kept_and_left_out(study)
    assert left_out == {f"alpha · caffe-mnist · cpu1 · batch_size={size}" for size in (64, 256)}
    assert kept == whole - left_out
    assert {trial.label.rpartition(" · ")[0] for trial in make_plan(study).trials} == kept


def test_a_value_that_a_varied_section_leaves_to_its_default_counts(study_of) -> None:
    vary = "vary: {optimizer: [{kind: sgd}, {kind: sgd, momentum: 0.9}]}\n"
    kept, left_out = kept_and_left_out(study_of(vary + entry("{momentum: 0}")))
    assert left_out == {f"{name} · caffe-mnist · optimizer=sgd" for name in ("alpha", "beta")}
    assert kept == {f"{name} · caffe-mnist · optimizer=sgd momentum=0.9" for name in ("alpha", "beta")}


def test_trials_keep_their_ids_when_others_are_left_out(study_of) -> None:
    whole = {trial.id for trial in make_plan(study_of(VARIED)).trials}
    fewer = {trial.id for trial in make_plan(study_of(VARIED + entry("{profile: cpu1}"))).trials}
    assert len(fewer) == 12
    assert fewer < whole


@pytest.mark.parametrize(
    ("when", "count"),
    [
        ("{batch_size: 64}", 4),
        ("{batch_size: [16, 64]}", 8),
        ("{batch_size: {not: 64}}", 8),
        ("{batch_size: {not: [16, 64]}}", 4),
        ("{batch_size: {above: 16, below: 256}}", 4),
        ("{batch_size: {at_least: 64, at_most: 64}}", 4),
        ("{batch_size: {above: 64}}", 4),
        ("{framework: [alpha, beta]}", 12),
        ("{framework: {not: alpha}}", 6),
        ("{cpus: 2}", 6),
        ("{threads: {at_least: 2}}", 6),
        ("{workload: lenet-mnist-subset, setting: caffe-mnist, profile: cpu2}", 6),
        ("{momentum: 0.9}", 12),
        ("{learning_rate.policy: INV}", 12),
        ("{rate: {below: 0.02}}", 12),
        ("{precision: float32}", 12),
    ],
)
def test_what_a_line_may_ask_for(study_of, when: str, count: int) -> None:
    study = study_of(VARIED + entry(when))
    assert len(study.left_out) == count
    assert len(study.cells) == 12 - count
    assert study.notes == ()


def test_memory_is_compared_as_an_amount(study_of) -> None:
    more = "vary: {memory: [1 GiB, 2 GiB, 4 GiB]}\n"
    assert len(study_of(more + entry("{memory: {below: 2048 MiB}}")).left_out) == 2
    assert len(study_of(more + entry("{memory: [4096 MiB]}")).left_out) == 2
    assert len(study_of(entry("{memory: null}")).left_out) == 2


def test_combinations_that_do_not_fit_may_be_left_out(study_of) -> None:
    """What does not run does not have to fit: 20,000 is more than the dataset has."""
    more = "vary: {batch_size: [16, 20000]}\n"
    assert "batch_size 20000 is larger" in error_of(study_of, more)
    assert len(study_of(more + entry("{batch_size: {above: 10000}}")).cells) == 2
    # For one framework alone it still has to.
    assert "batch_size 20000 is larger" in error_of(study_of, more + entry("{batch_size: 20000, framework: alpha}"))


def test_every_cell_left_out_is_told_and_counted_with_its_reason(study_of) -> None:
    two = entry("{profile: cpu1, batch_size: 256}", "slow")
    two += "  - when: {framework: beta, batch_size: 16}\n    reason: dull\n"
    study = study_of(VARIED + two)
    plan = make_plan(study)
    assert left_out_lines(plan) == [
        "2 cells: dull (framework beta, batch_size 16)",
        "2 cells: slow (profile cpu1, batch_size 256)",
    ]
    told = plan_as_dict(study, plan)["left_out"]
    assert len(told) == 4
    assert told[0] == {
        "description": "beta · caffe-mnist · cpu1 · batch_size=16",
        "reason": "dull",
        "when": "framework beta, batch_size 16",
    }
    assert len(study.cells) + len(told) == 12


def test_a_single_cell_is_named(study_of) -> None:
    plan = make_plan(study_of(entry("{framework: alpha}", "not today")))
    assert left_out_lines(plan) == ["alpha · caffe-mnist: not today (framework alpha)"]


def test_a_condition_that_no_cell_meets_is_told(study_of) -> None:
    plan = make_plan(study_of(VARIED + entry("{batch_size: {above: 512}}", "too large")))
    assert len(plan.trials) == 24
    (note,) = plan.notes
    assert note.startswith("leave_out: no cell meets the condition batch_size above 512 (too large; ")


def test_all_cells_may_be_left_out(study_of) -> None:
    plan = make_plan(study_of(entry("{framework: [alpha, beta]}")))
    assert plan.trials == ()
    assert len(plan.left_out) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (entry("{batchsize: 3}"), "x.yaml:7: unknown key 'batchsize' in leave_out … did you mean 'batch_size'?"),
        (entry("{profil: cpu1}"), "x.yaml:7: unknown key 'profil' in leave_out … did you mean 'profile'?"),
        (entry("{framework: alfa}"), "x.yaml:7: leave_out: framework 'alfa' is not in the study … did you mean"),
        (entry("{framework: {not: alfa}}"), "x.yaml:7: leave_out: framework 'alfa' is not in the study"),
        (entry("{batch_size: {atleast: 3}}"), "unknown comparison 'atleast' of batch_size … did you mean"),
        (entry("{framework: {at_least: 3}}"), "unknown comparison 'at_least' of framework"),
        (entry("{batch_size: {at_least: many}}"), "x.yaml:7: leave_out: batch_size at_least should be a number"),
        (entry("{batch_size: {}}"), "x.yaml:7: leave_out: batch_size should have a value, a list of values, or a"),
        (entry("{batch_size: []}"), "x.yaml:7: leave_out: batch_size should have a value or a list of values, not []"),
        (entry("{memory: {below: 3 gigs}}"), "x.yaml:7: leave_out: memory: '3 gigs' has the unknown unit 'gigs'"),
        (entry("{}"), "x.yaml:7: leave_out[0].when should have at least 1 item"),
        ("leave_out:\n  - when: {framework: alpha}\n", "x.yaml:7: key 'reason' is missing in leave_out[0]"),
        (entry("{framework: alpha}", "''"), "x.yaml:8: leave_out[0].reason: string should have at least 1 character"),
        ("leave_out: {when: {framework: alpha}}\n", "x.yaml:6: leave_out should be a list"),
    ],
)
def test_errors_name_file_line_key_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)


@pytest.mark.parametrize(
    ("when", "left_out"),
    [
        ({"jobs": {"at_least": 2}, "cores": "shared"}, [("shared", 2), ("shared", 4)]),
        ({"cores": {"not": "alone"}}, [("shared", 2), ("shared", 4), ("split", 2)]),
        ({"jobs": 1}, [("alone", 1)]),
    ],
)
def test_jobs_side_by_side_may_be_left_out(when: dict, left_out: list) -> None:
    document = YamlDocument(Path("x.yaml"), {"leave_out": [{"when": when, "reason": "dull"}]}, {})
    problems: list = []
    (condition,) = read_conditions(document, None, problems)
    placed = [("alone", 1), ("shared", 2), ("shared", 4), ("split", 2)]
    cells = [CellValues({"jobs": jobs, "cores": cores}, {}, {}, 2) for cores, jobs in placed]
    found = [place for place, cell in zip(placed, cells, strict=True) if condition.holds(cell)]
    assert (problems, found) == ([], left_out)
