#!/usr/bin/env python3
"""Is the peak right when 300 MB are held for 30 ms between two samples?

The truth is the load's resident memory just before, and the block. `dlgauge sample`'s machinery gives the cgroup's
and the largest process's kernel-kept peaks; beside it the largest resident memory that a psutil loop at 10 Hz sees.
Usage: .venv/bin/python scripts/benchmarks/memory_truth.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import loads
import peers
import report_line

from harness.execution.command import run_command
from harness.records.command import summarise_command

TARGET = 0.03
KEYS = ("peak_memory_bytes", "peak_memory_cgroup_bytes", "peak_memory_largest_process_bytes")


def main() -> int:
    """Measure in turn; exit status 1 when the worst error of `peak_memory_bytes` is over its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    report_line.print_machine()
    errors: dict[str, list[float]] = {key: [] for key in (*KEYS, "psutil at 10 Hz")}
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            by_sampler(Path(folder), errors)
        with tempfile.TemporaryDirectory() as folder:
            errors["psutil at 10 Hz"].append(by_psutil(Path(folder)))
    for name, found in errors.items():
        text = report_line.spread([100 * value for value in found], 2) if found else "cannot be had on this machine"
        print(f"{name}: error, %: {text}")
    worst = max(errors[KEYS[0]], key=abs)
    figure = f"{100 * worst:.2f} %, n = {len(errors[KEYS[0]])}"
    return 0 if report_line.verdict("worst error of peak_memory_bytes", figure, "<= 3 %", abs(worst) <= TARGET) else 1


def by_sampler(folder: Path, errors: dict[str, list[float]]) -> None:
    """One run below the sampler; adds the errors of all three peaks."""
    files, truth = folder / "files", folder / "truth"
    files.mkdir()
    summary = summarise_command(run_command(loads.argv("spike", truth), files))
    known = int(truth.read_text())
    for key in KEYS:
        if summary[key] is not None:
            errors[key].append((summary[key] - known) / known)


def by_psutil(folder: Path) -> float:
    """One run below the psutil loop."""
    truth, log = folder / "truth", folder / "log"
    target = subprocess.Popen(loads.argv("spike", truth))
    walker = subprocess.Popen(peers.psutil_argv(target.pid, log), stderr=subprocess.DEVNULL)
    target.wait()
    walker.wait()
    known = int(truth.read_text())
    return (max(resident for _, _, resident in peers.psutil_rows(log)) - known) / known


if __name__ == "__main__":
    sys.exit(main())
