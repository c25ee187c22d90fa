"""`pack`: how many jobs of one kind on one machine, with the interference that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.analysis.capacity.machines import Machine, resolve_machine
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.prediction import Prediction, product
from harness.analysis.capacity.questions import Job, Pack
from harness.analysis.capacity.rates import SHARED, SPLIT, rate_beside, slowdown_of
from harness.analysis.capacity.runs import Verdict, at_most, memory_of


@dataclass(frozen=True)
class Packed:
    """So many jobs at once.

    Attributes:
        memory: of all of them: each as much as one alone, no page shared.
        fits: None: the machine has no limit.
        each: samples/s of each job.
        together: of all.
        slowdown: of each, against one alone on the whole machine.
        slow_enough: whether the slowdown is within what the question allows; None where it allows any.
    """

    jobs: int
    memory: Prediction
    fits: Verdict | None
    each: Prediction
    together: Prediction
    slowdown: Prediction
    slow_enough: Verdict | None

    @property
    def verdict(self) -> Verdict:
        """Whether so many can run."""
        parts = [one for one in (self.fits, self.slow_enough) if one is not None]
        if Verdict.NO in parts:
            return Verdict.NO
        return Verdict.CANNOT_BE_TOLD if Verdict.CANNOT_BE_TOLD in parts else Verdict.YES


@dataclass(frozen=True)
class PackAnswer:
    """How many fit.

    Attributes:
        certain: the largest number up to which every number can run; 0: not one.
        possible: the largest number up to which none is ruled out.
        best: the number, of those certain, with the most samples/s of all jobs together; None where not known.
        rows: one a number.
        notes: what limits the answer.
    """

    job: Job
    machine: Machine
    cores: str
    certain: int
    possible: int
    best: int | None
    rows: tuple[Packed, ...]
    notes: tuple[str, ...]

    ask: str = "pack"


def answer_pack(models: CapacityModels, question: Pack, relative_to: Path | None = None) -> PackAnswer:
    """Answer the question.

    Raises:
        DlgaugeError: the profile cannot be resolved; several models answer.
    """
    machine = resolve_machine(question.profile, models.observations.frame, relative_to)
    most = question.most if question.cores == SHARED else min(question.most, machine.cpus)
    rows = tuple(packed(models, question, machine, jobs, relative_to) for jobs in range(1, most + 1))
    certain = _up_to(rows, (Verdict.YES,))
    known = [one for one in rows[:certain] if one.together.estimate is not None]
    best = max(known, key=lambda one: one.together.estimate or 0.0, default=None)
    return PackAnswer(
        job=question.job,
        machine=machine,
        cores=question.cores,
        certain=certain,
        possible=_up_to(rows, (Verdict.YES, Verdict.CANNOT_BE_TOLD)),
        best=best.jobs if best else None,
        rows=rows,
        notes=_notes(question, machine, rows, most),
    )


def packed(
    models: CapacityModels, question: Pack, machine: Machine, jobs: int, relative_to: Path | None = None
) -> Packed:
    """So many jobs on the machine."""
    memory = product(
        "memory_bytes", "bytes", [memory_of(models, question.job, machine, relative_to)], scale=float(jobs)
    )
    own = rate_beside(models, question.job, machine, jobs, question.cores)
    slowdown = slowdown_of(models, question.job, machine, jobs, question.cores)
    return Packed(
        jobs=jobs,
        memory=memory,
        fits=None if machine.memory_bytes is None else at_most(memory, float(machine.memory_bytes)),
        each=own,
        together=product("samples_per_s", "1/s", [own], scale=float(jobs)),
        slowdown=slowdown,
        slow_enough=None if question.slowest is None else at_most(slowdown, question.slowest),
    )


def _up_to(rows: tuple[Packed, ...], good: tuple[Verdict, ...]) -> int:
    count = 0
    for row in rows:
        if row.verdict not in good:
            break
        count = row.jobs
    return count


def _notes(question: Pack, machine: Machine, rows: tuple[Packed, ...], most: int) -> tuple[str, ...]:
    notes = []
    if question.cores == SPLIT and most < question.most:
        notes.append(f"looked at up to {most} jobs: {machine.name} has {machine.cpus} CPUs to split")
    elif rows[-1].verdict is Verdict.YES:
        notes.append(f"looked at up to {most} jobs (most)")
    if machine.memory_bytes is None:
        notes.append(f"{machine.name} has no memory limit: memory decides nothing here")
    if question.slowest is None:
        notes.append("no slowdown is too much (slowest): memory alone decides how many")
    return tuple(notes)
