"""Numbers as people read them: a mean with the digits that its standard deviation leaves it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.analysis.columns import Column
from harness.analysis.statistics import Statistics

NOT_AVAILABLE = "n/a"


@dataclass(frozen=True)
class Shown:
    """A value as text.

    Attributes:
        mean: the mean, or `n/a`.
        sd: the standard deviation, empty for n = 1 and where there is no mean.
    """

    mean: str
    sd: str = ""

    def __str__(self) -> str:
        return f"{self.mean} ± {self.sd}" if self.sd else self.mean


def show(statistics: Statistics | None, column: Column) -> Shown:
    """Mean and standard deviation in the column's shown unit.

    The standard deviation gets one significant digit, two where the first is 1 or 2 (so that rounding never moves it
    by more than a sixth); the mean ends at the same decimal place. Without one the mean gets `column.digits` digits.
    """
    if statistics is None:
        return Shown(NOT_AVAILABLE)
    mean = statistics.mean / column.scale
    if statistics.sd is None:
        return Shown(_fixed(mean, _decimals_alone(mean, column)))
    sd = statistics.sd / column.scale
    if sd == 0:
        return Shown(_fixed(mean, _decimals_alone(mean, column)), "0")
    decimals = _decimals_of_sd(sd)
    # A tiny sd must not blow up a column: nothing is gained beyond two digits more than the quantity is worth.
    decimals = min(decimals, _decimals_of(mean, column.digits + 2))
    if round(sd, decimals) == 0:
        return Shown(_fixed(mean, decimals), f"{sd:.1g}")
    return Shown(_fixed(mean, decimals), _fixed(sd, decimals))


def show_number(value: float | None, column: Column) -> str:
    """One value of a trial in the column's shown unit."""
    if value is None:
        return NOT_AVAILABLE
    scaled = value / column.scale
    return _fixed(scaled, _decimals_alone(scaled, column))


def _decimals_of_sd(sd: float) -> int:
    exponent = math.floor(math.log10(sd))
    first = int(f"{sd:e}"[0])
    digits = 2 if first in (1, 2) else 1
    return max(0, digits - 1 - exponent)


def _decimals_of(value: float, digits: int) -> int:
    if value == 0:
        return 0
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def _decimals_alone(value: float, column: Column) -> int:
    """Decimals of a value that no standard deviation limits; a count has none."""
    return 0 if column.unit == "1" and float(value).is_integer() else _decimals_of(value, column.digits)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and float(text) == 0 else text
