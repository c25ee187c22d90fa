"""Range tests and searches with real workers of the fake framework, into a real store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.progress import PlainObserver, TrialView
from harness.cli.run import StoreKeeper
from harness.errors import FileFormatError
from harness.execution import StudyRunner
from harness.execution.stopping import StopRequest
from harness.records import Store
from harness.study import Study, make_plan
from harness.tuning.defaults import Run
from harness.tuning.experiment import Experiment, HeldOut, study_and_validation
from harness.tuning.outcomes import outcomes_of
from harness.tuning.range_test import judge
from harness.tuning.results import rank
from harness.tuning.search import Candidate, Search
from harness.tuning.space import space_of_names
from harness.tuning.tuner import Budget, Tuner, TuneResult, Watch
from tests.execution.fake_study import HereEnvironment, fake_frameworks

STEPS = 24


def experiment(folder: Path, *, behaviour: str = "", **changes: Any) -> Experiment:
    profile = folder / "fast.yaml"
    threads = {"intra_op": 1, "inter_op": 1}
    profile.write_text(
        yaml.safe_dump({"profile": "fast", "cpus": 1, "threads": threads, "environment": {"FAKE_BEHAVIOUR": behaviour}})
    )
    values: dict[str, Any] = {
        "study": "tuned",
        "title": "",
        "workload": "lenet-mnist-subset",
        "setting": "caffe-mnist",
        "frameworks": ("fake",),
        "profile": str(profile),
        "steps": STEPS,
        "time_limit_s": 60.0,
    }
    return Experiment(**{**values, **changes})


def studied(asked: Experiment, *arguments: Any, **options: Any) -> tuple[Study, HeldOut]:
    return study_and_validation(asked, *arguments, known=fake_frameworks(), **options)


class Setup:
    """A tuner on the fake framework."""

    def __init__(
        self, folder: Path, *, behaviour: str = "", sampler: Any = "random", seeds: tuple[int, ...] = (1,)
    ) -> None:
        self.study, self.held_out = studied(experiment(folder, behaviour=behaviour, seeds=seeds))
        self.folder = folder / "store"
        self.stop = StopRequest()
        keeper = StoreKeeper(self.folder)
        self.store = Store(self.folder)
        space = space_of_names(["FIX", "TRI"], Run(STEPS, 0.001, 0.5))
        self.search = Search(self.folder / "tuned" / "tune.journal", "tuned/fake", space, sampler, {}, steps=STEPS)
        self.watch, trial_stop = Watch(PlainObserver()), StopRequest(outer=self.stop)
        self.runner = StudyRunner(
            fake_frameworks(), keeper, self.watch, stop=trial_stop, environment_for=HereEnvironment, canary=None
        )
        self.tuner = Tuner(
            self.study, {"fake": self.search}, self.runner, self.watch, trial_stop, self.stop, self.store
        )

    def run(self, candidates: int) -> TuneResult:
        return self.tuner.run(Budget(candidates))


def test_every_unknown_name_is_told_at_once(tmp_path: Path) -> None:
    wrong = experiment(tmp_path, workload="lenet-mnist-subse", setting="caffe-mnit", frameworks=("fakee",), steps=1)
    with pytest.raises(FileFormatError) as caught:
        studied(wrong, also=[("--to", "0.5 should be greater than --from 1")])
    for said in ("'lenet-mnist-subset'?", "'caffe-mnist'?", "'fake'?", "--steps: 1", "--to: 0.5"):
        assert said in str(caught.value)


def test_a_tenth_of_the_images_is_held_out_and_evaluated_at_the_last_step(tmp_path: Path) -> None:
    study, held_out = studied(experiment(tmp_path))
    (cell,) = study.cells
    assert cell.setting.validation is not None
    assert cell.setting.validation.model_dump() == {"images": 1000, "position": "last", "every_steps": 3}
    assert cell.setting.evaluation.every_steps == STEPS
    assert "no validation images out, so by default, 1000" in held_out.sentence
    _, own = studied(experiment(tmp_path, hold_out=200))
    assert own.images == 200
    _, of_setting = studied(
        experiment(
            tmp_path, setting="theano-mnist", hold_out=None, frameworks=("fake",), steps=5, workload="theano-mnist"
        )
    )
    assert (of_setting.images, of_setting.sentence.startswith("as the setting says")) == (10000, True)


def test_a_range_test_runs_records_and_resumes(tmp_path: Path) -> None:
    policies = [{"policy": "FIX", "k0": rate} for rate in (1e-6, 0.1)]
    study, _ = studied(experiment(tmp_path), policies, evaluate_once=True)
    plan, store = make_plan(study), tmp_path / "store"
    results = [
        StudyRunner(
            fake_frameworks(), StoreKeeper(store), PlainObserver(), environment_for=HereEnvironment, canary=None
        ).run(plan)
        for _ in range(2)
    ]
    assert (len(results[0].ran), len(results[1].ran), results[1].skipped) == (2, 0, 2)
    found = outcomes_of(Store(store), "tuned", [trial.id for trial in plan.trials])
    judged = judge("fake", (1e-6, 0.1), found.values(), seeds=1, classes=10)
    assert [point.usable for point in judged.points] == [False, True]
    (usable,) = judged.points[1].outcomes
    assert (usable.images, usable.steps, usable.termination) == (1000, STEPS, "completed")
    assert usable.first_loss == pytest.approx(2.302585, abs=1e-5)


def test_a_search_keeps_records_goes_on_and_ranks(tmp_path: Path) -> None:
    first = Setup(tmp_path, seeds=(1, 2))
    assert (first.run(1).begun, first.search.finished) == (1, 1)
    again = Setup(tmp_path, seeds=(1, 2))
    result = again.run(2)
    assert (result.begun, result.ended_by) == (1, "all candidates are tried")
    records = again.store.records("tuned", latest=False)
    assert len(records) == 4  # two policies, two seeds, none twice
    outcomes = outcomes_of(again.store, "tuned", [record.id for record in records])
    ranking = rank("fake", again.search.findings(), outcomes)
    best, other = ranking.rows
    assert best.top1 is not None
    assert other.top1 is not None
    assert best.top1 >= other.top1
    assert best.as_good
    assert best.policy.startswith("lrPolicy_")
    assert all((path / "manifest.json").is_file() for path in best.records)
    assert ranking.margin is not None


def test_a_killed_candidate_is_taken_up_with_its_record(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    lost = setup.search.next()
    assert lost is not None
    setup.tuner._outcome("fake", None, lost, 1)  # trained, but the search was never told
    again = Setup(tmp_path)
    again.run(1)
    assert [one.policy for one in again.search.findings()] == [lost.plain]
    assert len(again.store.records("tuned", latest=False)) == 1


def test_divergence_is_a_result_and_the_search_goes_on(tmp_path: Path) -> None:
    setup = Setup(tmp_path, behaviour="diverge")
    result = setup.run(2)
    assert (result.begun, result.given_up) == (2, {})
    outcomes = outcomes_of(setup.store, "tuned", [record.id for record in setup.store.records("tuned")])
    ranking = rank("fake", setup.search.findings(), outcomes)
    assert ranking.best is None
    assert {row.outcome for row in ranking.rows} == {"diverged"}
    assert all("at step 7, rate " in str(row.reason) for row in ranking.rows)


def test_a_framework_that_always_fails_is_given_up(tmp_path: Path) -> None:
    setup = Setup(tmp_path, behaviour="raise=1")
    result = setup.run(10)
    assert result.begun < 10
    assert "3 trials in a row failed" in result.given_up["fake"]


def test_a_pruned_run_leaves_a_record_that_says_so(tmp_path: Path) -> None:
    setup = Setup(tmp_path, behaviour="slow")

    def always(candidate: Candidate, step: int, top1: float) -> str | None:
        return f"pruned: step {step}"

    setup.search.report = always  # type: ignore[method-assign]
    assert setup.run(1).begun == 1
    (record,) = setup.store.records("tuned")
    assert record.termination == "cancelled"
    assert record.manifest["termination"]["reason"] == "pruned: step 3"
    (found,) = setup.search.findings()
    assert (found.outcome, found.trials) == ("pruned", (record.id,))
    again = Setup(tmp_path)
    assert again.run(1).begun == 0  # the next run does not try it again


def test_a_display_that_has_gone_does_not_end_the_pruning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(tmp_path, behaviour="slow")

    def gone(self: TrialView, _told: Any) -> None:
        raise BrokenPipeError("gone")

    monkeypatch.setattr(TrialView, "on_event", gone)
    monkeypatch.setattr(TrialView, "on_step", gone)
    setup.search.report = lambda *_: "pruned: bad"  # type: ignore[method-assign]
    assert setup.run(1).begun == 1
    (record,) = setup.store.records("tuned")
    assert record.manifest["termination"]["reason"] == "pruned: bad"


def test_a_stopped_search_keeps_its_candidate(tmp_path: Path) -> None:
    setup = Setup(tmp_path, behaviour="slow")

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "evaluation":
            setup.stop.ask()

    setup.tuner._pruning = lambda *_: stop  # type: ignore[method-assign]
    result = setup.run(1)
    assert (result.cancelled, setup.search.finished) == (True, 0)
    (record,) = setup.store.records("tuned")
    assert record.manifest["termination"]["reason"] == "stopped by the user"
    again = Setup(tmp_path)
    assert again.run(1).begun == 1
    assert len(again.search.findings()) == 1


def test_no_candidate_is_begun_that_would_not_end_in_time(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    times = iter([0.0, 0.0, 0.0, 50.0, 50.0])
    setup.tuner._clock = lambda: next(times)
    setup.tuner._try = lambda *_: ""  # type: ignore[method-assign]
    result = setup.tuner.run(Budget(seconds=60.0))
    assert (result.begun, result.ended_by) == (1, "the time is used up")


def test_a_plan_of_a_policy_has_it_in_specification_label_and_varied(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    candidate = setup.search.next()
    assert candidate is not None
    trial = setup.tuner._trial(replace(setup.study.cells[0]), candidate, 1)
    assert trial.specification["setting"]["learning_rate"] == candidate.plain
    assert trial.varied == {"learning_rate": candidate.plain}
    assert candidate.policy.short().split()[0] in trial.label
