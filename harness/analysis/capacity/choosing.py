"""Which model answers for a job, and what of the job the models need to know."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.analysis.capacity.interference import InterferenceModel
from harness.analysis.capacity.machines import Machine
from harness.analysis.capacity.memory import MemoryModel
from harness.analysis.capacity.questions import Job
from harness.analysis.capacity.rows import Group
from harness.analysis.capacity.throughput import ThroughputModel
from harness.errors import DlgaugeError, FileFormatError
from harness.validation import nearest

if TYPE_CHECKING:
    import pandas as pd

Model = TypeVar("Model", MemoryModel, ThroughputModel, InterferenceModel)

GIVEN = ("framework_version", "environment", "optimizer", "precision", "blas", "host")
"""Keys of a job that choose among models of its framework."""


@dataclass(frozen=True)
class Counts:
    """What a job's workload is made of.

    Attributes:
        parameters, activation_values_per_sample: of the network.
        train_images: of the dataset's training split; None where not known.
    """

    dataset: str
    parameters: float
    activation_values_per_sample: float
    train_images: int | None


def choose(models: Sequence[Model], quantity: str, job: Job, machine: Machine) -> Model | str:
    """The one model of a quantity for a job, or why there is none.

    Raises:
        DlgaugeError: several fit, and the job does not say which.
    """
    found: list[Model] = [one for one in models if one.group.framework == job.framework]
    if not found:
        frameworks = sorted({one.group.framework for one in models})
        return f"{quantity}: no model of the framework {job.framework!r}{nearest(job.framework, frameworks)}"
    of_workload = [one for one in found if one.group.workload in ("", job.workload)]
    if not of_workload:
        known = ", ".join(sorted({one.group.workload for one in found}))
        return f"{quantity}: no record of {job.framework} on {job.workload!r}; measured: {known}"
    found = of_workload
    for key in GIVEN:
        wanted = getattr(job, key) or (getattr(machine, key, None) if key in ("blas", "precision") else None)
        if wanted is None:
            continue
        matching = [one for one in found if getattr(one.group, key) == wanted]
        if not matching:
            known = ", ".join(sorted({getattr(one.group, key) or "not told" for one in found}))
            return f"{quantity}: no record of {job.framework} with {key} {wanted!r}; measured: {known}"
        found = matching
    if len(found) > 1:
        raise _ambiguous([one.group for one in found], quantity, job)
    return found[0]


def _ambiguous(groups: Sequence[Group], quantity: str, job: Job) -> DlgaugeError:
    keys = [key for key in (*GIVEN, "content_sha256") if len({getattr(one, key) for one in groups}) > 1]
    levels = [f"{key}: {', '.join(sorted({str(getattr(one, key)) for one in groups}))}" for key in keys]
    return DlgaugeError(
        f"{len(groups)} models of {quantity} answer for {job.title}; they differ in {'; '.join(levels)}",
        hint=" or ".join([*(f"give {key} in the job," for key in keys if key in GIVEN), "take one study (--study)"]),
    )


def counts_of(job: Job, frame: pd.DataFrame, relative_to: Path | None = None) -> Counts:
    """The workload's counts, from the records where it was measured, else from its file.

    Raises:
        DlgaugeError: neither knows the workload.
    """
    recorded = frame[frame["workload"] == job.workload]
    if len(recorded):
        first = recorded.iloc[-1]
        parameters, values = (_number(first[key]) for key in ("parameters", "activation_values_per_sample"))
        if math.isfinite(parameters) and math.isfinite(values):
            return Counts(str(first["dataset"]), parameters, values, _train_images(first))
    from harness.workloads.networks import parameter_count, shapes
    from harness.workloads.workload import load_workload

    try:
        workload = load_workload(job.workload, relative_to=relative_to)
    except FileFormatError as error:
        measured = ", ".join(sorted({str(name) for name in frame["workload"].dropna()}))
        raise DlgaugeError(error.what, hint=f"workloads in the records: {measured}") from None
    kept = math.prod(workload.network.input) + sum(math.prod(shape) for shape in shapes(workload.network).values())
    return Counts(
        dataset=workload.dataset.name,
        parameters=float(parameter_count(workload.network)),
        activation_values_per_sample=float(kept),
        train_images=workload.dataset.train,
    )


def _train_images(row: Any) -> int | None:
    """Training images that the trial of this row trained on, from its record."""
    from harness.errors import StoreError
    from harness.records import Record

    path = row.get("path")
    if not isinstance(path, str):
        return None
    try:
        specification = Record.read(Path(path)).specification
    except StoreError:
        return None
    dataset = _mapping(_mapping(specification.get("workload")).get("dataset"))
    held_out = _mapping(_mapping(specification.get("setting")).get("validation")).get("images")
    train = dataset.get("train")
    return train - (held_out if isinstance(held_out, int) else 0) if isinstance(train, int) else None


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
