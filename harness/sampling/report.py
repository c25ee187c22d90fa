"""`sampler-report.json`: how well the sampler did its work, and what it could not measure."""

from __future__ import annotations

from typing import Any

from harness.sampling.audit import audit
from harness.sampling.schedule import Latenesses
from harness.sampling.schema import MISSING, SAMPLE_COLUMNS, SAMPLE_INDEX

_MOST_GAPS = 100
_CPU = SAMPLE_INDEX["cgroup_cpu_ns"], SAMPLE_INDEX["tree_cpu_ns"]
_START = SAMPLE_INDEX["t_start_ns"]
_END = SAMPLE_INDEX["t_end_ns"]
_PLANNED = SAMPLE_INDEX["t_planned_ns"]


class Statistics:
    """Gathers while sampling what the report says at the end."""

    def __init__(self, period_ns: int) -> None:
        self.samples = 0
        self.latenesses = Latenesses()
        self.durations = Latenesses()
        self.gaps = 0
        self.gap_list: list[dict[str, int]] = []
        self._period_ns = period_ns
        self._previous_ns: int | None = None
        self._first: list[int] | None = None
        self._latest = [MISSING, MISSING]
        self._seen = bytearray(len(SAMPLE_COLUMNS))

    def add(self, values: list[int], *, is_tick: bool, is_medium: bool) -> None:
        """Take one sample record."""
        self.samples += 1
        start_ns = values[_START]
        if is_tick:
            self.latenesses.add(start_ns - values[_PLANNED])
            self.durations.add(values[_END] - start_ns)
        if self._previous_ns is not None and start_ns - self._previous_ns > 2 * self._period_ns:
            self.gaps += 1
            if len(self.gap_list) < _MOST_GAPS:
                self.gap_list.append({"t_ns": self._previous_ns, "duration_ns": start_ns - self._previous_ns})
        self._previous_ns = start_ns
        for place, index in enumerate(_CPU):
            if values[index] != MISSING:
                self._latest[place] = values[index]
        if is_medium:
            for index, value in enumerate(values):
                if value != MISSING:
                    self._seen[index] = 1

    def mark_first(self, values: list[int]) -> None:
        """The first sample of the target: the audit counts from here."""
        self._first = [values[index] for index in _CPU]

    def audit(self, root_cpu_ns: int) -> dict[str, object]:
        """The cgroup's and the tree's CPU time since the target was named, compared."""
        first = self._first or [MISSING, MISSING]
        seconds = [
            None if MISSING in (begin, end) else (end - begin) / 1e9
            for begin, end in zip(first, self._latest, strict=True)
        ]
        return audit(seconds[0], seconds[1], None, root_cpu_ns / 1e9)

    def never_seen(self) -> list[str]:
        """Columns that were null in every sample."""
        return [column.name for column, seen in zip(SAMPLE_COLUMNS, self._seen, strict=True) if not seen]

    def summary(self) -> dict[str, Any]:
        """Counts and quantiles for the report."""
        return {
            "samples": self.samples,
            "lateness_p50_ns": self.latenesses.quantile(0.5),
            "lateness_p99_ns": self.latenesses.quantile(0.99),
            "lateness_max_ns": self.latenesses.largest,
            "duration_p50_ns": self.durations.quantile(0.5),
            "duration_p99_ns": self.durations.quantile(0.99),
            "duration_max_ns": self.durations.largest,
            "gaps": self.gaps,
            "gap_list": self.gap_list,
        }


def flags(report: dict[str, Any]) -> list[str]:
    """What a reader of the record should know about the sampling's quality."""
    found: list[str] = []
    if report["audit"].get("flag"):
        found.append("cpu_audit_failed")
    ticks = report["samples"] + report["ticks_skipped"]
    if ticks and report["ticks_skipped"] > 0.001 * ticks:
        found.append("ticks_skipped")
    if report["errors"]:
        found.append("errors")
    if report["records_dropped"]:
        found.append("records_dropped")
    if report["ended_by"] != "stop":
        found.append(f"ended_by_{report['ended_by']}")
    return found
