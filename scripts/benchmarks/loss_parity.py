#!/usr/bin/env python3
"""Do the frameworks compute the same losses? Steps 1 to 20 on inputs without ties, same weights, batches and rates.

Runs `studies/same-losses.yaml` into a temporary store and prints losses of some steps by framework, and the largest
relative difference between any two frameworks in any of the 20 steps.
Usage: .venv/bin/python scripts/benchmarks/loss_parity.py [--raw]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import report_line

from harness.cli.progress import PlainObserver
from harness.cli.run import StoreKeeper
from harness.execution import StudyRunner
from harness.paths import PROJECT_ROOT
from harness.records import Store
from harness.study import load_frameworks, load_study, make_plan

TARGET = 1e-4


def main() -> int:
    """Run, compare, print; exit status 1 when the target is missed or a trial did not complete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", action="store_true", help="on the digits as they are, with their ties")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        losses = run(Path(folder), raw=arguments.raw)
    report_line.print_machine()
    for name, values in losses.items():
        print(
            f"{name:12} " + " ".join(f"{values[step - 1]:.7f}" for step in (1, 2, 5, 10, 20)) + "   (steps 1 2 5 10 20)"
        )
    worst = max(largest_difference(a, b) for a in losses.values() for b in losses.values())
    report_line.print_figure(
        "largest relative difference of a step's loss, steps 1-20", f"{worst:.2e}", f"<= {TARGET:g}"
    )
    print(f"frameworks: {', '.join(losses)}; n = {len(losses)} x 20 steps")
    return 0 if worst <= TARGET else 1


def run(folder: Path, *, raw: bool) -> dict[str, np.ndarray]:
    """Loss of every step by framework."""
    text = (PROJECT_ROOT / "studies" / "same-losses.yaml").read_text()
    study_file = folder / "same-losses.yaml"
    study_file.write_text(text.replace("lenet-mnist-subset-tie-free", "lenet-mnist-subset") if raw else text)
    study = load_study(study_file)
    runner = StudyRunner(load_frameworks(), StoreKeeper(folder / "store"), PlainObserver())
    result = runner.run(make_plan(study))
    if result.failures or result.left_out:
        sys.exit(f"not every framework completed: {[str(kind) for kind in result.ran]}, left out: {result.left_out}")
    records = [record for record in Store(folder / "store").records() if record.termination == "completed"]
    return {
        record.specification["framework"]["name"]: record.table("steps").column("loss").to_numpy() for record in records
    }


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest |a - b| / |a| over the steps."""
    return float(np.max(np.abs(a - b) / np.abs(a)))


if __name__ == "__main__":
    sys.exit(main())
