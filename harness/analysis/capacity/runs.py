"""What one run of a job on a machine takes: memory, samples/s, time, money."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.analysis.capacity.choosing import choose, counts_of
from harness.analysis.capacity.lengths import SETTINGS, given_steps, start_up, steps_to_accuracy
from harness.analysis.capacity.machines import Machine
from harness.analysis.capacity.memory import MemoryNeed
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.prediction import (
    CONFIDENCE,
    Prediction,
    inverse,
    product,
    refused,
    share,
    total,
)
from harness.analysis.capacity.questions import Job
from harness.analysis.capacity.rates import SHARED, rate_beside


class Verdict(StrEnum):
    """Answer to a question of yes or no about a predicted quantity and a limit."""

    YES = "yes"
    NO = "no"
    CANNOT_BE_TOLD = "cannot be told"


@dataclass(frozen=True)
class Run:
    """One run of a job on a machine.

    Attributes:
        memory: peak, in bytes.
        samples_per_s: of training.
        start_up: seconds before the first step of training.
        steps: of training.
        time: seconds from the start of the worker to the last step of training; evaluations are not in it.
        cost: the time at the machine's price, in the currency of `price_per_hour`.
    """

    job: Job
    machine: Machine
    memory: Prediction
    samples_per_s: Prediction
    start_up: Prediction
    steps: Prediction
    time: Prediction
    cost: Prediction

    @property
    def fits(self) -> Verdict | None:
        """Whether its memory is within the machine's; None where the machine has no limit."""
        limit = self.machine.memory_bytes
        return None if limit is None else at_most(self.memory, float(limit))


def at_most(one: Prediction, limit: float) -> Verdict:
    """Whether a quantity is at most `limit`: decided where its whole interval lies on one side."""
    if one.low is not None and one.low > limit:
        return Verdict.NO
    return Verdict.YES if one.high is not None and one.high <= limit else Verdict.CANNOT_BE_TOLD


def memory_of(
    models: CapacityModels, job: Job, machine: Machine, relative_to: Path | None = None, confidence: float = CONFIDENCE
) -> Prediction:
    """Peak memory of the job on a machine."""
    model = choose(models.memory, "peak_memory_bytes", job, machine)
    if isinstance(model, str):
        return refused("peak_memory_bytes", "bytes", [model])
    counts = counts_of(job, models.observations.frame, relative_to)
    need = MemoryNeed(
        dataset=counts.dataset,
        batch_size=job.batch_size,
        parameters=counts.parameters,
        activation_values_per_sample=counts.activation_values_per_sample,
        workers=float(machine.workers),
    )
    return model.predict(need, confidence)


def run_of(
    models: CapacityModels,
    job: Job,
    machine: Machine,
    relative_to: Path | None = None,
    jobs: int = 1,
    cores: str = SHARED,
) -> Run:
    """Everything about one run, with `jobs - 1` others of its kind beside it.

    Time is made of start-up, steps and samples/s: each is taken with the confidence at which all of them hold together
    with 95 % (Bonferroni), so the interval of the time is on the safe side.
    """
    parts = 3 if job.accuracy is not None else 2
    each = share(CONFIDENCE, parts)
    rate = rate_beside(models, job, machine, jobs, cores, each)
    starting = _start_up(models, job, machine, each)
    steps = steps_of(models, job, machine, relative_to, each)
    step_s = inverse("step_s", "s", rate, float(job.batch_size))
    training = product("training_s", "s", [steps, step_s])
    time = total("time_s", "s", [starting, training]) if starting.estimate is not None else training
    if starting.estimate is None and time.estimate is not None:
        reasons = (*time.reasons, f"no upper end, since start-up is not in it: {'; '.join(starting.reasons)}")
        time = replace(time, quantity="time_s", high=None, reasons=reasons)
    return Run(
        job=job,
        machine=machine,
        memory=memory_of(models, job, machine, relative_to),
        samples_per_s=rate_beside(models, job, machine, jobs, cores),
        start_up=starting,
        steps=steps,
        time=time,
        cost=_cost(time, machine),
    )


def _cost(time: Prediction, machine: Machine) -> Prediction:
    if machine.price_per_hour is None:
        return refused("cost", "currency", [f"{machine.name} has no price_per_hour"])
    return product("cost", "currency", [time], machine.price_per_hour / 3600)


def _start_up(models: CapacityModels, job: Job, machine: Machine, confidence: float) -> Prediction:
    model = choose(models.throughput, "samples_per_s", job, machine)
    if isinstance(model, str):
        return refused("start_up_s", "s", [model])
    return start_up(models.rows_of(model), float(machine.workers), confidence)


def steps_of(
    models: CapacityModels, job: Job, machine: Machine, relative_to: Path | None = None, confidence: float = CONFIDENCE
) -> Prediction:
    """How many training steps the job has."""
    if job.steps is not None:
        return given_steps(job.steps)
    if job.epochs is not None:
        images = counts_of(job, models.observations.frame, relative_to).train_images
        if images is None:
            return refused("steps", "1", [f"how many training images {job.workload} has is not known: give steps"])
        return given_steps(math.ceil(job.epochs * images / job.batch_size))
    if job.accuracy is None:
        return refused("steps", "1", ["the job gives no length"])
    model = choose(models.throughput, "samples_per_s", job, machine)
    if isinstance(model, str):
        return refused(f"steps_to:{job.accuracy:g}", "1", [model])
    wanted = {key: value for key in SETTINGS if key != "steps" and (value := getattr(job, key)) is not None}
    return steps_to_accuracy(models.rows_of(model), job.accuracy, job.batch_size, wanted, confidence)
