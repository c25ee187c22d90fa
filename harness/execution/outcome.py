"""What a trial left behind: the trial folder and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from harness.study.trial import Trial


class TerminationKind(StrEnum):
    """How a trial ended (docs/architecture.md section 5)."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    KILLED = "killed"
    CANCELLED = "cancelled"
    ENVIRONMENT_FAILED = "environment_failed"
    PROFILE_NOT_IN_FORCE = "profile_not_in_force"
    UNSUPPORTED = "unsupported"
    SKIPPED = "skipped"


FINAL_TERMINATIONS = frozenset(
    {
        TerminationKind.COMPLETED,
        TerminationKind.DIVERGED,
        TerminationKind.UNSUPPORTED,
        TerminationKind.TIMED_OUT,
        TerminationKind.OUT_OF_MEMORY,
        TerminationKind.SKIPPED,
    }
)
"""Terminations that are results: the next run of the study does not try such a trial again."""


@dataclass(frozen=True)
class Termination:
    """How and why a trial ended.

    Attributes:
        kind: one word of the vocabulary.
        reason: a sentence for people; None when completed.
        exit_status: of the worker, where it exited by itself.
        signal: number of the signal that ended the worker.
        log_tail: the last lines of the worker's log.
    """

    kind: TerminationKind
    reason: str | None = None
    exit_status: int | None = None
    signal: int | None = None
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobOutcome:
    """How one of several jobs ended that ran side by side in one trial.

    Attributes:
        job: its number, counted from 1.
        cpus: those that it might use.
        t_worker_ns, t_end_ns: CLOCK_MONOTONIC when its worker was requested, and was gone; None where it never was.
        not_measured: key -> reason, for what could not be measured.
    """

    job: int
    cpus: tuple[int, ...]
    termination: Termination
    t_worker_ns: int | None
    t_end_ns: int | None
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialOutcome:
    """A finished trial before it becomes a record.

    Attributes:
        folder: the trial folder with the files of docs/architecture.md section 3; any of them may be missing.
        started_at: ISO 8601, UTC.
        t_begin_ns: CLOCK_MONOTONIC when the trial began.
        t_worker_ns: when the worker was requested; None when it never was.
        t_end_ns: when the worker was gone and cleaned up. Of several jobs these two are the first one's.
        host: facts of the machine.
        environment: kind, image or venv, content hash.
        not_measured: key -> reason, for what could not be measured.
        canary: `before` and `after` the worker, each with `compute_s` and `memory_s`, how long equal work took, and
            the spread of their parts; see `run_canary`.
        clock_anchors: `begin` and `end`, each with `realtime_ns`, `monotonic_ns`, `boottime_ns`.
        jobs: of a trial of several jobs each of them, the first too; empty for a trial of one job.
    """

    trial: Trial
    folder: Path
    termination: Termination
    started_at: str
    t_begin_ns: int
    t_worker_ns: int | None
    t_end_ns: int
    host: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    canary: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock_anchors: dict[str, dict[str, int]] = field(default_factory=dict)
    jobs: tuple[JobOutcome, ...] = ()
