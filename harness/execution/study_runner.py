"""A plan from its first open trial to its last: prepares data, runs trials in order, hands each outcome to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import EnvironmentFailed
from harness.execution.canary import run_canary
from harness.execution.environments import Environment, EnvironmentState, Readiness, make_environment
from harness.execution.outcome import Termination, TerminationKind, TrialOutcome
from harness.execution.skipping import LARGER, OutOfMemoryTrials
from harness.execution.stopping import StopRequest
from harness.execution.trial_runner import Canary, Observer, outcome_without_run, run_trial
from harness.study import FrameworkDescription, Plan, Trial
from harness.study.trial import canonical_json
from harness.workloads import PreparedData, prepare


class Keeper(Protocol):
    """Where outcomes go; the store, seen from here."""

    def alone(self, study: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
        """While it lasts nobody else runs the study into the same place; waits for whoever does, and tells."""

    def final_termination(self, trial: Trial) -> TerminationKind | None:
        """How the trial ended, where it has a record that need not be made again; else None."""

    def out_of_memory(self, study: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Trial id and specification of every trial of the study that ran out of memory."""

    def new_folder(self, trial: Trial) -> Path:
        """A fresh trial folder."""

    def keep(self, outcome: TrialOutcome) -> None:
        """Make the record visible."""


class StudyObserver(Protocol):
    """Is told what happens in a study while it happens."""

    def on_left_out(self, framework: FrameworkDescription, state: EnvironmentState, trials: int) -> None:
        """A framework that cannot run on this machine: its trials are left out."""

    def on_preparing(self, line: str) -> None:
        """Progress of preparing an environment."""

    def on_waiting(self, line: str) -> None:
        """Another run holds the study; this one waits."""

    def trial(self, number: int, total: int, trial: Trial) -> AbstractContextManager[Observer]:
        """A trial begins; leaving the context ends it."""

    def on_outcome(self, outcome: TrialOutcome) -> None:
        """A trial has ended and its record is kept."""


@dataclass
class StudyResult:
    """What a run of a study did.

    Attributes:
        ran: terminations of the trials run now, in order.
        skipped: number of trials that had a final record.
        skipped_failures: how many of those ended in anything but `completed`.
        left_out: framework name -> why its trials were not run.
        cancelled: the study was asked to stop.
    """

    ran: list[TerminationKind] = field(default_factory=list)
    skipped: int = 0
    skipped_failures: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def failures(self) -> int:
        """Trials that ended in anything but `completed`, in this run or in the record that let it skip them."""
        return self.skipped_failures + sum(kind is not TerminationKind.COMPLETED for kind in self.ran)


class StudyRunner:
    """Runs the open trials of a plan in its order.

    Args:
        frameworks: descriptions by name.
        keeper: where outcomes go.
        observer: is told of everything.
        data_folder: where the published dataset files are; None for the default search.
        again: run trials that have a final record too, and those larger than one that ran out of memory.
        stop: a request to stop the study.
        environment_for: makes environments; tests pass their own.
        canary: run before and after each worker; None runs none.
    """

    def __init__(
        self,
        frameworks: dict[str, FrameworkDescription],
        keeper: Keeper,
        observer: StudyObserver,
        *,
        data_folder: Path | None = None,
        again: bool = False,
        stop: StopRequest | None = None,
        environment_for: Callable[[FrameworkDescription], Environment] = make_environment,
        canary: Canary | None = run_canary,
    ) -> None:
        self._frameworks = frameworks
        self._keeper = keeper
        self._observer = observer
        self._data_folder = data_folder
        self._again = again
        self._stop = stop or StopRequest()
        self._environment_for = environment_for
        self._canary = canary
        self._prepared: dict[str, PreparedData] = {}
        self._failed: dict[str, EnvironmentFailed] = {}
        self._out_of_memory = OutOfMemoryTrials()

    def run(self, plan: Plan) -> StudyResult:
        """Run every open trial; a request to stop ends the study after the running trial's record is kept.

        Another run of the same study into the same place is waited for: what it has run then has records.

        Raises:
            DataError: a dataset that the plan needs cannot be had.
            KeyboardInterrupt: a request to stop before the first trial.
        """
        with self._keeper.alone(plan.study, self._observer.on_waiting):
            return self._run(plan)

    def _run(self, plan: Plan) -> StudyResult:
        result = StudyResult()
        if not self._again:
            self._out_of_memory = OutOfMemoryTrials(self._keeper.out_of_memory(plan.study))
        open_trials = self._open_trials(plan, result)
        # Data first: to hear that it is missing after minutes of building images would be late.
        for trial in open_trials:
            self._data(trial)
        environments = self._ready_environments(open_trials, result)
        runnable = [trial for trial in open_trials if trial.framework in environments]
        with self._stop.noting():
            for number, trial in enumerate(runnable, start=1):
                outcome = self._run_one(number, len(runnable), trial, environments[trial.framework])
                result.ran.append(outcome.termination.kind)
                if self._stop.requested:
                    break
        result.cancelled = self._stop.requested
        return result

    def _open_trials(self, plan: Plan, result: StudyResult) -> list[Trial]:
        if self._again:
            return list(plan.trials)
        ends = [self._keeper.final_termination(trial) for trial in plan.trials]
        result.skipped = sum(end is not None for end in ends)
        result.skipped_failures = sum(end not in (None, TerminationKind.COMPLETED) for end in ends)
        return [trial for trial, end in zip(plan.trials, ends, strict=True) if end is None]

    def _ready_environments(self, trials: list[Trial], result: StudyResult) -> dict[str, Environment]:
        """Environments by framework, prepared where that was to do; one that fails fails its trials alone."""
        usable: dict[str, Environment] = {}
        for name in dict.fromkeys(trial.framework for trial in trials):
            environment = self._environment_for(self._frameworks[name])
            state = environment.state()
            if state.readiness is Readiness.UNUSABLE:
                result.left_out[name] = state.reason or str(state.readiness)
                count = sum(trial.framework == name for trial in trials)
                self._observer.on_left_out(self._frameworks[name], state, count)
                continue
            usable[name] = environment
            if state.readiness is Readiness.NOT_PREPARED:
                self._prepare(name, environment)
        return usable

    def _prepare(self, name: str, environment: Environment) -> None:
        try:
            environment.prepare(self._observer.on_preparing)
        except EnvironmentFailed as error:
            self._failed[name] = error

    def _run_one(self, number: int, total: int, trial: Trial, environment: Environment) -> TrialOutcome:
        folder = self._keeper.new_folder(trial)
        with self._observer.trial(number, total, trial) as observer:
            if error := self._failed.get(trial.framework):
                outcome = outcome_without_run(trial, folder, _environment_failed(error))
            elif not self._again and (smaller := self._out_of_memory.smaller_than(trial.specification)):
                skipped = Termination(TerminationKind.SKIPPED, LARGER.format(trial=smaller))
                outcome = outcome_without_run(trial, folder, skipped)
            else:
                data = self._data(trial)
                outcome = run_trial(trial, environment, data, folder, observer, self._stop, self._canary)
        if outcome.termination.kind is TerminationKind.OUT_OF_MEMORY:
            self._out_of_memory.add(trial.id, trial.specification)
        self._keeper.keep(outcome)
        self._observer.on_outcome(outcome)
        return outcome

    def _data(self, trial: Trial) -> PreparedData:
        workload = trial.specification["workload"]
        key = canonical_json(workload)
        if key not in self._prepared:
            self._prepared[key] = prepare(workload, data_folder=self._data_folder)
        return self._prepared[key]


def _environment_failed(error: EnvironmentFailed) -> Termination:
    return Termination(TerminationKind.ENVIRONMENT_FAILED, error.what, log_tail=tuple(str(error).splitlines()[-20:]))
