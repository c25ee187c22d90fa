"""The numbers of a trial, from its files: each a value as measured, unrounded, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from frameworks.worker.protocol import DATA_NS_UNKNOWN
from harness.records.foreign import ForeignLoad
from harness.records.job import Job
from harness.records.overlap import overlap_fraction, overlap_samples_per_s
from harness.records.phases import of_kind
from harness.records.quality import summary_of_quality
from harness.records.reading import integer, number
from harness.records.summary_keys import CONFIDENCE_KEYS, SUMMARY_KEYS
from harness.records.validation import VALIDATION_KEYS, best_validation

LAST_STEPS = 50
FEWEST_STEPS_FOR_P95 = 20
WINDOW_NS = 1_000_000_000
SHORTEST_FOREIGN_S = 1.0
"""The host counts in ticks of 10 ms; over less than this their grain would be the result."""


@dataclass(frozen=True)
class NotMeasured:
    """There is no value, and why."""

    reason: str


Value = float | int | NotMeasured


@dataclass(frozen=True)
class Summary:
    """The numbers of a trial.

    Attributes:
        values: every key of `SUMMARY_KEYS`; None where not measured.
        not_measured: key -> reason, for exactly the keys that are None.
        sources: what a number was read from, where there is more than one possibility.
    """

    values: dict[str, float | int | None]
    not_measured: dict[str, str]
    sources: dict[str, str]


def summarise(job: Job, not_measured: dict[str, str]) -> Summary:
    """Compute every key of `SUMMARY_KEYS`.

    Args:
        job: the trial.
        not_measured: key -> reason, from whoever ran the trial; for these keys its word counts.
    """
    found: dict[str, Value] = {}
    for group in (_times, _steps, _quality, _validation, _processor, _memory_and_disk, _others, _overlap, _sampling):
        found.update(group(job))
    values: dict[str, float | int | None] = {}
    reasons: dict[str, str] = {}
    for key in SUMMARY_KEYS:
        value: Value = NotMeasured(not_measured[key]) if key in not_measured else found[key]
        if isinstance(value, NotMeasured):
            values[key], reasons[key] = None, value.reason
        else:
            values[key] = value
    return Summary(values, reasons, job.sources)


def _times(job: Job) -> Iterator[tuple[str, Value]]:
    no_phase = "the worker wrote no phase mark"
    yield "training_time_s", job.training_ns / 1e9 if job.train else NotMeasured(_absent(job, "train"))
    tests = job.test_phases
    yield "test_time_s", tests[-1].duration_s if tests else NotMeasured("no evaluation was finished")
    for name in ("import", "prepare", "build", "warm_up"):
        yield f"{name}_time_s", _phase_time(job, name)
    yield "first_step_s", _first_step(job)
    inside_ns = sum(phase.end_ns - phase.begin_ns for phase in job.phases)
    yield "overhead_s", (job.t_end_ns - job.t_begin_ns - inside_ns) / 1e9 if job.phases else NotMeasured(no_phase)


def _absent(job: Job, name: str) -> str:
    if not job.phases:
        return "the worker wrote no phase mark"
    return f"the worker had no {name} phase; its last was {job.phases[-1].phase}"


def _phase_time(job: Job, name: str) -> Value:
    phases = of_kind(job.phases, name)
    if not phases:
        return NotMeasured(_absent(job, name))
    if not phases[-1].finished:
        return NotMeasured(f"the worker ended inside the {name} phase")
    waited_ns = sum(integer(event.get("waited_ns")) or 0 for event in job.files.events if event["event"] == "start")
    return sum(phase.duration_s for phase in phases) - (waited_ns / 1e9 if name == "warm_up" else 0.0)


def _first_step(job: Job) -> Value:
    for event in job.files.events:
        duration_ns = integer(event.get("duration_ns"))
        if event["event"] == "first_step" and duration_ns is not None:
            return duration_ns / 1e9
    return NotMeasured("the worker reported no first step")


def _steps(job: Job) -> Iterator[tuple[str, Value]]:
    import numpy as np

    yield "steps_done", _steps_done(job)
    times_ns = job.step_times_ns
    if not len(times_ns):
        reason = _absent(job, "train") if not job.train else "no step of a train phase was recorded"
        for key in (
            "samples_per_s",
            "achieved_flops_per_s",
            "step_time_median_s",
            "step_time_p95_s",
            "data_time_fraction",
        ):
            yield key, NotMeasured(reason)
        return
    samples_per_s = _samples_per_s(job)
    yield "samples_per_s", samples_per_s
    yield "achieved_flops_per_s", _achieved_flops_per_s(job, samples_per_s)
    yield "step_time_median_s", float(np.median(times_ns)) / 1e9
    few = NotMeasured(f"{len(times_ns)} steps in train phases; a 95th percentile takes {FEWEST_STEPS_FOR_P95}")
    yield "step_time_p95_s", few if len(times_ns) < FEWEST_STEPS_FOR_P95 else float(np.percentile(times_ns, 95)) / 1e9
    yield "data_time_fraction", _data_time_fraction(job, int(times_ns.sum()))


def _achieved_flops_per_s(job: Job, samples_per_s: Value) -> Value:
    if isinstance(samples_per_s, NotMeasured):
        return samples_per_s
    if job.training_flops is None:
        return NotMeasured("the specification has no network whose work could be counted")
    return samples_per_s * job.training_flops


def _data_time_fraction(job: Job, total_ns: int) -> Value:
    parts = [job.files.steps["data_ns"][first:stop] for _, first, stop in job.train_steps]
    if any((part == DATA_NS_UNKNOWN).any() for part in parts):
        return NotMeasured("the framework gathers mini-batches inside its compiled step")
    data_ns = sum(int(part.sum()) for part in parts)
    return data_ns / total_ns if total_ns else NotMeasured("the steps took no time")


def _steps_done(job: Job) -> Value:
    """The highest count any channel of the worker tells: a killed worker loses the steps not yet flushed."""
    told = [integer(e.get("steps" if e["event"] == "done" else "step")) for e in job.files.events]
    counts = [count for count in told if count is not None] + [len(job.files.steps["step"])]
    if not job.files.events and not len(job.files.steps["step"]):
        return NotMeasured("the worker wrote neither events nor steps")
    return max(counts)


def _samples_per_s(job: Job) -> Value:
    if job.batch_size is None:
        return NotMeasured("the specification has no batch size")
    steps, time_ns = 0, 0
    for phase, first, stop in job.train_steps:
        steps += stop - first
        # A worker that died lost its unflushed steps: time after the last recorded one has no steps to show for it.
        if phase.finished:
            time_ns += phase.end_ns - phase.begin_ns
        elif stop > first:
            time_ns += int(job.files.steps["t_end_ns"][stop - 1]) - phase.begin_ns
    return steps * job.batch_size / (time_ns / 1e9) if time_ns else NotMeasured("the train phases took no time")


def _quality(job: Job) -> Iterator[tuple[str, Value]]:
    evaluation = job.test_evaluation
    for key, name, factor in (
        ("top1_percent", "top1", 100.0),
        ("top5_percent", "top5", 100.0),
        ("test_loss", "loss", 1.0),
    ):
        if evaluation is None:
            yield key, NotMeasured("no evaluation on the test split")
        else:
            yield key, _finite(number(evaluation.get(name)), factor, f"the evaluation at step {evaluation.get('step')}")
    for key in CONFIDENCE_KEYS:
        yield key, NotMeasured("no evaluation on the test split") if evaluation is None else _scored(evaluation, key)
    losses = job.files.steps["loss"][-LAST_STEPS:]
    if not len(losses):
        yield "final_training_loss", NotMeasured("no step was recorded")
    else:
        yield "final_training_loss", _finite(float(losses.mean()), 1.0, f"the loss of the last {len(losses)} steps")


def _scored(evaluation: dict[str, Any], key: str) -> Value:
    """A number of an evaluation, or the reason that the worker gave for its absence."""
    value, told = number(evaluation.get(key)), evaluation.get("not_measured")
    if value is None and isinstance(told, dict) and key in told:
        return NotMeasured(f"at step {evaluation.get('step')}: {told[key]}")
    return _finite(value, 1.0, f"the evaluation at step {evaluation.get('step')}")


def _validation(job: Job) -> Iterator[tuple[str, Value]]:
    found = best_validation(job.evaluations, job.setting)
    yield from zip(VALIDATION_KEYS, (NotMeasured(one) if isinstance(one, str) else one for one in found), strict=True)


def _finite(value: float | None, factor: float, what: str) -> Value:
    if value is None:
        return NotMeasured(f"{what} has no value")
    if value - value != 0:
        return NotMeasured(f"{what} is not finite ({value})")
    return value * factor


def _processor(job: Job) -> Iterator[tuple[str, Value]]:
    yield "cpu_seconds", _cpu_seconds(job)
    training = _training_cpu_seconds(job)
    yield "training_cpu_seconds", training
    if isinstance(training, NotMeasured):
        yield "cores_used_mean", training
    else:
        training_s = job.training_ns / 1e9
        yield "cores_used_mean", training / training_s if training_s else NotMeasured("the train phases took no time")
    yield "cores_used_max", _cores_used_max(job)


def _cpu_seconds(job: Job) -> Value:
    if job.cpu is not None:
        job.sources["cpu_seconds"] = str(job.cpu_source)
        return job.cpu.total / 1e9
    if job.reaped_cpu_s is not None:
        job.sources["cpu_seconds"] = "launcher"
        return job.reaped_cpu_s
    return NotMeasured(_no_counter(job, "tree_cpu_ns"))


def _no_counter(job: Job, column: str) -> str:
    if job.files.samples is None:
        return job.no_samples
    return job.files.sampler_reasons.get(column, f"no sample holds a value of {column}")


def _training_cpu_seconds(job: Job) -> Value:
    if not job.train:
        return NotMeasured(_absent(job, "train"))
    if job.phase_cpu is None:
        return NotMeasured(_no_counter(job, "tree_cpu_ns"))
    parts = [phase.cpu_seconds for phase in job.train if phase.cpu_seconds is not None]
    if len(parts) < len(job.train):
        return NotMeasured("a train phase has no sample near its edge")
    return sum(parts)


def _cores_used_max(job: Job) -> Value:
    if not job.train:
        return NotMeasured(_absent(job, "train"))
    if job.cpu is None:
        return NotMeasured(_no_counter(job, "tree_cpu_ns"))
    measured = [phase for phase in job.train if phase.cpu_seconds is not None]
    if not measured:
        return NotMeasured("a train phase has no sample near its edge")
    rates = [job.cpu.highest_rate(phase.begin_ns, phase.end_ns, WINDOW_NS) for phase in measured]
    found = [rate for rate in rates if rate is not None]
    return max(found) if found else NotMeasured("no train phase lasted 1 s, the window of this number")


def _memory_and_disk(job: Job) -> Iterator[tuple[str, Value]]:
    cgroup, resident = _highest(job, "cgroup_memory_peak_bytes"), _peak_resident(job)
    if cgroup is not None:
        job.sources["peak_memory_bytes"] = "cgroup"
    elif resident is not None:
        job.sources["peak_memory_bytes"] = "largest_process_vmhwm"
    missing = NotMeasured(_no_counter(job, "tree_resident_peak_bytes"))
    peak = cgroup if cgroup is not None else resident
    yield "peak_memory_bytes", missing if peak is None else peak
    yield "peak_resident_bytes", missing if resident is None else resident
    for key, column in (("disk_read_bytes", "tree_read_bytes"), ("disk_write_bytes", "tree_write_bytes")):
        counter = job.counter(column)
        yield key, NotMeasured(_no_counter(job, column)) if counter is None else int(counter.total)


def _highest(job: Job, column: str) -> int | None:
    values = [value for value in (job.files.samples or {}).get(column, ()) if value is not None]
    return max(values) if values else None


def _peak_resident(job: Job) -> int | None:
    processes = job.files.processes or {}
    rows = zip(processes.get("resident_peak_bytes", ()), processes.get("role", ()), strict=False)
    of_processes = [value for value, role in rows if value is not None and role != "launcher"]
    of_samples = _highest(job, "tree_resident_peak_bytes")
    return max([*of_processes, *([] if of_samples is None else [of_samples])], default=None)


def _others(job: Job) -> Iterator[tuple[str, Value]]:
    yield "foreign_cores_mean", _foreign_cores(job)
    yield "sampler_cpu_seconds", _sampler_cpu_seconds(job)


def _overlap(job: Job) -> Iterator[tuple[str, Value]]:
    for key, found in (
        ("overlap_fraction", overlap_fraction(job)),
        ("overlap_samples_per_s", overlap_samples_per_s(job)),
    ):
        yield key, NotMeasured(found) if isinstance(found, str) else found


def _sampling(job: Job) -> Iterator[tuple[str, Value]]:
    for key, value in summary_of_quality(job.sampling).items():
        yield key, NotMeasured(value) if isinstance(value, str) else value


def _sampler_cpu_seconds(job: Job) -> Value:
    """By the sampler's report, written at its very end; of a sampler that died, by its last sample."""
    reported = number(job.files.sampler_report.get("sampler_cpu_seconds"))
    if reported is not None:
        return reported
    sampled_ns = _highest(job, "sampler_cpu_ns")
    return NotMeasured(_no_counter(job, "sampler_cpu_ns")) if sampled_ns is None else sampled_ns / 1e9


def _foreign_cores(job: Job) -> Value:
    if not job.train:
        return NotMeasured(_absent(job, "train"))
    if job.cpu is None:
        return NotMeasured(_no_counter(job, "tree_cpu_ns"))
    training_s = job.training_ns / 1e9
    if training_s < SHORTEST_FOREIGN_S:
        return NotMeasured(
            f"training lasted {training_s:.3g} s; the host's ticks of 10 ms take {SHORTEST_FOREIGN_S:g} s"
        )
    if any(phase.cpu_seconds is None for phase in job.train):
        return NotMeasured("a train phase has no sample near its edge")
    if any(None in one.own_counters for one in job.neighbours) or len(job.all_jobs) < job.jobs_planned:
        return NotMeasured("the CPU time of a job beside it was not sampled")
    foreign = ForeignLoad.of(job)
    if foreign is None:
        return NotMeasured(_no_counter(job, "host_user_ticks"))
    return sum(foreign.cpu_s(phase.begin_ns, phase.end_ns) for phase in job.train) / training_s
