"""Intervals that respect blocks: the jackknife that leaves out one block at a time.

Trials of one block (one seed) share initial weights, mini-batches and a stretch of time, so they are not independent;
blocks are. An estimate is therefore made anew without each block, and the spread of these gives its standard error.
Source: R. G. Miller, The jackknife: a review, Biometrika 61 (1974), section 2; with more than `MOST_GROUPS` blocks,
groups of blocks are left out (P. S. Kott, The delete-a-group jackknife, Journal of Official Statistics 17 (2001)). The
interval takes Student's t with one degree of freedom fewer than there are groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
MOST_GROUPS = 40
FEWEST_BLOCKS = 3
"""Of fewer blocks no interval is given: t with one degree of freedom says nothing that helps a decision."""


@dataclass(frozen=True)
class Spread:
    """Of an array of estimates: what surrounds each of them, arrays of the same shape; NaN where there is none.

    Attributes:
        low, high: ends of the 95 % intervals.
        p: two-sided p-values of the hypothesis that the estimated number is 0.
        standard_error: on the scale on which the interval was made.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def groups_of(blocks: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Which group each row is left out with, and the number of groups.

    Args:
        blocks: (n,) number of the block of each row, 0 to `count` - 1.
        count: number of blocks.
    """
    groups = min(count, MOST_GROUPS)
    return blocks % max(groups, 1), groups


def jackknife(
    whole: NDArray[np.float64], without: NDArray[np.float64], *, correlations: bool = False, most: float = 1.0
) -> Spread:
    """Intervals from the estimates of all data and those without each group.

    Args:
        whole: estimates from all blocks, any shape.
        without: the same without group g at `without[g]`.
        correlations: the estimates lie between -1 and 1 and are handled as Fisher's z = artanh(r), whose distribution
            is nearly normal (R. A. Fisher, Metron 1 (1921)); the standard error is the jackknife's, not 1/sqrt(n - 3),
            which would take trials for independent. An estimate of exactly -1 or 1 has no interval.
        most: coefficients beyond it count as it: the largest below 1 that so many trials can have, so that one
            of 1 without a block, whose z is infinite, does not take the interval away.
    """
    from scipy import special

    groups = len(without)
    nothing = np.full_like(whole, np.nan)
    if groups < FEWEST_BLOCKS:
        return Spread(nothing, nothing, nothing, nothing)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, parts = whole, without
        if correlations:
            centre, parts = (np.arctanh(np.clip(one, -most, most)) for one in (whole, without))
        parts = np.where(np.isfinite(parts), parts, np.nan)
        centre = np.where(np.isfinite(centre), centre, np.nan)
        variance = (groups - 1) / groups * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0)
        error = np.sqrt(variance)
        half = special.stdtrit(groups - 1, (1 + CONFIDENCE) / 2) * error
        p = np.where(error > 0, 2 * special.stdtr(groups - 1, -np.abs(centre) / error), np.nan)
    low, high = centre - half, centre + half
    return Spread(np.tanh(low), np.tanh(high), p, error) if correlations else Spread(low, high, p, error)


def over_blocks(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], Spread]:
    """Mean over blocks of numbers that each block has for itself, with its t interval.

    Args:
        values: (blocks, ...), NaN where a block has none; the mean is of those that have it.

    Returns:
        The means, and their spread; NaN where fewer than `FEWEST_BLOCKS` blocks have a number.
    """
    from scipy import special

    count = np.isfinite(values).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(values, axis=0) / np.where(count > 0, count, np.nan)
        variance = np.nansum((values - mean) ** 2, axis=0) / np.where(count > 1, count - 1, np.nan)
        error = np.where(count >= FEWEST_BLOCKS, np.sqrt(variance / count), np.nan)
        degrees = np.maximum(count - 1, 1)
        half = special.stdtrit(degrees, (1 + CONFIDENCE) / 2) * error
        p = np.where(error > 0, 2 * special.stdtr(degrees, -np.abs(mean) / error), np.nan)
    return mean, Spread(mean - half, mean + half, p, error)
