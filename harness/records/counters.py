"""Counters as sampled, made into values at any moment: monotone, interpolated, with the distance to the next sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Samples = Mapping[str, Sequence]
"""The sampler's table: column -> values, None for null."""


@dataclass(frozen=True)
class CounterSeries:
    """A counter's samples, in order of time, never falling.

    Attributes:
        origin_ns: CLOCK_MONOTONIC time that `offsets_ns` count from; keeps the arithmetic exact in float64.
        offsets_ns: times of the samples minus `origin_ns`, ascending.
        values: the counter, minus its value when the job began.
    """

    origin_ns: int
    offsets_ns: np.ndarray
    values: np.ndarray

    def at(self, t_ns: int) -> float:
        """Value at `t_ns`, by interpolation between the samples next to it; held beyond the first and the last."""
        import numpy as np

        return float(np.interp(t_ns - self.origin_ns, self.offsets_ns, self.values))

    def increase(self, begin_ns: int, end_ns: int) -> float:
        """How much the counter grew between two moments."""
        return self.at(end_ns) - self.at(begin_ns)

    def at_mark(self, t_ns: int) -> float:
        """Value at a phase mark, from the boundary sample that follows it.

        What lies between mark and sample belongs to the phase that begins, so the sample's value is taken back at the
        rate of what follows it, not at that of the phase before: where work stops or starts at the mark, a straight
        line across it would give the delay of the sample to the wrong phase. Never below the sample before.
        """
        import numpy as np

        offset = float(t_ns - self.origin_ns)
        after = int(np.searchsorted(self.offsets_ns, offset, side="left"))
        if after == 0 or after + 1 >= len(self.values):
            return self.at(t_ns)
        (near, far), (value, later) = self.offsets_ns[after : after + 2], self.values[after : after + 2]
        rate = (later - value) / (far - near) if far > near else 0.0
        return float(max(self.values[after - 1], value - rate * (near - offset)))

    def increase_between_marks(self, begin_ns: int, end_ns: int) -> float:
        """How much the counter grew from one mark to another."""
        return self.at_mark(end_ns) - self.at_mark(begin_ns)

    def gap_ns(self, t_ns: int) -> int:
        """Distance from `t_ns` to the sample nearest to it."""
        import numpy as np

        return int(np.min(np.abs(self.offsets_ns - (t_ns - self.origin_ns))))

    @property
    def total(self) -> float:
        """Growth from the job's begin to the last sample."""
        return float(self.values[-1])

    def highest_rate(self, begin_ns: int, end_ns: int, window_ns: int) -> float | None:
        """Largest growth per ns over any window inside `[begin_ns, end_ns]`; None if no window fits.

        The counter is a chain of straight lines, so the maximum lies where a window's edge meets a sample.
        """
        import numpy as np

        begin, last = float(begin_ns - self.origin_ns), float(end_ns - window_ns - self.origin_ns)
        if last < begin:
            return None
        starts = np.concatenate([self.offsets_ns, self.offsets_ns - window_ns, [begin, last]])
        starts = starts[(starts >= begin) & (starts <= last)]
        growth = np.interp(starts + window_ns, self.offsets_ns, self.values) - np.interp(
            starts, self.offsets_ns, self.values
        )
        return float(growth.max()) / window_ns


def sample_time_ns(samples: Samples, index: int) -> int | None:
    """Middle of the moment a sample was taken in."""
    start, end = samples["t_start_ns"][index], samples["t_end_ns"][index]
    if start is None:
        return None
    return int(start) if end is None else (int(start) + int(end)) // 2


def series(samples: Samples | None, column: str, job_begin_ns: int | None = None) -> CounterSeries | None:
    """Return a sampled counter, or None when it has no value.

    Args:
        samples: the sampler's table.
        column: name of a counter in it.
        job_begin_ns: for a counter of the job alone: when the worker was requested. Such a counter began at 0, so a
            first value seen after this moment is all the job's; the last one seen before it is a base to subtract. None
            for counters of the whole machine, which count from their first sample.
    """
    if not samples or column not in samples:
        return None
    points = _points(samples, column)
    if not points:
        return None
    return series_of_points(points, job_begin_ns)


def series_of_points(points: Sequence[tuple[int, int]], job_begin_ns: int | None = None) -> CounterSeries:
    """The same from (time in ns, value) in order of time, at least one."""
    if job_begin_ns is not None:
        before = [value for t_ns, value in points if t_ns <= job_begin_ns]
        after = [point for point in points if point[0] > job_begin_ns]
        points = [(job_begin_ns, before[-1] if before else 0), *after]
    import numpy as np

    origin_ns, base = points[0]
    offsets = np.array([t - origin_ns for t, _ in points], dtype=np.float64)
    values = np.array([value - base for _, value in points], dtype=np.float64)
    return CounterSeries(origin_ns, offsets, np.maximum.accumulate(values))


def _points(samples: Samples, column: str) -> list[tuple[int, int]]:
    points = []
    for index, value in enumerate(samples[column]):
        t_ns = sample_time_ns(samples, index)
        if value is not None and t_ns is not None:
            points.append((t_ns, int(value)))
    points.sort(key=lambda point: point[0])
    return points
