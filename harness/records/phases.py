"""Phases of a trial: where each begins and ends, and what lies before the first and after the last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from frameworks.worker.protocol import END, PHASES
from harness.records.reading import TrialFiles, integer

LAST_PHASE = PHASES[-1]
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Phase:
    """A stretch of the worker's life.

    Attributes:
        phase: one word of `frameworks.worker.protocol.PHASES`.
        begin_ns, end_ns: CLOCK_MONOTONIC.
        first_step, last_step: finished training steps when it began and when it ended; None where not known.
        finished: whether it ran to its end: another phase followed it. False when the worker died in it, or left it
            by an error, a divergence or a refusal (then `end` follows it directly, as it otherwise does `teardown`).
        quantities: name -> what was used in it (`harness.records.attribution`); None where not measured.
        worker_cpu_seconds: CPU time of the worker process alone by its own clock, as a cross-check.
        edge_gap_ns: distance from the phase's edges to the nearest sample, the larger of the two: over it the CPU time
            had to be interpolated, so it bounds its error (at most this, times the cores in use, at each edge).
    """

    phase: str
    begin_ns: int
    end_ns: int
    first_step: int | None = None
    last_step: int | None = None
    finished: bool = True
    worker_cpu_seconds: float | None = None
    edge_gap_ns: int | None = None
    quantities: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def cpu_seconds(self) -> float | None:
        """CPU time of the job; None where not measured."""
        return self.quantities.get("cpu_seconds")

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
            **self.quantities,
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


def unmarked(files: TrialFiles, phases: list[Phase], t_worker_ns: int | None, t_end_ns: int) -> list[Phase]:
    """What lies around the marked phases: with these two, the rows cover the trial from the worker's request on.

    `before` lasts from the request of the worker to its first mark, `after` from its last to the end of the trial, by
    when everything is cleaned up. They are no phases: no mark of the worker stands at their outer edges.
    """
    if t_worker_ns is None:
        return []
    first_ns = phases[0].begin_ns if phases else worker_end_ns(files, t_end_ns)
    last_ns = phases[-1].end_ns if phases else first_ns
    return [
        Phase(BEFORE, t_worker_ns, max(t_worker_ns, first_ns)),
        Phase(AFTER, last_ns, max(last_ns, t_end_ns)),
    ]


def of_kind(phases: Iterable[Phase], name: str) -> list[Phase]:
    """The phases of one name."""
    return [phase for phase in phases if phase.phase == name]
