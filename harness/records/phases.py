"""Phases of a trial: where each begins and ends, and the CPU time of the process tree in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from frameworks.worker.protocol import END, PHASES
from harness.records.counters import CounterSeries
from harness.records.reading import TrialFiles, integer

MAX_EDGE_GAP_NS = 1_000_000_000
"""A phase whose edge has no sample within this has no CPU time: interpolation over more would be invention."""


LAST_PHASE = PHASES[-1]


@dataclass(frozen=True)
class Phase:
    """A stretch of the worker's life.

    Attributes:
        phase: one word of `frameworks.worker.protocol.PHASES`.
        begin_ns, end_ns: CLOCK_MONOTONIC.
        first_step, last_step: finished training steps when it began and when it ended; None where not known.
        finished: whether it ran to its end: another phase followed it. False when the worker died in it, or left it
            by an error, a divergence or a refusal (then `end` follows it directly, as it otherwise does `teardown`).
        cpu_seconds: CPU time of the process tree; None where not measured.
        worker_cpu_seconds: CPU time of the worker process alone by its own clock, as a cross-check.
        edge_gap_ns: distance from the phase's edges to the nearest sample, the larger of the two: where `cpu_seconds`
            had to be interpolated, and so its uncertainty (at most this, times the cores in use).
    """

    phase: str
    begin_ns: int
    end_ns: int
    first_step: int | None = None
    last_step: int | None = None
    finished: bool = True
    cpu_seconds: float | None = None
    worker_cpu_seconds: float | None = None
    edge_gap_ns: int | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.begin_ns) / 1e9

    def to_dict(self) -> dict[str, Any]:
        """The phase as it stands in the manifest."""
        return {
            "phase": self.phase,
            "begin_ns": self.begin_ns,
            "end_ns": self.end_ns,
            "duration_s": self.duration_s,
            "first_step": self.first_step,
            "last_step": self.last_step,
            "finished": self.finished,
            "cpu_seconds": self.cpu_seconds,
            "worker_cpu_seconds": self.worker_cpu_seconds,
            "edge_gap_ns": self.edge_gap_ns,
        }


def worker_end_ns(files: TrialFiles, t_end_ns: int) -> int:
    """When the worker was gone: its exit as the launcher saw it, else the end of the trial."""
    pid = next((line.get("pid") for line in files.launcher if line["event"] == "started"), None)
    for line in files.launcher:
        exited = integer(line.get("t_ns"))
        if line["event"] == "exit" and line.get("pid") == pid and exited is not None:
            return min(exited, t_end_ns)
    return t_end_ns


def partition(files: TrialFiles, end_ns: int) -> list[Phase]:
    """Cut the worker's life at its phase marks.

    Args:
        files: the trial folder, read; a mark that goes back in time is dropped with a note.
        end_ns: where the last phase ends if the worker did not live to say so.
    """
    marks = _marks(files)
    phases = []
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        if mark["phase"] == END:
            break
        phases.append(_phase(mark, following, end_ns))
    return phases


def _marks(files: TrialFiles) -> list[dict[str, Any]]:
    marks: list[dict[str, Any]] = []
    for event in files.events:
        if event["event"] != "phase":
            continue
        if marks and event["t_ns"] < marks[-1]["t_ns"]:
            files.note("events.jsonl", f"the mark of phase {event['phase']} goes back in time; dropped")
            continue
        marks.append(event)
    return marks


def _phase(mark: dict[str, Any], following: dict[str, Any] | None, end_ns: int) -> Phase:
    phase = Phase(mark["phase"], mark["t_ns"], max(mark["t_ns"], end_ns), integer(mark.get("step")), finished=False)
    if following is None:
        return phase
    cpu_begin, cpu_end = integer(mark.get("process_cpu_ns")), integer(following.get("process_cpu_ns"))
    own_cpu = None if cpu_begin is None or cpu_end is None else (cpu_end - cpu_begin) / 1e9
    return replace(
        phase,
        end_ns=following["t_ns"],
        last_step=integer(following.get("step")),
        finished=following["phase"] != END or mark["phase"] == LAST_PHASE,
        worker_cpu_seconds=own_cpu,
    )


def with_cpu_time(phases: Iterable[Phase], job_cpu: CounterSeries | None) -> list[Phase]:
    """Attribute the job's CPU time (a counter in ns) to phases, from the samples that stand at their edges."""
    if job_cpu is None:
        return list(phases)
    return [_with_cpu_time(phase, job_cpu) for phase in phases]


def _with_cpu_time(phase: Phase, job_cpu: CounterSeries) -> Phase:
    gap_ns = max(job_cpu.gap_ns(phase.begin_ns), job_cpu.gap_ns(phase.end_ns))
    if gap_ns > MAX_EDGE_GAP_NS:
        return replace(phase, edge_gap_ns=gap_ns)
    return replace(phase, edge_gap_ns=gap_ns, cpu_seconds=job_cpu.increase(phase.begin_ns, phase.end_ns) / 1e9)


def of_kind(phases: Iterable[Phase], name: str) -> list[Phase]:
    """The phases of one name."""
    return [phase for phase in phases if phase.phase == name]
