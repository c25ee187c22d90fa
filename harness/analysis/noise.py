"""The noise floor of a machine: how small a difference it can resolve with a given number of repeats.

`times` are those of equal work in independent processes: the process, not what happens inside it, is the unit of
replication (Kalibera and Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013). Their logarithms are compared,
so a difference is a ratio.

The smallest difference that a two-sided t test of two groups of n at level 0.05 finds with probability 0.8 is

    delta(n) = (t[0.975, 2n - 2] + t[0.8, 2n - 2]) * s * sqrt(2 / n)        resolvable: exp(delta) - 1

with `s` the standard deviation of the logarithms: the minimum detectable difference of the two-sample t test (Zar,
Biostatistical Analysis). `s` is itself an estimate: its 95 % interval, by the chi-squared distribution, is about 0.7 to
1.8 times `s` for ten runs. The runs are taken as independent; the lag-1 autocorrelation says how far they are: above
about 2 / sqrt(runs) the machine drifts, and repeats that are not interleaved resolve less than is said here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.statistics import t_quantile

LEVEL = 0.05
POWER = 0.80
REPEATS = (3, 5, 10, 20)
FEWEST_RUNS = 5


@dataclass(frozen=True)
class NoiseFloor:
    """What repeated equal work says about a machine.

    Attributes:
        runs: independent processes measured.
        median_s: of their times.
        log_sd: standard deviation of the logarithms of the times; about the coefficient of variation.
        autocorrelation: of the logarithms at lag 1; None where all times are equal.
        resolvable: repeats -> smallest difference, as a fraction, found with probability 0.8.
    """

    runs: int
    median_s: float
    log_sd: float
    autocorrelation: float | None
    resolvable: dict[int, float]

    @property
    def drifts(self) -> bool:
        """Whether neighbouring runs are more alike than chance makes them."""
        return self.autocorrelation is not None and self.autocorrelation > 2 / math.sqrt(self.runs)


def noise_floor(times_s: Sequence[float], repeats: Sequence[int] = REPEATS) -> NoiseFloor:
    """The noise floor from the times of equal work, in the order in which they were measured.

    Raises:
        ValueError: fewer than 5 times, or one that is not positive.
    """
    if len(times_s) < FEWEST_RUNS:
        raise ValueError(f"{len(times_s)} runs; a standard deviation worth the name takes {FEWEST_RUNS}")
    if not all(math.isfinite(value) and value > 0 for value in times_s):
        raise ValueError(f"times must be positive, got {list(times_s)}")
    logs = [math.log(value) for value in times_s]
    deviation = statistics.stdev(logs)
    return NoiseFloor(
        runs=len(times_s),
        median_s=statistics.median(times_s),
        log_sd=deviation,
        autocorrelation=lag_one_autocorrelation(logs),
        resolvable={n: smallest_difference(deviation, n) for n in repeats},
    )


def smallest_difference(log_sd: float, n: int) -> float:
    """The smallest ratio less 1 that two groups of `n` can tell from 0 (see the module's formula).

    Raises:
        ValueError: `n` is below 2.
    """
    if n < 2:
        raise ValueError(f"a comparison takes at least 2 repeats, got {n}")
    degrees = 2 * n - 2
    factor = t_quantile(1 - LEVEL / 2, degrees) + t_quantile(POWER, degrees)
    return math.expm1(factor * log_sd * math.sqrt(2 / n))


def lag_one_autocorrelation(values: Sequence[float]) -> float | None:
    """Correlation of each value with the next; None where all are equal."""
    mean = statistics.fmean(values)
    residuals = [value - mean for value in values]
    total = math.fsum(residual**2 for residual in residuals)
    if total == 0:
        return None
    return math.fsum(a * b for a, b in zip(residuals, residuals[1:], strict=False)) / total
