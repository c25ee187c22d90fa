#!/usr/bin/env python3
"""Is CPU time given to the right phase? 24 phases of 50 to 250 ms, busy and idle in turn.

The truth is the process's own CPU clock at every mark. Right is 1 - sum |attributed - true| / sum true over all phases.
Beside it the same record without its boundary samples: interpolation of samples at 10 Hz, as tools without marks do it.
Usage: .venv/bin/python scripts/benchmarks/phase_truth.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import loads
import report_line

from harness.execution.command import run_command
from harness.records.attribution import Counted, attribute
from harness.records.manifest import job_cpu
from harness.records.phases import Phase, partition
from harness.records.reading import TrialFiles, read_trial_folder

TARGET = 0.99


def main() -> int:
    """Run the load with another seed each time; exit status 1 when the worst run is below the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    report_line.print_machine()
    with_marks, without = [], []
    for seed in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            run = run_command(loads.argv("phases", folder, seed), Path(folder))
            files = read_trial_folder(Path(folder))
            with_marks.append(share_right(files, run.t_begin_ns, run.t_end_ns))
            files.samples = ticks_only(files)
            without.append(share_right(files, run.t_begin_ns, run.t_end_ns))
    print(f"10 Hz without boundary samples, % right: {report_line.spread([100 * one for one in without], 2)}")
    figure = report_line.spread([100 * one for one in with_marks], 2)
    met = report_line.verdict(
        "attributed to the right phase, %", figure, ">= 99 in every run", min(with_marks) >= TARGET
    )
    return 0 if met else 1


def share_right(files: TrialFiles, t_begin_ns: int, t_end_ns: int) -> float:
    """Share of the CPU time that went to the phase that used it."""
    cpu, source = job_cpu(files, t_begin_ns)
    counted = Counted("cpu_seconds", () if cpu is None else (cpu,), 1e9, source or "", missing="no samples")
    found = attribute(partition(files, t_end_ns), [counted])
    true_s = own_clock_s(files)
    measured = [phase for phase in found if phase.phase in ("train", "evaluate")]
    if len(measured) != len(true_s):
        raise SystemExit(f"{len(measured)} phases in the record, {len(true_s)} marked")
    return 1 - sum(abs(seconds(phase) - truth) for phase, truth in zip(measured, true_s, strict=True)) / sum(true_s)


def seconds(phase: Phase) -> float:
    """CPU seconds attributed to a phase; a phase without any counts as 0."""
    return phase.cpu_seconds or 0.0


def own_clock_s(files: TrialFiles) -> Sequence[float]:
    """CPU seconds of each `train` and `evaluate` phase by the process's own clock."""
    marks = [event for event in files.events if event["event"] == "phase"]
    pairs = zip(marks, marks[1:], strict=False)
    return [
        (after["process_cpu_ns"] - mark["process_cpu_ns"]) / 1e9
        for mark, after in pairs
        if mark["phase"] in ("train", "evaluate")
    ]


def ticks_only(files: TrialFiles) -> dict[str, list[object]]:
    """The samples without those that a mark caused."""
    samples = files.samples or {}
    kept = [index for index, trigger in enumerate(samples.get("trigger", ())) if trigger != "phase"]
    return {column: [values[index] for index in kept] for column, values in samples.items()}


if __name__ == "__main__":
    sys.exit(main())
