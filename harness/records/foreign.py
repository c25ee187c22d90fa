"""Cores that others than the jobs of the trial and their samplers kept busy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.counters import CounterSeries, series

if TYPE_CHECKING:
    from harness.records.job import Job

HOST_BUSY = ("user", "nice", "system", "irq", "softirq")


@dataclass(frozen=True)
class ForeignLoad:
    """Host busy - job - sampler; of a job side by side with others also minus those jobs and their samplers.

    A neighbour is what the trial asks for, no disturbance; `co_location` of the manifest has what it used.

    The host counts in ticks of 10 ms for each CPU and state, so a quiet machine shows values around 0, also below.

    Attributes:
        busy: the host's counters of busy states, in ticks.
        ours: the counters of the jobs and of their samplers, in ns.
    """

    busy: tuple[CounterSeries, ...]
    ours: tuple[CounterSeries, ...]

    @classmethod
    def of(cls, job: Job) -> ForeignLoad | None:
        """The foreign load of a trial; None where a counter was not sampled."""
        ours = tuple(counter for one in job.all_jobs for counter in one.own_counters if counter is not None)
        busy = [series(job.files.samples, f"host_{state}_ticks") for state in HOST_BUSY]
        found = tuple(counter for counter in busy if counter is not None)
        if len(ours) < 2 * job.jobs_planned or len(found) < len(HOST_BUSY):
            return None
        return cls(found, ours)

    def cpu_s(self, begin_ns: int, end_ns: int) -> float:
        """CPU seconds that others used between two moments."""
        ticks = sum(counter.increase(begin_ns, end_ns) for counter in self.busy)
        ours_ns = sum(counter.increase(begin_ns, end_ns) for counter in self.ours)
        return ticks / os.sysconf("SC_CLK_TCK") - ours_ns / 1e9

    def cores(self, begin_ns: int, end_ns: int) -> float:
        """The same as cores, the mean between two moments."""
        return self.cpu_s(begin_ns, end_ns) / ((end_ns - begin_ns) / 1e9)
