"""Jobs side by side in studies: which trials they become, and what each job of a trial is to run."""

from __future__ import annotations

import json

import pytest

from harness.errors import FileFormatError
from harness.study import Specification, load_study, make_plan
from harness.study.co_location import job_specifications


def placements(plan) -> list[tuple[int, str]]:
    return [(trial.varied["jobs"], trial.varied["cores"]) for trial in plan.trials if trial.framework == "alpha"]


def test_every_placement_once_in_every_block_and_one_job_only_once(study_of) -> None:
    plan = make_plan(study_of("co_location: {jobs: [1, 2, 4], cores: [split, shared]}\n"))
    wanted = [(1, "alone"), (2, "shared"), (2, "split"), (4, "shared"), (4, "split")]
    found = placements(plan)
    assert sorted(found[:5]) == wanted
    assert sorted(found[5:]) == wanted
    assert not plan.notes and not plan.unsupported
    assert len({trial.id for trial in plan.trials}) == len(plan.trials) == 2 * 2 * 5
    assert any(trial.label == "beta · caffe-mnist · jobs=2 · cores=shared · seed 1" for trial in plan.trials)


def test_a_job_alone_is_the_ordinary_trial(study_of) -> None:
    """The same id with and without the key: what was measured before is not measured again."""
    ordinary = {trial.id for trial in make_plan(study_of()).trials}
    assert {trial.id for trial in make_plan(study_of("co_location: {jobs: 1}\n")).trials} == ordinary
    beside = make_plan(study_of("co_location: {jobs: [1, 2], cores: shared}\n"))
    assert ordinary < {trial.id for trial in beside.trials}
    assert all(("co_location" in t.specification) == (t.varied["jobs"] > 1) for t in beside.trials)


def test_the_specification_says_how_many_and_where(study_of) -> None:
    trial = make_plan(study_of("co_location: {jobs: 2, cores: split}\n")).trials[0]
    assert trial.specification["co_location"] == {"jobs": 2, "cores": "split"}
    again = Specification.model_validate(json.loads(json.dumps(trial.specification)))
    assert again.as_json() == trial.specification
    assert trial.specification["profile"]["cpus"] == [0, 1, 2, 3]


def test_cores_default_to_both(study_of) -> None:
    assert set(placements(make_plan(study_of("co_location: {jobs: [2, 2]}\n")))) == {(2, "split"), (2, "shared")}


def test_cpus_that_cannot_be_divided_are_unsupported_with_the_reason(study_of) -> None:
    plan = make_plan(study_of("co_location: {jobs: [3, 8]}\n"))
    assert {trial.varied["cores"] for trial in plan.trials} == {"shared"}
    why = {cell.why for cell in plan.unsupported}
    rest = "and then the jobs would not be identical"
    assert why == {f"4 CPUs cannot be divided evenly among {jobs} jobs, {rest}" for jobs in (3, 8)}
    assert "profile 'local', jobs: 3, cores: split" in {cell.what for cell in plan.unsupported}


def test_jobs_on_gpus_are_unsupported_with_the_reason(study_of) -> None:
    plan = make_plan(study_of("co_location: {jobs: 2, cores: shared}\noverrides: {gpus: 1}\n"))
    assert "jobs side by side on GPUs are not measured" in {cell.why for cell in plan.unsupported}


def test_on_split_cores_each_job_has_its_part_of_cpus_and_threads(study_of) -> None:
    more = "co_location: {jobs: 2, cores: split}\noverrides: {memory: 1 GiB, cpus: 4}\n"
    first, second = job_specifications(make_plan(study_of(more)).trials[0].specification)
    assert (first["profile"]["cpus"], second["profile"]["cpus"]) == ([0, 1], [2, 3])
    assert [one["profile"]["threads"]["intra_op"] for one in (first, second)] == [2, 2]
    assert [one["profile"]["memory_bytes"] for one in (first, second)] == [1 << 30] * 2
    assert first["seed"] == second["seed"]


def test_a_job_has_one_thread_at_least(study_of) -> None:
    more = "co_location: {jobs: 4, cores: split}\noverrides: {threads: 2}\n"
    jobs = job_specifications(make_plan(study_of(more)).trials[0].specification)
    assert [(one["profile"]["cpus"], one["profile"]["threads"]["intra_op"]) for one in jobs] == [
        ([0], 1),
        ([1], 1),
        ([2], 1),
        ([3], 1),
    ]


def test_on_shared_cores_each_job_has_all_of_the_profile(study_of) -> None:
    trial = make_plan(study_of("co_location: {jobs: 3, cores: shared}\n")).trials[0]
    assert [one["profile"] for one in job_specifications(trial.specification)] == [trial.specification["profile"]] * 3


def test_one_job_is_the_trial(study_of) -> None:
    trial = make_plan(study_of()).trials[0]
    assert job_specifications(trial.specification) == (trial.specification,)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("co_location: {jobs: [0]}\n", "x.yaml:6"),
        ("co_location: {jobs: []}\n", "x.yaml:6"),
        ("co_location: {cores: [shared]}\n", "jobs"),
        ("co_location: {jobs: 2, cores: [apart]}\n", "apart"),
        ("co_location: {jobs: 2, core: split}\n", "core"),
    ],
)
def test_mistakes_are_told_with_their_line(study_of, more: str, told: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        study_of(more)
    assert told in str(caught.value)


def test_the_study_that_comes_along_measures_both_placements() -> None:
    study = load_study("colocation", cpus=(0, 1))
    plan = make_plan(study)
    assert {(t.varied["jobs"], t.varied["cores"]) for t in plan.trials} == {
        (1, "alone"),
        (2, "split"),
        (2, "shared"),
        (4, "shared"),
    }
    assert len(study.seeds) == 5
    assert {cell.why.partition(" jobs")[0] for cell in plan.unsupported} == {"2 CPUs cannot be divided evenly among 4"}
