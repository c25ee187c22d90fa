"""Hardware profiles: what a trial may use of the machine, and with which libraries."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, PlainSerializer, PlainValidator, field_validator

from harness.fields import Bytes, FileModel, NonNegativeInt, NonNegativeNumber, PositiveInt, Slug
from harness.paths import profiles_folder
from harness.units import format_bytes
from harness.yaml_files import find_named, load_yaml, names_in, validate

Blas = Literal["reference", "openblas", "atlas", "blis", "mkl", "eigen", "onednn", "xla"]
ONE_THREAD_BLAS = ("reference", "atlas")
"""Libraries without threads of their own (ATLAS as Debian builds it)."""
LEAST_MEMORY_BYTES = 16 << 20
Precision = Literal["float32", "float64", "float16", "bfloat16"]


def _parse_cpus(value: Any) -> str | int | tuple[int, ...]:
    def is_number(item: object) -> bool:
        return isinstance(item, int) and not isinstance(item, bool) and item >= 0

    if value == "all" or (is_number(value) and value > 0):
        return value
    if isinstance(value, list | tuple) and value and all(map(is_number, value)) and len(set(value)) == len(value):
        return tuple(sorted(value))
    raise ValueError(f"should be 'all', a number of CPUs, or a list of different CPU numbers, not {value!r}")


def _plain_cpus(value: str | int | tuple[int, ...]) -> Any:
    return list(value) if isinstance(value, tuple) else value


CpuRequest = Annotated[str | int | tuple[int, ...], PlainValidator(_parse_cpus), PlainSerializer(_plain_cpus)]


class ThreadRequest(FileModel):
    """Thread pools asked for; `intra_op` defaults to the number of CPUs."""

    intra_op: PositiveInt | None = None
    inter_op: PositiveInt = 1


class Threads(FileModel):
    """Thread pools: inside one operation, and between operations."""

    intra_op: PositiveInt
    inter_op: PositiveInt


class ProfileFile(FileModel):
    """A hardware profile as it stands in a file.

    Attributes:
        cpus: `all` that this process may use, the first so many of them, or a list of CPU numbers.
        memory: limit, such as `4 GiB`; none by default.
        blas: None leaves the framework its default.
        price_per_hour: for capacity planning, in any one currency.
    """

    name: Slug = Field(validation_alias=AliasChoices("profile", "name"))
    cpus: CpuRequest = "all"
    memory: Bytes | None = None
    gpus: NonNegativeInt = 0
    threads: ThreadRequest = ThreadRequest()
    blas: Blas | None = None
    precision: Precision = "float32"
    environment: dict[str, str] = {}
    price_per_hour: NonNegativeNumber | None = None

    @field_validator("memory")
    @classmethod
    def _enough(cls, memory: int | None) -> int | None:
        if memory is not None and memory < LEAST_MEMORY_BYTES:
            least, unit = format_bytes(LEAST_MEMORY_BYTES), "a number without a unit is bytes: did you mean MiB or GiB?"
            raise ValueError(f"{format_bytes(memory)} is less than the {least} that an interpreter takes; {unit}")
        return memory


class Profile(FileModel):
    """A hardware profile resolved for this machine; its JSON is the part `profile` of a specification."""

    name: Slug
    cpus: tuple[NonNegativeInt, ...]
    memory_bytes: PositiveInt | None
    gpus: NonNegativeInt
    threads: Threads
    blas: Blas | None
    precision: Precision
    environment: dict[str, str]
    price_per_hour: NonNegativeNumber | None


class CpusNotThere(ValueError):
    """A profile asks for CPUs that this process may not use."""


def profile_names() -> list[str]:
    """Names of the profiles that come with the project."""
    return names_in(profiles_folder())


def load_profile(name: str, *, relative_to: Path | None = None) -> ProfileFile:
    """A profile by name, or from a file where the name ends in `.yaml`.

    Raises:
        FileFormatError: unknown name, or a file that is not valid.
    """
    return validate(load_yaml(find_named(name, profiles_folder(), "profile", relative_to=relative_to)), ProfileFile)


def allowed_cpus() -> tuple[int, ...]:
    """CPUs that this process may use."""
    return tuple(sorted(os.sched_getaffinity(0)))


def resolve_profile(file: ProfileFile, allowed: Sequence[int]) -> Profile:
    """The profile with an explicit list of CPUs and explicit thread counts.

    Raises:
        CpusNotThere: it asks for more CPUs, or others, than are allowed.
    """
    cpus = _resolve_cpus(file.cpus, tuple(allowed))
    # More than one is refused by the frameworks whose threads are those of their BLAS: not what nobody asked for.
    threads = 1 if file.blas in ONE_THREAD_BLAS else len(cpus)
    return Profile(
        name=file.name,
        cpus=cpus,
        memory_bytes=file.memory,
        gpus=file.gpus,
        threads=Threads(intra_op=file.threads.intra_op or threads, inter_op=file.threads.inter_op),
        blas=file.blas,
        precision=file.precision,
        environment=file.environment,
        price_per_hour=file.price_per_hour,
    )


def _resolve_cpus(request: str | int | tuple[int, ...], allowed: tuple[int, ...]) -> tuple[int, ...]:
    there = f"this process may use {len(allowed)}: {', '.join(map(str, allowed))}"
    if isinstance(request, tuple):
        if missing := [cpu for cpu in request if cpu not in allowed]:
            raise CpusNotThere(f"there is no CPU {', '.join(map(str, missing))} for cpus={list(request)}; {there}")
        return request
    if isinstance(request, int):
        if request > len(allowed):
            raise CpusNotThere(f"there are not {request} CPUs; {there}")
        return allowed[:request]
    return allowed
