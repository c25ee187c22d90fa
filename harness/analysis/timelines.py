"""What a trial used over time: cores, memory and GPU, from the sampler's raw counters, with its phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.curves import decimated_indices
from harness.records.counters import CounterSeries, series
from harness.records.gpus import foreign_gpus

if TYPE_CHECKING:
    from harness.records import Record

MIN_WINDOW_S = 0.25
"""Shortest window that a counter is differenced over: below it the tick of the sampler shows, not the job."""

MAX_WINDOWS = 600
"""Windows of a timeline; a longer trial has wider windows. No use is lost: a counter's difference holds all of it."""


@dataclass(frozen=True)
class PhaseSpan:
    """A phase in seconds since the origin of the timeline."""

    phase: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class Line:
    """A quantity over time.

    Attributes:
        name: what it is, with its unit.
        time_s: moments; of a rate the end of each window.
        values: None where not measured.
    """

    name: str
    time_s: tuple[float, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Timeline:
    """One trial over time; the origin is the begin of its first phase, or its first sample where it has no phase.

    Attributes:
        phases: in order of time.
        cores: cores used by the job, as means over windows.
        memory: in MiB.
        gpus: power in W and memory in MiB, one line a device of the trial; empty without a GPU.
        window_s: width of the windows that counters were differenced over.
        cpu_source: the counter behind `cores`.
    """

    phases: tuple[PhaseSpan, ...]
    cores: tuple[Line, ...]
    memory: tuple[Line, ...]
    gpus: tuple[Line, ...] = ()
    window_s: float = MIN_WINDOW_S
    cpu_source: str | None = None


CPU_COUNTERS = {"cgroup_cpu_ns": "cgroup", "tree_cpu_ns": "process tree"}
MEMORY_GAUGES = {"tree_resident_bytes": "resident, sum of processes", "cgroup_memory_bytes": "charged to the cgroup"}
MIB = 1024.0 * 1024.0


def timeline(record: Record) -> Timeline | None:
    """The timeline of a record; None where the sampler left no sample."""
    table = record.table("samples")
    if table.num_rows == 0:
        return None
    wanted = ["t_start_ns", "t_end_ns", *CPU_COUNTERS, *MEMORY_GAUGES]
    samples = {name: table.column(name).to_pylist() for name in wanted if name in table.column_names}
    phases = record.manifest.get("phases") or []
    starts = [int(t) for t in samples["t_start_ns"] if t is not None]
    origin_ns = int(phases[0]["begin_ns"]) if phases else min(starts)
    source, counter = _cpu_counter(samples, str((record.manifest.get("sources") or {}).get("cpu_seconds", "")))
    end_s = (max(starts) - origin_ns) / 1e9
    window_s = max(MIN_WINDOW_S, end_s / MAX_WINDOWS)
    cores = () if counter is None else (_rate("cores used", counter, origin_ns, window_s),)
    return Timeline(
        phases=tuple(_span(phase, origin_ns) for phase in phases),
        cores=cores,
        memory=tuple(_memory_lines(samples, origin_ns)),
        gpus=tuple(_gpu_lines(record, origin_ns)),
        window_s=window_s,
        cpu_source=source,
    )


def _cpu_counter(samples: Mapping[str, Sequence[Any]], source: str) -> tuple[str | None, CounterSeries | None]:
    """The counter that the record's summary was made from, else the cgroup's, else the process tree's."""
    for column in sorted(CPU_COUNTERS, key=lambda name: name != f"{source}_cpu_ns"):
        counter = series(samples, column)
        if counter is not None and len(counter.values) > 1:
            return CPU_COUNTERS[column], counter
    return None, None


def _rate(name: str, counter: CounterSeries, origin_ns: int, window_s: float) -> Line:
    """Growth of a CPU counter per time over windows side by side, in cores."""
    first_s = (counter.origin_ns - origin_ns) / 1e9
    last_s = first_s + float(counter.offsets_ns[-1]) / 1e9
    edges_s = np.arange(first_s, last_s + window_s / 2, window_s)
    offsets = (edges_s - first_s) * 1e9
    values = np.interp(offsets, counter.offsets_ns, counter.values)
    cores = np.diff(values) / (window_s * 1e9)
    return Line(name, tuple(float(t) for t in edges_s[1:]), tuple(float(value) for value in cores))


def _memory_lines(samples: Mapping[str, Sequence[Any]], origin_ns: int) -> list[Line]:
    lines = []
    for column, name in MEMORY_GAUGES.items():
        points = [
            ((int(t) - origin_ns) / 1e9, float(value) / MIB)
            for t, value in zip(samples["t_start_ns"], samples.get(column, ()), strict=False)
            if t is not None and value is not None
        ]
        if points:
            lines.append(_line(name, points))
    return lines


def _gpu_lines(record: Record, origin_ns: int) -> list[Line]:
    table = record.table("gpus")
    if table.num_rows == 0:
        return []
    rows = table.to_pylist()
    report = (record.manifest.get("sampling") or {}).get("report")
    foreign = foreign_gpus(report) if isinstance(report, Mapping) else set()
    lines = []
    for gpu in sorted({row["gpu"] for row in rows} - foreign):
        for column, name, scale in (("power_mw", "power W", 1000.0), ("memory_used_bytes", "memory MiB", MIB)):
            points = [
                ((row["t_ns"] - origin_ns) / 1e9, row[column] / scale)
                for row in rows
                if row["gpu"] == gpu and row.get(column) is not None
            ]
            if points:
                lines.append(_line(f"GPU {gpu} {name}", points))
    return lines


def _line(name: str, points: list[tuple[float, float]]) -> Line:
    points.sort()
    kept = [points[i] for i in decimated_indices(len(points))]
    return Line(name, tuple(t for t, _ in kept), tuple(value for _, value in kept))


def _span(phase: Mapping[str, Any], origin_ns: int) -> PhaseSpan:
    begin, end = int(phase["begin_ns"]) - origin_ns, int(phase["end_ns"]) - origin_ns
    return PhaseSpan(str(phase["phase"]), begin / 1e9, end / 1e9)
