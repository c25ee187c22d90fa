"""`size`: the cheapest profile on which a job is done in time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.analysis.capacity.machines import resolve_machine
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.questions import Job, Size
from harness.analysis.capacity.runs import Run, Verdict, at_most, run_of


@dataclass(frozen=True)
class Candidate:
    """One profile.

    Attributes:
        run: the job on it.
        fits: whether its memory suffices; None: the profile has no limit.
        in_time: whether the deadline is met; None: there is none.
        standing: `cheapest`, `not distinguishable` (its interval of the cost overlaps that of the cheapest), `dearer`,
            `serves` (it serves, but costs are not known), or why it is out.
    """

    run: Run
    fits: Verdict | None
    in_time: Verdict | None
    standing: str

    @property
    def serves(self) -> bool:
        """Whether memory and time are decided in its favour."""
        return self.fits in (None, Verdict.YES) and self.in_time in (None, Verdict.YES)


@dataclass(frozen=True)
class SizeAnswer:
    """All profiles, in the order of their cost.

    Attributes:
        cheapest: name of the profile with the lowest estimated cost among those that serve; None: none does.
        not_distinguishable: others that serve and may be as cheap.
        reason: why there is no cheapest.
    """

    job: Job
    deadline_s: float | None
    candidates: tuple[Candidate, ...]
    cheapest: str | None
    not_distinguishable: tuple[str, ...]
    reason: str

    ask: str = "size"


def answer_size(models: CapacityModels, question: Size, relative_to: Path | None = None) -> SizeAnswer:
    """Answer the question.

    Raises:
        DlgaugeError: a profile cannot be resolved; several models answer.
    """
    frame = models.observations.frame
    found = []
    for request in question.profiles:
        run = run_of(models, question.job, resolve_machine(request, frame, relative_to), relative_to)
        in_time = None if question.deadline is None else at_most(run.time, question.deadline)
        if question.deadline is None and run.time.estimate is None:
            in_time = Verdict.CANNOT_BE_TOLD
        found.append(Candidate(run, run.fits, in_time, ""))
    serving = [one for one in found if one.serves and one.run.cost.estimate is not None]
    best = min(serving, key=_cost, default=None)
    rivals = [one for one in serving if best is not None and one is not best and _overlap(best, one)]
    judged = [
        Candidate(one.run, one.fits, one.in_time, _standing(one, best, one in rivals))
        for one in sorted(found, key=lambda one: (not one.serves, one.run.cost.estimate is None, _cost(one)))
    ]
    return SizeAnswer(
        job=question.job,
        deadline_s=question.deadline,
        candidates=tuple(judged),
        cheapest=best.run.machine.name if best else None,
        not_distinguishable=tuple(one.run.machine.name for one in rivals),
        reason="" if best else _why_none(found),
    )


def _cost(one: Candidate) -> float:
    return one.run.cost.estimate or 0.0


def _overlap(best: Candidate, other: Candidate) -> bool:
    """Whether the other may be as cheap: its interval begins below the end of the best one's, or one has none.

    Where both take the same time by the same model, the prices decide.
    """
    if (best.run.time.estimate, best.run.time.high) == (other.run.time.estimate, other.run.time.high):
        return False
    high, low = best.run.cost.high, other.run.cost.low
    return high is None or low is None or low <= high


def _standing(one: Candidate, best: Candidate | None, rival: bool) -> str:
    if one.fits is Verdict.NO:
        return "memory does not fit"
    if one.in_time is Verdict.NO:
        return "misses the deadline"
    if one.fits is Verdict.CANNOT_BE_TOLD:
        return "cannot be told whether memory fits"
    if one.in_time is Verdict.CANNOT_BE_TOLD:
        return "cannot be told whether it is in time"
    if one.run.cost.estimate is None:
        return "serves, cost not known"
    if best is not None and one.run.machine == best.run.machine:
        return "cheapest"
    return "not distinguishable" if rival else "dearer"


def _why_none(found: list[Candidate]) -> str:
    serving = [one for one in found if one.serves]
    if serving:
        return "no profile that serves has a price_per_hour: give it beside the profile"
    reasons = {one.run.machine.name: _standing(one, None, False) for one in found}
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())
