"""What disturbed a trial: the gates of a quiet measurement, each with what was found and its limit.

A disturbed trial is flagged, never left out: its numbers stand, with the cause beside them. Where a signal could not be
read there is no finding, and `not_measured` tells of the column.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.records.counters import CounterSeries, series
from harness.records.foreign import ForeignLoad
from harness.records.gpus import rows_of_trial
from harness.records.quality import FEWEST_FOR_GAUGE

if TYPE_CHECKING:
    from harness.records.job import Job

FOREIGN_MEAN_SHARE = 0.05
FOREIGN_WINDOW_SHARE = 0.20
FOREIGN_WINDOW_NS = 5_000_000_000
STEAL_SHARE = 0.01
PRESSURE_SHARE = 0.05
FREQUENCY_VARIATION = 0.03
CLOCK_STEP_S = 0.001
CANARY_CHANGE = 0.03
CANARY_SPREADS = 2.0
"""Where the canary's parts lay far apart the limit is so many times their spread (docs/doctor.md tells why)."""

GPU_HELD_DOWN = 0x08 | 0x20 | 0x40 | 0x80
"""NVML's event reasons: hardware slowdown, thermal (software and hardware), power brake."""

HOST_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")

Finding = dict[str, Any]


def disturbances(job: Job, clock_anchors: Mapping[str, Any], canary: Mapping[str, Any] | None) -> list[Finding]:
    """`disturbances` of the manifest: signals beyond their limits, as `{signal, found, limit, unit}`.

    Args:
        job: the trial.
        clock_anchors: `begin` and `end`, each the same moment on three clocks.
        canary: `before` and `after`, each with the seconds of fixed pieces of work and the spread of their parts; None
            where it was not run.
    """
    found = [*_foreign(job), *_shares(job), *_counts(job), *_gpus(job), *_frequency(job)]
    found += [*_clock(clock_anchors), *_canary(canary)]
    return [finding for finding in found if finding["found"] > finding["limit"]]


def _finding(signal: str, found: float, limit: float, unit: str) -> Finding:
    return {"signal": signal, "found": found, "limit": limit, "unit": unit}


def _foreign(job: Job) -> Iterator[Finding]:
    """Share of the machine's cores that others kept busy during the worker's life."""
    cores, span, foreign = _host_cores(job), job.life, ForeignLoad.of(job)
    if not cores or span is None or foreign is None:
        return
    begin_ns, end_ns = span
    yield _finding("foreign_cpu_mean", foreign.cores(begin_ns, end_ns) / cores, FOREIGN_MEAN_SHARE, "of the cores")
    windows = range(begin_ns, end_ns - FOREIGN_WINDOW_NS + 1, FOREIGN_WINDOW_NS // 2)
    shares = [foreign.cores(start, start + FOREIGN_WINDOW_NS) / cores for start in windows]
    if shares:
        yield _finding("foreign_cpu_5s", max(shares), FOREIGN_WINDOW_SHARE, "of the cores")


def _shares(job: Job) -> Iterator[Finding]:
    """Steal, as a share of all CPU time; and time in which tasks of the job waited for a CPU."""
    span = job.life
    if span is None:
        return
    states = {state: series(job.files.samples, f"host_{state}_ticks") for state in HOST_STATES}
    known = {state: counter.increase(*span) for state, counter in states.items() if counter is not None}
    if len(known) == len(HOST_STATES) and (total := sum(known.values())) > 0:
        yield _finding("steal", known["steal"] / total, STEAL_SHARE, "of CPU time")
    # Jobs that are to share their CPUs wait for each other: that is what is measured (`co_location.cpu_pressure`).
    if job.cpu_pressure is not None and not job.shares_cores:
        yield _finding("cpu_pressure", job.cpu_pressure, PRESSURE_SHARE, "of the time")


def _counts(job: Job) -> Iterator[Finding]:
    """What must not happen at all."""
    for signal, column, of_job in (
        ("throttled_by_quota", "cgroup_throttled_periods", True),
        ("throttled_by_heat", "thermal_throttles", False),
        ("swapped_in", "host_swap_in_pages", False),
        ("swapped_out", "host_swap_out_pages", False),
    ):
        counter = job.counter(column) if of_job else series(job.files.samples, column)
        span = job.life
        if counter is not None and span is not None:
            yield _finding(signal, counter.total if of_job else counter.increase(*span), 0, "times")


def _gpus(job: Job) -> Iterator[Finding]:
    """Samples in which a device of the trial was held down by heat or power; not idle, nor by a limit that was set."""
    rows = rows_of_trial(job.files, ("clocks_event_reasons",))
    reasons = [value for _, _, value in rows if value is not None]
    if reasons:
        yield _finding("gpu_throttled", sum(bool(value & GPU_HELD_DOWN) for value in reasons), 0, "samples")


def _frequency(job: Job) -> Iterator[Finding]:
    """Coefficient of variation of the CPUs' mean frequency within `train` phases."""
    samples = job.files.samples or {}
    columns = (samples.get(name, ()) for name in ("t_start_ns", "cpu_frequency_mean_khz"))
    values = [
        float(khz)
        for t_ns, khz in zip(*columns, strict=False)
        if khz is not None and t_ns is not None and any(p.begin_ns <= t_ns < p.end_ns for p in job.train)
    ]
    if len(values) >= FEWEST_FOR_GAUGE:
        yield _finding("frequency_variation", _variation(values), FREQUENCY_VARIATION, "of its mean")


def _variation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return float(squares**0.5) / mean if mean else 0.0


def _clock(anchors: Mapping[str, Any]) -> Iterator[Finding]:
    """How far calendar time moved against CLOCK_MONOTONIC: a step. The two are pulled alike by NTP, but set apart."""
    begin, end = anchors.get("begin") or {}, anchors.get("end") or {}
    try:
        elapsed = [int(end[clock]) - int(begin[clock]) for clock in ("realtime_ns", "monotonic_ns")]
    except (KeyError, TypeError, ValueError):
        return
    yield _finding("clock_step", abs(elapsed[0] - elapsed[1]) / 1e9, CLOCK_STEP_S, "s")


def _canary(canary: Mapping[str, Any] | None) -> Iterator[Finding]:
    """How far a fixed piece of work took longer or shorter after the trial than before it."""
    before, after = (canary.get(when) for when in ("before", "after")) if canary else (None, None)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return
    for name in sorted(key.removesuffix("_s") for key in before if key.endswith("_s")):
        times_s = _positive(before.get(f"{name}_s"), after.get(f"{name}_s"))
        spread = max(_positive(before.get(f"{name}_spread"), after.get(f"{name}_spread")), default=0.0)
        if len(times_s) == 2:
            limit = max(CANARY_CHANGE, CANARY_SPREADS * spread)
            yield _finding(f"canary_{name}", abs(times_s[1] / times_s[0] - 1.0), limit, "of the time before")


def _positive(*values: object) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool) and v > 0]


def _host_cores(job: Job) -> float | None:
    """Cores of the machine, by what all states of its CPUs add up to."""
    span = job.life
    found = [series(job.files.samples, f"host_{state}_ticks") for state in HOST_STATES]
    counters: list[CounterSeries] = [counter for counter in found if counter is not None]
    if span is None or len(counters) < len(HOST_STATES):
        return None
    ticks = sum(counter.increase(*span) for counter in counters)
    return float(round(ticks / os.sysconf("SC_CLK_TCK") / ((span[1] - span[0]) / 1e9)))
