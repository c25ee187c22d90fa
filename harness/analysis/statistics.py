"""Statistics over seeds: mean, sample standard deviation, t interval, ratios of pairs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

CONFIDENCE = 0.95
"""Confidence level of every interval in a comparison."""

MAX_SEEDS_CONSIDERED = 1_000
"""Above this number of seeds `seeds_for_precision` gives up: the answer would not be a plan."""


@dataclass(frozen=True)
class Statistics:
    """What a few repetitions of one quantity say.

    Attributes:
        n: number of values.
        mean: arithmetic mean, in the values' unit.
        sd: sample standard deviation (divisor n - 1); None for n = 1, where it does not exist.
        minimum, maximum: the extremes.
        half_width: half width of the 95 % t interval of the mean; None for n = 1.
    """

    n: int
    mean: float
    sd: float | None
    minimum: float
    maximum: float
    half_width: float | None

    @property
    def coefficient_of_variation(self) -> float | None:
        """`sd / |mean|`; None where there is no `sd` or the mean is zero."""
        if self.sd is None or self.mean == 0:
            return None
        return self.sd / abs(self.mean)


def summarise(values: Sequence[float]) -> Statistics:
    """Statistics of `values`.

    Raises:
        ValueError: `values` is empty or holds a value that is not finite: a missing value is null, not NaN.
    """
    if not values:
        raise ValueError("no values to summarise")
    if not all(map(math.isfinite, values)):
        raise ValueError(f"values must be finite, got {list(values)}")
    n = len(values)
    mean = statistics.fmean(values)
    apart = [value - mean for value in values]
    # Two passes with exact sums: to the last digits what `statistics.stdev` gives, in a tenth of its time.
    sd = math.sqrt(math.fsum(map(mul, apart, apart)) / (n - 1)) if n > 1 else None
    half_width = None if sd is None else t_quantile((1 + CONFIDENCE) / 2, n - 1) * sd / math.sqrt(n)
    return Statistics(n, mean, sd, min(values), max(values), half_width)


def t_cumulative(t: float, degrees: int) -> float:
    """P(T ≤ t) for Student's t.

    Raises:
        ValueError: `degrees` is not positive.
    """
    from scipy.special import stdtr

    if degrees < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {degrees}")
    return float(stdtr(degrees, t))


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: int) -> float:
    """The t with P(T ≤ t) = `probability`.

    Raises:
        ValueError: `probability` is outside [0.5, 1) or `degrees` is not positive.
    """
    from scipy.special import stdtrit

    if not 0.5 <= probability < 1:
        raise ValueError(f"probability must be in [0.5, 1), got {probability}")
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {degrees}")
    return float(stdtrit(degrees, probability))


def seeds_for_precision(coefficient_of_variation: float, relative_half_width: float) -> int | None:
    """Smallest number of seeds whose 95 % interval would be `mean ± relative_half_width × mean` at this noise.

    Args:
        coefficient_of_variation: `sd / mean` seen so far, taken as the true one (an estimate: few seeds tell it badly).
        relative_half_width: the half width wanted, as a fraction of the mean.

    Returns:
        At least 2; None where more than `MAX_SEEDS_CONSIDERED` would be needed.
    """
    # The normal quantile is a lower bound of the t quantile, so the search starts just below the answer.
    normal = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    n = max(2, math.ceil((normal * coefficient_of_variation / relative_half_width) ** 2))
    while n <= MAX_SEEDS_CONSIDERED:
        half_width = t_quantile((1 + CONFIDENCE) / 2, n - 1) * coefficient_of_variation / math.sqrt(n)
        if half_width <= relative_half_width:
            return n
        n += 1
    return None


@dataclass(frozen=True)
class PairedRatio:
    """How many times larger one quantity is than another, from pairs with the same seed.

    Attributes:
        n: number of pairs.
        ratio: geometric mean of the ratios.
        low, high: 95 % t interval of the mean log ratio, as ratios; None for n = 1.
    """

    n: int
    ratio: float
    low: float | None
    high: float | None


def paired_ratio(values: Mapping[int, float], reference: Mapping[int, float]) -> PairedRatio | None:
    """Geometric mean of `values[seed] / reference[seed]` over the seeds that both have.

    The frameworks of one block share initial weights and mini batches, so the pair, not the group, is the unit.

    Returns:
        None where no seed is shared or a value is not positive (a ratio would mean nothing).
    """
    seeds = sorted(values.keys() & reference.keys())
    if not seeds or any(values[seed] <= 0 or reference[seed] <= 0 for seed in seeds):
        return None
    logs = summarise([math.log(values[seed] / reference[seed]) for seed in seeds])
    if logs.half_width is None:
        return PairedRatio(logs.n, math.exp(logs.mean), None, None)
    return PairedRatio(
        logs.n, math.exp(logs.mean), math.exp(logs.mean - logs.half_width), math.exp(logs.mean + logs.half_width)
    )
