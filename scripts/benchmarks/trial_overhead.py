#!/usr/bin/env python3
"""What a trial costs beside the worker's own phases: folder, weights, sampler, launch, interpreter, clean-up, record.

Wall time from the request of a trial folder until the record is visible, less the worker's phases (`import` to
`teardown`). The first trial of each framework is left out: it pays once for the harness's own imports.
Usage: .venv/bin/python scripts/benchmarks/trial_overhead.py [--trials 5] [FRAMEWORK ...]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import report_line
from single_trials import Silent, make_trial

from harness.cli.run import StoreKeeper
from harness.execution import make_environment
from harness.execution.trial_runner import run_trial
from harness.records import publish
from harness.study import load_frameworks
from harness.workloads import prepare

TARGETS_S = {"venv": 1.5, "container": 3.0}
STEPS = 20


def main() -> int:
    """Measure every framework; exit status 1 when a median is over its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", default=["tensorflow", "torch", "caffe", "theano"])
    parser.add_argument("--trials", type=int, default=5)
    arguments = parser.parse_args()
    report_line.print_machine()
    missed = False
    for name in arguments.frameworks:
        framework = load_frameworks()[name]
        target = TARGETS_S[framework.environment]
        with tempfile.TemporaryDirectory() as folder:
            values = [overhead_s(name, Path(folder)) for _ in range(arguments.trials + 1)][1:]
        title = f"{name} ({framework.environment}): overhead per trial, s"
        report_line.print_figure(title, report_line.spread(values), f"<= {target}")
        missed = missed or statistics.median(values) > target
    return 1 if missed else 0


def overhead_s(name: str, folder: Path) -> float:
    """Seconds of one short trial that are not the worker's."""
    trial = make_trial(name, "lenet-mnist-subset", "caffe-mnist", STEPS, folder)
    environment = make_environment(load_frameworks()[name])
    keeper = StoreKeeper(folder / "store")
    data = prepare(trial.specification["workload"])
    begin_s = time.monotonic()
    record = publish(run_trial(trial, environment, data, keeper.new_folder(trial), Silent()), folder / "store")
    wall_s = time.monotonic() - begin_s
    if record.termination != "completed":
        raise SystemExit(f"{trial.label}: {record.manifest['termination']}")
    return wall_s - sum(phase["duration_s"] for phase in record.manifest["phases"])


if __name__ == "__main__":
    sys.exit(main())
