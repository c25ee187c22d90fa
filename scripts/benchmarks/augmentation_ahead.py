#!/usr/bin/env python3
"""Does augmentation keep ahead of training? The part of a step's time that is spent getting its mini-batch.

Trials of `tensorflow-cifar10` on `cifar10@jpeg75` with its whole augmentation (random crop, flip, brightness, contrast,
standardisation), 128 images a step, on all CPUs. What is counted is `data_time_fraction` of the records: what a step
waits for the thread that augments, and handing the mini-batch over where the framework does that outside of its
compiled step (Torch). The first step is outside of the figure. What the thread takes from the framework's own
processor time is not in it: that lengthens steps.
Usage: .venv/bin/python scripts/benchmarks/augmentation_ahead.py --data DIR [--steps 60] [--repeats 5] [FRAMEWORK ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import report_line
from single_trials import figure, make_trial, run_once

from harness.errors import DlgaugeError
from harness.records import Record
from harness.workloads import prepare

TARGET = 0.05
SETTING = "tensorflow-cifar10"
WORKLOAD = f"{SETTING}@jpeg75"


def main() -> int:
    """Measure every framework; exit status 1 when a median is not under the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", default=["torch", "tensorflow"], metavar="FRAMEWORK")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with the files of cifar10@jpeg75"
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    report_line.print_machine()
    missed = False
    for name in arguments.frameworks:
        try:
            records = measure(name, arguments)
        except DlgaugeError as error:
            raise SystemExit(f"{name}: {error}") from None
        fractions = [figure(record, "data_time_fraction") for record in records]
        steps_ms = [1e3 * figure(record, "step_time_median_s") for record in records]
        title = f"{name}, {WORKLOAD}, {arguments.steps} steps: data time / step time"
        report_line.print_figure(title, report_line.spread(fractions, 4), f"< {TARGET}")
        print(f"    median time of a step, ms: {report_line.spread(steps_ms, 1)}", flush=True)
        missed = missed or statistics.median(fractions) >= TARGET
    return 1 if missed else 0


def measure(name: str, arguments: argparse.Namespace) -> list[Record]:
    """The records of the repeated trial."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trial = make_trial(name, WORKLOAD, SETTING, arguments.steps, folder)
        data = prepare(trial.specification["workload"], data_folder=arguments.data)
        return [run_once(trial, data, folder) for _ in range(arguments.repeats)]


if __name__ == "__main__":
    sys.exit(main())
