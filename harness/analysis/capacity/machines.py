"""Machines as a question names them: a hardware profile's resources, or resources given outright."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.capacity.questions import MachineRequest
from harness.errors import DlgaugeError
from harness.study.profile import ONE_THREAD_BLAS, load_profile
from harness.validation import nearest
from harness.yaml_files import UnknownName

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Machine:
    """A machine with numbers.

    Attributes:
        workers: CPUs that compute, `min(cpus, threads)`.
        memory_bytes: limit; None: none is known.
        price_per_hour: None: not known.
        blas, precision: what its profile asks for; None: the framework's default.
        at_most: how many there are; None: as many as are wanted.
    """

    name: str
    cpus: int
    workers: int
    memory_bytes: int | None
    price_per_hour: float | None
    blas: str | None = None
    precision: str | None = None
    at_most: int | None = None


def resolve_machine(request: MachineRequest, frame: pd.DataFrame, relative_to: Path | None = None) -> Machine:
    """The machine of a request.

    A profile that no file describes is looked for in the records; so is how many CPUs `cpus: all` were.

    Raises:
        DlgaugeError: an unknown profile, or one of which the number of CPUs is not known.
    """
    known = _Known() if request.profile is None else _profile(request.profile, frame, relative_to)
    cpus = request.cpus or known.cpus
    if cpus is None:
        what = f"profile {request.profile!r} is of all CPUs of a machine, and no record tells how many"
        raise DlgaugeError(what, hint="give the machine's CPUs beside it: {profile: NAME, cpus: 8}")
    threads = request.threads or (known.threads if request.cpus is None else None)
    threads = threads or (1 if known.blas in ONE_THREAD_BLAS else cpus)
    price = request.price_per_hour if request.price_per_hour is not None else known.price_per_hour
    return Machine(
        name=request.name or request.profile or f"cpus {cpus}",
        cpus=cpus,
        workers=min(cpus, threads),
        memory_bytes=request.memory or known.memory_bytes,
        price_per_hour=price,
        blas=known.blas,
        precision=known.precision,
        at_most=request.at_most,
    )


@dataclass(frozen=True)
class _Known:
    cpus: int | None = None
    threads: int | None = None
    memory_bytes: int | None = None
    price_per_hour: float | None = None
    blas: str | None = None
    precision: str | None = None


def _profile(name: str, frame: pd.DataFrame, relative_to: Path | None) -> _Known:
    recorded = frame[frame["profile"] == name]
    try:
        file = load_profile(name, relative_to=relative_to)
    except UnknownName as error:
        if not len(recorded):
            records = sorted({str(one) for one in frame["profile"].dropna()})
            more = f"profiles in the records: {', '.join(records)}{nearest(name, records) if records else ''}"
            raise DlgaugeError(error.what, hint=more) from None
        return _Known(
            _one(recorded, "cpus"), _one(recorded, "threads"), _one(recorded, "memory_bytes"), _price(recorded)
        )
    cpus = len(file.cpus) if isinstance(file.cpus, tuple) else file.cpus if isinstance(file.cpus, int) else None
    return _Known(
        cpus=cpus if cpus is not None else _one(recorded, "cpus"),
        threads=file.threads.intra_op,
        memory_bytes=file.memory,
        price_per_hour=file.price_per_hour if file.price_per_hour is not None else _price(recorded),
        blas=file.blas,
        precision=file.precision,
    )


def _one(rows: pd.DataFrame, key: str) -> int | None:
    """The value of all rows, where they have one."""
    values = {int(value) for value in rows[key].dropna()} if key in rows.columns else set()
    return values.pop() if len(values) == 1 else None


def _price(rows: pd.DataFrame) -> float | None:
    values = {float(value) for value in rows["price_per_hour"].dropna()} if "price_per_hour" in rows.columns else set()
    return values.pop() if len(values) == 1 else None
