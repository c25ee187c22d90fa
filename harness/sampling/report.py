"""`sampler-report.json`: how well the sampler did its work, and what it could not measure."""

from __future__ import annotations

from typing import Any

from harness.sampling.audit import audit
from harness.sampling.schedule import Latenesses, too_few
from harness.sampling.schema import MISSING, SAMPLE_COLUMNS, SAMPLE_INDEX

_MOST_GAPS = 100
_QUANTILES = {"p50": 0.5, "p99": 0.99}
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

    def add(self, values: list[int], *, is_tick: bool, is_medium: bool, tree_is_whole: bool = True) -> None:
        """Take one sample record. The audit compares two accounts of one sample, if there ever was one with both."""
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
        latest = [values[index] for index in _CPU]
        if MISSING in latest:
            if MISSING in self._latest:
                self._latest = [old if new == MISSING else new for old, new in zip(self._latest, latest, strict=True)]
        elif tree_is_whole or MISSING in self._latest:
            self._latest = latest
        if is_medium:
            for index, value in enumerate(values):
                if value != MISSING:
                    self._seen[index] = 1

    def mark_first(self, values: list[int]) -> None:
        """The first sample of the target: the audit counts from here."""
        self._first = [values[index] for index in _CPU]

    def audit(self, root_cpu_ns: int, unified_cpu_ns: int | None) -> dict[str, object]:
        """The cgroup's (by one or two accounts) and the tree's CPU time since the target was named, compared."""
        first = self._first or [MISSING, MISSING]
        seconds = [
            None if MISSING in (begin, end) else (end - begin) / 1e9
            for begin, end in zip(first, self._latest, strict=True)
        ]
        unified_cpu_s = None if unified_cpu_ns is None else unified_cpu_ns / 1e9
        return audit(seconds[0], seconds[1], None, root_cpu_ns / 1e9, unified_cpu_s)

    def never_seen(self) -> list[str]:
        """Columns that were null in every sample."""
        return [column.name for column, seen in zip(SAMPLE_COLUMNS, self._seen, strict=True) if not seen]

    def refused(self) -> dict[str, str]:
        """Keys of `summary` that are None for want of ticks, with the reason."""
        count = self.latenesses.count
        reasons = {name: too_few(fraction, count) for name, fraction in _QUANTILES.items()}
        reasons["max"] = None if count else "no tick was taken"
        return {f"{what}_{name}_ns": why for name, why in reasons.items() if why for what in ("lateness", "duration")}

    def summary(self) -> dict[str, Any]:
        """Counts and quantiles for the report."""
        return {
            "samples": self.samples,
            "ticks": self.latenesses.count,
            **{f"lateness_{name}_ns": self.latenesses.quantile(fraction) for name, fraction in _QUANTILES.items()},
            "lateness_max_ns": self.latenesses.largest if self.latenesses.count else None,
            **{f"duration_{name}_ns": self.durations.quantile(fraction) for name, fraction in _QUANTILES.items()},
            "duration_max_ns": self.durations.largest if self.durations.count else None,
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
