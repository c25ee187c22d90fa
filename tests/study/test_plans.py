"""Plans: order, identity, what is left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.study import Specification, Trial, load_study, make_plan
from harness.workloads import initial_weights
from tests.study.conftest import STUDY


def test_a_block_a_seed_with_every_cell_once(study_of) -> None:
    plan = make_plan(study_of("vary: {batch_size: [8, 16, 32, 64]}\n"))
    seeds = [trial.specification["seed"] for trial in plan.trials]
    assert seeds == [1] * 8 + [2] * 8
    cells = [(trial.framework, trial.varied["batch_size"]) for trial in plan.trials]
    assert len(set(cells[:8])) == 8
    assert set(cells[:8]) == set(cells[8:])
    assert cells[:8] != cells[8:]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.sets(st.integers(1, 2000), min_size=1, max_size=4),
    rates=st.sets(st.floats(1e-4, 1.0), min_size=1, max_size=3),
    seeds=st.sets(st.integers(0, 10**9), min_size=1, max_size=3),
)
def test_plans_are_deterministic_and_ids_unique(study_of, sizes: set, rates: set, seeds: set) -> None:
    text = STUDY.replace("[1, 2]", str(sorted(seeds)))
    more = f"vary: {{batch_size: {sorted(sizes)}, rate: {sorted(rates)}}}\n"
    plan = make_plan(study_of(more, text=text))
    again = make_plan(study_of(more, text=text))
    ids = [trial.id for trial in plan.trials]
    assert ids == [trial.id for trial in again.trials]
    assert len(set(ids)) == len(ids) == 2 * len(sizes) * len(rates) * len(seeds)
    assert len({trial.label for trial in plan.trials}) == len(ids)


def test_the_specification_is_plain_json_and_survives_the_round_trip(study_of) -> None:
    trial = make_plan(study_of()).trials[0]
    text = json.dumps(trial.specification)
    assert Specification.model_validate(json.loads(text)).as_json() == trial.specification
    assert Trial.model_validate_json(trial.model_dump_json()).id == trial.id
    assert list(trial.specification) == ["framework", "workload", "setting", "profile", "seed", "time_limit_s"]
    assert initial_weights(trial.specification["workload"]["network"], trial.specification["setting"], 1)


def test_the_identity_of_a_trial_does_not_drift(study_of) -> None:
    """A change here makes every stored record another trial: it has to be meant."""
    trial = next(
        trial for trial in make_plan(study_of(cpus=(0, 1))).trials if trial.label == "alpha · caffe-mnist · seed 1"
    )
    assert trial.id == "9a77be07e995d614"


def test_ids_do_not_depend_on_how_a_value_was_said(study_of) -> None:
    def ids(more: str) -> set[str]:
        return {trial.id for trial in make_plan(study_of(more)).trials}

    assert ids("overrides: {rate: 1.0}\n") == ids("overrides: {learning_rate.k0: 1}\n")
    assert ids("overrides: {epochs: 1}\n") == ids("overrides: {steps: 157}\n")
    assert ids("overrides: {momentum: 0.9}\n") == ids("")
    assert ids("overrides: {momentum: 0.8}\n").isdisjoint(ids(""))
    assert ids("time_limit: 1 h\n") == ids("")


def test_equal_trials_run_once_with_a_note(study_of) -> None:
    plan = make_plan(study_of("vary: {rate: [0.5, 5e-1]}\n"))
    assert len(plan.trials) == 4
    assert len(plan.notes) == 4
    assert "it runs once" in plan.notes[0]


@pytest.mark.parametrize(
    ("more", "framework", "what", "why"),
    [
        ("overrides: {blas: openblas}\n", "alpha", "blas: openblas", "framework 'alpha' honours no choice of blas"),
        ("overrides: {blas: mkl}\n", "beta", "blas: mkl", "framework 'beta' honours blas openblas or reference"),
        ("overrides: {gpus: 1}\n", "beta", "gpus: 1", "framework 'beta' honours no gpus"),
        ("overrides: {threads.inter_op: 2}\n", "beta", "threads.inter_op: 2", "'beta' honours no threads.inter_op"),
        ("overrides: {precision: float16}\n", "beta", "precision: float16", "'beta' honours precision float32"),
    ],
)
def test_what_a_framework_cannot_honour_is_left_out_with_both_named(study_of, more, framework, what, why) -> None:
    plan = make_plan(study_of(more))
    cell = next(cell for cell in plan.unsupported if cell.description.startswith(framework))
    assert what in cell.what
    assert "profile 'local'" in cell.what
    assert why in cell.why
    assert framework not in {trial.framework for trial in plan.trials}


def test_leaving_a_framework_out_keeps_the_order_of_the_others(study_of) -> None:
    both = [
        trial for trial in make_plan(study_of("vary: {batch_size: [8, 16, 32]}\n")).trials if trial.framework == "beta"
    ]
    alone = make_plan(study_of("overrides: {blas: openblas}\nvary: {batch_size: [8, 16, 32]}\n")).trials
    assert [trial.varied for trial in both] == [trial.varied for trial in alone]


def test_all_unsupported_is_a_plan_without_trials(study_of) -> None:
    plan = make_plan(study_of("overrides: {precision: bfloat16}\n"))
    assert plan.trials == ()
    assert len(plan.unsupported) == 2


def test_quickstart_is_four_frameworks_and_three_seeds() -> None:
    plan = make_plan(load_study("quickstart", cpus=(0, 1)))
    assert {trial.framework for trial in plan.trials} == {"tensorflow", "torch", "caffe", "theano"}
    assert len(plan.trials) == 12
    assert plan.unsupported == ()
    assert {trial.specification["setting"]["steps"] for trial in plan.trials} == {300}
