"""One job of a trial: a worker under its launcher, the sampler beside it, and what is heard of both."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from frameworks.worker.limits import GPU_VARIABLE, gpu_names
from frameworks.worker.protocol import EVENTS_FILE, STEPS_FILE
from harness.errors import DlgaugeError
from harness.execution.environments import Environment
from harness.execution.in_force import memory_mismatches
from harness.execution.launching import Launch, LaunchEnd
from harness.execution.outcome import JobOutcome, Termination
from harness.execution.tailing import EventTail, Step, last_step
from harness.execution.telling import Teller
from harness.execution.termination import Evidence, classify
from harness.sampling.client import SamplerProcess
from harness.sampling.decoding import largest_sampled
from harness.sampling.schema import SAMPLES_FILE
from harness.workloads import PreparedData

_UUID = re.compile("(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Observer(Protocol):
    """Is told what happens in a trial while it happens."""

    def on_event(self, event: dict[str, Any]) -> None:
        """A worker's event."""

    def on_step(self, step: Step) -> None:
        """The newest finished step, at most twice a second."""


class Job:
    """A worker and its sampler, from before their start to after their end.

    Args:
        number: counted from 1.
        folder: its trial folder, with all that the worker needs in it.
        specification: what this job is to run.
        observer: is told of its events and its progress; None where nobody watches it.

    Attributes:
        events: what the worker has said so far.
        not_measured: key -> reason, for what could not be measured.
        cancelled: why it was asked to stop; None where nobody asked.
        timed_out_after_s: the time limit, where it was passed.
        t_worker_ns: when the worker was requested; None when it never was.
        t_end_ns: when it was gone and cleaned up; None before.
        termination: how it ended; None before.
    """

    def __init__(
        self, number: int, folder: Path, specification: Mapping[str, Any], observer: Observer | None = None
    ) -> None:
        self.number = number
        self.folder = folder
        self.specification = specification
        self.events: list[dict[str, Any]] = []
        self.not_measured: dict[str, str] = {}
        self.cancelled: str | None = None
        self.timed_out_after_s: float | None = None
        self.t_worker_ns: int | None = None
        self.t_end_ns: int | None = None
        self.termination: Termination | None = None
        self._observer = observer
        self._teller = Teller()
        self._tail = EventTail(folder / EVENTS_FILE)
        self._shown = 0
        self._sampler: SamplerProcess | None = None
        self._launch: Launch | None = None
        self._finishing = False

    def start_sampler(self) -> None:
        """Wait until a sampler is ready; without one the job still runs, and its record says what was not measured."""
        try:
            self._sampler = SamplerProcess.start(self.folder, gpu_settings(self.specification["profile"]))
        except (DlgaugeError, OSError) as error:
            self.not_measured["samples"] = str(error)

    def launch(self, environment: Environment, data: PreparedData) -> None:
        """Start the worker, and tell the sampler whom to watch.

        Raises:
            EnvironmentFailed: it cannot be started.
        """
        self.t_worker_ns = time.monotonic_ns()
        self._launch = launch = environment.launch(self.folder, data.folder, self.specification)
        if self._sampler is not None:
            try:
                self._sampler.set_target(launch.root_pid, launch.cgroup_paths)
            except DlgaugeError as error:
                self.not_measured["samples"] = str(error)
        if mismatches := memory_mismatches(launch.cgroup_paths, self.specification["profile"]):
            self.events += mismatches
            launch.kill()

    def wait(self, timeout_s: float) -> bool:
        """True when the worker's launcher has ended; returns after at most `timeout_s`."""
        return self._launch is None or self._launch.wait(timeout_s)

    def look(self) -> None:
        """Pass on what is new: events and progress."""
        self._read_events(at_end=False)
        self._show_progress()

    def said(self, event: str) -> bool:
        """Whether the worker has said this word."""
        return any(one["event"] == event for one in self.events)

    def kill(self) -> None:
        """End the worker and all that came of it."""
        if self._launch is not None and not self._finishing:
            self._launch.kill()

    def finish(self) -> Termination:
        """Stop the sampler, reap the worker, and say how it ended. After `wait` said True, or after `kill`."""
        assert self._launch is not None, "nothing was launched"
        self._finishing = True
        try:
            self._stop_sampler()
        finally:
            end = self._launch.finish()
        self._read_events(at_end=True)
        self.t_end_ns = time.monotonic_ns()
        evidence = Evidence(
            events=self.events,
            protocol_error=self._tail.protocol_error,
            end=_with_sampled_peak(end, self.folder),
            timed_out_after_s=self.timed_out_after_s,
            cancelled=self.cancelled,
            engine_error=getattr(self._launch, "engine_error", None),
            memory_limit_bytes=self.specification["profile"].get("memory_bytes"),
        )
        self.termination = classify(evidence, self.folder)
        return self.termination

    def close(self) -> None:
        """Leave nothing behind, whatever went wrong: end what still runs. May be called again."""
        try:
            if self._launch is not None and not self._finishing:
                self._launch.kill()
                self.finish()
        finally:
            if self._sampler is not None:
                self._sampler.kill()

    def outcome(self, otherwise: Termination) -> JobOutcome:
        """What the trial's record says of this job; `otherwise` is how a job ended whose worker never ran."""
        return JobOutcome(
            job=self.number,
            cpus=tuple(self.specification["profile"]["cpus"]),
            termination=self.termination or otherwise,
            t_worker_ns=self.t_worker_ns,
            t_end_ns=self.t_end_ns,
            not_measured=dict(self.not_measured),
        )

    def _read_events(self, *, at_end: bool) -> None:
        for event in self._tail.read(at_end=at_end):
            self.events.append(event)
            if event.get("event") == "evaluation":
                self._show_progress()  # what is shown beside the accuracy is then the loss of that very step
            if self._observer is not None:
                self._teller.tell(self._observer.on_event, event)

    def _show_progress(self) -> None:
        if self._observer is None:
            return
        if (step := last_step(self.folder / STEPS_FILE)) and step.step != self._shown:
            self._shown = step.step
            self._teller.tell(self._observer.on_step, step)

    def _stop_sampler(self) -> None:
        if self._sampler is None:
            return
        try:
            self._sampler.stop()
        except DlgaugeError as error:
            self.not_measured["sampler_report"] = str(error)


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
