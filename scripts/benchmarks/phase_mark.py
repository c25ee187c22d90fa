#!/usr/bin/env python3
"""What does a phase mark cost the worker? The time of one call of `EventLog.phase` with a live sampler listening.

One mark every few milliseconds, as far apart as phases of very short epochs, so that each finds the caches as training
left them. Beside it the same without a sampler. Usage: .venv/bin/python scripts/benchmarks/phase_mark.py [--marks 1000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import report_line

from frameworks.worker.events import EventLog
from harness.sampling.client import SamplerProcess

TARGET_US = 10.0
GAP_S = 0.003
SHARED_US = 100.0
"""No system call of a mark takes as long; a sample does."""


def main() -> int:
    """Measure with and without a sampler; exit status 1 when the median with one is over the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--marks", type=int, default=1000)
    arguments = parser.parse_args()
    report_line.print_machine()
    with tempfile.TemporaryDirectory() as folder:
        alone = marks_us(Path(folder), arguments.marks)
        with SamplerProcess.start(Path(folder), {"gpu": False}) as sampler:
            sampler.set_target(os.getpid(), None, False)
            sampled = marks_us(Path(folder), arguments.marks)
            taken = sampler.stop()["samples"]
    print(f"without a sampler, us: {report_line.spread(alone, 2)}")
    ordered = sorted(sampled)
    print(f"with a sampler: p95 {ordered[int(0.95 * len(ordered))]:.2f} us; {taken} samples for {len(ordered)} marks")
    shared = sum(value > SHARED_US for value in ordered) / len(ordered)
    print(f"marks above {SHARED_US:g} us, within which the sampler ran on the worker's own core: {100 * shared:.1f} %")
    median = statistics.median(sampled)
    figure = report_line.spread(sampled, 2)
    return 0 if report_line.verdict("phase mark, us", figure, "median <= 10", median <= TARGET_US) else 1


def marks_us(folder: Path, count: int) -> list[float]:
    """Microseconds of each mark, `train` and `evaluate` in turn, with busy time in between."""
    log = EventLog(str(folder / "events.jsonl"), str(folder / "sampler.sock"))
    found = []
    for number in range(count):
        end_s = time.monotonic() + GAP_S
        while time.monotonic() < end_s:
            sum(range(1000))
        begin_ns = time.perf_counter_ns()
        log.phase("train" if number % 2 else "evaluate", number)
        found.append((time.perf_counter_ns() - begin_ns) / 1e3)
    return found


if __name__ == "__main__":
    sys.exit(main())
