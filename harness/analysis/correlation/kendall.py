"""Kendall's tau-b of all trials, and exactly without each group of blocks, from one count of concordant pairs.

S, concordant minus discordant pairs, is half the sum over trials of how they stand to all others. Without a group it
is S minus the group's share plus the pairs inside the group, which that share holds twice. Ties: M. G. Kendall, Rank
Correlation Methods, chapter 3 (tau-b).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.jackknife import groups_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_COUNT = 20_000_000
"""Levels of the factor times distinct values of the outcome that are counted at most (160 MB)."""


def too_large(levels: int, trials: int) -> bool:
    """Whether a pair has too many levels for the exact count."""
    return levels * trials > LARGEST_COUNT


def tau(
    factor: NDArray[np.float64], outcome: NDArray[np.float64], blocks: NDArray[np.int64]
) -> tuple[float, NDArray[np.float64]]:
    """tau-b of all trials, and (groups,) without each group; NaN where one of the two has a single value.

    Args:
        factor, outcome: (n,) numbers.
        blocks: (n,) codes from 0.
    """
    x = np.unique(factor, return_inverse=True)[1]
    y = np.unique(outcome, return_inverse=True)[1]
    groups, count = groups_of(blocks, int(blocks.max()) + 1)
    standing = _standing(x, y)
    total = standing.sum() / 2
    without = np.full(count, np.nan)
    for group in range(count):
        inside = groups == group
        own = _standing(x[inside], y[inside]).sum() / 2
        without[group] = _tau_b(total - standing[inside].sum() + own, x[~inside], y[~inside])
    return _tau_b(total, x, y), without


def _standing(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each trial, concordant minus discordant pairs with all others."""
    if len(x) == 0:
        return np.zeros(0)
    x, y = (np.unique(one, return_inverse=True)[1] for one in (x, y))  # of a part of the trials: only its own values
    table = np.zeros((int(x.max()) + 1, int(y.max()) + 1), dtype=np.int64)
    np.add.at(table, (x, y), 1)
    below = np.cumsum(table, axis=1) - table
    above = table.sum(axis=1, keepdims=True) - below - table
    score = below - above  # of one level: how many lie below a value of y, minus how many above
    smaller = np.cumsum(score, axis=0) - score
    larger = score.sum(axis=0, keepdims=True) - smaller - score
    return np.asarray((smaller - larger)[x, y], dtype=np.float64)


def _tau_b(score: float, x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    pairs = len(x) * (len(x) - 1) / 2
    free = [pairs - float((counts * (counts - 1) / 2).sum()) for counts in (np.bincount(x), np.bincount(y))]
    return float(score / np.sqrt(free[0] * free[1])) if min(free, default=0) > 0 else float("nan")
