"""One trial from its specification to its outcome: sampler, worker, supervision, classification."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from frameworks.worker.limits import GPU_VARIABLE, gpu_names
from frameworks.worker.protocol import EVENTS_FILE, STEPS_FILE
from harness.errors import DlgaugeError, EnvironmentFailed
from harness.execution.canary import CanaryError, run_canary
from harness.execution.environments import Environment
from harness.execution.host import clock_anchor, describe_host
from harness.execution.in_force import code_hash, memory_mismatches
from harness.execution.launching import Launch, LaunchEnd
from harness.execution.outcome import Termination, TerminationKind, TrialOutcome
from harness.execution.outcome_file import write_start
from harness.execution.stopping import StopRequest
from harness.execution.tailing import EventTail, Step, last_step, log_tail
from harness.execution.telling import Teller
from harness.execution.termination import Evidence, classify
from harness.execution.trial_files import write_trial_files
from harness.sampling.client import SamplerProcess
from harness.sampling.decoding import largest_sampled
from harness.sampling.schema import SAMPLES_FILE
from harness.study import Trial
from harness.workloads import PreparedData

PROGRESS_PERIOD_S = 0.5
_UUID = re.compile("(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Canary = Callable[[Sequence[int]], dict[str, Any]]
"""Does a fixed amount of work on the given CPUs and returns how long it took; see `harness.execution.canary`."""


class Observer(Protocol):
    """Is told what happens in a trial while it happens."""

    def on_event(self, event: dict[str, Any]) -> None:
        """A worker's event."""

    def on_step(self, step: Step) -> None:
        """The newest finished step, at most twice a second."""


@dataclass
class _Course:
    """What is known of a trial so far."""

    events: list[dict[str, Any]] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)
    t_worker_ns: int | None = None
    timed_out_after_s: float | None = None
    cancelled: str | None = None
    canary: dict[str, dict[str, Any]] = field(default_factory=dict)


def run_trial(
    trial: Trial,
    environment: Environment,
    data: PreparedData,
    folder: Path,
    observer: Observer,
    stop: StopRequest | None = None,
    canary: Canary | None = run_canary,
) -> TrialOutcome:
    """Run one trial in a fresh folder; whatever happens to it becomes its termination.

    Args:
        folder: a fresh trial folder on the store's filesystem.
        observer: is told of events and progress.
        stop: when it is requested, the trial ends `cancelled`.
        canary: run before the trial begins and after it ended, so that its time is not the trial's; None runs none.
    """
    host, facts, course = describe_host(), {}, _Course()
    _run_canary(canary, "before", trial, course)
    started_at, begin, end = _utc_now(), clock_anchor(), None
    try:
        facts = {**environment.facts(), "code_sha256": code_hash(environment.framework.adapter_folder)}
        write_start(folder, trial, started_at, host, facts, begin, course.canary, course.not_measured)
        data_folder = environment.data_folder_seen(data.folder)
        write_trial_files(folder, trial, data_folder, environment.framework.honours)
        evidence = _run(trial, environment, data, folder, observer, stop or StopRequest(), course)
        end = clock_anchor()
        _run_canary(None if course.cancelled else canary, "after", trial, course)
        termination = classify(evidence, folder)
    except (EnvironmentFailed, OSError) as error:
        tail = log_tail(folder, ("launcher.log", "stderr.log"))
        termination = Termination(TerminationKind.ENVIRONMENT_FAILED, str(error), log_tail=tail)
    end = end or clock_anchor()
    if "after" not in course.canary:
        _run_canary(None, "after", trial, course)
    return TrialOutcome(
        trial=trial,
        folder=folder,
        termination=termination,
        started_at=started_at,
        t_begin_ns=begin["monotonic_ns"],
        t_worker_ns=course.t_worker_ns,
        t_end_ns=end["monotonic_ns"],
        host=host,
        environment=facts,
        not_measured=course.not_measured,
        canary=course.canary,
        clock_anchors={"begin": begin, "end": end},
    )


def outcome_without_run(trial: Trial, folder: Path, termination: Termination) -> TrialOutcome:
    """The outcome of a trial that ended before anything of it could start."""
    anchor = clock_anchor()
    return TrialOutcome(
        trial=trial,
        folder=folder,
        termination=termination,
        started_at=_utc_now(),
        t_begin_ns=anchor["monotonic_ns"],
        t_worker_ns=None,
        t_end_ns=anchor["monotonic_ns"],
        host=describe_host(),
        clock_anchors={"begin": anchor, "end": anchor},
    )


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _run(
    trial: Trial,
    environment: Environment,
    data: PreparedData,
    folder: Path,
    observer: Observer,
    stop: StopRequest,
    course: _Course,
) -> Evidence:
    profile = trial.specification["profile"]
    sampler = _start_sampler(folder, profile, course)
    try:
        course.t_worker_ns = time.monotonic_ns()
        launch = environment.launch(folder, data.folder, trial.specification)
        watch = _Watch(launch, EventTail(folder / EVENTS_FILE), folder, observer, course)
        try:
            _set_target(sampler, launch, course)
            if mismatches := memory_mismatches(launch.cgroup_paths, profile):
                course.events += mismatches
                launch.kill()
            else:
                watch.until_end(stop, trial.specification["time_limit_s"])
        except BaseException:
            launch.kill()
            raise
        finally:
            _stop_sampler(sampler, course)
            end = launch.finish()
        watch.read_events(at_end=True)
    finally:
        if sampler:
            sampler.kill()
    return Evidence(
        events=course.events,
        protocol_error=watch.tail.protocol_error,
        end=_with_sampled_peak(end, folder),
        timed_out_after_s=course.timed_out_after_s,
        cancelled=course.cancelled,
        engine_error=getattr(launch, "engine_error", None),
        memory_limit_bytes=profile.get("memory_bytes"),
    )


class _Watch:
    """Follows a launched worker and passes on what it does."""

    def __init__(self, launch: Launch, tail: EventTail, folder: Path, observer: Observer, course: _Course) -> None:
        self.tail = tail
        self._launch = launch
        self._folder = folder
        self._observer = observer
        self._course = course
        self._shown = 0
        self._teller = Teller()

    def until_end(self, stop: StopRequest, time_limit_s: float) -> None:
        """Wait for the worker's end, the time limit, or a request to stop; the latter two end the worker."""
        deadline = time.monotonic() + time_limit_s
        while not self._launch.wait(self._patience_s(stop, deadline)):
            self.read_events()
            self._show_progress()
            if stop.requested:
                self._course.cancelled = stop.reason
            elif time.monotonic() >= deadline:
                self._course.timed_out_after_s = time_limit_s
            else:
                continue
            self._launch.kill()
            return

    @staticmethod
    def _patience_s(stop: StopRequest, deadline: float) -> float:
        return 0.0 if stop.requested else min(PROGRESS_PERIOD_S, max(0.0, deadline - time.monotonic()))

    def read_events(self, *, at_end: bool = False) -> None:
        """Pass on the new events."""
        for event in self.tail.read(at_end=at_end):
            self._course.events.append(event)
            if event.get("event") == "evaluation":
                self._show_progress()  # what is shown beside the accuracy is then the loss of that very step
            self._teller.tell(self._observer.on_event, event)

    def _show_progress(self) -> None:
        if (step := last_step(self._folder / STEPS_FILE)) and step.step != self._shown:
            self._shown = step.step
            self._teller.tell(self._observer.on_step, step)


def _run_canary(canary: Canary | None, when: str, trial: Trial, course: _Course) -> None:
    """One canary on the trial's CPUs, while nothing else of the trial runs; the trial does not depend on it."""
    if canary is None:
        course.not_measured.setdefault("canary", f"no canary was run {when} the worker")
        return
    try:
        course.canary[when] = canary(trial.specification["profile"]["cpus"])
    except CanaryError as error:
        course.not_measured["canary"] = str(error)


def _with_sampled_peak(end: LaunchEnd, folder: Path) -> LaunchEnd:
    """The sampler may set the kernel's peak back at phase marks and keeps the largest: the larger of both holds."""
    sampled = largest_sampled(folder / SAMPLES_FILE, "cgroup_memory_peak_bytes")
    known = [peak for peak in (sampled, end.peak_memory_bytes) if peak is not None]
    return replace(end, peak_memory_bytes=max(known, default=None))


def gpu_settings(profile: Mapping[str, Any]) -> dict[str, Any]:
    """What the sampler is told of a trial's GPUs: whether it has any, and which where its profile names them in full.

    A number says nothing of the device, as CUDA counts in an order of its own, nor does the short form of a UUID.
    """
    if not profile.get("gpus"):
        return {"gpu": False}
    names = gpu_names((profile.get("environment") or {}).get(GPU_VARIABLE)) or []
    return {"gpu": True, "gpu_uuids": names if names and all(map(_UUID.fullmatch, names)) else None}


def _start_sampler(folder: Path, profile: Mapping[str, Any], course: _Course) -> SamplerProcess | None:
    """A ready sampler; without one the trial still runs, and its record says what was not measured."""
    try:
        return SamplerProcess.start(folder, gpu_settings(profile))
    except (DlgaugeError, OSError) as error:
        course.not_measured["samples"] = str(error)
        return None


def _set_target(sampler: SamplerProcess | None, launch: Launch, course: _Course) -> None:
    if sampler is None:
        return
    try:
        sampler.set_target(launch.root_pid, launch.cgroup_paths)
    except DlgaugeError as error:
        course.not_measured["samples"] = str(error)


def _stop_sampler(sampler: SamplerProcess | None, course: _Course) -> None:
    if sampler is None:
        return
    try:
        sampler.stop()
    except DlgaugeError as error:
        course.not_measured["sampler_report"] = str(error)
