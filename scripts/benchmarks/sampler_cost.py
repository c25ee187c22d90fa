#!/usr/bin/env python3
"""What the sampler itself costs, beside psrecord and an equal psutil loop: CPU time and memory, at the real cadence.

Trees of 11 and 51 processes, asleep (they do nothing) and awake (each wakes every 0.09 s), in a cgroup of their own
where one can be had. Sampler 10 Hz fast and 1 Hz medium tier; psrecord `--interval 0.1 --include-children --log`;
psutil at 10 Hz with CPU, memory, I/O and threads. Each measures a tree of its own, in turn and in changing order.
Start-up is in no figure. Usage: .venv/bin/python scripts/benchmarks/sampler_cost.py [--seconds 10] [--repeats 5]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loads
import peers
import report_line

from harness.sampling import decoding, schema
from harness.sampling.cgroups import TrialCgroup, create_trial_cgroup
from harness.sampling.client import SamplerProcess

TARGETS_PERCENT = {11: 0.5, 51: 1.0}
NAPS_S = {"asleep": 1000.0, "awake": 0.09}
TARGET_RESIDENT_MIB = 20.0
TARGET_RATIO = 0.25
TOOLS = ("sampler", "psrecord", "psutil")

Row = dict[str, float]
Cell = tuple[str, int]


def main() -> int:
    """Measure all trees in turn, repeated; exit status 1 when a median is over its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each tool and tree")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(TARGETS_PERCENT), choices=list(TARGETS_PERCENT))
    peers.add_option(parser)
    arguments = parser.parse_args()
    report_line.print_machine()
    print(f"load average {os.getloadavg()[0]:.2f}; {arguments.seconds:g} s a measurement; % of a core", flush=True)
    cells = [(activity, size) for activity in NAPS_S for size in arguments.sizes]
    results: dict[Cell, dict[str, list[Row]]] = {cell: {tool: [] for tool in TOOLS} for cell in cells}
    with peers.psrecord_interpreter(arguments.psrecord) as python:
        for repeat in range(arguments.repeats):
            for (activity, size), rows in results.items():
                for place in range(len(TOOLS)):
                    tool = TOOLS[(place + repeat) % len(TOOLS)]
                    rows[tool].append(measure(tool, size, NAPS_S[activity], arguments.seconds, python))
    met = [report(cell, rows) for cell, rows in results.items()]
    print(f"load average at the end {os.getloadavg()[0]:.2f}")
    return 0 if all(met) else 1


def measure(tool: str, size: int, nap_s: float, seconds: float, python: str) -> Row:
    """One tool on a tree of its own."""
    with tempfile.TemporaryDirectory() as name, a_tree(size, nap_s) as (pid, cgroup):
        folder = Path(name)
        if tool == "sampler":
            return measure_sampler(pid, cgroup, size, seconds, folder)
        log = folder / "log"
        argv = peers.psrecord_argv(python, pid, log) if tool == "psrecord" else peers.psutil_argv(pid, log)
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return {"cpu_percent": peers.cpu_percent(process, seconds)}
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def a_tree(size: int, nap_s: float) -> Iterator[tuple[int, TrialCgroup | None]]:
    """A tree of mostly sleeping processes: its root, and its cgroup where one can be had."""
    cgroup, _ = create_trial_cgroup("cost")
    files = cgroup.procs_files if cgroup else ()
    root = subprocess.Popen(loads.argv("tree", size, nap_s, *files), start_new_session=True)
    try:
        time.sleep(0.5)
        yield root.pid, cgroup
    finally:
        os.killpg(root.pid, 9)
        root.wait()
        if cgroup is not None:
            cgroup.kill_all()
            cgroup.remove()


def measure_sampler(pid: int, cgroup: TrialCgroup | None, size: int, seconds: float, folder: Path) -> Row:
    """CPU time from the first tick to the last, lateness, memory."""
    with SamplerProcess.start(folder, {"gpu": False}) as sampler:
        sampler.set_target(pid, cgroup.paths if cgroup else None, False)
        time.sleep(seconds + 2.0)
        quality = sampler.stop()
    return figures(quality, decoding.read_samples(folder / schema.SAMPLES_FILE), size)


def figures(quality: dict[str, Any], samples: dict[str, Any], size: int) -> Row:
    """The figures of one measurement; the first 2 s are the peers' start-up and are left out here too."""
    ticks = [index for index, trigger in enumerate(samples["trigger"]) if trigger == "tick"]
    first_ns = int(samples["t_start_ns"][ticks[0]]) + 2_000_000_000
    first, last = next(index for index in ticks if int(samples["t_start_ns"][index]) >= first_ns), ticks[-1]
    cpu_ns = int(samples["sampler_cpu_ns"][last] - samples["sampler_cpu_ns"][first])
    wall_ns = int(samples["t_start_ns"][last] - samples["t_start_ns"][first])
    found = int(samples["tree_processes"][: last + 1].compressed()[-1])
    if found != size:
        raise SystemExit(f"the sampler saw {found} processes, not {size}")
    return {
        "cpu_percent": 100 * cpu_ns / wall_ns,
        "lateness_p50_ms": quality["lateness_p50_ns"] / 1e6,
        "resident_mib": quality["sampler_resident_peak_bytes"] / 2**20,
        "skipped": quality["ticks_skipped"],
    }


def report(cell: Cell, rows: dict[str, list[Row]]) -> bool:
    """All figures of one tree beside their targets; whether all are met."""
    activity, size = cell
    title = f"{size} processes, {activity}"
    percent = {tool: [row["cpu_percent"] for row in of_tool] for tool, of_tool in rows.items()}
    median, target = statistics.median(percent["sampler"]), TARGETS_PERCENT[size]
    figure = report_line.spread(percent["sampler"], 2)
    met = report_line.verdict(f"{title}: sampler, % of a core", figure, f"<= {target:g}", median <= target)
    for peer in TOOLS[1:]:
        print(f"  {peer}, % of a core: {report_line.spread(percent[peer], 2)}")
        ratios = [own / other for own, other in zip(percent["sampler"], percent[peer], strict=True)]
        within = statistics.median(ratios) <= TARGET_RATIO
        figure = report_line.spread(ratios, 3)
        met &= report_line.verdict(f"  sampler / {peer}", figure, f"<= {TARGET_RATIO:g}", within)
    resident = [row["resident_mib"] for row in rows["sampler"]]
    within = max(resident) <= TARGET_RESIDENT_MIB
    figure = report_line.spread(resident, 1)
    met &= report_line.verdict("  sampler's peak memory, MiB", figure, f"<= {TARGET_RESIDENT_MIB:g}", within)
    skipped = sum(int(row["skipped"]) for row in rows["sampler"])
    print(f"  lateness p50, ms: {report_line.spread([row['lateness_p50_ms'] for row in rows['sampler']], 2)}; ", end="")
    print(f"{skipped} ticks skipped")
    return met


if __name__ == "__main__":
    sys.exit(main())
