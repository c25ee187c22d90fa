"""Measure what the sampler itself costs: its CPU time, lateness and memory, with trees of several sizes.

    python scripts/benchmarks/sampler_cost.py --seconds 10 --repeats 5

Every figure is measured at the real cadence (10 Hz fast tier, 1 Hz medium tier); start-up is not in the CPU figures.
The processes of the tree sleep, or wake before every sample: the sampler does not read again what has not run.
Nothing is asserted: read the measured values next to the targets.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.sampling import schema
from harness.sampling.cgroups import create_trial_cgroup
from harness.sampling.client import SamplerProcess

TARGETS_PERCENT = {2: 0.5, 11: 0.5, 51: 1.0}
NAPS_S = {"asleep": 1000.0, "awake": 0.09}
"""How long the processes of the tree sleep between two wakings."""
TARGET_RESIDENT_MIB = 20.0
TREE = (
    "import os, sys, time\n"
    "for path in sys.argv[2:]: open(path, 'w').write(str(os.getpid()))\n"
    "for _ in range(int(sys.argv[1]) - 1):\n"
    "    if os.fork() == 0: break\n"
    "while True: time.sleep(float(os.environ['NAP_S']))\n"
)


def main() -> None:
    """Measure all tree sizes in turn, repeated, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one measurement")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each tree size")
    arguments = parser.parse_args()
    print(describe_machine(), flush=True)
    print(f"{arguments.repeats} measurements of {arguments.seconds:g} s for each line, lines in turn\n")
    results: dict[tuple[str, int], list[dict[str, float]]] = {
        (activity, size): [] for activity in NAPS_S for size in TARGETS_PERCENT
    }
    for _ in range(arguments.repeats):
        for (activity, size), rows in results.items():
            rows.append(measure(size, arguments.seconds, NAPS_S[activity]))
    print_table(results)
    print(f"\nload average at the end: {' '.join(f'{load:.2f}' for load in os.getloadavg())}")


def measure(processes: int, seconds: float, nap_s: float) -> dict[str, float]:
    """Sample a tree of mostly sleeping processes for a while."""
    cgroup, _ = create_trial_cgroup("cost")
    files = [str(path) for path in cgroup.procs_files] if cgroup else []
    with tempfile.TemporaryDirectory() as folder:
        root = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", TREE, str(processes), *files],
            start_new_session=True,
            env={"NAP_S": str(nap_s)},
        )
        try:
            time.sleep(0.5)
            with SamplerProcess.start(Path(folder), {"gpu": False}) as sampler:
                sampler.set_target(root.pid, cgroup.paths if cgroup else None, False)
                time.sleep(seconds)
                report = sampler.stop()
            samples = schema.read_samples(Path(folder) / schema.SAMPLES_FILE)
        finally:
            os.killpg(root.pid, 9)
            root.wait()
            if cgroup is not None:
                cgroup.kill_all()
                cgroup.remove()
    return figures(report, samples, processes)


def figures(report: dict[str, Any], samples: dict[str, Any], processes: int) -> dict[str, float]:
    """The figures of one measurement, from the first tick to the last."""
    ticks = [index for index, trigger in enumerate(samples["trigger"]) if trigger == "tick"]
    first, last = ticks[0], ticks[-1]
    cpu_ns = int(samples["sampler_cpu_ns"][last] - samples["sampler_cpu_ns"][first])
    wall_ns = int(samples["t_start_ns"][last] - samples["t_start_ns"][first])
    found = int(samples["tree_processes"][: last + 1].compressed()[-1])
    if found != processes:
        raise SystemExit(f"the tree has {found} processes, not {processes}")
    if report["lateness_p99_ns"] is None:
        raise SystemExit(f"{report['not_measured']['lateness_p99_ns']}: give --seconds a larger value")
    return {
        "cpu_percent": 100 * cpu_ns / wall_ns,
        "lateness_p50_ms": report["lateness_p50_ns"] / 1e6,
        "lateness_p99_ms": report["lateness_p99_ns"] / 1e6,
        "lateness_max_ms": report["lateness_max_ns"] / 1e6,
        "resident_mib": report["sampler_resident_peak_bytes"] / 2**20,
        "skipped": report["ticks_skipped"],
    }


def print_table(results: dict[tuple[str, int], list[dict[str, float]]]) -> None:
    """One line for each activity and tree size: medians and ranges."""
    print("| processes | n | CPU, % of a core: median (min-max) | target | lateness p50 / p99 / max, ms |", end="")
    print(" skipped ticks | peak RSS, MiB | target |")
    print("|---|---:|---|---:|---|---:|---:|---:|")
    for (activity, size), rows in results.items():
        cpu = sorted(row["cpu_percent"] for row in rows)
        lateness = " / ".join(
            f"{value:.2f}"
            for value in (
                statistics.median(row["lateness_p50_ms"] for row in rows),
                statistics.median(row["lateness_p99_ms"] for row in rows),
                max(row["lateness_max_ms"] for row in rows),
            )
        )
        print(
            f"| {size} {activity} | {len(rows)} | {statistics.median(cpu):.2f} ({cpu[0]:.2f}-{cpu[-1]:.2f}) "
            f"| ≤ {TARGETS_PERCENT[size]} | {lateness} | {sum(int(row['skipped']) for row in rows)} "
            f"| {max(row['resident_mib'] for row in rows):.1f} | ≤ {TARGET_RESIDENT_MIB:g} |"
        )


def describe_machine() -> str:
    """Date, processor, cores, kernel, interpreter, load."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    cores = len(os.sched_getaffinity(0))
    return (
        f"{today}, {model}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}, load {load}"
    )


if __name__ == "__main__":
    main()
