"""Questions as they stand in a file: jobs, machines, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.fields import (
    Bytes,
    FileModel,
    FrameworkName,
    NonNegativeNumber,
    Number,
    PositiveInt,
    PositiveNumber,
    Seconds,
    Slug,
)


class Job(FileModel):
    """A training job.

    Attributes:
        framework, workload, batch_size: what runs.
        steps, epochs, accuracy: its length, one of them: training steps, passes over the training split, or the
            percentage of test images (top-1) at which it is done.
        setting, policy, learning_rate, momentum, weight_decay: which trials tell the steps to an accuracy, where
            several would.
        framework_version, environment, optimizer, precision, blas, host: which model answers, where several would.
        name: how answers call it.
    """

    name: str | None = None
    framework: FrameworkName
    workload: str
    batch_size: PositiveInt
    steps: PositiveInt | None = None
    epochs: PositiveNumber | None = None
    accuracy: Annotated[float, Field(strict=True, gt=0, le=100)] | None = None
    setting: str | None = None
    policy: str | None = None
    learning_rate: Number | None = None
    momentum: Number | None = None
    weight_decay: Number | None = None
    framework_version: str | None = None
    environment: str | None = None
    optimizer: str | None = None
    precision: str | None = None
    blas: str | None = None
    host: str | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        given = [key for key in LENGTHS if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"gives {' and '.join(given)}: the length should be one of {', '.join(LENGTHS)}")
        return self

    @property
    def title(self) -> str:
        """`torch · lenet-mnist · batch_size 64`, or its name."""
        return self.name or f"{self.framework} · {self.workload} · batch_size {self.batch_size}"

    @property
    def length(self) -> str | None:
        """Which of `LENGTHS` is given."""
        return next((key for key in LENGTHS if getattr(self, key) is not None), None)


LENGTHS = ("steps", "epochs", "accuracy")


def _named(value: Any) -> Any:
    return {"profile": value} if isinstance(value, str) else value


class MachineRequest(FileModel):
    """A machine: a hardware profile by name or file, or its resources, which go before those of the profile.

    Attributes:
        threads: computing threads; as many as CPUs by default.
        at_most: how many of it there are, for a fleet.
    """

    profile: str | None = None
    name: Slug | None = None
    cpus: PositiveInt | None = None
    threads: PositiveInt | None = None
    memory: Bytes | None = None
    price_per_hour: NonNegativeNumber | None = None
    at_most: PositiveInt | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.profile is None and self.cpus is None:
            raise ValueError("should name a profile or give cpus")
        return self


NamedMachine = Annotated[MachineRequest, BeforeValidator(_named)]


class Fit(FileModel):
    """Does the job's memory fit the profile?"""

    ask: Literal["fit"]
    job: Job
    profile: NamedMachine


class Size(FileModel):
    """Which is the cheapest profile on which the job is done in time?

    Attributes:
        deadline: from the start of the worker to its last step of training; None: the cheapest at all.
    """

    ask: Literal["size"]
    job: Job
    profiles: tuple[NamedMachine, ...] = Field(min_length=1)
    deadline: Seconds | None = None

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        return _with_length(self, self.job)


class Pack(FileModel):
    """How many such jobs on one machine?

    Attributes:
        cores: `shared`: all on the same CPUs; `split`: each on its own part of them.
        slowest: how many times slower than alone on the whole machine a job may be.
        most: the largest number looked at.
    """

    ask: Literal["pack"]
    job: Job
    profile: NamedMachine
    cores: Literal["shared", "split"] = "shared"
    slowest: Annotated[float, Field(strict=True, ge=1, allow_inf_nan=False)] | None = None
    most: Annotated[int, Field(strict=True, ge=1, le=64)] = 8


class FleetJob(Job):
    """A job of a mix, and how many of it."""

    count: PositiveInt = 1


class Fleet(FileModel):
    """Which machines, rented for the whole horizon, do all jobs within it at least cost?

    Attributes:
        horizon: time in which every job must be done.
        plan_on: `high`: the upper ends of the predicted times; `estimate`: the estimates.
        cores: how jobs of a kind share a machine where that was measured; None: one after the other.
    """

    ask: Literal["fleet"]
    jobs: tuple[FleetJob, ...] = Field(min_length=1)
    machines: tuple[NamedMachine, ...] = Field(min_length=1)
    horizon: Seconds
    plan_on: Literal["high", "estimate"] = "high"
    cores: Literal["shared", "split"] | None = None

    @model_validator(mode="after")
    def _has_lengths(self) -> Self:
        for job in self.jobs:
            _with_length(self, job)
        return self


Question = Annotated[Fit | Size | Pack | Fleet, Field(discriminator="ask")]


class QuestionFile(FileModel):
    """A file of questions.

    Attributes:
        studies: whose records answer; all of the store by default.
    """

    studies: tuple[str, ...] | None = None
    questions: tuple[Question, ...] = Field(min_length=1)


def _with_length(question: Any, job: Job) -> Any:
    if job.length is None:
        raise ValueError(f"the job {job.title!r} should give its length: one of {', '.join(LENGTHS)}")
    return question
