"""Estimates with intervals, and families of them that are decided together.

The unit is the block (the trial's seed). Two cells are compared block by block: the mean of the differences, or of the
log-ratios, with Student's t interval on n - 1 degrees of freedom; where they share fewer than two blocks, but have two
or more each, by Welch's interval. A value known to a grain (an accuracy of 10,000 images moves in steps of 0.01) has no
smaller deviation than the grain leaves it (`harness.analysis.policies.intervals`).

An estimate is decided where its interval lies wholly inside, or wholly outside, the claimed region: p is the smallest
alpha at which the 1 - alpha interval does so. In a family of m, Holm's correction: in the order of p the k-th is
decided at alpha = 0.05 / (m - k + 1), and none after the first that fails. The interval shown has that level, so that
it lies inside or outside exactly where the family says so. Source: S. Holm, Scand. J. Statistics 6 (1979), 65-70.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.analysis.policies.intervals import GRAIN_DEVIATION, MOST_MORE, pair_deviation

LEVEL = 0.05
ONE_BLOCK = "one block: no spread, so no interval"
NOT_SHARED = "they share one block at most and one of them has no other: no spread, so no interval"

Scale = Literal["ratio", "difference", "mean"]
Paired = Literal["paired", "Welch", "single"]


@dataclass(frozen=True)
class Estimate:
    """A mean over blocks, on the scale on which it is normally distributed: the logarithm of a ratio.

    Attributes:
        n: blocks (of two cells compared unpaired the smaller number).
        mean: the estimate.
        error: its standard error; None where there is none.
        degrees: of freedom.
        how: `paired`, `Welch`, or `single` for the mean of one cell.
        reason: why there is no error.
    """

    n: int
    mean: float
    error: float | None
    degrees: float
    how: Paired
    reason: str | None = None

    def interval(self, alpha: float) -> tuple[float, float] | None:
        """The t interval of level 1 - alpha."""
        if self.error is None:
            return None
        half_width = t_quantile(1 - alpha / 2, self.degrees) * self.error
        return self.mean - half_width, self.mean + half_width


@dataclass(frozen=True)
class Decision:
    """An estimate against a claimed region, as one of a family.

    Attributes:
        inside: True where its interval is wholly inside, False where wholly outside, None where it is neither.
        p: the smallest alpha at which its own interval would be one of the two; 1 where there is none.
        alpha: 1 less the level of the interval that decides it within the family.
        needs: further blocks after which it would be decided at this spread; 0 where it is, None where that cannot be
            told (no spread yet, an estimate on the bound, more than 1,000).
    """

    inside: bool | None
    p: float
    alpha: float
    needs: int | None


def mean_of(values: Mapping[int, float], grain: float) -> Estimate:
    """The mean of one cell over its blocks. The mapping is block -> value, not empty."""
    found = [values[block] for block in sorted(values)]
    n, mean = len(found), statistics.fmean(found)
    if n == 1:
        return Estimate(1, mean, None, 0, "single", ONE_BLOCK)
    deviation = max(statistics.stdev(found), grain * GRAIN_DEVIATION)
    return Estimate(n, mean, deviation / math.sqrt(n), n - 1, "single")


def difference_of(values: Mapping[int, float], reference: Mapping[int, float], grain: float) -> Estimate:
    """`values` less `reference`, paired by block where two or more are shared."""
    shared = sorted(values.keys() & reference.keys())
    if len(shared) >= 2:
        pairs = [values[block] - reference[block] for block in shared]
        error = pair_deviation(statistics.stdev(pairs), grain) / math.sqrt(len(pairs))
        return Estimate(len(pairs), statistics.fmean(pairs), error, len(pairs) - 1, "paired")
    sides = ([values[block] for block in sorted(values)], [reference[block] for block in sorted(reference)])
    n, mean = min(len(side) for side in sides), statistics.fmean(sides[0]) - statistics.fmean(sides[1])
    if n == 1 and shared:
        reason = ONE_BLOCK if max(len(side) for side in sides) == 1 else NOT_SHARED
        return Estimate(1, values[shared[0]] - reference[shared[0]], None, 0, "paired", reason)
    if n == 1:
        return Estimate(1, mean, None, 0, "Welch", NOT_SHARED)
    parts = [max(statistics.stdev(side), grain * GRAIN_DEVIATION) ** 2 / len(side) for side in sides]
    error = math.sqrt(sum(parts))
    squares = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    return Estimate(n, mean, error, error**4 / squares if squares else n - 1, "Welch")


def ratio_of(values: Mapping[int, float], reference: Mapping[int, float], grain: float) -> Estimate:
    """The logarithm of `values` over `reference`. All values have to be above 0."""
    smallest = min((*values.values(), *reference.values()))
    return difference_of(_logs(values), _logs(reference), grain / smallest)


def _logs(values: Mapping[int, float]) -> dict[int, float]:
    return {block: math.log(value) for block, value in values.items()}


def decide(estimates: Sequence[tuple[Estimate, float, float]], alpha: float = LEVEL) -> list[Decision]:
    """Decide a family: estimates with the bounds of their regions, infinite where there is none, on their own scale."""
    tests = [_test(*one) for one in estimates]
    order = sorted(range(len(tests)), key=lambda index: tests[index][1])
    found: list[Decision | None] = [None] * len(tests)
    failed_at: float | None = None
    for position, index in enumerate(order):
        inside, p = tests[index]
        level = failed_at or alpha / (len(tests) - position)
        if failed_at is None and p > level:
            failed_at = level
        decided = Decision(inside, p, level, 0)
        if failed_at is not None:
            decided = replace(decided, inside=None, needs=_needs(*estimates[index], level))
        found[index] = decided
    return [one for one in found if one is not None]


def looks_inside(estimate: Estimate, low: float, high: float) -> bool:
    """Whether the estimate alone is inside the region."""
    return low < estimate.mean < high


def _test(estimate: Estimate, low: float, high: float) -> tuple[bool | None, float]:
    """(inside or outside by the estimate alone, the smallest alpha at which the interval agrees)."""
    if estimate.error is None:
        return None, 1.0
    inside = looks_inside(estimate, low, high)
    distance = _distance(estimate, low, high)
    if estimate.error == 0:
        return inside, 0.0 if distance > 0 else 1.0
    return inside, min(1.0, 2 * t_tail(distance / estimate.error, estimate.degrees))


def _distance(estimate: Estimate, low: float, high: float) -> float:
    """From the estimate to the nearest bound that its interval must not reach over."""
    if looks_inside(estimate, low, high):
        return min(estimate.mean - low, high - estimate.mean)
    return max(low - estimate.mean, estimate.mean - high)


def _needs(estimate: Estimate, low: float, high: float, alpha: float) -> int | None:
    """Further blocks until the interval of this level ends before the nearest bound, if nothing else changes."""
    if estimate.error is None:
        return None
    import numpy as np
    from scipy import stats

    distance = _distance(estimate, low, high)
    totals = np.arange(max(estimate.n + 1, 2), estimate.n + MOST_MORE + 1)
    deviation = estimate.error * math.sqrt(estimate.n)
    half_widths = stats.t.ppf(1 - alpha / 2, totals - 1) * deviation / np.sqrt(totals)
    enough = np.flatnonzero(half_widths <= distance)
    return int(totals[enough[0]]) - estimate.n if distance > 0 and len(enough) else None


def t_quantile(probability: float, degrees: float) -> float:
    """The t with P(T ≤ t) = `probability`."""
    from scipy import stats

    return float(stats.t.ppf(probability, degrees))


def t_tail(t: float, degrees: float) -> float:
    """P(T ≥ t)."""
    from scipy import stats

    return float(stats.t.sf(t, degrees))
