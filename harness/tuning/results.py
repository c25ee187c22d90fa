"""The result of a search: its candidates in order, what ended early, and which are not told apart from the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.schedules import parse_policy, string_form
from harness.tuning.outcomes import Outcome
from harness.tuning.search import Finding

ENDINGS = ("completed", "pruned", "failed", "diverged")
"""In this order candidates are listed; those that completed by accuracy."""

_95_PERCENT = 1.96


@dataclass(frozen=True)
class Row:
    """One candidate.

    Attributes:
        policy: in LRBench's string form; `short` in a few words.
        top1: mean over the seeds on the validation images, a fraction; None unless it completed.
        validation_loss, training_loss: means over the seeds, None likewise.
        steps: of the run that ended first.
        training_time_s: of all its runs together.
        records: folders, one a seed that was run.
        as_good: not told apart from the best, see `margin`.
    """

    number: int
    policy: str
    short: str
    outcome: str
    reason: str | None
    top1: float | None
    validation_loss: float | None
    training_loss: float | None
    test_top1: float | None
    steps: int | None
    training_time_s: float | None
    trials: tuple[str, ...]
    records: tuple[Path, ...]
    as_good: bool = False


@dataclass(frozen=True)
class Ranking:
    """The candidates of one framework.

    Attributes:
        rows: in the order of `ENDINGS`, the completed ones best first; a policy that was tried twice stands once.
        margin: two accuracies that differ by less are not told apart; None where nothing completed.
    """

    framework: str
    rows: tuple[Row, ...]
    margin: float | None

    @property
    def best(self) -> Row | None:
        """The best of those that completed."""
        return self.rows[0] if self.rows and self.rows[0].outcome == "completed" else None

    def count(self, outcome: str) -> int:
        """How many candidates came out so."""
        return sum(row.outcome == outcome for row in self.rows)


def margin_of(top1: float, images: int) -> float:
    """The smallest difference of two accuracies on so many images that is told apart from chance, 95 %.

    1.96 standard errors of the difference of two independent shares near `top1`: sqrt(2 p (1 - p) / n). Both policies
    are judged on the same images, so that the true margin is rather smaller; it says nothing of how far another seed
    would move either, for which `dlgauge lr verify` repeats the runs.
    """
    return _95_PERCENT * math.sqrt(2 * max(top1 * (1 - top1), 0.25 / images) / images)


def rank(framework: str, findings: Iterable[Finding], outcomes: Mapping[str, Outcome]) -> Ranking:
    """Order the findings of a search.

    Args:
        outcomes: by trial id.
    """
    rows: dict[str, Row] = {}
    for finding in findings:
        row = _row(finding, [outcomes[trial] for trial in finding.trials if trial in outcomes])
        rows.setdefault(row.policy, row)
    ordered = sorted(rows.values(), key=_key)
    if not ordered or ordered[0].outcome != "completed" or ordered[0].top1 is None:
        return Ranking(framework, tuple(ordered), None)
    best = ordered[0].top1
    images = next((one.images for one in outcomes.values() if one.trial in ordered[0].trials and one.images), None)
    margin = margin_of(best, images) if images else None
    marked = [_marked(row, best, margin) for row in ordered]
    return Ranking(framework, tuple(marked), margin)


def _marked(row: Row, best: float, margin: float | None) -> Row:
    return replace(row, as_good=margin is not None and row.top1 is not None and best - row.top1 < margin)


def _key(row: Row) -> tuple[int, float, float]:
    place = ENDINGS.index(row.outcome) if row.outcome in ENDINGS else len(ENDINGS)
    loss = row.validation_loss if row.validation_loss is not None else math.inf
    return place, -(row.top1 if row.top1 is not None else 0.0), loss


def _row(finding: Finding, outcomes: list[Outcome]) -> Row:
    completed = finding.outcome == "completed"
    policy = parse_policy(finding.policy)
    times = [one.training_time_s for one in outcomes if one.training_time_s is not None]
    return Row(
        number=finding.number,
        policy=string_form(policy),
        short=policy.short(),
        outcome=finding.outcome,
        reason=finding.reason,
        top1=finding.value if completed else None,
        validation_loss=_mean(one.validation_loss for one in outcomes) if completed else None,
        training_loss=_mean(one.final_loss for one in outcomes) if completed else None,
        test_top1=_mean(one.test_top1 for one in outcomes) if completed else None,
        steps=min((one.steps for one in outcomes), default=None),
        training_time_s=sum(times) if times else None,
        trials=finding.trials,
        records=tuple(one.record for one in outcomes),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return fmean(known) if known and len(known) == len(listed) else None


def row_as_dict(row: Row) -> dict[str, Any]:
    """A row as plain values; what was not measured is null, with `reason` where a run ended early."""
    return {
        "candidate": row.number,
        "policy": row.policy,
        "outcome": row.outcome,
        "reason": row.reason,
        "validation_top1_percent": None if row.top1 is None else 100 * row.top1,
        "validation_loss": row.validation_loss,
        "training_loss": row.training_loss,
        "test_top1_percent": None if row.test_top1 is None else 100 * row.test_top1,
        "steps": row.steps,
        "training_time_s": row.training_time_s,
        "as_good_as_the_best": row.as_good,
        "trials": list(row.trials),
        "records": [str(path) for path in row.records],
    }
