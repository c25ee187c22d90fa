"""How well a trial was sampled: rate, coverage, lateness, skipped deadlines, audit, the sampler's own cost.

The sampler says the same of itself in its report, as far as it lived to write one; the record's figures are made from
the samples that are really there, and are the ones that count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.records.counters import sample_time_ns
from harness.records.gpus import energy_checks
from harness.records.reading import number
from harness.sampling.audit import audit

if TYPE_CHECKING:
    from harness.records.job import Job

FEWEST_FOR_P50 = 5
"""Ticks that a rate and a median lateness take."""
FEWEST_FOR_P99 = 100
"""Ticks that a 99th percentile takes: of fewer it would be the largest by another name."""
FEWEST_FOR_GAUGE = 5
"""Samples that a statistic of a gauge takes."""

LOWEST_COVERAGE = 0.95
MOST_SKIPPED = 0.001

TOO_FEW_FOR_P50 = f"fewer than {FEWEST_FOR_P50} ticks were sampled"
TOO_FEW_FOR_P99 = f"fewer than {FEWEST_FOR_P99} ticks were sampled"
ONE_ACCOUNT = "fewer than two accounts of the job's CPU time"

SUMMARY_OF_QUALITY = {
    "sampling_rate_hz": ("achieved_rate_hz", 1.0),
    "sampling_coverage": ("coverage", 1.0),
    "lateness_p50_s": ("lateness_p50_ns", 1e-9),
    "lateness_p99_s": ("lateness_p99_ns", 1e-9),
    "ticks_skipped": ("ticks_skipped", 1),
    "cpu_disagreement_fraction": ("cpu_disagreement_fraction", 1.0),
}
"""Summary key -> key of `sampling` in the manifest, and what a value is multiplied with."""

_OURS = ("cpu_audit_failed", "ticks_skipped")
"""Flags of the sampler's report that the record decides itself."""


def sampling_quality(job: Job) -> dict[str, Any]:
    """`sampling` of the manifest; what could not be said is null, with the reason in its `not_measured`."""
    samples = job.files.samples or {}
    ticks = _ticks(samples)
    late = sorted(start_ns - planned_ns for planned_ns, start_ns in ticks)
    skipped = [value for value in samples.get("ticks_skipped", ()) if value is not None]
    cpu_audit = _audit(job)
    found: dict[str, float | int | str | None] = {
        "achieved_rate_hz": _rate_hz([start_ns for _, start_ns in ticks]),
        "coverage": _coverage(job, samples),
        "lateness_p50_ns": quantile(late, 0.5) if len(late) >= FEWEST_FOR_P50 else TOO_FEW_FOR_P50,
        "lateness_p99_ns": quantile(late, 0.99) if len(late) >= FEWEST_FOR_P99 else TOO_FEW_FOR_P99,
        "lateness_max_ns": late[-1] if late else TOO_FEW_FOR_P50,
        "ticks_skipped": max(skipped) if skipped else "no sample tells it",
        "cpu_disagreement_fraction": _number_or(cpu_audit.get("disagreement_fraction"), ONE_ACCOUNT),
        "sampler_cpu_seconds": _own_cpu_s(samples),
        "sampler_cores": _own_cores(samples),
    }
    if not samples:
        found.update({key: job.no_samples for key, value in found.items() if isinstance(value, str)})
    quality = {
        "period_ns": _period_ns(job),
        "samples": len(samples.get("seq", ())),
        "ticks": len(ticks),
        **{key: None if isinstance(value, str) else value for key, value in found.items()},
        "audit": cpu_audit,
        "gpu_energy_check": energy_checks(job.files),
        "not_measured": {key: value for key, value in found.items() if isinstance(value, str)},
        "report": job.files.sampler_report,
    }
    return {**quality, "flags": quality_flags(quality)}


def quality_flags(quality: Mapping[str, Any]) -> list[str]:
    """What is wrong with the sampling of a trial, as words: of `sampling` of a manifest, also of an older one.

    Words: `no_samples`, `low_coverage`, `ticks_skipped`, `cpu_audit_failed`, `gpu_energy_check_failed`,
    `no_sampler_report`, and those of the sampler's own report: `errors`, `records_dropped`, `ended_by_...`.
    """
    if not quality.get("samples"):
        return ["no_samples"]
    found = []
    coverage, skipped = quality.get("coverage"), quality.get("ticks_skipped") or 0
    if coverage is not None and coverage < LOWEST_COVERAGE:
        found.append("low_coverage")
    if skipped > MOST_SKIPPED * (skipped + (quality.get("ticks") or quality["samples"])):
        found.append("ticks_skipped")
    if (quality.get("audit") or {}).get("flag") is True:
        found.append("cpu_audit_failed")
    checks = quality.get("gpu_energy_check")
    if isinstance(checks, list) and any(isinstance(one, Mapping) and one.get("flag") is True for one in checks):
        found.append("gpu_energy_check_failed")
    report = quality.get("report")
    if isinstance(report, Mapping):
        if not report:
            found.append("no_sampler_report")
        told = report.get("flags")
        found += [str(flag) for flag in told if flag not in _OURS] if isinstance(told, list) else []
    return found


def summary_of_quality(quality: Mapping[str, Any]) -> dict[str, float | int | str]:
    """The summary keys of `SUMMARY_OF_QUALITY`: the value, or the reason why there is none."""
    reasons = quality["not_measured"]
    return {
        key: reasons[name] if quality[name] is None else quality[name] * factor
        for key, (name, factor) in SUMMARY_OF_QUALITY.items()
    }


def quantile(ordered: Sequence[int], fraction: float) -> int:
    """The smallest value that at least this fraction of the values does not exceed."""
    return ordered[math.ceil(fraction * len(ordered)) - 1]


def _ticks(samples: Mapping[str, Sequence[Any]]) -> list[tuple[int, int]]:
    """(planned, begun) of every sample that a deadline asked for."""
    columns = (samples.get(name, ()) for name in ("trigger", "t_planned_ns", "t_start_ns"))
    return [
        (planned, start)
        for trigger, planned, start in zip(*columns, strict=False)
        if trigger == "tick" and planned is not None and start is not None
    ]


def _rate_hz(starts_ns: Sequence[int]) -> float | str:
    """Ticks per second from the first to the last of them."""
    if len(starts_ns) < FEWEST_FOR_P50 or starts_ns[-1] <= starts_ns[0]:
        return TOO_FEW_FOR_P50
    return (len(starts_ns) - 1) / ((starts_ns[-1] - starts_ns[0]) / 1e9)


def _coverage(job: Job, samples: Mapping[str, Sequence[Any]]) -> float | str:
    """The part of the worker's time that is no further than a period from the sample before it.

    From the request of the worker to its end: a sampler that died leaves all that came after it uncovered.
    """
    if not samples:
        return job.no_samples
    period_ns = _period_ns(job)
    begin_ns, end_ns = job.t_worker_ns, job.worker_end_ns
    if begin_ns is None or end_ns <= begin_ns:
        return "no worker was started"
    if not period_ns:
        return "the sampler's period is not known"
    inside = [t for t in samples.get("t_start_ns", ()) if t is not None and begin_ns < t < end_ns]
    edges = [begin_ns, *inside, end_ns]
    uncovered = sum(max(0, after - before - period_ns) for before, after in zip(edges, edges[1:], strict=False))
    return 1.0 - uncovered / (end_ns - begin_ns)


def _period_ns(job: Job) -> int | None:
    """As configured, else as the sampler reported it, else the distance of two deadlines."""
    for told in (job.files.sampler_settings, job.files.sampler_report):
        if isinstance(period_ns := told.get("period_ns"), int) and period_ns > 0:
            return period_ns
    planned = [planned for planned, _ in _ticks(job.files.samples or {})]
    return min((b - a for a, b in zip(planned, planned[1:], strict=False) if b > a), default=None)


def _own_cpu_s(samples: Mapping[str, Sequence[Any]]) -> float | str:
    own_ns = [value for value in samples.get("sampler_cpu_ns", ()) if value is not None]
    return max(own_ns) / 1e9 if own_ns else "no sample tells it"


def _own_cores(samples: Mapping[str, Sequence[Any]]) -> float | str:
    """The sampler's own CPU time per time from its first sample to its last: its start-up is not in it."""
    columns = (samples.get(name, ()) for name in ("t_start_ns", "sampler_cpu_ns"))
    points = [(t, own) for t, own in zip(*columns, strict=False) if t is not None and own is not None]
    if len(points) < FEWEST_FOR_GAUGE or points[-1][0] <= points[0][0]:
        return f"fewer than {FEWEST_FOR_GAUGE} samples tell it"
    return float(points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0])


def _audit(job: Job) -> dict[str, object]:
    """CPU seconds of the job by every account there is: they should agree."""
    by_samples = [job.counter(f"{name}_cpu_ns") for name in ("cgroup", "tree")]
    cgroup_s, tree_s = (None if counter is None else counter.total / 1e9 for counter in by_samples)
    return audit(cgroup_s, tree_s, job.reaped_cpu_s, job.launcher_cpu_s or 0.0, _unified_cpu_s(job))


def _unified_cpu_s(job: Job) -> float | None:
    """The cgroup's second account, by the sampler's report; None on a machine without one.

    It counts from the moment the target was named; what the cgroup had counted until then is added to it.
    """
    told = job.files.sampler_report.get("audit")
    unified_s = number(told.get("unified_cpu_s")) if isinstance(told, Mapping) else None
    cgroup, samples = job.counter("cgroup_cpu_ns"), job.files.samples or {}
    named = [index for index, trigger in enumerate(samples.get("trigger", ())) if trigger == "target"]
    t_ns = sample_time_ns(samples, named[-1]) if named else None
    if unified_s is None or cgroup is None or t_ns is None:
        return None
    return unified_s + cgroup.at(t_ns) / 1e9


def _number_or(value: Any, reason: str) -> float | str:
    return float(value) if isinstance(value, int | float) else reason
