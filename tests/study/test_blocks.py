"""What stands in a block beside the cells of the matrix: second arms and canaries; and the blocks of a pilot."""

from __future__ import annotations

import json

import pytest

from harness.cli.plan import _plain as plan_text
from harness.cli.plan import design_lines
from harness.study import Specification, make_plan
from harness.study.roles import is_canary, is_second_arm, role_of
from tests.study.conftest import STUDY
from tests.study.test_study_files import error_of

VARIED = "vary: {batch_size: [16, 64]}\n"


def test_both_arms_of_a_pair_stand_in_every_block(study_of) -> None:
    plan = make_plan(study_of(VARIED + "a_a: [alpha]\n"))
    assert len(plan.trials) == 2 * (4 + 2)
    for seed in (1, 2):
        block = [trial for trial in plan.trials if trial.specification["seed"] == seed]
        own = [trial for trial in block if trial.framework == "alpha"]
        arms = [(trial.varied["batch_size"], trial.specification.get("arm")) for trial in own]
        assert sorted(arms, key=str) == [(16, 2), (16, None), (64, 2), (64, None)]
    assert [trial.framework for trial in plan.trials if is_second_arm(trial.specification)] == ["alpha"] * 4


def test_the_arms_are_two_trials_that_differ_in_the_arm_alone(study_of) -> None:
    plan = make_plan(study_of("a_a: alpha\n"))
    first, second = sorted(
        (one for one in plan.trials if one.framework == "alpha" and one.specification["seed"] == 1),
        key=lambda trial: is_second_arm(trial.specification),
    )
    assert first.id != second.id
    assert second.specification == {**first.specification, "arm": 2}
    assert second.label == "alpha · caffe-mnist · arm 2 · seed 1"
    assert role_of(first.specification) is None
    assert role_of(second.specification) == "arm 2"


@pytest.mark.parametrize("more", ["a_a: [alpha]\n", "a_a: true\n", "canary: true\n", "canary: {around: block}\n"])
def test_the_trials_of_the_matrix_keep_their_ids(study_of, more: str) -> None:
    before = [trial.id for trial in make_plan(study_of(VARIED)).trials]
    plan = make_plan(study_of(VARIED + more))
    of_the_matrix = [trial.id for trial in plan.trials if role_of(trial.specification) is None]
    assert set(of_the_matrix) == set(before)
    assert len(plan.trials) > len(before)
    assert len({trial.id for trial in plan.trials}) == len(plan.trials)


def test_canaries_alone_do_not_change_the_order(study_of) -> None:
    before = [trial.id for trial in make_plan(study_of(VARIED)).trials]
    plan = make_plan(study_of(VARIED + "canary: {around: block}\n"))
    assert [trial.id for trial in plan.trials if not is_canary(trial.specification)] == before


def test_true_stands_for_all_frameworks_and_false_for_none(study_of) -> None:
    assert study_of("a_a: true\n").a_a == ("alpha", "beta")
    assert study_of("a_a: false\n").a_a == ()
    assert len(make_plan(study_of("a_a: true\n")).trials) == 8


def test_the_study_has_a_canary_at_both_ends(study_of) -> None:
    trials = make_plan(study_of("canary: true\n")).trials
    told = enumerate(trial.specification for trial in trials)
    places = [(index, one["canary"]) for index, one in told if is_canary(one)]
    assert places == [(0, {"block": 1, "when": "before"}), (5, {"block": 2, "when": "after"})]


def test_every_block_may_have_a_canary_at_both_ends(study_of) -> None:
    trials = make_plan(study_of("canary: {around: block}\n")).trials
    assert [
        f"{trial.specification['canary']['when']} {trial.specification['canary']['block']}"
        if is_canary(trial.specification)
        else trial.specification["seed"]
        for trial in trials
    ] == ["before 1", 1, 1, "after 1", "before 2", 2, 2, "after 2"]


def test_all_canaries_do_the_same_work(study_of) -> None:
    study = study_of("canary: {around: block, framework: beta, steps: 50}\nprofiles: [cpu1]\n" + VARIED)
    canaries = [trial for trial in make_plan(study).trials if is_canary(trial.specification)]
    works = {json.dumps({**one.specification, "canary": None}) for one in canaries}
    assert len(canaries) == 4 and len(works) == 1
    specification = canaries[0].specification
    assert (specification["framework"]["name"], specification["seed"]) == ("beta", 1)
    assert specification["setting"]["steps"] == specification["setting"]["evaluation"]["every_steps"] == 50
    assert specification["profile"]["name"] == "local"
    assert canaries[0].label == "canary · beta · local · before seed 1"
    assert canaries[0].varied == {}


def test_specifications_with_a_role_survive_the_round_trip(study_of) -> None:
    for trial in make_plan(study_of("canary: true\na_a: true\n")).trials:
        told = json.loads(json.dumps(trial.specification))
        assert Specification.model_validate(told).as_json() == trial.specification


def test_a_canary_that_cannot_run_is_told(study_of, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("profile: mine\ngpus: 1\n")
    plan = make_plan(study_of("canary: {framework: beta, profile: mine.yaml}\n"))
    assert len(plan.trials) == 4
    assert [cell.description for cell in plan.unsupported] == ["canary · beta · mine"]


def test_a_plan_tells_what_its_blocks_hold(study_of) -> None:
    study = study_of("a_a: [alpha]\ncanary: {around: block, steps: 50}\n")
    assert design_lines(study, make_plan(study)) == [
        "A/A pairs: every cell of alpha twice in a block, as arm 1 and arm 2",
        "canary before and after every block: alpha, 50 steps of lenet-mnist-subset, profile local",
    ]


PILOT = STUDY.replace("seeds: [1, 2]", "repeats: {resolve: 3%, pilot: 4, at_most: 20, first: 5}")


def test_the_plan_of_a_study_with_repeats_is_that_of_its_pilot(study_of) -> None:
    study = study_of(text=PILOT)
    assert study.seeds == (5, 6, 7, 8)
    assert study.is_pilot and study.repeats is not None
    assert study.repeats.resolve == 0.03
    plan = make_plan(study)
    assert len(plan.trials) == 8
    (line,) = design_lines(study, plan)
    assert line == (
        "a pilot: `dlgauge run` works out from it how many blocks, 20 at most (40 trials), bring the 95 % interval of "
        "each ratio of samples/s to ± 3 %, and runs them"
    )


def test_blocks_are_the_same_whether_chosen_or_given(study_of) -> None:
    given = make_plan(study_of(text=STUDY.replace("[1, 2]", "{first: 5, count: 4}")))
    assert [trial.id for trial in make_plan(study_of(text=PILOT)).trials] == [trial.id for trial in given.trials]


@pytest.mark.parametrize(("written", "share"), [("3%", 0.03), ("0.5 %", 0.005), ("0.03", 0.03), ("'12.5%'", 0.125)])
def test_a_difference_is_a_share(study_of, written: str, share: float) -> None:
    study = study_of(text=STUDY.replace("seeds: [1, 2]", f"repeats: {{resolve: {written}}}"))
    assert study.repeats is not None
    assert study.repeats.resolve == pytest.approx(share)
    assert (study.repeats.pilot, study.repeats.at_most, study.seeds) == (3, 30, (1, 2, 3))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("a_a: [alfa]\n", "x.yaml:6: a_a: framework 'alfa' is none of the study's … did you mean 'alpha'?"),
        ("a_a: 3\n", "x.yaml:6: a_a should be true, or a list of frameworks, not 3"),
        ("canary: {framework: gamma}\n", "x.yaml:6: canary: framework 'gamma' of the canary is none of the study's"),
        ("canary:\n  profile: lokal\n", "x.yaml:7: canary: unknown profile 'lokal' … did you mean 'local'?"),
        ("canary:\n  around: blocks\n", "x.yaml:7: canary.around should be 'block' or 'study', not 'blocks'"),
        ("canary:\n  steps: 5\n", "x.yaml:7: canary.steps should be greater than or equal to 20, not 5"),
        ("canary: often\n", "x.yaml:6: canary should be true, or a mapping such as {around: block}, not 'often'"),
        ("repeats: {resolve: 3%}\n", "x.yaml:6: repeats should not be given beside seeds"),
    ],
)
def test_errors_name_file_line_key_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        ("", "x.yaml:1: seeds should be given, or repeats, which chooses the number of blocks from a pilot"),
        ("repeats: {pilot: 3}\n", "x.yaml:5: key 'resolve' is missing in repeats"),
        ("repeats: {resolve: 120%}\n", "x.yaml:5: repeats.resolve should be more than 0 % and less than 100 %"),
        ("repeats: {resolve: little}\n", "x.yaml:5: repeats.resolve: 'little' is not a share such as '3%' or 0.03"),
        ("repeats: {resolve: 3%, pilot: 1}\n", "x.yaml:5: repeats.pilot should be greater than or equal to 2, not 1"),
        ("repeats: {resolve: 3%, pilot: 9, at_most: 5}\n", "x.yaml:5: repeats: at_most 5 should not be smaller"),
    ],
)
def test_errors_of_repeats(study_of, repeats: str, message: str) -> None:
    assert message in error_of(study_of, text=STUDY.replace("seeds: [1, 2]\n", repeats))


def test_the_table_of_a_plan_tells_trials_beside_the_matrix_apart(study_of) -> None:
    study = study_of(VARIED + "a_a: [alpha]\ncanary: {framework: beta, steps: 50}\n")
    plan = make_plan(study)
    lines = plan_text(study, plan).splitlines()
    (header,) = (line.split() for line in lines if line.startswith("position"))
    assert header == ["position", "block", "framework", "batch_size", "role", "trial"]
    rows = [line for line in lines if line.split()[-1] in {trial.id for trial in plan.trials}]
    assert len(rows) == len(plan.trials) == 14
    assert [line.split()[1:4] for line in (rows[0], rows[-1])] == [["before", "seed", "1"], ["after", "seed", "2"]]
    assert sum("arm 2" in line for line in rows) == 4
    assert sum("canary" in line for line in rows) == 2
    assert any(line.startswith("in all trials but the canaries: ") for line in lines)


def test_a_plan_without_them_has_no_column_for_them(study_of) -> None:
    study = study_of(VARIED)
    text = plan_text(study, make_plan(study))
    assert "role" not in text and "in all trials: " in text
