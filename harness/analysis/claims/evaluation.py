"""The verdict on a claim: supported, refuted, undecided, or not comparable."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.claims.cells import CellRecords
from harness.analysis.claims.comparability import held_against_source, why_no_group
from harness.analysis.claims.estimates import LEVEL, Decision, decide, looks_inside
from harness.analysis.claims.logic import State, evaluate
from harness.analysis.claims.model import Claim
from harness.analysis.claims.parts import Comparison, Measured, NotComparable, question
from harness.analysis.claims.selection import Group, select
from harness.analysis.columns import cost_column
from harness.analysis.inference.grain import evaluated_every
from harness.errors import DlgaugeError
from harness.records import Record, cost_to_threshold
from harness.records.summary_keys import SUMMARY_KEYS
from harness.workloads.datasets.description import load_description

if TYPE_CHECKING:
    from harness.analysis.observations import Observations

TEST_ACCURACIES = ("top1_percent", "top5_percent", "top1_at_best_validation_percent")
"""Outcomes that move in steps of one test image."""


class Verdict(StrEnum):
    """What the records say to a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class RecordOfClaim:
    """A record behind a verdict.

    Attributes:
        id: its trial's id.
        path: its folder.
        study: of which it is.
        cell: of the claim.
        block: its seed.
    """

    id: str
    path: str
    study: str
    cell: str
    block: int


@dataclass(frozen=True)
class Part:
    """One comparison of a claim, decided or not.

    Attributes:
        name, outcome, scale: as of `harness.analysis.claims.parts.Comparison`.
        value: the estimate: a ratio, a difference or a mean.
        low, high: the interval that decides it, of level `1 - alpha`: 95 % for one comparison, more within a family.
        low_95, high_95: the 95 % interval of this comparison alone. All four are None for one block.
        claimed_low, claimed_high: the region; infinite where there is no bound.
        n: blocks.
        how: `paired`, `Welch` or `single`.
        decided: True inside, False outside, None neither.
        p, alpha, needs: as of `harness.analysis.claims.estimates.Decision`.
        reason: why there is no interval.
    """

    name: str
    outcome: str
    scale: str
    value: float
    low: float | None
    high: float | None
    low_95: float | None
    high_95: float | None
    claimed_low: float
    claimed_high: float
    n: int
    how: str
    decided: bool | None
    p: float
    alpha: float
    needs: int | None
    reason: str | None


@dataclass(frozen=True)
class Evaluation:
    """A claim held against the records of one set of conditions.

    Attributes:
        claim: what was asked.
        verdict: the answer.
        conditions: dataset, content, machine and profile of the records; empty where there are none.
        parts: the comparisons, in the order of the relation.
        n: blocks of the comparison that has the fewest; None without comparisons.
        more_blocks: further blocks that would decide an undecided claim if estimates and spread stay as they are; None
            where that cannot be told.
        reasons: why it is not comparable, or why undecided in more words.
        notes: what a reader must know beside the verdict.
        records: behind the comparisons.
    """

    claim: Claim
    verdict: Verdict
    conditions: Mapping[str, Any]
    parts: tuple[Part, ...] = ()
    n: int | None = None
    more_blocks: int | None = None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    records: tuple[RecordOfClaim, ...] = ()

    @property
    def studies(self) -> tuple[str, ...]:
        """Studies of its records, else the one that the claim names."""
        found = dict.fromkeys(one.study for one in self.records)
        return tuple(found) or ((self.claim.entry.study,) if self.claim.entry.study else ())


def evaluate_claims(claims: Iterable[Claim], observations: Observations) -> list[Evaluation]:
    """Every claim in its order; one whose cells stand under several conditions once for each."""
    return [found for claim in claims for found in evaluate_claim(claim, observations)]


def evaluate_claim(claim: Claim, observations: Observations) -> list[Evaluation]:
    """A claim on records: at least one evaluation, never an error for what the records are."""
    relation = claim.entry.relation
    if relation.kind == "untestable":
        return [Evaluation(claim, Verdict.NOT_COMPARABLE, {}, reasons=(relation.why,))]
    selection = select(claim, observations)
    if not selection.groups:
        reasons = why_no_group(claim, selection, observations)
        return [Evaluation(claim, Verdict.NOT_COMPARABLE, {}, reasons=reasons)]
    several = len(selection.groups) > 1
    found = []
    for group in selection.groups:
        one = _of_group(claim, group, observations)
        if several:
            told = f"one of {len(selection.groups)} sets of conditions of its records, each evaluated by itself"
            one = replace(one, notes=(told, *one.notes))
        found.append(one)
    return found


def _of_group(claim: Claim, group: Group, observations: Observations) -> Evaluation:
    found = held_against_source(claim, group, observations)
    records = _records(group)
    if found.reasons:
        return Evaluation(
            claim, Verdict.NOT_COMPARABLE, group.conditions, reasons=found.reasons, notes=found.notes, records=records
        )
    notes = list(found.notes)
    try:
        measured = {name: _measured(name, group, notes) for name in claim.outcomes}
        asked = question(claim.entry.relation, measured)
    except NotComparable as error:
        reasons = (str(error),)
        return Evaluation(
            claim, Verdict.NOT_COMPARABLE, group.conditions, reasons=reasons, notes=tuple(notes), records=records
        )
    decisions = decide([(one.estimate, *one.bounds) for one in asked.comparisons])
    whole = evaluate(asked.whole, [_state(*pair) for pair in zip(asked.comparisons, decisions, strict=True)])
    parts = tuple(_part(*pair) for pair in zip(asked.comparisons, decisions, strict=True))
    verdict = {True: Verdict.SUPPORTED, False: Verdict.REFUTED, None: Verdict.UNDECIDED}[whole.decided]
    undecided = verdict is Verdict.UNDECIDED
    return Evaluation(
        claim=claim,
        verdict=verdict,
        conditions=group.conditions,
        parts=parts,
        n=min(one.n for one in parts),
        more_blocks=whole.needs if undecided else None,
        reasons=_why_undecided(parts, whole.needs) if undecided else (),
        notes=(*notes, *_pairing_notes(parts)),
        records=records,
    )


def _measured(outcome: str, group: Group, notes: list[str]) -> Measured:
    cells: dict[str, dict[int, float]] = {}
    for one in group.cells:
        values, missing = _values(outcome, one)
        if missing:
            listed = "; ".join(f"{reason} ({count})" for reason, count in missing.items())
            if not values:
                raise NotComparable(f"{outcome} was not measured in any record of cell {one.name!r}: {listed}")
            notes.append(
                f"cell {one.name!r}: {outcome} was not measured in {sum(missing.values())} of its records: {listed}"
            )
        cells[one.name] = values
    grain = _steps_grain(outcome, group) or _grain(outcome, str(group.conditions.get("dataset")))
    return Measured(outcome, cells, grain)


def _values(outcome: str, one: CellRecords) -> tuple[dict[int, float], Counter[str]]:
    """Block -> value, and reason -> number of records without one."""
    values: dict[int, float] = {}
    missing: Counter[str] = Counter()
    for row in one.rows.to_dict("records"):
        value = float(row[outcome]) if outcome in SUMMARY_KEYS else math.nan
        reason: str | None = None
        if math.isnan(value):
            value, reason = _from_record(outcome, Path(str(row["path"])))
        if math.isnan(value):
            missing[reason or "no reason recorded"] += 1
        else:
            values[int(row["block"])] = value
    return values, missing


def _from_record(outcome: str, path: Path) -> tuple[float, str | None]:
    """A cost to an accuracy, worked out from the record; of a summary key why it is null."""
    try:
        record = Record.read(path)
        cost = cost_column(outcome)
        if cost is None:
            return math.nan, record.not_measured.get(outcome)
        found = cost_to_threshold(record, cost[1])
    except DlgaugeError as error:
        return math.nan, error.what
    value = getattr(found, cost[0])
    return (math.nan, found.reasons.get(cost[0])) if value is None else (float(value), None)


def _steps_grain(outcome: str, group: Group) -> float:
    """Of steps to an accuracy the largest distance of evaluations among the records; 0 of all other outcomes."""
    cost = cost_column(outcome)
    if cost is None or cost[0] != "steps":
        return 0.0
    found = 0.0
    for path in {str(path) for one in group.cells for path in one.rows["path"].tolist()}:
        with contextlib.suppress(DlgaugeError):
            found = max(found, evaluated_every(Record.read(Path(path)).specification))
    return found


@cache
def _grain(outcome: str, dataset: str) -> float:
    """One test image in percent, of a dataset that is known; 0 of all other outcomes."""
    if outcome not in TEST_ACCURACIES:
        return 0.0
    try:
        return 100.0 / load_description(dataset).test
    except DlgaugeError:
        return 0.0


def _state(comparison: Comparison, decision: Decision) -> State:
    inside = looks_inside(comparison.estimate, *comparison.bounds)
    return State(decision.inside, inside, decision.needs)


def _part(comparison: Comparison, decision: Decision) -> Part:
    estimate, shown = comparison.estimate, comparison.shown
    own, alone = estimate.interval(decision.alpha), estimate.interval(LEVEL)
    return Part(
        name=comparison.name,
        outcome=comparison.outcome,
        scale=comparison.scale,
        value=shown(estimate.mean),
        low=shown(own[0]) if own else None,
        high=shown(own[1]) if own else None,
        low_95=shown(alone[0]) if alone else None,
        high_95=shown(alone[1]) if alone else None,
        claimed_low=comparison.low,
        claimed_high=comparison.high,
        n=estimate.n,
        how=estimate.how,
        decided=decision.inside,
        p=decision.p,
        alpha=decision.alpha,
        needs=decision.needs,
        reason=estimate.reason,
    )


def _why_undecided(parts: Iterable[Part], needs: int | None) -> tuple[str, ...]:
    open_ = [one for one in parts if one.decided is None]
    single = [one for one in open_ if one.low is None]
    if single:
        reasons = dict.fromkeys(one.reason for one in single)
        return tuple(f"{reason}: {', '.join(o.name for o in single if o.reason == reason)}" for reason in reasons)
    if needs is None:
        return (
            "at this spread more than 1,000 blocks would be needed, or an estimate lies on the bound of its region: "
            + ", ".join(one.name for one in open_),
        )
    return ()


def _pairing_notes(parts: Iterable[Part]) -> Iterable[str]:
    unpaired = [one.name for one in parts if one.how == "Welch"]
    if unpaired:
        yield f"compared without pairs, since they share fewer than two blocks: {', '.join(dict.fromkeys(unpaired))}"


def _records(group: Group) -> tuple[RecordOfClaim, ...]:
    return tuple(
        RecordOfClaim(str(row["trial"]), str(row["path"]), str(row["study"]), one.name, int(row["block"]))
        for one in group.cells
        for row in one.rows.to_dict("records")
    )
