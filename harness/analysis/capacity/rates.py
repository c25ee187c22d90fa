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


def rate_of(models: CapacityModels, job: Job, machine: Machine, confidence: float = CONFIDENCE) -> Prediction:
    """Samples/s of the job alone on a machine."""
    model = choose(models.throughput, "samples_per_s", job, machine)
    if isinstance(model, str):
        return refused("samples_per_s", "1/s", [model])
    return model.predict(job.batch_size, float(machine.workers), confidence)


def slowdown_of(
    models: CapacityModels, job: Job, machine: Machine, jobs: int, cores: str, confidence: float = CONFIDENCE
) -> Prediction:
    """How many times slower each of `jobs` is than the same job alone on the whole machine."""
    if jobs == 1:
        return Prediction("slowdown", "1", 1.0, 1.0, 1.0, confidence, Basis.MEASURED)
    if cores == SPLIT and machine.cpus % jobs:
        return refused("slowdown", "1", [f"{machine.cpus} CPUs cannot be split evenly among {jobs} jobs"])
    ways = [one for one in models.interference if one.cores_shared == (cores == SHARED)]
    if not ways:
        return refused("slowdown", "1", [NOT_MEASURED.format(cores)])
    same = [one for one in ways if one.cpus == machine.cpus]
    if not same:
        known = ", ".join(str(cpus) for cpus in sorted({one.cpus for one in ways}))
        return refused("slowdown", "1", [f"jobs side by side were measured on {known} CPUs, not {machine.cpus}"])
    model = choose(same, "slowdown", job, machine)
    if isinstance(model, str):
        return refused("slowdown", "1", [model])
    return model.predict(jobs, job.batch_size, confidence)


def rate_beside(
    models: CapacityModels, job: Job, machine: Machine, jobs: int, cores: str, confidence: float = CONFIDENCE
) -> Prediction:
    """Samples/s of each of `jobs`: those of one alone divided by the slowdown (both with Bonferroni's share)."""
    if jobs == 1:
        return rate_of(models, job, machine, confidence)
    each = share(confidence, 2)
    slowdown = slowdown_of(models, job, machine, jobs, cores, each)
    factors = [rate_of(models, job, machine, each), inverse("speed", "1", slowdown)]
    return product("samples_per_s", "1/s", factors, confidence=confidence)
