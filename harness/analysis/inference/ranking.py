"""A ranking of three rows or more, with groups of rows that cannot be told apart.

In every block the rows are ranked (ties get the mean of their ranks). Friedman's test asks whether the mean ranks
differ at all; if so, two rows differ by Nemenyi's test where their mean ranks do by the critical difference

    CD = q / sqrt(2) * sqrt(k (k + 1) / (6 N))

with k rows, N blocks and q the upper 5 % point of the studentized range of k and infinitely many degrees of freedom.
M. Friedman, JASA 32 (1937); P. B. Nemenyi, Distribution-free Multiple Comparisons (1963); in this form in J. Demšar,
JMLR 7 (2006) 1-30. Ranks know no sizes: how large a difference is, the ratios say. Both tests are approximations for
many blocks; for few they are cautious. Below `FEWEST_BLOCKS` no groups are made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from harness.analysis.inference.planning import LEVEL, fewest_blocks

FEWEST_BLOCKS = fewest_blocks()
"""As many as one pair takes to be told apart by the sign-flip test at all: six."""

FEWEST_ROWS = 3


@dataclass(frozen=True)
class Ranking:
    """Rows by mean rank, the best first.

    Attributes:
        rows: their names in that order; empty where there are too few rows or blocks.
        mean_ranks: 1 is best, in the same order.
        seeds: the complete blocks: those in which every row has a value.
        left_out: blocks that are not complete -> rows without a value there.
        statistic, p: Friedman's, corrected for ties; None where there is no test.
        critical_difference: Nemenyi's; None where there is no test.
        groups: maximal runs of neighbouring rows that are not distinguishable; a row in no run of two stands alone.
        reason: why there is no test.
    """

    rows: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    seeds: tuple[int, ...]
    left_out: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    statistic: float | None = None
    p: float | None = None
    critical_difference: float | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    reason: str | None = None


def rank(values: Mapping[str, Mapping[int, float]], *, lower_is_better: bool) -> Ranking:
    """Rank rows.

    Args:
        values: name of a row -> seed -> value.
        lower_is_better: the direction; for a quantity without one it only gives the order.
    """
    names = list(values)
    every = sorted(set().union(*(own.keys() for own in values.values())))
    lacking = {seed: tuple(name for name in names if seed not in values[name]) for seed in every}
    complete = tuple(seed for seed in every if not lacking[seed])
    left_out = {seed: rows for seed, rows in lacking.items() if rows}
    if reason := _too_few(len(names), len(complete)):
        return Ranking((), (), complete, left_out, reason=reason)
    return _ranked(
        {name: [values[name][seed] for seed in complete] for name in names}, complete, left_out, lower_is_better
    )


def _too_few(rows: int, blocks: int) -> str | None:
    if rows < FEWEST_ROWS:
        return f"a ranking takes {FEWEST_ROWS} rows, {rows} {'has' if rows == 1 else 'have'} values"
    if blocks < FEWEST_BLOCKS:
        complete = f"{blocks} complete block{'' if blocks == 1 else 's'}"
        return f"{complete}: Friedman's and Nemenyi's tests take {FEWEST_BLOCKS}"
    return None


def _ranked(
    values: Mapping[str, Sequence[float]],
    seeds: tuple[int, ...],
    left_out: Mapping[int, tuple[str, ...]],
    lower_is_better: bool,
) -> Ranking:
    import numpy as np
    from scipy.stats import friedmanchisquare, rankdata

    names = list(values)
    table = np.array([values[name] for name in names]).T
    ranks = rankdata(table if lower_is_better else -table, axis=1)
    means = dict(zip(names, (float(mean) for mean in ranks.mean(axis=0)), strict=True))
    ordered = tuple(sorted(names, key=lambda name: (means[name], name)))
    mean_ranks = tuple(means[name] for name in ordered)
    if not np.ptp(ranks, axis=1).any():
        return Ranking(ordered, mean_ranks, seeds, left_out, reason="all rows are equal in every block")
    found = friedmanchisquare(*table.T)
    statistic, p = float(found.statistic), float(found.pvalue)
    difference = critical_difference(len(names), len(seeds))
    groups = _groups(ordered, mean_ranks, difference) if p < LEVEL else (ordered,)
    return Ranking(ordered, mean_ranks, seeds, left_out, statistic, p, difference, groups)


@lru_cache(maxsize=64)
def critical_difference(rows: int, blocks: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of mean ranks."""
    import numpy as np
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - level, rows, np.inf))
    return q / math.sqrt(2) * math.sqrt(rows * (rows + 1) / (6 * blocks))


def _groups(names: Sequence[str], means: Sequence[float], difference: float) -> tuple[tuple[str, ...], ...]:
    """Maximal runs of two rows or more whose first and last differ by less than the critical difference."""
    runs: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = max(index for index in range(first, len(names)) if means[index] - means[first] < difference)
        if last > first and not (runs and runs[-1][1] >= last):
            runs.append((first, last))
    return tuple(tuple(names[first : last + 1]) for first, last in runs)
