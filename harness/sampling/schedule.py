"""When to sample: absolute deadlines, so that the time a sample takes does not add up to drift."""

from __future__ import annotations

import math
from array import array

FEWEST_FOR = {0.5: 5, 0.99: 100}
"""A quantile over fewer values than this is refused: the 99th percentile of 20 values is only their largest."""


def too_few(fraction: float, count: int) -> str | None:
    """Why the quantile of so many values is not given, or None."""
    fewest = FEWEST_FOR[fraction]
    return None if count >= fewest else f"fewer than {fewest} values: a quantile of {fraction:g} takes so many"


class Schedule:
    """Deadlines at `start + k * period`. A deadline that has passed is skipped and counted, never made up for."""

    def __init__(self, start_ns: int, period_ns: int, medium_period_ns: int) -> None:
        self.deadline_ns = start_ns + period_ns
        self.ticks_skipped = 0
        self._start_ns = start_ns
        self._period_ns = period_ns
        self._medium_period_ns = medium_period_ns
        self._medium_due_ns = start_ns + medium_period_ns

    def medium_is_due(self, now_ns: int) -> bool:
        """Whether the slower tier is due. Half a period of grace keeps it on the same ticks."""
        return now_ns + self._period_ns // 2 >= self._medium_due_ns

    def medium_done(self, now_ns: int) -> None:
        """The slower tier has been read."""
        self._medium_due_ns = now_ns + self._medium_period_ns

    def advance(self, now_ns: int) -> None:
        """Go to the first deadline after both the last one and `now_ns`."""
        following_ns = self.deadline_ns + self._period_ns
        late_periods = (now_ns - self._start_ns) // self._period_ns
        next_ns = max(following_ns, self._start_ns + (late_periods + 1) * self._period_ns)
        self.ticks_skipped += (next_ns - following_ns) // self._period_ns
        self.deadline_ns = next_ns


class Latenesses:
    """Quantiles of many values in bounded memory: when full, it keeps every second, fourth, ... value."""

    _MOST = 32768

    def __init__(self) -> None:
        self.largest = 0
        self._values = array("q")
        self._stride = 1
        self._seen = 0

    def add(self, value: int) -> None:
        """Take one value."""
        self.largest = max(self.largest, value)
        if self._seen % self._stride == 0:
            self._values.append(value)
            if len(self._values) >= self._MOST:
                self._values = self._values[::2]
                self._stride *= 2
        self._seen += 1

    @property
    def count(self) -> int:
        """How many values were taken."""
        return self._seen

    def quantile(self, fraction: float) -> int | None:
        """The smallest that at least `fraction` (of `FEWEST_FOR`) of them do not exceed; None when they are too few."""
        if too_few(fraction, self._seen) is not None:
            return None
        return sorted(self._values)[math.ceil(fraction * len(self._values)) - 1]
