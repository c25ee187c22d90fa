"""From a relation and its cells to comparisons with claimed regions, and how they join to the whole claim."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.claims.estimates import Estimate, Scale, difference_of, mean_of, ratio_of
from harness.analysis.claims.logic import All, Any, Formula, Leaf, Not
from harness.analysis.claims.relations import (
    Beaten,
    BestOf,
    Difference,
    Different,
    Equal,
    NoneBestInAll,
    Order,
    Ratio,
    Relation,
    Threshold,
    Trend,
)
from harness.records.summary_keys import SUMMARY_KEYS

Values = Mapping[str, Mapping[int, float]]
"""Cell -> block -> value of an outcome."""

PERCENT = "percent"


class NotComparable(Exception):
    """Values that a relation cannot be asked of; the message says why."""


@dataclass(frozen=True)
class Comparison:
    """One quantity with the region that the claim says it is in.

    Attributes:
        name: `a ÷ b`, `a - b`, or the cell.
        outcome: the summary key.
        scale: `ratio` (of two cells), `difference` (of two, in the outcome's unit), `mean` (of one).
        estimate: of a ratio the logarithm.
        low, high: bounds of the region as they are shown (of a ratio, not its logarithm), infinite where there is none.
    """

    name: str
    outcome: str
    scale: Scale
    estimate: Estimate
    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds on the scale of the estimate."""
        if self.scale == "ratio":
            return math.log(self.low) if self.low > 0 else -math.inf, math.log(self.high)
        return self.low, self.high

    def shown(self, value: float) -> float:
        """A value of the estimate's scale as it is shown."""
        return math.exp(value) if self.scale == "ratio" else value


@dataclass(frozen=True)
class Question:
    """What a claim asks: its comparisons, and the whole that they make."""

    comparisons: tuple[Comparison, ...]
    whole: Formula


@dataclass(frozen=True)
class Measured:
    """The values of one outcome.

    Attributes:
        outcome: its key.
        cells: cell -> block -> value, in the order of the claim; no cell is empty.
        grain: the smallest step of the values, in the outcome's unit; 0 where they are continuous.
    """

    outcome: str
    cells: Values
    grain: float = 0.0

    @property
    def scale(self) -> Scale:
        """How two cells are compared unless the claim says it: percentages by difference, all else by ratio."""
        known = SUMMARY_KEYS.get(self.outcome)
        return "difference" if known is not None and known.unit == PERCENT else "ratio"

    def compare(self, of: str, to: str, scale: str | None, low: float, high: float) -> Comparison:
        """Two cells; bounds as they are shown."""
        if (scale or self.scale) == "ratio":
            for name in (of, to):
                if min(self.cells[name].values()) <= 0:
                    what = f"{self.outcome} of cell {name!r} is not above 0 in every record, so it has no ratio"
                    raise NotComparable(f"{what}; `scale: difference` would compare differences")
            estimate = ratio_of(self.cells[of], self.cells[to], self.grain)
            return Comparison(f"{of} ÷ {to}", self.outcome, "ratio", estimate, low, high)
        estimate = difference_of(self.cells[of], self.cells[to], self.grain)
        return Comparison(f"{of} - {to}", self.outcome, "difference", estimate, low, high)

    def above(self, of: str, than: str, scale: str | None, tolerance: float = 0.0) -> Comparison:
        """The claim that `of` is above `than`, or below it by `tolerance` at most (a share on the scale `ratio`)."""
        low = 1 / (1 + tolerance) if (scale or self.scale) == "ratio" else 0.0 - tolerance
        return self.compare(of, than, scale, low, math.inf)


def question(relation: Relation, measured: Mapping[str, Measured]) -> Question:
    """The comparisons of a claim.

    Args:
        relation: any but `untestable`.
        measured: outcome -> its values; of every relation but `none_best_in_all` one.

    Raises:
        NotComparable: the values are not of a kind that the relation is about.
    """
    if isinstance(relation, NoneBestInAll):
        return _none_best_in_all(relation, measured)
    (one,) = measured.values()
    names = tuple(one.cells)
    if len(names) < 2 and not isinstance(relation, Threshold | BestOf | Beaten | Trend):
        raise NotComparable(f"{relation.kind} needs two cells at least; the records have {', '.join(names) or 'none'}")
    for name in getattr(relation, "cells", None) or ():
        if name not in one.cells:
            raise NotComparable(f"no record of {name!r}; there are {', '.join(names)}")
    if isinstance(relation, Order):
        return _all(_steps(one, relation.cells, relation.direction, relation.scale))
    if isinstance(relation, Trend):
        return _trend(relation, one)
    if isinstance(relation, Ratio):
        return _all([one.compare(relation.of, relation.to, "ratio", *relation.bounds())])
    if isinstance(relation, Difference):
        return _all([one.compare(relation.of, relation.less, "difference", *relation.bounds())])
    if isinstance(relation, Equal | Different):
        pairs = itertools.combinations(relation.cells or names, 2)
        found = _all([_alike(one, relation, *pair) for pair in pairs])
        return found if isinstance(relation, Equal) else Question(found.comparisons, Not(found.whole))
    if isinstance(relation, BestOf | Beaten):
        found = _best(relation, one)
        return found if isinstance(relation, BestOf) else Question(found.comparisons, Not(found.whole))
    if isinstance(relation, Threshold):
        low, high = relation.bounds()
        low, high = low - relation.slack, high + relation.slack
        means = [
            Comparison(name, one.outcome, "mean", mean_of(one.cells[name], one.grain), low, high) for name in names
        ]
        return _all(means)
    raise NotComparable(relation.why)


def _all(comparisons: Sequence[Comparison]) -> Question:
    return Question(tuple(comparisons), All(tuple(Leaf(number) for number in range(len(comparisons)))))


def _steps(
    one: Measured, names: Sequence[str], direction: str, scale: str | None, tolerance: float = 0.0
) -> list[Comparison]:
    """Every cell against the one before it."""
    pairs = itertools.pairwise(names)
    rising = direction == "rising"
    return [one.above(b if rising else a, a if rising else b, scale, tolerance) for a, b in pairs]


def _trend(relation: Trend, one: Measured) -> Question:
    names = tuple(one.cells)
    if len(names) < 2:
        raise NotComparable(f"a trend needs two levels at least; the records have {', '.join(names) or 'none'}")
    found = _steps(one, names, relation.direction, relation.scale, relation.tolerance)
    if relation.tolerance > 0 and len(names) > 2:
        found += _steps(one, (names[0], names[-1]), relation.direction, relation.scale)
    return _all(found)


def _alike(one: Measured, relation: Equal | Different, a: str, b: str) -> Comparison:
    if relation.relative_tolerance is not None:
        factor = 1 + relation.relative_tolerance
        return one.compare(a, b, "ratio", 1 / factor, factor)
    tolerance = relation.tolerance or 0.0
    return one.compare(a, b, "difference", -tolerance, tolerance)


def _best(relation: BestOf | Beaten, one: Measured) -> Question:
    others = [name for name in one.cells if name != relation.cell]
    if relation.cell not in one.cells:
        raise NotComparable(f"no record of {relation.cell!r}, which the claim is about; there are {', '.join(others)}")
    if not others:
        raise NotComparable(f"the records have {relation.cell!r} alone: nothing to compare it with")
    higher = (relation.better or _better(one.outcome)) == "higher"
    pairs = [(relation.cell, name) if higher else (name, relation.cell) for name in others]
    return _all([one.above(of, than, relation.scale, relation.tolerance) for of, than in pairs])


def _better(outcome: str) -> str:
    """Which way an outcome is an advantage; costs to an accuracy are better when lower."""
    known = SUMMARY_KEYS.get(outcome)
    return (known.better if known is not None else "lower") or "lower"


def _none_best_in_all(relation: NoneBestInAll, measured: Mapping[str, Measured]) -> Question:
    """For every cell some other that is better in some outcome."""
    if any(len(one.cells) < 2 for one in measured.values()):
        raise NotComparable("the records have one cell alone: nothing to compare it with")
    comparisons: list[Comparison] = []
    beaten: dict[str, list[Formula]] = {}
    for outcome in relation.outcomes:
        one = measured[outcome]
        higher = _better(outcome) == "higher"
        for a, b in itertools.combinations(one.cells, 2):
            better, worse = (a, b) if higher else (b, a)
            leaf = Leaf(len(comparisons))  # "the first of the pair is above the second"
            comparisons.append(one.above(better, worse, None))
            beaten.setdefault(b, []).append(leaf)
            beaten.setdefault(a, []).append(Not(leaf))
    return Question(tuple(comparisons), All(tuple(Any(tuple(parts)) for parts in beaten.values())))
