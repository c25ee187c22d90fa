"""Samples/s of a job on a machine, alone or with others of its kind beside it."""

from __future__ import annotations

from harness.analysis.capacity.choosing import choose
from harness.analysis.capacity.machines import Machine
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.prediction import (
    CONFIDENCE,
    Basis,
    Prediction,
    inverse,
    product,
    refused,
    share,
)
from harness.analysis.capacity.questions import Job

SHARED, SPLIT = "shared", "split"
NOT_MEASURED = "no job ran with another beside it on {} cores: dlgauge run colocation measures it"


def rate_of(
    models: CapacityModels, job: Job, machine: Machine, workers: float | None = None, confidence: float = CONFIDENCE
) -> Prediction:
    """Samples/s of the job alone on a machine, or on so many workers of it."""
    model = choose(models.throughput, "samples_per_s", job, machine)
    if isinstance(model, str):
        return refused("samples_per_s", "1/s", [model])
    return model.predict(job.batch_size, float(workers or machine.workers), confidence)


def slowdown_of(
    models: CapacityModels, job: Job, machine: Machine, jobs: int, cores: str, confidence: float = CONFIDENCE
) -> Prediction:
    """How many times slower each of `jobs` is than the same job alone on the same CPUs."""
    if jobs == 1:
        return Prediction("slowdown", "1", 1.0, 1.0, 1.0, confidence, Basis.MEASURED)
    ways = [one for one in models.interference if one.cores_shared == (cores == SHARED)]
    if not ways:
        return refused("slowdown", "1", [NOT_MEASURED.format(cores)])
    model = choose(ways, "slowdown", job, machine)
    return refused("slowdown", "1", [model]) if isinstance(model, str) else model.predict(jobs, confidence)


def workers_of_each(machine: Machine, jobs: int, cores: str) -> int:
    """CPUs that compute for each of `jobs`; 0 where there are more jobs than CPUs to split."""
    return machine.workers if cores == SHARED else min(machine.workers, machine.cpus // jobs)


def rate_beside(
    models: CapacityModels, job: Job, machine: Machine, jobs: int, cores: str, confidence: float = CONFIDENCE
) -> Prediction:
    """Samples/s of each of `jobs`: alone on its CPUs, divided by the slowdown (both with Bonferroni's share)."""
    workers = workers_of_each(machine, jobs, cores)
    if workers == 0:
        return refused("samples_per_s", "1/s", [f"{jobs} jobs on {machine.cpus} CPUs to split"])
    if jobs == 1:
        return rate_of(models, job, machine, workers, confidence)
    each = share(confidence, 2)
    alone = rate_of(models, job, machine, workers, each)
    slowdown = slowdown_of(models, job, machine, jobs, cores, each)
    return product("samples_per_s", "1/s", [alone, inverse("speed", "1", slowdown)], confidence=confidence)
