#!/usr/bin/env python3
"""Are CPU seconds right on a load that tree walkers lose? 25 children of 0.1 s and two double-forked orphans of 0.5 s.

The truth is the sum of what every process reads on its own CPU clock as its last act. `dlgauge sample`'s machinery,
psrecord (the integral of its percentages) and a psutil tree walker (last time seen of every process) at 10 Hz, in turn.
Usage: .venv/bin/python scripts/benchmarks/cpu_truth.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import loads
import peers
import report_line

from harness.execution.command import run_command
from harness.records.command import summarise_command

TARGET = 0.02


def main() -> int:
    """Measure in turn; exit status 1 when the sampler's worst error is over its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    peers.add_option(parser)
    arguments = parser.parse_args()
    report_line.print_machine()
    errors: dict[str, list[float]] = {"sampler": [], "psrecord": [], "psutil": []}
    with peers.psrecord_interpreter(arguments.psrecord) as python:
        for _ in range(arguments.repeats):
            for tool, found in errors.items():
                with tempfile.TemporaryDirectory() as folder:
                    found.append(error_of(tool, Path(folder), python))
    for tool, found in errors.items():
        print(f"{tool}: error of CPU seconds, %: {report_line.spread([100 * value for value in found], 2)}")
    worst = max(errors["sampler"], key=abs)
    figure = f"{100 * worst:.2f} %, n = {len(errors['sampler'])}, median of all {median_percent(errors['sampler'])}"
    return 0 if report_line.verdict("sampler: worst error", figure, "<= 2 %", abs(worst) <= TARGET) else 1


def median_percent(values: list[float]) -> str:
    """As text."""
    return f"{100 * statistics.median(values):.2f} %"


def error_of(tool: str, folder: Path, python: str) -> float:
    """What the tool says, less the truth, over the truth."""
    truth, files = folder / "truth", folder / "files"
    files.mkdir()
    argv = loads.argv("cpu", truth)
    if tool == "sampler":
        seconds = float(summarise_command(run_command(argv, files))["cpu_seconds"])
    elif tool == "psrecord":
        command = peers.psrecord_argv(python, argv, files / "log")
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        seconds = peers.psrecord_cpu_s(files / "log")
    else:
        target = subprocess.Popen(argv)
        walker = subprocess.Popen(peers.psutil_argv(target.pid, files / "log"), stderr=subprocess.DEVNULL)
        target.wait()
        walker.wait()
        seconds = peers.psutil_rows(files / "log")[-1][1]
    wait_for_orphans(truth)
    known = sum(float(line) for line in truth.read_text().splitlines())
    return (seconds - known) / known


def wait_for_orphans(truth: Path) -> None:
    """Until every process of the load has told its time: psrecord and psutil end with the program."""
    everyone = loads.CHILDREN + loads.ORPHANS + 1
    deadline_s = time.monotonic() + 60
    while len(truth.read_text().splitlines()) < everyone:
        if time.monotonic() > deadline_s:
            raise SystemExit("the load's processes have not all ended")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
