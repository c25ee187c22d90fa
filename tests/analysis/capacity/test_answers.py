"""Answers to questions, from trials whose laws are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.capacity.asking import answer, answers, load_questions
from harness.analysis.capacity.fits import FitAnswer
from harness.analysis.capacity.mixes import FleetAnswer
from harness.analysis.capacity.models import CapacityModels, fit_models
from harness.analysis.capacity.packing import PackAnswer
from harness.analysis.capacity.prediction import Basis
from harness.analysis.capacity.questions import QuestionFile
from harness.analysis.capacity.runs import Verdict
from harness.analysis.capacity.sizes import SizeAnswer
from harness.errors import DlgaugeError, FileFormatError
from harness.paths import PROJECT_ROOT
from tests.analysis.capacity import simulated
from tests.analysis.capacity.simulated import Truth
from tests.analysis.capacity.test_throughput import beside

JOB = {"framework": "torch", "workload": "lenet-mnist", "batch_size": 128}


@pytest.fixture(scope="module")
def models() -> CapacityModels:
    rows = simulated.study(Truth(), 1) + beside(Truth(), True, (1, 2, 3, 4)) + beside(Truth(), False, (2,))
    return fit_models(simulated.observed(rows))


def asked(models: CapacityModels, **question: Any) -> Any:
    (one,) = QuestionFile.model_validate({"questions": [question]}).questions
    return answer(models, one)


def machine(**more: Any) -> dict[str, Any]:
    return {"name": "box", "cpus": 2, "price_per_hour": 0.36, **more}


def test_fit_is_decided_where_the_whole_interval_is_on_one_side(models: CapacityModels) -> None:
    need = Truth().memory_bytes("lenet-mnist", 128, 2)

    def verdict(limit: float) -> str:
        found = asked(models, ask="fit", job=JOB, profile=machine(memory=int(limit)))
        assert isinstance(found, FitAnswer)
        assert found.memory.records
        return found.verdict

    assert verdict(1.1 * need) == "fits"
    assert verdict(0.9 * need) == "does not fit"
    assert verdict(need) == "cannot be told"


def test_fit_without_a_limit_is_no_question(models: CapacityModels) -> None:
    with pytest.raises(DlgaugeError, match="box has no memory limit"):
        asked(models, ask="fit", job=JOB, profile=machine())


def test_trials_of_just_this_job_decide_before_a_prediction() -> None:
    rows = simulated.study(Truth(), 1)
    limit = int(Truth().memory_bytes("lenet-mnist", 128, 2))
    rows += simulated.study(Truth(), 2, batch_sizes=(128,), cpus=(2,), blocks=1, memory_bytes=float(limit), setting="x")
    found = asked(fit_models(simulated.observed(rows)), ask="fit", job=JOB, profile=machine(memory=limit))
    assert found.verdict == "fits"  # the prediction alone cannot tell
    assert found.memory.low < limit < found.memory.high
    assert found.evidence[0].startswith("1 trials of this job completed under a limit of")
    assert found.evidence_records == (rows[-1]["trial"],)


def test_a_trial_that_ran_out_of_memory_decides_too(tmp_path: Path) -> None:
    from tests.factories import publish_trial

    record = publish_trial(tmp_path, "torch", 1, "out_of_memory", batch_size=128, workload="lenet-mnist")
    path = record.path / "manifest.json"
    manifest = json.loads(path.read_text())
    limit = int(2 * Truth().memory_bytes("lenet-mnist", 128, 2))
    manifest["specification"]["profile"]["memory_bytes"] = limit
    path.write_text(json.dumps(manifest))
    lost = simulated.failed("torch", "out_of_memory", "the kernel killed the worker", str(record.path))
    models = fit_models(simulated.observed(simulated.study(Truth(), 1), excluded=(lost,)))
    found = asked(models, ask="fit", job=JOB, profile=machine(memory=limit))
    assert found.verdict == "does not fit"
    assert "ran out of memory under a limit of" in found.evidence[0]
    assert asked(models, ask="fit", job=JOB, profile=machine(memory=limit + 1)).verdict == "fits"
    # Another optimizer keeps other values: what ran out is no trial of just this job.
    manifest["specification"]["setting"]["optimizer"] = {"kind": "adam"}
    path.write_text(json.dumps(manifest))
    assert asked(models, ask="fit", job={**JOB, "optimizer": "sgd"}, profile=machine(memory=limit)).verdict == "fits"


def test_a_framework_that_was_never_measured_is_refused_with_what_was(models: CapacityModels) -> None:
    found = asked(models, ask="fit", job={**JOB, "framework": "toch"}, profile=machine(memory="4 GiB"))
    assert found.verdict == "cannot be told"
    assert found.memory.basis is Basis.REFUSED
    assert "did you mean 'torch'" in found.memory.reasons[0]


def test_several_models_for_one_job_must_be_told_apart() -> None:
    rows = simulated.study(Truth(), 1) + simulated.study(Truth(), 2, blas="mkl")
    several = fit_models(simulated.observed(rows))
    with pytest.raises(DlgaugeError, match="differ in blas: mkl, onednn"):
        asked(several, ask="fit", job=JOB, profile=machine(memory="4 GiB"))
    assert asked(several, ask="fit", job={**JOB, "blas": "mkl"}, profile=machine(memory="4 GiB")).verdict == "fits"


def size(models: CapacityModels, profiles: list[Any], **more: Any) -> SizeAnswer:
    found = asked(models, ask="size", job={**JOB, "steps": 10_000}, profiles=profiles, **more)
    assert isinstance(found, SizeAnswer)
    return found


def test_size_finds_the_cheapest_that_is_in_time(models: CapacityModels) -> None:
    small = machine(name="small", cpus=1, price_per_hour=0.10)
    large = machine(name="large", cpus=2, price_per_hour=0.40)
    seconds = {n: 10_000 * 128 / Truth().samples_per_s(128, n) + 3.0 for n in (1, 2)}
    assert size(models, [large, small]).cheapest == "small"
    found = size(models, [small, large], deadline=(seconds[1] + seconds[2]) / 2)
    assert found.cheapest == "large"
    assert {one.run.machine.name: one.standing for one in found.candidates} == {
        "small": "misses the deadline",
        "large": "cheapest",
    }
    (chosen,) = [one for one in found.candidates if one.standing == "cheapest"]
    time = chosen.run.time
    assert time.low is not None and time.high is not None and time.low <= seconds[2] <= time.high
    assert chosen.run.cost.estimate == pytest.approx((time.estimate or 0) * 0.40 / 3600)


def test_size_names_why_no_profile_serves(models: CapacityModels) -> None:
    found = size(models, [machine(), machine(name="tight", memory="64 MiB")], deadline="10 s")
    assert found.cheapest is None
    assert found.reason == "box: misses the deadline; tight: memory does not fit"
    assert "price_per_hour" in size(models, [machine(price_per_hour=None)]).reason


def test_profiles_whose_costs_overlap_are_not_distinguishable(models: CapacityModels) -> None:
    truth = Truth()
    fair = 0.36 * truth.samples_per_s(128, 2) / truth.samples_per_s(128, 1)
    found = size(models, [machine(name="a", cpus=1), machine(name="b", price_per_hour=1.01 * fair)])
    assert (found.cheapest, found.not_distinguishable) == ("a", ("b",))


def test_where_the_time_is_the_same_the_prices_decide(models: CapacityModels) -> None:
    found = size(models, [machine(name="a", price_per_hour=0.3600), machine(name="b", price_per_hour=0.3601)])
    assert (found.cheapest, found.not_distinguishable) == ("a", ())
    assert [one.standing for one in found.candidates] == ["cheapest", "dearer"]


def test_a_deadline_within_the_interval_cannot_be_told(models: CapacityModels) -> None:
    exact = size(models, [machine()]).candidates[0].run.time.estimate
    (one,) = size(models, [machine()], deadline=exact).candidates
    assert one.in_time is Verdict.CANNOT_BE_TOLD
    assert one.standing == "cannot be told whether it is in time"


def test_without_a_start_up_a_deadline_can_be_missed_but_not_met() -> None:
    rows = [{**one, "import_time_s": math.nan} for one in simulated.study(Truth(), 1)]
    models, profile = fit_models(simulated.observed(rows)), machine(name="large", cpus=2)
    training_s = 10_000 * 128 / Truth().samples_per_s(128, 2)
    (one,) = size(models, [profile], deadline=1.2 * training_s).candidates
    assert one.in_time is Verdict.CANNOT_BE_TOLD
    assert any("start-up is not in it" in reason for reason in one.run.time.reasons)
    (one,) = size(models, [profile], deadline=0.8 * training_s).candidates
    assert one.in_time is Verdict.NO


def test_pack_counts_by_memory_and_measured_interference(models: CapacityModels) -> None:
    need = Truth().memory_bytes("lenet-mnist", 128, 2)
    found = asked(models, ask="pack", job={**JOB, "batch_size": 64}, profile=machine(memory=int(2.5 * need)))
    assert isinstance(found, PackAnswer)
    assert (found.certain, found.possible) == (2, 2)
    assert found.rows[1].slowdown.estimate == pytest.approx(2.0, rel=0.05)
    assert found.rows[1].each.estimate == pytest.approx(Truth().samples_per_s(64, 2) / 2, rel=0.05)
    assert found.rows[1].together.estimate == pytest.approx(Truth().samples_per_s(64, 2), rel=0.05)


def test_pack_stops_at_the_slowest_that_is_allowed(models: CapacityModels) -> None:
    found = asked(models, ask="pack", job=JOB, profile=machine(memory="64 GiB"), slowest=2.5)
    assert found.certain == 2
    assert found.rows[2].verdict is Verdict.NO


def test_pack_on_split_cores_counts_having_fewer_cpus_too(models: CapacityModels) -> None:
    found = asked(models, ask="pack", job=JOB, profile=machine(memory="64 GiB"), cores="split")
    assert [row.jobs for row in found.rows] == [1, 2]
    assert found.rows[1].slowdown.estimate == pytest.approx(1 + Truth().split_contention, rel=0.05)
    assert any("2 CPUs to split" in note for note in found.notes)


def test_interference_is_answered_for_the_number_of_cpus_it_was_measured_on(models: CapacityModels) -> None:
    found = asked(models, ask="pack", job=JOB, profile=machine(cpus=4, memory="64 GiB"))
    assert found.rows[1].slowdown.reasons == ("jobs side by side were measured on 2 CPUs, not 4",)
    odd = asked(models, ask="pack", job=JOB, profile=machine(cpus=3, memory="64 GiB"), cores="split")
    assert "3 CPUs cannot be split evenly among 2 jobs" in odd.rows[1].slowdown.reasons


def test_pack_without_trials_side_by_side_refuses_the_speed_but_not_the_memory() -> None:
    lonely = fit_models(simulated.observed(simulated.study(Truth(), 1)))
    found = asked(lonely, ask="pack", job=JOB, profile=machine(memory="1 GiB"), most=3)
    assert found.rows[0].each.estimate is not None
    assert found.rows[1].each.basis is Basis.REFUSED
    assert "dlgauge run colocation" in found.rows[1].each.reasons[0]
    assert found.rows[1].memory.estimate == pytest.approx(2 * (found.rows[0].memory.estimate or 0))
    assert found.certain == 2


def fleet(models: CapacityModels, **more: Any) -> FleetAnswer:
    question = {
        "ask": "fleet",
        "jobs": [
            {**JOB, "name": "long", "steps": 20_000, "count": 4},
            {**JOB, "name": "short", "steps": 2_000, "count": 9},
        ],
        "machines": [
            machine(name="small", cpus=1, memory="2 GiB", price_per_hour=0.10),
            machine(name="large", cpus=2, memory="4 GiB", price_per_hour=0.17),
        ],
        "horizon": "1 h",
        **more,
    }
    found = asked(models, **question)
    assert isinstance(found, FleetAnswer)
    return found


def test_fleet_does_all_jobs_within_the_horizon(models: CapacityModels) -> None:
    found = fleet(models)
    assert found.cost is not None
    done: dict[str, int] = {}
    for row in found.machines:
        assert row.busy_fraction <= 1 + 1e-9
        for name, side, times in row.work:
            done[name] = done.get(name, 0) + side * times * row.machines
    assert done["long"] >= 4 and done["short"] >= 9
    assert found.cost == pytest.approx(sum(row.cost for row in found.machines))
    assert fleet(models, plan_on="estimate").cost <= found.cost


def test_fleet_without_a_plan_says_what_each_machine_says_to_the_job(models: CapacityModels) -> None:
    found = fleet(models, horizon="5 min")
    assert found.cost is None
    assert len(found.reasons) == 2
    assert found.reasons[0].startswith("long on small: takes ")
    assert "the horizon is 5 min 00 s" in found.reasons[1]
    few = [machine(name="one", cpus=2, memory="4 GiB", at_most=1)]
    crowded = fleet(models, machines=few, horizon="40 min")
    assert crowded.cost is None
    assert crowded.reasons[0] == "there are too few machines (one 1)"
    assert "cannot be done in the horizon" in crowded.reasons[1]


def test_fleet_needs_prices_and_names(models: CapacityModels) -> None:
    with pytest.raises(DlgaugeError, match="box has no price"):
        fleet(models, machines=[machine(price_per_hour=None)])
    with pytest.raises(DlgaugeError, match="two machines are called box"):
        fleet(models, machines=[machine(), machine(cpus=1)])


QUESTIONS = """\
questions:
  - ask: fit
    job: {framework: torch, workload: lenet-mnist, batch_size: 128}
    profile: {cpus: 2, memory: 4 GiB}
  - ask: size
    job: {framework: torch, workload: lenet-mnist, batch_size: 128, epochs: 2}
    profiles: [cpu1, {profile: cpu2, price_per_hour: 0.2}]
"""


def test_a_file_of_questions(models: CapacityModels, tmp_path: Path) -> None:
    path = tmp_path / "questions.yaml"
    path.write_text(QUESTIONS)
    fit, size_ = answers(models, *load_questions(path))
    assert fit.ask == "fit" and fit.verdict == "fits"
    # The record of these trials is nowhere: how many images an epoch has is not known.
    assert "give steps" in size_.candidates[0].run.time.reasons[0]


def test_the_example_is_valid_and_has_one_of_each() -> None:
    file, _ = load_questions(PROJECT_ROOT / "docs" / "examples" / "capacity.yaml")
    assert [one.ask for one in file.questions] == ["fit", "size", "pack", "fleet"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("questions: []\n", "at least 1 item"),
        ("questions:\n  - ask: fitt\n", ":2: unknown ask 'fitt' in questions[0] … did you mean 'fit'?"),
        ("questions:\n  - job: {}\n", "key 'ask' is missing in questions[0]"),
        (QUESTIONS.replace("batch_size: 128}", "batch_size: 0}", 1), ":3: questions[0].job.batch_size"),
        (QUESTIONS.replace("batch_size: 128}", "batch: 128}", 1), ":3: unknown key 'batch'"),
        (QUESTIONS.replace("4 GiB", "4 Gib"), ":4: "),
        (QUESTIONS.replace(", epochs: 2", ""), "should give its length: one of steps, epochs, accuracy"),
        (QUESTIONS.replace("epochs: 2", "epochs: 2, steps: 5"), "gives steps and epochs"),
        (QUESTIONS.replace("{cpus: 2, memory: 4 GiB}", "{memory: 4 GiB}"), "should name a profile or give cpus"),
    ],
)
def test_mistakes_in_a_file_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "questions.yaml"
    path.write_text(text)
    with pytest.raises(FileFormatError) as caught:
        load_questions(path)
    assert message in str(caught.value)


def test_what_an_answer_trips_over_is_told_with_the_line_of_its_question(
    models: CapacityModels, tmp_path: Path
) -> None:
    path = tmp_path / "questions.yaml"
    path.write_text(QUESTIONS.replace("profiles: [cpu1,", "profiles: [cpu11,"))
    with pytest.raises(DlgaugeError) as caught:
        answers(models, *load_questions(path))
    assert "questions.yaml:5: " in str(caught.value)
    assert "unknown profile 'cpu11'" in str(caught.value)


def test_no_trials_at_all_are_an_error_with_the_first_failure() -> None:
    empty = simulated.observed([], excluded=(simulated.failed("torch", "crashed", "exit status 1"),))
    with pytest.raises(DlgaugeError, match="1 trials did not complete: exit status 1"):
        fit_models(empty)


def test_products_take_the_confidence_that_their_parts_need() -> None:
    from harness.analysis.capacity.prediction import Prediction, product, share, total

    def one(low: float, high: float) -> Prediction:
        return Prediction("x", "1", math.sqrt(low * high), low, high, share(0.95, 2), Basis.MEASURED)

    assert share(0.95, 2) == pytest.approx(0.975)
    found = product("y", "1", [one(2, 8), one(1, 4)], scale=10.0)
    assert (found.low, found.estimate, found.high) == (20.0, 80.0, 320.0)
    assert total("y", "1", [one(2, 8), one(1, 4)]).high == 12.0
