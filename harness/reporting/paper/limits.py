"""The ends of an axis of values: what is drawn stays inside, an interval of two trials does not flatten the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis import Column
from harness.reporting.paper.model import Mark

WIDEST_INTERVAL = 1.0
"""An axis reaches beyond the values by at most so much of their span, and of a tenth of their size, for an interval."""

FROM_ZERO = ("s", "cpu_s", "bytes", "1/s", "cores", "J")
"""Units of quantities whose zero means something to the eye."""


def axis_limits(marks: Sequence[Mark], column: Column, *, zero: bool, log: bool) -> tuple[float, float]:
    """Lower and upper end in the shown unit.

    All values of single trials lie inside. Intervals do as far as they reach no further than the whole span of the
    values beyond them; a longer one runs into the edge, and the CSV has its ends. Nothing reaches below 0 or, of a
    percentage, above 100.
    """
    values = [value for mark in marks for value in (mark.value, *mark.by_seed.values()) if value is not None]
    ends = [end for mark in marks for end in (mark.low_95, mark.high_95) if end is not None]
    low, high = min(values), max(values)
    reach = WIDEST_INTERVAL * max(high - low, 0.1 * abs(high), 1e-12)
    low_end = max(min([low, *ends]), low - reach)
    high_end = min(max([high, *ends]), high + reach)
    if log:
        positive = low_end if low_end > 0 else low
        factor = (high_end / positive) ** 0.06 if high_end > positive else 1.2
        return positive / factor / column.scale, high_end * factor / column.scale
    from_zero = zero and low >= 0
    margin = 0.06 * (high_end - (0.0 if from_zero else low_end)) or max(0.02 * abs(high_end), 1e-9)
    low_end, high_end = low_end - margin, high_end + margin
    if from_zero or (low >= 0 and low_end < 0):
        low_end = 0.0
    if column.unit == "percent" and high <= 100:
        high_end = min(high_end, 100.0 + 0.02 * (100.0 - low_end))
    return low_end / column.scale, high_end / column.scale


def cut_intervals(marks: Sequence[Mark], column: Column, limits: tuple[float, float]) -> int:
    """How many intervals an axis cuts off."""
    low, high = (limit * column.scale for limit in limits)
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    return sum(
        mark.low_95 is not None
        and mark.high_95 is not None
        and (mark.low_95 < low - slack or mark.high_95 > high + slack)
        for mark in marks
    )


def half_widths(mark: Mark, scale: float) -> tuple[float, float]:
    """Distances from the value to the ends of its interval, in the shown unit; NaN where there is none."""
    if mark.value is None or mark.low_95 is None or mark.high_95 is None:
        return math.nan, math.nan
    return (mark.value - mark.low_95) / scale, (mark.high_95 - mark.value) / scale
