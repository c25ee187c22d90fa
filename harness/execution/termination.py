"""From what was seen of a trial to one word: how it ended, and why."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.execution.launching import LaunchEnd
from harness.execution.outcome import Termination, TerminationKind
from harness.execution.tailing import log_tail

LOGS = ("stderr.log", "stdout.log")
OUT_OF_MEMORY_ERRORS = frozenset({"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"})
"""What Python, Torch and TensorFlow raise where an allocation fails."""
OUT_OF_MEMORY_TEXTS = ("RESOURCE_EXHAUSTED", "DefaultCPUAllocator", "std::bad_alloc")
"""What XLA, Torch and C++ say in an error of a general kind."""
OUTSIDE_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that somebody else sends; any other (SIGSEGV, SIGABRT, SIGFPE, ...) is the worker's own fault."""


@dataclass(frozen=True)
class Evidence:
    """What was seen of a trial that was launched.

    Attributes:
        events: everything the worker said.
        protocol_error: the first line that was not the protocol.
        end: how its processes ended.
        timed_out_after_s: the limit, where it was passed.
        cancelled: why it was asked to stop; None where nobody asked.
        engine_error: the container engine failed or went away.
        memory_limit_bytes: of the profile.
    """

    events: Sequence[dict[str, Any]]
    protocol_error: str | None
    end: LaunchEnd
    timed_out_after_s: float | None = None
    cancelled: str | None = None
    engine_error: str | None = None
    memory_limit_bytes: int | None = None


def classify(evidence: Evidence, folder: Path) -> Termination:
    """The termination of a launched trial; the log's last lines go with every one that is not `completed`."""
    kind, reason = _kind_and_reason(evidence)
    end = evidence.end
    tail = () if kind is TerminationKind.COMPLETED else log_tail(folder, LOGS)
    return Termination(kind, reason, end.exit_status, end.signal, tail)


def _kind_and_reason(evidence: Evidence) -> tuple[TerminationKind, str | None]:
    for rule in (_stopped_by_us, _said_by_the_worker, _broken, _ended_by_a_signal):
        if (found := rule(evidence)) is not None:
            return found
    if evidence.end.exit_status:
        return TerminationKind.CRASHED, f"the worker exited with status {evidence.end.exit_status}"
    return TerminationKind.CRASHED, "the worker ended without saying that it was done"


def _stopped_by_us(evidence: Evidence) -> tuple[TerminationKind, str] | None:
    if evidence.cancelled:
        return TerminationKind.CANCELLED, evidence.cancelled
    if evidence.timed_out_after_s is not None:
        return TerminationKind.TIMED_OUT, f"not finished within the time limit of {evidence.timed_out_after_s:g} s"
    return None


def _said_by_the_worker(evidence: Evidence) -> tuple[TerminationKind, str | None] | None:
    if evidence.protocol_error:
        return TerminationKind.CRASHED, f"the worker wrote what is not the protocol: {evidence.protocol_error}"
    by_kind = {event["event"]: event for event in evidence.events}
    mismatches = [event for event in evidence.events if event["event"] == "profile_not_in_force"]
    if event := by_kind.get("unsupported"):
        return TerminationKind.UNSUPPORTED, f"{event.get('what')}: {event.get('why')}"
    if mismatches:
        return TerminationKind.PROFILE_NOT_IN_FORCE, "; ".join(dict.fromkeys(map(_side_by_side, mismatches)))
    if event := by_kind.get("diverged"):
        return TerminationKind.DIVERGED, f"the loss was {event.get('loss')} at step {event.get('step')}"
    if event := by_kind.get("error"):
        # What a worker says when the kernel has ended a child of its own (a compiler) is a symptom.
        return _out_of_memory(evidence) or _error(event, by_kind, evidence.end)
    if "done" in by_kind and evidence.end.exit_status == 0:
        return TerminationKind.COMPLETED, None
    return None


def _side_by_side(event: dict[str, Any]) -> str:
    return f"{event.get('key')}: wanted {_plain(event.get('wanted'))}, found {_plain(event.get('found'))}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)


def _error(event: dict[str, Any], by_kind: dict[str, dict[str, Any]], end: LaunchEnd) -> tuple[TerminationKind, str]:
    reason = f"{event.get('type')}: {event.get('message')}"
    if event.get("type") in OUT_OF_MEMORY_ERRORS or any(text in reason for text in OUT_OF_MEMORY_TEXTS):
        return TerminationKind.OUT_OF_MEMORY, f"{reason}, after {_peak(end)}"
    if event.get("type") in ("ImportError", "ModuleNotFoundError") and "describe" not in by_kind:
        return TerminationKind.ENVIRONMENT_FAILED, f"the framework cannot be imported: {event.get('message')}"
    return TerminationKind.CRASHED, reason


def _broken(evidence: Evidence) -> tuple[TerminationKind, str] | None:
    if evidence.engine_error:
        return TerminationKind.ENVIRONMENT_FAILED, f"the container engine failed: {evidence.engine_error}"
    return _out_of_memory(evidence)


def _out_of_memory(evidence: Evidence) -> tuple[TerminationKind, str] | None:
    """The kernel's out-of-memory killer ended the worker or a process of its own."""
    if not evidence.end.out_of_memory:
        return None
    if not evidence.memory_limit_bytes:
        return TerminationKind.KILLED, "the machine ran out of memory and the kernel ended a process of the trial"
    limit = f"the memory limit of {evidence.memory_limit_bytes} bytes"
    reason = f"the kernel ended a process of the trial at {limit}, after {_peak(evidence.end)}"
    return TerminationKind.OUT_OF_MEMORY, reason


def _peak(end: LaunchEnd) -> str:
    peak = end.peak_memory_bytes
    return "a peak that the kernel did not tell" if peak is None else f"a peak of {peak} bytes"


def _ended_by_a_signal(evidence: Evidence) -> tuple[TerminationKind, str] | None:
    number = evidence.end.signal
    if number is None:
        return None
    name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
    kind = TerminationKind.KILLED if number in OUTSIDE_SIGNALS else TerminationKind.CRASHED
    return kind, f"the worker was ended by {name}"
