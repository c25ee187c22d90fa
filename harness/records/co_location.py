"""Part `co_location` of a manifest: what each of several jobs side by side did, and what its neighbours were to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.execution.outcome import JobOutcome, TrialOutcome
from harness.execution.side_by_side import job_folder
from harness.records.overlap import common_windows, length_ns, overlap_fraction, samples_per_s_within
from harness.records.reading import TrialFiles, integer, read_trial_folder
from harness.records.summary import summarise

if TYPE_CHECKING:
    from harness.records.job import Job

JOBS_FOLDER = "jobs"
"""Folder of a record with a record of every job but the first, named by its number."""

Files = tuple[TrialOutcome, TrialFiles]

OF_EACH_JOB = ("training_time_s", "samples_per_s", "cores_used_mean", "peak_memory_bytes")
"""Numbers of the summary that stand beside each other for all jobs."""


def files_of_jobs(outcome: TrialOutcome) -> list[Files]:
    """Every job of a trial as a trial of its own, with its files; the first is the trial itself."""
    found = [(outcome, read_trial_folder(outcome.folder))]
    for job in outcome.jobs[1:]:
        own = of_job(outcome, job)
        found.append((own, read_trial_folder(own.folder)))
    return found


def of_job(outcome: TrialOutcome, job: JobOutcome) -> TrialOutcome:
    """The outcome of one job: the trial's, with what is this job's own."""
    label = f"{outcome.trial.label} · job {job.job} of {len(outcome.jobs)}"
    canary = {key: why for key, why in outcome.not_measured.items() if key == "canary"}
    return replace(
        outcome,
        trial=outcome.trial.model_copy(update={"label": label}),
        folder=job_folder(outcome.folder, job.job),
        termination=job.termination,
        t_worker_ns=job.t_worker_ns,
        t_end_ns=job.t_end_ns or outcome.t_end_ns,
        not_measured={**canary, **job.not_measured},
    )


def co_location_section(outcome: TrialOutcome, job: Job) -> dict[str, Any] | None:
    """`co_location` of a job's manifest; None for a trial of one job.

    Args:
        outcome: the job's, with the ends of all jobs of its trial.
        job: with its neighbours.
    """
    told = outcome.trial.specification.get("co_location")
    if not isinstance(told, Mapping):
        return None
    jobs = job.all_jobs
    starts = [one.train[0].begin_ns for one in jobs if one.train]
    all_began = len(starts) == job.jobs_planned
    windows = common_windows(jobs) if all_began else []
    section: dict[str, Any] = {
        "job": job.number,
        "jobs": job.jobs_planned,
        "cores": told.get("cores"),
        "window_s": length_ns(windows) / 1e9 if all_began else None,
        "start_spread_s": (max(starts) - min(starts)) / 1e9 if all_began else None,
        "neighbour_cores_mean": neighbour_cores(job),
        "cpu_pressure": job.cpu_pressure,
    }
    missing = _reasons(section, job, len(starts))
    if outcome.jobs:
        section["by_job"] = [_of_one(outcome, one, windows) for one in jobs]
    else:
        section["by_job"], missing["by_job"] = [], "no job was started"
    return {**section, "not_measured": missing}


def neighbour_cores(job: Job) -> float | None:
    """Cores that the other jobs and their samplers kept busy during this job's `train` phases; None where not known."""
    counters = [counter for one in job.neighbours for counter in one.own_counters if counter is not None]
    if not job.training_ns or not job.neighbours or len(counters) < 2 * len(job.neighbours):
        return None
    used_ns = sum(counter.increase(phase.begin_ns, phase.end_ns) for phase in job.train for counter in counters)
    return used_ns / job.training_ns


def _reasons(section: Mapping[str, Any], job: Job, started: int) -> dict[str, str]:
    began = f"{started} of {job.jobs_planned} jobs began to train"
    reasons = {key: began for key in ("window_s", "start_spread_s") if section[key] is None}
    if section["neighbour_cores_mean"] is None:
        what = "the CPU time of a job beside it was not sampled" if job.training_ns else "it had no train phase"
        reasons["neighbour_cores_mean"] = what if job.neighbours else "no other job left anything behind"
    if section["cpu_pressure"] is None:
        reasons["cpu_pressure"] = "no pressure of a cgroup of its own was sampled, or the worker lived less than 1 s"
    return reasons


def _of_one(outcome: TrialOutcome, job: Job, windows: list[tuple[int, int]]) -> dict[str, Any]:
    """The numbers of one job; a number that is null has its reason beside it."""
    end = next(one for one in outcome.jobs if one.job == job.number)
    summary = summarise(job, dict(end.not_measured))
    values: dict[str, Any] = {key: summary.values[key] for key in OF_EACH_JOB}
    reasons = {key: why for key, why in summary.not_measured.items() if key in OF_EACH_JOB}
    for key, found in (
        ("overlap_fraction", overlap_fraction(job)),
        ("overlap_samples_per_s", samples_per_s_within(job, windows)),
        ("waited_s", waited_s(job)),
    ):
        values[key] = None if isinstance(found, str) else found
        if isinstance(found, str):
            reasons[key] = found
    termination = {"kind": str(end.termination.kind), "reason": end.termination.reason}
    folder = None if job.number == 1 else f"{JOBS_FOLDER}/{job.number}"
    placed = {"job": job.number, "folder": folder, "cpus": list(end.cpus), "termination": termination}
    return {**placed, **values, "not_measured": reasons}


def waited_s(job: Job) -> float | str:
    """How long the job, warmed up, waited for the others; or why that is not known."""
    for event in job.files.events:
        waited_ns = integer(event.get("waited_ns"))
        if event["event"] == "start" and waited_ns is not None:
            return waited_ns / 1e9
    return "the jobs were never all ready to train"


def planned(specification: Mapping[str, Any]) -> tuple[int, bool]:
    """How many jobs a trial was to run side by side, and whether on the same CPUs."""
    told = specification.get("co_location")
    if not isinstance(told, Mapping):
        return 1, False
    return integer(told.get("jobs")) or 1, told.get("cores") == "shared"
