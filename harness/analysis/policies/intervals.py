"""Intervals and tests over seeds, for values that are known to a grain only.

An accuracy of 2,000 images moves in steps of 0.05 %, a cost in steps of the evaluation's interval. A value known to a
grain q has the standard uncertainty q / sqrt(12) (JCGM 100:2008, GUM, F.2.2.1), so no standard deviation is taken as
smaller than that: three seeds with the same 98.50 % do not make an interval of width zero.

Student's t distribution is used for n >= 2. For n = 1 there is no interval and no test, and the reason is said.
Holm's correction: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6 (1979).
Welch's test: B. L. Welch, Biometrika 34 (1947).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
LEVEL = 0.05
ONE_VALUE = "one value: no standard deviation, so no interval"
NO_VALUE = "no value"
GRAIN_DEVIATION = 1 / math.sqrt(12)
MOST_MORE = 1_000
"""Above this number of further seeds the answer would be no plan."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Attributes:
        n: number of values.
        mean: in the values' unit.
        sd: sample standard deviation; None for n = 1.
        half_width: of the t interval of the mean; None where there is none.
        reason: why there is no interval.
    """

    n: int
    mean: float
    sd: float | None
    half_width: float | None
    reason: str | None = None


def interval(values: Sequence[float], grain: float = 0.0, confidence: float = CONFIDENCE) -> Interval | None:
    """`mean ± t[(1 + confidence) / 2, n - 1] * max(sd, grain / sqrt(12)) / sqrt(n)`; None without values."""
    if not values:
        return None
    n, mean = len(values), statistics.fmean(values)
    if n == 1:
        return Interval(1, mean, None, None, ONE_VALUE)
    sd = statistics.stdev(values)
    error = max(sd, grain * GRAIN_DEVIATION) / math.sqrt(n)
    return Interval(n, mean, sd, _t((1 + confidence) / 2, n - 1) * error)


@dataclass(frozen=True)
class Difference:
    """How much larger one policy's value is than another's.

    Attributes:
        n: pairs, or the smaller of the two numbers of values where they are not paired.
        mean: of the difference, in the values' unit.
        sd: standard deviation of the differences; None where they are not paired or n = 1.
        half_width: of the t interval; None where there is none.
        p: two-sided; None where there is no test.
        test: `paired t`, `Welch t` or `none`.
        reason: why there is no test.
    """

    n: int
    mean: float
    sd: float | None
    half_width: float | None
    p: float | None
    test: str
    reason: str | None = None


def difference(
    values: Mapping[int, float],
    reference: Mapping[int, float],
    grain: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Difference | None:
    """`values` less `reference`, paired by seed where two seeds or more are shared.

    Two trials of one seed share initial weights and mini-batches, so the pair is the unit. With fewer than two shared
    seeds but two values or more on either side Welch's test serves. None where either side has no value.
    """
    if not values or not reference:
        return None
    shared = [seed for seed in values if seed in reference]
    if len(shared) >= 2:
        return _paired([values[seed] - reference[seed] for seed in shared], grain, confidence)
    mean = statistics.fmean(values.values()) - statistics.fmean(reference.values())
    if len(values) >= 2 and len(reference) >= 2:
        return _welch(list(values.values()), list(reference.values()), mean, grain, confidence)
    if shared:
        mean = values[shared[0]] - reference[shared[0]]
    n = min(len(values), len(reference))
    return Difference(n, mean, None, None, None, "none", "one seed: no test")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given: the k-th smallest times (m - k + 1), never falling, at most 1."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, running = [0.0] * len(p_values), 0.0
    for position, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[index]))
        adjusted[index] = running
    return adjusted


def seeds_until(sd: float, distance: float, n: int, confidence: float) -> int | None:
    """How many further seeds make the interval's half width as small as `distance`, at this standard deviation.

    The standard deviation is an estimate from few seeds, so this is one too. None above 1,000, or where `distance` is
    not positive.
    """
    if distance <= 0:
        return None
    for total in range(max(n + 1, 2), n + MOST_MORE + 1):
        if _t((1 + confidence) / 2, total - 1) * sd / math.sqrt(total) <= distance:
            return total - n
    return None


def pair_deviation(sd: float | None, grain: float) -> float:
    """A standard deviation of differences, not below what two grains leave: `grain * sqrt(2 / 12)`."""
    return max(sd or 0.0, grain * GRAIN_DEVIATION * math.sqrt(2))


def _paired(differences: Sequence[float], grain: float, confidence: float) -> Difference:
    n, mean, sd = len(differences), statistics.fmean(differences), statistics.stdev(differences)
    error = pair_deviation(sd, grain) / math.sqrt(n)
    half_width = _t((1 + confidence) / 2, n - 1) * error
    if error == 0:
        return Difference(n, mean, sd, half_width, 1.0 if mean == 0 else 0.0, "paired t")
    return Difference(n, mean, sd, half_width, _two_sided(mean / error, n - 1), "paired t")


def _welch(a: Sequence[float], b: Sequence[float], mean: float, grain: float, confidence: float) -> Difference:
    floor = grain * GRAIN_DEVIATION
    parts = [max(statistics.stdev(one), floor) ** 2 / len(one) for one in (a, b)]
    n, error = min(len(a), len(b)), math.sqrt(sum(parts))
    if error == 0:
        return Difference(n, mean, None, 0.0, 1.0 if mean == 0 else 0.0, "Welch t")
    squares = sum(part**2 / (len(one) - 1) for part, one in zip(parts, (a, b), strict=True))
    degrees = error**4 / squares
    half_width = _t((1 + confidence) / 2, degrees) * error
    return Difference(n, mean, None, half_width, _two_sided(mean / error, degrees), "Welch t")


def _t(probability: float, degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf(probability, degrees))


def _two_sided(t: float, degrees: float) -> float:
    from scipy import stats

    return float(2 * stats.t.sf(abs(t), degrees))
