"""Files of claims: the project's own, and every slip that a file can have."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.claims import CLAIMS_FOLDER, load_claims
from harness.analysis.claims.estimates import looks_inside
from harness.analysis.claims.logic import State, evaluate
from harness.analysis.claims.parts import Measured, question
from harness.errors import FileFormatError

FRAMEWORKS = ("caffe", "torch", "tensorflow", "theano")
HEAD = "claims: mine\npaper: A paper\nfindings:\n"
GOOD = """\
  - claim: faster
    finding: One is faster than the other.
    source: {place: a report, table: "3", page: "7"}
    outcome: training_time_s
    cells:
      caffe: {select: {framework: caffe, workload: lenet-mnist}}
      torch: {select: {framework: torch, workload: lenet-mnist}}
    relation: {kind: order, cells: [torch, caffe]}
"""


def written(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(HEAD + text)
    return path


def test_a_file_is_read_with_the_line_of_every_claim(tmp_path: Path) -> None:
    (one,) = load_claims([written(tmp_path, GOOD)], frameworks=FRAMEWORKS)
    assert (one.name, one.line, one.entry.source.text) == ("mine/faster", 4, "a report; table 3; page 7")


BAD = [
    (("framework: caffe,", "framework: cafe,"), 9, "unknown framework 'cafe' … did you mean 'caffe'?"),
    (
        ("outcome: training_time_s", "outcome: training_time"),
        7,
        "unknown outcome 'training_time' … did you mean 'training_time_s'?",
    ),
    (("outcome: training_time_s", "outcome: steps_to:many"), 7, "'steps_to:many' should name an accuracy"),
    (
        ("workload: lenet-mnist}}\n      torch", "wrkload: lenet-mnist}}\n      torch"),
        9,
        "unknown column 'wrkload' … did you mean 'workload'?",
    ),
    (("workload: lenet-mnist}}\n      torch", "top1_percent: 9}}\n      torch"), 9, "'top1_percent' is an outcome"),
    (("kind: order", "kind: ordr"), 11, "unknown kind 'ordr'"),
    (("[torch, caffe]", "[torch, jax]"), 11, "no cell 'jax'"),
    (("[torch, caffe]", "[torch, torch]"), 11, "'torch' stands in the list twice"),
    (("[torch, caffe]", "[torch]"), 11, "at least 2 items"),
    (("{kind: order, cells: [torch, caffe]}", "{kind: ratio, of: torch, to: caffe}"), 11, "`at_least` or `at_most`"),
    (
        ("{kind: order, cells: [torch, caffe]}", "{kind: ratio, of: torch, to: caffe, value: 2}"),
        11,
        "`value` and `tolerance`",
    ),
    (("{kind: order, cells: [torch, caffe]}", "{kind: ratio, of: torch, to: caffe, at_least: -1}"), 11, "above 0"),
    (
        ("{kind: order, cells: [torch, caffe]}", "{kind: difference, of: torch, less: caffe, at_least: 2, at_most: 1}"),
        11,
        "below `at_most`",
    ),
    (("{kind: order, cells: [torch, caffe]}", "{kind: equal}"), 11, "`tolerance` or `relative_tolerance`"),
    (("{kind: order, cells: [torch, caffe]}", "{kind: trend, direction: up}"), 11, "'up'"),
    (("{kind: order, cells: [torch, caffe]}", "{kind: trend, direction: rising}"), 11, "a trend is over `levels`"),
    (("{kind: order, cells: [torch, caffe]}", "{kind: best_of, cell: jax}"), 11, "no cell 'jax'"),
    (
        ("{kind: order, cells: [torch, caffe]}", "{kind: none_best_in_all, outcomes: [steps_done, top1_percent]}"),
        7,
        "takes no outcome",
    ),
    (("    outcome: training_time_s\n", ""), 4, "key 'outcome' is missing"),
    (("{place: a report, ", "{"), 6, "key 'place' is missing"),
    (("    finding: One is faster than the other.\n", ""), 4, "key 'finding' is missing"),
    (("claim: faster", "claim: Faster!"), 4, "'Faster!'"),
    (("    relation:", "    scope: {transfers: [hardwares]}\n    relation:"), 11, "'hardwares'"),
    (
        ("    relation:", "    study: defaulds\n    relation:"),
        11,
        "no such study 'defaulds' … did you mean 'defaults'?",
    ),
    (("    relation:", "    published: {frameworks: {caff: null}}\n    relation:"), 11, "unknown framework 'caff'"),
    (
        ("    relation:", "    levels: {of: policy, select: {framework: caffe}}\n    relation:"),
        4,
        "either `cells` or `levels`",
    ),
]


@pytest.mark.parametrize(("change", "line", "message"), BAD, ids=[message for _, _, message in BAD])
def test_a_slip_is_named_with_file_line_key_and_value(
    tmp_path: Path, change: tuple[str, str], line: int, message: str
) -> None:
    assert change[0] in GOOD
    path = written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(FileFormatError) as caught:
        load_claims([path], frameworks=FRAMEWORKS)
    text = str(caught.value)
    assert message in text
    assert f"mine.yaml:{line}: " in text


def test_all_slips_are_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path, GOOD.replace("framework: caffe", "framework: cafe").replace("[torch, caffe]", "[torch, jax]")
    )
    with pytest.raises(FileFormatError) as caught:
        load_claims([path], frameworks=FRAMEWORKS)
    assert "'cafe'" in str(caught.value)
    assert "'jax'" in str(caught.value)


def test_two_claims_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="mine.yaml:12: a claim 'faster' stands in this file already"):
        load_claims([written(tmp_path, GOOD + GOOD)], frameworks=FRAMEWORKS)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    written(tmp_path, GOOD, "other.yaml")
    with pytest.raises(FileFormatError, match="claims 'mine' stand in .*mine.yaml too"):
        load_claims([tmp_path], frameworks=FRAMEWORKS)


def test_a_folder_without_claims_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="holds no file of claims"):
        load_claims([tmp_path], frameworks=FRAMEWORKS)
    with pytest.raises(FileFormatError, match="no such file"):
        load_claims([tmp_path / "none.yaml"], frameworks=FRAMEWORKS)


OWN = load_claims()


def test_the_project_has_claims_of_both_papers() -> None:
    assert {one.file for one in OWN} == {"gtdlbench", "lrbench"}
    assert sorted(path.stem for path in CLAIMS_FOLDER.glob("*.yaml")) == ["gtdlbench", "lrbench"]


@pytest.mark.parametrize(
    "one", [one for one in OWN if one.entry.relation.kind != "untestable"], ids=lambda one: one.name
)
def test_a_claim_whose_source_has_numbers_holds_for_those_numbers(one: object) -> None:
    cells = one.entry.cells or {}  # type: ignore[attr-defined]
    values = {name: cell.published for name, cell in cells.items() if cell.published is not None}
    if not values or len(one.outcomes) != 1:  # type: ignore[attr-defined]
        assert one.entry.source.place.startswith("abstract")  # type: ignore[attr-defined]
        return
    assert values.keys() == cells.keys()
    (outcome,) = one.outcomes  # type: ignore[attr-defined]
    asked = question(one.entry.relation, {outcome: Measured(outcome, {name: {1: v} for name, v in values.items()})})  # type: ignore[attr-defined]
    states = [State(looks_inside(c.estimate, *c.bounds), None, 0) for c in asked.comparisons]
    assert evaluate(asked.whole, states).decided is True


def test_what_may_be_otherwise_is_argued_for() -> None:
    for one in OWN:
        assert bool(one.entry.scope.transfers) == bool(one.entry.scope.because), one.name


def test_a_scope_never_carries_amounts_to_other_machines() -> None:
    for one in OWN:
        if one.entry.outcome in ("training_time_s", "test_time_s") and one.entry.relation.kind in (
            "ratio",
            "threshold",
        ):
            assert "hardware" not in one.entry.scope.transfers or one.entry.relation.bounds() == (1.0, float("inf")), (
                one.name
            )
