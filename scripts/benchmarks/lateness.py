#!/usr/bin/env python3
"""Does the sampler keep its schedule? Lateness of every tick for a minute, idle and with every core busy; and drift.

Drift is the median deviation of the last quarter's ticks from a grid of exact periods that begins at the first
deadline, less that of the first quarter: a schedule that adds its own work to every period drifts by
milliseconds a second.
Usage: .venv/bin/python scripts/benchmarks/lateness.py [--seconds 60]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import loads
import report_line

from harness.sampling import decoding, schema
from harness.sampling.client import SamplerProcess

PERIOD_NS = 100_000_000
TARGET_P50_MS, TARGET_P99_MS, TARGET_DRIFT_MS = 0.5, 5.0, 0.5


def main() -> int:
    """Both conditions in turn; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    report_line.print_machine()
    print(f"load average {os.getloadavg()[0]:.2f}")
    cores = len(os.sched_getaffinity(0))
    conditions = {"idle": 0, f"{cores} cores busy": cores}
    met = [report(name, *measure(burners, arguments.seconds)) for name, burners in conditions.items()]
    return 0 if all(met) else 1


def measure(burners: int, seconds: float) -> tuple[list[int], list[int], int]:
    """Planned and real begin of every tick, ns, and how many were skipped."""
    busy = [subprocess.Popen(loads.argv("burn_wall", seconds + 5)) for _ in range(burners)]
    target = subprocess.Popen(["sleep", str(seconds + 30)])
    try:
        with tempfile.TemporaryDirectory() as folder:
            with SamplerProcess.start(Path(folder), {"period_ns": PERIOD_NS, "gpu": False}) as sampler:
                sampler.set_target(target.pid, None, False)
                time.sleep(seconds)
                skipped = int(sampler.stop()["ticks_skipped"])
            samples = decoding.read_samples(Path(folder) / schema.SAMPLES_FILE)
    finally:
        for process in (*busy, target):
            process.kill()
            process.wait()
    ticks = [index for index, trigger in enumerate(samples["trigger"]) if trigger == "tick"]
    planned, begun = ([int(samples[name][index]) for index in ticks] for name in ("t_planned_ns", "t_start_ns"))
    return planned, begun, skipped


def report(name: str, planned: list[int], begun: list[int], skipped: int) -> bool:
    """Quantiles and drift beside their targets."""
    late_ms = sorted((start - plan) / 1e6 for plan, start in zip(planned, begun, strict=True))
    n = len(late_ms)
    p50, p99 = (late_ms[max(0, -(-int(share * n) // 100) - 1)] for share in (50, 99))
    off_ms = [(start - planned[0]) / 1e6 for start in begun]
    off_ms = [off - round(off / (PERIOD_NS / 1e6)) * PERIOD_NS / 1e6 for off in off_ms]
    quarter = max(1, n // 4)
    drift = statistics.median(off_ms[-quarter:]) - statistics.median(off_ms[:quarter])
    print(f"{name}: n = {n} ticks, {skipped} skipped, lateness max {late_ms[-1]:.3f} ms")
    met = report_line.verdict("  lateness p50, ms", f"{p50:.3f}", f"< {TARGET_P50_MS:g}", p50 < TARGET_P50_MS)
    if n < 100:
        met = report_line.verdict("  lateness p99, ms", f"not shown: {n} ticks, it takes 100", "< 5", False)
    else:
        met &= report_line.verdict("  lateness p99, ms", f"{p99:.3f}", f"< {TARGET_P99_MS:g}", p99 < TARGET_P99_MS)
    span_s = (begun[-1] - begun[0]) / 1e9
    within = abs(drift) < TARGET_DRIFT_MS
    return met & report_line.verdict(f"  drift over {span_s:.0f} s, ms", f"{drift:+.3f}", "none (within 0.5)", within)


if __name__ == "__main__":
    sys.exit(main())
