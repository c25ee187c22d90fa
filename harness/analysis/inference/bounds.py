"""95 % intervals of a mean over blocks: Student's t, and the bias-corrected and accelerated (BCa) bootstrap.

The t interval holds its level exactly where the values are normal, which log-ratios of times nearly are; the BCa
interval asks for no distribution but needs more blocks: from few it covers less than it promises, and less than the t
interval does, on skewed noise as well (`scripts/benchmarks/interval_coverage.py`, docs/analysis-compare.md). So the t
interval is shown below `BCA_SHOWN_FROM` blocks, where the two cover alike, and the BCa interval from there on.

BCa: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), equations 14.9 to 14.15. The acceleration
of a mean, by the jackknife, is `sum(d³) / (6 sum(d²)^1.5)` with `d` the deviations from the mean. Resamples that are
equal to the mean count half in the bias correction, as in `scipy.stats.bootstrap`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.analysis.inference.blocks import deviation
from harness.analysis.statistics import CONFIDENCE, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 9_999
"""Bootstrap resamples of the blocks."""

SEED = 19_930_101
"""Of every random draw of this package: the same records give the same numbers."""

FEWEST_FOR_BCA = 5
"""Fewer blocks have too few different resamples: four have 35."""

BCA_SHOWN_FROM = 40
"""Blocks from which on the BCa interval is the one shown."""

TIE = 1e-12
"""Means that differ by less than this share of the largest value are equal: the rest is rounding."""


@dataclass(frozen=True)
class Bounds:
    """An interval of a mean.

    Attributes:
        low, high: in the values' unit; None where there is none.
        method: `t` or `BCa`.
        reason: why there is none.
    """

    low: float | None
    high: float | None
    method: str
    reason: str | None = None


def t_bounds(values: Sequence[float], floor: float = 0.0, confidence: float = CONFIDENCE) -> Bounds:
    """`mean ± t[(1 + confidence) / 2, n - 1] * max(sd, floor) / sqrt(n)`; none of one value.

    Args:
        values: of the blocks.
        floor: the standard deviation that the grain of the values alone leaves (`grain_deviation`).
        confidence: of the interval.
    """
    n = len(values)
    if n < 2:
        return Bounds(None, None, "t", f"{n} block{'' if n == 1 else 's'}: no standard deviation, so no interval")
    mean = statistics.fmean(values)
    half_width = t_quantile((1 + confidence) / 2, n - 1) * max(deviation(values), floor) / math.sqrt(n)
    return Bounds(mean - half_width, mean + half_width, "t")


def bca_bounds(values: Sequence[float], confidence: float = CONFIDENCE) -> Bounds:
    """The BCa interval of the mean over blocks; none of fewer than five, or where all values are equal."""
    import numpy as np

    n = len(values)
    if n < FEWEST_FOR_BCA:
        return Bounds(None, None, "BCa", f"a bootstrap takes {FEWEST_FOR_BCA} blocks, there are {n}")
    data = np.asarray(values, dtype=float)
    mean, deviations = data.mean(), data - data.mean()
    tie = TIE * float(np.abs(data).max())
    if float(np.abs(deviations).max()) <= tie:
        return Bounds(None, None, "BCa", "all blocks have the same ratio: nothing to resample")
    means = resampling_weights(n) @ data
    below = (np.count_nonzero(means < mean - tie) + np.count_nonzero(means <= mean + tie)) / (2 * RESAMPLES)
    if not 0 < below < 1:
        return Bounds(None, None, "BCa", "all resamples lie on one side of the mean")
    normal = statistics.NormalDist()
    bias = normal.inv_cdf(float(below))
    acceleration = float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5))
    levels = []
    for probability in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + normal.inv_cdf(probability)
        levels.append(normal.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(means, levels)
    return Bounds(float(low), float(high), "BCa")


def shown(t: Bounds, bca: Bounds, n: int) -> Bounds:
    """Of the two intervals the one that people are shown."""
    return bca if n >= BCA_SHOWN_FROM and bca.low is not None else t


@lru_cache(maxsize=8)
def resampling_weights(n: int, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """How often each of `n` blocks stands in each resample, divided by n: shape (resamples, n).

    A resample of n blocks with replacement is a draw from the multinomial distribution; with `weights @ values` the
    means of all resamples are had at once, the same resamples for every quantity.
    """
    import numpy as np

    chance = np.random.default_rng([SEED, n])
    weights: Any = chance.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    weights.setflags(write=False)
    return weights
