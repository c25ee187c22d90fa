"""What jobs side by side did while all of them trained: the common windows, and the steps within them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records.job import Job

Window = tuple[int, int]
"""Begin and end on CLOCK_MONOTONIC, in ns."""

ALONE = "the trial is one job, with no other beside it"
"""Why a trial of one job has no overlap."""


def train_windows(job: Job) -> list[Window]:
    """The `train` phases of a job, in order."""
    return [(phase.begin_ns, phase.end_ns) for phase in job.train]


def common_windows(jobs: Sequence[Job]) -> list[Window]:
    """The stretches in which every one of the jobs was in a `train` phase, in order."""
    common = train_windows(jobs[0])
    for job in jobs[1:]:
        common = _intersection(common, train_windows(job))
    return common


def _intersection(one: Iterable[Window], other: Sequence[Window]) -> list[Window]:
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other)
    return sorted((begin, end) for begin, end in pairs if begin < end)


def length_ns(windows: Iterable[Window]) -> int:
    """The windows' lengths added up."""
    return sum(end - begin for begin, end in windows)


def steps_within(job: Job, windows: Sequence[Window]) -> float:
    """Training steps that a job did within windows of its `train` phases.

    A step that reaches over the edge of a window counts with the share of its time that lies inside.
    """
    import numpy as np

    total = 0.0
    ends_ns = job.files.steps["t_end_ns"]
    for phase, first, stop in job.train_steps:
        if stop == first:
            continue
        edges = np.concatenate([[0], ends_ns[first:stop] - phase.begin_ns]).astype(np.float64)
        counts = np.arange(stop - first + 1, dtype=np.float64)
        for begin_ns, end_ns in windows:
            inside = np.interp([begin_ns - phase.begin_ns, end_ns - phase.begin_ns], edges, counts)
            total += float(inside[1] - inside[0])
    return total


def samples_per_s_within(job: Job, windows: Sequence[Window]) -> float | str:
    """Training images a second that a job got through within windows, or why there is no such number."""
    if job.batch_size is None:
        return "the specification has no batch size"
    time_ns = length_ns(windows)
    if not time_ns:
        return "the jobs never trained at the same time"
    return steps_within(job, windows) * job.batch_size / (time_ns / 1e9)


def overlap_fraction(job: Job) -> float | str:
    """Part of the job's training time in which all jobs of the trial trained, or why there is no such number."""
    if why := _no_overlap(job):
        return why
    return length_ns(common_windows(job.all_jobs)) / job.training_ns


def overlap_samples_per_s(job: Job) -> float | str:
    """Mean over the jobs of what each got through while all of them trained, or why there is no such number."""
    if why := _no_overlap(job):
        return why
    windows = common_windows(job.all_jobs)
    found = [samples_per_s_within(one, windows) for one in job.all_jobs]
    numbers = [one for one in found if not isinstance(one, str)]
    if len(numbers) < len(found):
        return next(one for one in found if isinstance(one, str))
    return sum(numbers) / len(numbers)


def _no_overlap(job: Job) -> str | None:
    if job.jobs_planned < 2:
        return ALONE
    if len(job.all_jobs) < job.jobs_planned:
        return f"{len(job.all_jobs)} of {job.jobs_planned} jobs left anything behind"
    for one in job.all_jobs:
        if not one.training_ns:
            return f"job {one.number} had no train phase"
    return None
