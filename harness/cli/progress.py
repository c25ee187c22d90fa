"""What a user sees while a study runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from harness.execution import EnvironmentState, TrialOutcome
    from harness.execution.tailing import Step
    from harness.study import FrameworkDescription, Trial

TRAIN = "train"
REFRESH_PER_S = 2
"""Low on purpose: drawing takes CPU time from the trial on a small machine."""


@contextmanager
def make_observer() -> Iterator[PlainObserver]:
    """The observer that fits the standard output."""
    if not sys.stdout.isatty():
        yield PlainObserver()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, refresh_per_second=REFRESH_PER_S, transient=True) as progress:
        yield RichObserver(progress)


class TrialView:
    """One running trial as text: phase, loss, accuracy, throughput."""

    def __init__(self, trial: Trial) -> None:
        setting = trial.specification["setting"]
        self.steps: int = setting["steps"]
        self._batch_size: int = setting["batch_size"]
        self._phase = "launch"
        self._begin_ns = 0
        self._begin_step = 0
        self._trained_per_s: float | None = None
        self._samples_per_s: float | None = None
        self._loss: float | None = None
        self._loss_step = 0
        self._accuracy: dict[str, float | None] = {}

    def on_event(self, event: dict[str, Any]) -> str | None:
        """Take in an event; returns a line when it is worth one."""
        if event["event"] == "phase":
            self._enter(event)
        elif event["event"] == "evaluation":
            self._accuracy[event["split"]] = event["top1"]
            return self._evaluated(event)
        elif event["event"] == "warning":
            return f"warning: {event.get('message')}"
        return None

    def on_step(self, step: Step) -> None:
        """Take in the newest step; one of an earlier phase, read late, says nothing of the speed of this one."""
        self._loss, self._loss_step = step.loss, step.step
        if self._phase == TRAIN:
            self._samples_per_s = self._rate(step.step, step.t_end_ns) or self._samples_per_s

    def figures(self) -> str:
        """Phase and newest figures in one line; a speed only while it is that of the running phase."""
        parts = [self._phase]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.4f}")
        parts += [_accuracy_text(split, top1) for split, top1 in self._accuracy.items()]
        if self._samples_per_s is not None:
            parts.append(f"{self._samples_per_s:,.0f} samples/s")
        return ", ".join(parts)

    def _enter(self, event: dict[str, Any]) -> None:
        if self._phase == TRAIN:
            self._trained_per_s = self._rate(event["step"], event["t_ns"])
        self._phase, self._begin_step, self._begin_ns = event["phase"], event["step"], event["t_ns"]
        self._samples_per_s = None

    def _rate(self, step: int, t_ns: int) -> float | None:
        """Images a second from the begin of the phase to a step's end."""
        steps, duration_ns = step - self._begin_step, t_ns - self._begin_ns
        return steps * self._batch_size / (duration_ns / 1e9) if steps > 0 and duration_ns > 0 else None

    def _evaluated(self, event: dict[str, Any]) -> str:
        """One evaluation: of which split, and how fast the training before it was, once."""
        parts = [_accuracy_text(event["split"], event["top1"])]
        if self._loss is not None:
            # Steps are flushed once a second, events at once: the newest loss may be of a step before or after this one.
            of_step = "" if self._loss_step == event["step"] else f" (step {self._loss_step})"
            parts.append(f"training loss {self._loss:.4f}{of_step}")
        if self._trained_per_s is not None:
            parts.append(f"trained at {self._trained_per_s:,.0f} samples/s")
        self._trained_per_s = None
        return f"step {event['step']}/{self.steps}: {', '.join(parts)}"


def _accuracy_text(split: str, top1: float | None) -> str:
    """An accuracy (a fraction) of a split in words; None: a probability of the evaluation was not finite."""
    return f"{split} top-1 " + ("has no finite result" if top1 is None else f"{100 * top1:.2f} %")


class PlainObserver:
    """Lines: one a trial at its beginning, one an evaluation, one at its end."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._durations_s: list[float] = []
        self._left = 0

    def say(self, line: str) -> None:
        """Print one line."""
        print(line, flush=True)

    def on_preparing(self, line: str) -> None:
        """See `StudyObserver`."""
        self.say(line)

    def on_waiting(self, line: str) -> None:
        """See `StudyObserver`."""
        self.say(line)

    def on_left_out(self, framework: FrameworkDescription, state: EnvironmentState, trials: int) -> None:
        """See `StudyObserver`."""
        self.say(f"{framework.title} {framework.version} is left out ({trials} trials): {state.reason}")
        if state.hint:
            self.say(f"  to change that: {state.hint}")

    @contextmanager
    def trial(self, number: int, total: int, trial: Trial) -> Iterator[TrialObserver]:
        """See `StudyObserver`."""
        self._left = total - number
        self.say(f"[{number}/{total}] {trial.label}")
        begin = time.monotonic()
        yield TrialObserver(self, TrialView(trial))
        self._durations_s.append(time.monotonic() - begin)

    def on_outcome(self, outcome: TrialOutcome) -> None:
        """See `StudyObserver`."""
        termination = outcome.termination
        reason = f": {termination.reason}" if termination.reason else ""
        left = "" if termination.kind == "cancelled" else self._time_left()
        self.say(f"  {termination.kind}{reason}{left}")
        for line in termination.log_tail[-5:]:
            self.say(f"    | {line}")

    def _time_left(self) -> str:
        if not self._left or not self._durations_s:
            return ""
        seconds = self._left * sum(self._durations_s) / len(self._durations_s)
        return f" ({self._durations_s[-1]:.1f} s; about {seconds / 60:.1f} min left)"

    def show(self, view: TrialView, step: Step | None) -> None:
        """The newest figures of the running trial; plain lines show them only at evaluations."""


class TrialObserver:
    """See `Observer`: keeps the view and tells the study's observer."""

    def __init__(self, parent: PlainObserver, view: TrialView) -> None:
        self._parent = parent
        self._view = view

    def on_event(self, event: dict[str, Any]) -> None:
        """See `Observer`."""
        if line := self._view.on_event(event):
            self._parent.say(f"  {line}")
        self._parent.show(self._view, None)

    def on_step(self, step: Step) -> None:
        """See `Observer`."""
        self._view.on_step(step)
        self._parent.show(self._view, step)


class RichObserver(PlainObserver):
    """A live line with a bar for the running trial; finished trials stay above it."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task: TaskID | None = None

    def say(self, line: str) -> None:
        """Print one line above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)

    @contextmanager
    def trial(self, number: int, total: int, trial: Trial) -> Iterator[TrialObserver]:
        """See `StudyObserver`."""
        view = TrialView(trial)
        self._task = self._progress.add_task(f"[{number}/{total}] {trial.framework}", total=view.steps, figures="")
        try:
            with super().trial(number, total, trial) as observer:
                yield observer
        finally:
            self._progress.remove_task(self._task)
            self._task = None

    def show(self, view: TrialView, step: Step | None) -> None:
        """Redraw the bar."""
        if self._task is not None:
            completed = step.step if step else None
            self._progress.update(self._task, completed=completed, figures=view.figures())
