"""Spearman's coefficient and the partial rank correlation, of many pairs at once and without each block in turn.

Spearman: Pearson's coefficient of midranks. Partial: of the ranks, what is left of two of them after a least-squares
fit on the others (M. G. Kendall, Rank Correlation Methods, chapter 8, for Spearman's coefficient). Both come from one
matrix of products, so that leaving out a block costs one pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, groups_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING_LEFT = 1e-9
"""Share of a rank's sum of squares below which the others explain it wholly."""


@dataclass(frozen=True)
class RankCorrelations:
    """Coefficients (factors, outcomes) of all rows, and (groups, factors, outcomes) without each group; of fewer
    than `FEWEST_BLOCKS` blocks no groups.

    NaN where a coefficient does not exist: a column has one value, or the other factors explain it wholly.
    """

    spearman: NDArray[np.float64]
    spearman_without: NDArray[np.float64]
    partial: NDArray[np.float64]
    partial_without: NDArray[np.float64]


def rank_correlations(
    factors: NDArray[np.float64],
    outcomes: NDArray[np.float64],
    controls: NDArray[np.float64],
    blocks: NDArray[np.int64],
) -> RankCorrelations:
    """Coefficients of every factor with every outcome.

    Args:
        factors: (n, f) levels of ordered factors.
        outcomes: (n, m) without blocks, no NaN.
        controls: (n, c) columns of 0 and 1 that a partial coefficient holds constant beside the other factors.
        blocks: (n,) codes from 0.
    """
    codes = [np.unique(column, return_inverse=True)[1] for column in (*factors.T, *outcomes.T)]
    groups, count = groups_of(blocks, int(blocks.max()) + 1)
    shape = (factors.shape[1], outcomes.shape[1])
    whole = _coefficients(codes, controls, np.ones(len(blocks), dtype=bool), shape)
    left = range(count) if count >= FEWEST_BLOCKS else ()  # of fewer blocks there are no intervals
    parts = [_coefficients(codes, controls, groups != group, shape) for group in left]
    without = [np.array([part[i] for part in parts]).reshape(-1, *shape) for i in (0, 1)]
    return RankCorrelations(whole[0], without[0], whole[1], without[1])


def midranks(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Ranks from 1 of values given as codes in their order; equal values share the mean of their ranks."""
    counts = np.bincount(codes)
    upper = np.cumsum(counts)
    return np.asarray((upper - (counts - 1) / 2)[codes])


def _coefficients(
    codes: list[NDArray[np.int64]], controls: NDArray[np.float64], keep: NDArray[np.bool_], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ranks = np.stack([midranks(column[keep]) for column in codes], axis=1)
    columns = np.concatenate([ranks, controls[keep]], axis=1)
    columns = columns - columns.mean(axis=0)
    lengths = np.sqrt((columns**2).sum(axis=0))
    # A column of one value stays 0: it explains nothing and has no coefficient.
    columns = columns / np.where(lengths > 0, lengths, 1.0)
    products = columns.T @ columns
    factor_count, outcome_count = shape
    ys = np.arange(factor_count, factor_count + outcome_count)
    others = np.arange(factor_count + outcome_count, len(products))
    spearman = _ratio(products, np.arange(factor_count), ys)
    partial = np.full(shape, np.nan)
    for index in range(factor_count):
        held = np.concatenate([np.delete(np.arange(factor_count), index), others]).astype(int)
        targets = np.concatenate([[index], ys])
        rest = products[np.ix_(targets, targets)]
        if len(held):
            across = products[np.ix_(targets, held)]
            rest = rest - across @ np.linalg.pinv(products[np.ix_(held, held)], hermitian=True) @ across.T
        partial[index] = _ratio(rest, np.array([0]), np.arange(1, len(targets)))[0]
    return spearman, partial


def _ratio(products: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    squares = np.diag(products)
    squares = np.where(squares > NOTHING_LEFT, squares, np.nan)
    found = products[np.ix_(rows, columns)] / np.sqrt(np.outer(squares[rows], squares[columns]))
    return np.clip(found, -1.0, 1.0)
