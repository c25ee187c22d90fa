"""The loop of a search: asks for candidates, trains them as ordinary trials, ends bad ones early, keeps the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from harness.execution import EnvironmentState, StudyRunner, TrialOutcome
from harness.execution.stopping import StopRequest
from harness.execution.study_runner import StudyObserver
from harness.execution.tailing import Step
from harness.execution.telling import Teller
from harness.execution.trial_runner import Observer
from harness.records import Store
from harness.study import Cell, FrameworkDescription, Plan, Study, Trial, make_plan
from harness.study.matrix import short_value
from harness.tuning.outcomes import Outcome, outcome_of
from harness.tuning.search import Candidate, Search

PRUNED = "pruned"
MOST_FAILURES = 3
"""Failures in a row after which a framework is given up: more of the same would use up the budget."""


@dataclass(frozen=True)
class Budget:
    """How much may be tried.

    Attributes:
        candidates: policies on each framework, those of earlier runs of the same search among them.
        seconds: of this run; nothing is begun that would likely not end in time.
    """

    candidates: int | None = None
    seconds: float | None = None


@dataclass
class TuneResult:
    """What a run of the search did.

    Attributes:
        begun: candidates that this run trained, or found trained.
        given_up: framework -> why.
        cancelled: the user stopped it.
        ended_by: what ended it, in words.
    """

    begun: int = 0
    given_up: dict[str, str] = field(default_factory=dict)
    cancelled: bool = False
    ended_by: str = ""


class Watch:
    """An observer that also tells whoever asked of every event of the running trial.

    Attributes:
        on_event: who asked; None: nobody.
        position: (number, total or None) of the running candidate, shown in place of the trial's own.
    """

    def __init__(self, inner: StudyObserver) -> None:
        self._inner = inner
        self.on_event: Callable[[dict[str, Any]], None] | None = None
        self.position: tuple[int, int | None] = (1, None)

    def on_left_out(self, framework: FrameworkDescription, state: EnvironmentState, trials: int) -> None:
        """See `StudyObserver`."""
        self._inner.on_left_out(framework, state, trials)

    def on_preparing(self, line: str) -> None:
        """See `StudyObserver`."""
        self._inner.on_preparing(line)

    def on_waiting(self, line: str) -> None:
        """See `StudyObserver`."""
        self._inner.on_waiting(line)

    @contextmanager
    def trial(self, number: int, total: int, trial: Trial) -> Iterator[Observer]:  # noqa: ARG002  of a plan of one
        """See `StudyObserver`."""
        number, of = self.position
        with self._inner.trial(number, of or number, trial) as observer:
            yield _Both(observer, self.on_event)

    def on_outcome(self, outcome: TrialOutcome) -> None:
        """See `StudyObserver`."""
        self._inner.on_outcome(outcome)


@dataclass
class _Both:
    """Tells two; a display that fails silences itself alone, as the other one may be what ends bad candidates."""

    inner: Observer
    other: Callable[[dict[str, Any]], None] | None
    display: Teller = field(default_factory=Teller)

    def on_event(self, event: dict[str, Any]) -> None:
        if self.other:
            self.other(event)
        self.display.tell(self.inner.on_event, event)

    def on_step(self, step: Step) -> None:
        self.display.tell(self.inner.on_step, step)


class Tuner:
    """Runs searches on several frameworks in turn.

    Args:
        study: one cell a framework, the learning rate still the setting's own.
        searches: framework name -> search.
        runner: with `watch` as its observer and `trial_stop` as its request to stop.
        trial_stop: stops the running trial; its outer request is the user's.
    """

    def __init__(
        self,
        study: Study,
        searches: Mapping[str, Search],
        runner: StudyRunner,
        watch: Watch,
        trial_stop: StopRequest,
        stop: StopRequest,
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study = study
        self._cells = {cell.framework.name: cell for cell in study.cells}
        self._searches = dict(searches)
        self._runner, self._watch, self._store = runner, watch, store
        self._trial_stop, self._stop = trial_stop, stop
        self._clock = clock
        self._failures = dict.fromkeys(self._searches, 0)

    def run(self, budget: Budget) -> TuneResult:
        """Try candidates until the budget is used up, a grid is done, or the user stops."""
        result, begin, durations_s = TuneResult(), self._clock(), list[float]()
        open_searches = dict(self._searches)
        while open_searches:
            elapsed_s = self._clock() - begin
            if budget.seconds is not None and elapsed_s + fmean(durations_s or [0.0]) >= budget.seconds:
                result.ended_by = "the time is used up"
                break
            name = min(open_searches, key=lambda one: open_searches[one].finished)
            search = open_searches[name]
            done = search.finished
            with self._stop.noting():  # the journal is written
                full = budget.candidates is not None and done >= budget.candidates
                candidate = None if full else search.next()
            if candidate is None:
                del open_searches[name]
                result.ended_by = "all candidates are tried"
                continue
            self._watch.position = (done + 1, budget.candidates)
            before_s = self._clock()
            why = "" if self._stop.requested else self._try(name, search, candidate)
            if self._stop.requested:
                result.cancelled, result.ended_by = True, "stopped by the user"
                break
            if why:
                result.given_up[name] = why
                del open_searches[name]
                result.ended_by = "no framework is left"
                continue
            result.begun += 1
            durations_s.append(self._clock() - before_s)
        return result

    def _try(self, framework: str, search: Search, candidate: Candidate) -> str:
        """Train a candidate with every seed and tell the search; why the framework is given up, or nothing."""
        outcomes: list[Outcome] = []
        for seed in self._study.seeds:
            found = self._outcome(framework, search if not outcomes else None, candidate, seed)
            if isinstance(found, str):
                return found
            if found is None:
                return ""  # stopped: nothing is told, so the candidate is taken up again
            outcomes.append(found)
            if not found.completed:
                break
        with self._stop.noting():
            outcome, value, reason = verdict(outcomes)
            search.tell(candidate, outcome, value, reason, [one.trial for one in outcomes])
        self._failures[framework] = self._failures[framework] + 1 if outcome == "failed" else 0
        if self._failures[framework] >= MOST_FAILURES:
            return f"{MOST_FAILURES} trials in a row failed, the last one: {reason}"
        return ""

    def _outcome(
        self, framework: str, reporting: Search | None, candidate: Candidate, seed: int
    ) -> Outcome | str | None:
        """The outcome of one seed, run now unless it has a record; a text where it cannot run; None when stopped."""
        trial = self._trial(self._cells[framework], candidate, seed)
        if known := self._known(trial):
            return known
        self._trial_stop.withdraw()
        self._watch.on_event = self._pruning(reporting, candidate) if reporting else None
        result = self._runner.run(Plan(study=trial.study, trials=(trial,)))
        self._watch.on_event = None
        if framework in result.left_out:
            return result.left_out[framework]
        if self._stop.requested:
            return None
        return self._known(trial, also_failed=True)

    def _trial(self, cell: Cell, candidate: Candidate, seed: int) -> Trial:
        varied = {"learning_rate": candidate.plain}
        own = replace(
            cell,
            setting=cell.setting.model_copy(update={"learning_rate": candidate.policy}),
            varied=varied,
            label=f"{cell.label} · learning_rate={short_value(candidate.plain)}",
        )
        return make_plan(replace(self._study, cells=(own,), seeds=(seed,))).trials[0]

    def _known(self, trial: Trial, *, also_failed: bool = False) -> Outcome | None:
        """What the store has of a trial: a final record, one that was pruned, with `also_failed` any."""
        if final := self._store.final_record(trial):
            return outcome_of(final)
        for record in self._store.records(trial.study):
            if record.id == trial.id and (also_failed or _is_pruned(outcome_of(record))):
                return outcome_of(record)
        return None

    def _pruning(self, search: Search, candidate: Candidate) -> Callable[[dict[str, Any]], None]:
        def on_event(event: dict[str, Any]) -> None:
            if event.get("event") != "evaluation" or event.get("split") != "validation" or event.get("top1") is None:
                return
            steps = self._study.cells[0].setting.steps
            if steps is None or int(event["step"]) >= steps:
                return  # at its end anyway
            if reason := search.report(candidate, int(event["step"]), float(event["top1"])):
                self._trial_stop.ask(reason)

        return on_event


def _is_pruned(outcome: Outcome) -> bool:
    return outcome.termination == "cancelled" and (outcome.reason or "").startswith(PRUNED)


def verdict(outcomes: list[Outcome]) -> tuple[str, float | None, str | None]:
    """How a candidate came out over its seeds, its value, and the reason; one that ended early is the last."""
    last = outcomes[-1]
    if last.termination == "diverged":
        rate = "unknown" if last.diverged_rate is None else f"{last.diverged_rate:.4g}"
        return "diverged", 0.0, f"{last.reason}, rate {rate}, seed {last.seed}"
    if _is_pruned(last):
        return "pruned", None, last.reason
    if not last.completed:
        return "failed", None, f"{last.termination}: {last.reason}"
    values = [one.top1 for one in outcomes if one.top1 is not None]
    if len(values) < len(outcomes):
        # The loss of every mini-batch was finite and yet the network predicts nothing: as useless as a diverged one.
        return "diverged", 0.0, "the last evaluation of the validation images has no finite result"
    return "completed", fmean(values), None
