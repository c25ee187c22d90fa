"""What each phase of a trial used: CPU time by kind of phase, peak memory, CPU time in user and system mode."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from harness.analysis import Cell
from harness.analysis.cells import seed_of
from harness.records import Record
from harness.reporting.paper.inks import PHASE_INKS
from harness.reporting.paper.measuring import make_mark, reasons_text
from harness.reporting.paper.model import Mark
from harness.reporting.paper.source import Source

CPU, USER, SYSTEM, PEAK = "cpu_seconds", "cpu_user_seconds", "cpu_system_seconds", "memory_peak_bytes"
TRAIN = "train"

Found = tuple[float | None, str]
"""A value of one trial, or why there is none."""


def phases_of(source: Source) -> list[str]:
    """Kinds of phases that the trials went through, in the order of a trial."""
    found = {str(phase.get("phase")) for record in source.records.values() for phase in record.phases}
    return [name for name in PHASE_INKS if name in found] + sorted(found - set(PHASE_INKS))


def cpu_of_phase(record: Record, phase: str) -> Found:
    """CPU seconds of all phases of one kind; none where one of them has none."""
    return _sum(record, phase, CPU)


def peak_of_phase(record: Record, phase: str) -> Found:
    """The highest kernel-kept peak in bytes of the phases of one kind that have one."""
    peaks = [float(one[PEAK]) for one in record.phases if one.get("phase") == phase and one.get(PEAK) is not None]
    return (max(peaks), "") if peaks else (None, _why(record, phase, PEAK))


def cores_in_mode(record: Record, key: str) -> Found:
    """CPU seconds of the `train` phases in user or system mode, over their duration: cores."""
    total, why = _sum(record, TRAIN, key)
    duration = sum(float(one.get("duration_s") or 0.0) for one in record.phases if one.get("phase") == TRAIN)
    if total is None or duration <= 0:
        return None, why or "there is no `train` phase"
    return total / duration, ""


def _sum(record: Record, phase: str, key: str) -> Found:
    values = [one.get(key) for one in record.phases if one.get("phase") == phase]
    known = [float(value) for value in values if value is not None]
    if not known or len(known) < len(values):
        return None, _why(record, phase, key)
    return math.fsum(known), ""


def _why(record: Record, phase: str, key: str) -> str:
    if not any(one.get("phase") == phase for one in record.phases):
        return f"the trial has no phase {phase}"
    told = record.not_measured.get(f"phases.{key}")
    return told or f"the record has no {key} of phase {phase}"


def mark_of_records(
    source: Source,
    cell: Cell,
    value: Callable[[Record], Found],
    *,
    panel: str,
    series: str,
    x: str,
    quantity: str,
    unit: str,
) -> Mark:
    """A mark of what a function reads from each record of a cell."""
    by_seed: dict[int, float] = {}
    missing: Counter[str] = Counter()
    for record in source.records_of(cell):
        found, why = value(record)
        if found is None:
            missing[why] += 1
        else:
            by_seed[seed_of(record)] = found
    return make_mark(
        by_seed,
        [trial for trial in cell.trials if trial.seed in by_seed],
        source,
        reasons_text(missing),
        panel=panel,
        series=series,
        x_name="cell",
        x_unit="",
        x=x,
        quantity=quantity,
        unit=unit,
    )


def by_series(marks: Sequence[Mark]) -> dict[str, Mark]:
    """Marks of one row by their series."""
    return {mark.series: mark for mark in marks}
