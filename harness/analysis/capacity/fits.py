"""`fit`: is the memory of a job within that of a profile?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.capacity.machines import Machine, resolve_machine
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.prediction import Prediction
from harness.analysis.capacity.questions import Fit, Job
from harness.analysis.capacity.runs import Verdict, at_most, memory_of
from harness.errors import DlgaugeError, StoreError
from harness.units import format_bytes

if TYPE_CHECKING:
    from harness.analysis.comparison import Excluded

OUT_OF_MEMORY = "out_of_memory"
FITS = {Verdict.YES: "fits", Verdict.NO: "does not fit", Verdict.CANNOT_BE_TOLD: "cannot be told"}


@dataclass(frozen=True)
class FitAnswer:
    """Whether a job fits.

    Attributes:
        memory: predicted peak.
        limit_bytes: of the profile.
        verdict: from the measured trials of just this job where there are some, else from the prediction.
        evidence: sentences about trials of just this job under such a limit.
        evidence_records: ids of those trials.
    """

    job: Job
    machine: Machine
    memory: Prediction
    limit_bytes: int
    verdict: str
    evidence: tuple[str, ...]
    evidence_records: tuple[str, ...]

    ask: str = "fit"


def answer_fit(models: CapacityModels, question: Fit, relative_to: Path | None = None) -> FitAnswer:
    """Answer the question.

    Raises:
        DlgaugeError: the profile has no memory limit, or cannot be resolved; several models answer.
    """
    machine = resolve_machine(question.profile, models.observations.frame, relative_to)
    if machine.memory_bytes is None:
        what = f"{machine.name} has no memory limit: there is nothing to fit into"
        raise DlgaugeError(what, hint="give one: {profile: NAME, memory: 4 GiB}, or --memory '4 GiB'")
    memory = memory_of(models, question.job, machine, relative_to)
    verdict = at_most(memory, float(machine.memory_bytes))
    survived, ran_out = _completed(models, question.job, machine), _ran_out(models, question.job, machine)
    evidence = []
    if survived:
        limit = format_bytes(machine.memory_bytes)
        evidence.append(f"{len(survived)} trials of this job completed under a limit of {limit} or less")
        verdict = Verdict.YES
    if ran_out:
        limit = format_bytes(machine.memory_bytes)
        evidence.append(f"{len(ran_out)} trials of this job ran out of memory under a limit of {limit} or more")
        verdict = Verdict.CANNOT_BE_TOLD if survived else Verdict.NO
    return FitAnswer(
        job=question.job,
        machine=machine,
        memory=memory,
        limit_bytes=machine.memory_bytes,
        verdict=FITS[verdict],
        evidence=tuple(evidence),
        evidence_records=(*survived, *ran_out),
    )


def _completed(models: CapacityModels, job: Job, machine: Machine) -> list[str]:
    """Completed trials of the same job under a limit that is no larger."""
    import pandas as pd

    frame = models.observations.frame
    if "memory_bytes" not in frame.columns:
        return []
    same = frame[
        (frame["framework"] == job.framework)
        & (frame["workload"] == job.workload)
        & (pd.to_numeric(frame["batch_size"], errors="coerce") == job.batch_size)
        & (pd.to_numeric(frame["memory_bytes"], errors="coerce") <= machine.memory_bytes)
    ]
    for key in ("framework_version", "environment", "optimizer", "precision", "blas", "host"):
        wanted = getattr(job, key) or getattr(machine, key, None)
        if wanted is not None and key in same.columns:
            same = same[same[key].astype(str) == wanted]
    return [str(trial) for trial in same["trial"]]


def _ran_out(models: CapacityModels, job: Job, machine: Machine) -> list[str]:
    """Trials of the same job that ran out of memory under a limit that is no smaller."""
    found = []
    for one in models.observations.excluded:
        if one.termination != OUT_OF_MEMORY or one.framework != job.framework:
            continue
        specification = _specification(one)
        limit = _at(specification, "profile", "memory_bytes")
        same = (
            _at(specification, "workload", "name") == job.workload
            and _at(specification, "setting", "batch_size") == job.batch_size
            and job.framework_version in (None, _at(specification, "framework", "version"))
            and job.environment in (None, _at(specification, "framework", "environment"))
            and job.optimizer in (None, _at(specification, "setting", "optimizer", "kind"))
            and (job.precision or machine.precision) in (None, _at(specification, "profile", "precision"))
        )
        if same and isinstance(limit, int) and machine.memory_bytes is not None and limit >= machine.memory_bytes:
            found.append(one.trial.id)
    return found


def _specification(one: Excluded) -> dict[str, Any]:
    from harness.records import Record

    try:
        return Record.read(Path(one.trial.path)).specification
    except StoreError:
        return {}


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
