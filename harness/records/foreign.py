"""Cores that others than the job and the sampler kept busy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.records.counters import series

if TYPE_CHECKING:
    from harness.records.job import Job

HOST_BUSY = ("user", "nice", "system", "irq", "softirq")


def foreign_cores(job: Job, begin_ns: int, end_ns: int) -> float | None:
    """Host busy - job - sampler over a stretch of time, in cores; None where one of them was not sampled.

    The host counts in ticks of 10 ms for each CPU and state, so a quiet machine shows values around 0, also below.
    """
    sampler = series(job.files.samples, "sampler_cpu_ns")
    busy = [series(job.files.samples, f"host_{state}_ticks") for state in HOST_BUSY]
    found = [counter for counter in busy if counter is not None]
    if job.cpu is None or sampler is None or len(found) < len(HOST_BUSY) or end_ns <= begin_ns:
        return None
    ticks = sum(counter.increase(begin_ns, end_ns) for counter in found)
    ours_ns = job.cpu.increase(begin_ns, end_ns) + sampler.increase(begin_ns, end_ns)
    return (ticks / os.sysconf("SC_CLK_TCK") - ours_ns / 1e9) / ((end_ns - begin_ns) / 1e9)
