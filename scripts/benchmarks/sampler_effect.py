#!/usr/bin/env python3
"""Does the sampler slow training down? Randomised A/A/B blocks: off, off again, on, in drawn order, throughput of each.

The load is a NumPy training step on every core the profile would give it; the sampler starts before the window and
stops after it. Per block the logarithms of the ratios off2/off and on/off; their means with 90 % t intervals. Two
one-sided t tests at 5 % (TOST; Schuirmann 1987) show equivalence within +-1 % exactly when the interval lies inside it.
The A/A interval beside it says what this machine can tell at all. Where equivalence is not shown the interval is the
result; the target is missed when the interval lies wholly outside. Usage:
.venv/bin/python scripts/benchmarks/sampler_effect.py [--blocks 20] [--seconds 30] [--threads N] [--seed 1]
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import loads
import report_line

from harness.analysis.statistics import summarise, t_quantile
from harness.sampling.cgroups import create_trial_cgroup
from harness.sampling.client import SamplerProcess

ARMS = ("off", "off2", "on")
MARGIN = 0.01
LEVEL = 0.05


def main() -> int:
    """Run the blocks; exit status 1 when an effect beyond the margin is shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0, help="of training in each arm")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1, help="of the order of the arms")
    arguments = parser.parse_args()
    if arguments.blocks < 2:
        parser.error("an interval takes at least 2 blocks")
    report_line.print_machine()
    print(
        f"load average {os.getloadavg()[0]:.2f}; {arguments.threads} threads, {arguments.seconds:g} s an arm",
        flush=True,
    )
    draw = random.Random(arguments.seed)
    blocks = []
    for _ in range(arguments.blocks):
        order = draw.sample(ARMS, len(ARMS))
        blocks.append({arm: steps_per_s(arm == "on", arguments.seconds, arguments.threads) for arm in order})
    print(f"steps/s with the sampler off: {report_line.spread([block['off'] for block in blocks], 1)}")
    interval("A/A: off2 / off - 1", [math.log(block["off2"] / block["off"]) for block in blocks])
    low, high = interval("A/B: on / off - 1", [math.log(block["on"] / block["off"]) for block in blocks])
    equivalent = low > -MARGIN and high < MARGIN
    beyond = high < -MARGIN or low > MARGIN
    text = "equivalent" if equivalent else "different" if beyond else "not shown; the interval is the result"
    met = report_line.verdict("TOST within +-1 % at 5 %", text, "equivalent, or the interval printed", not beyond)
    return 0 if met else 1


def interval(name: str, logs: list[float]) -> tuple[float, float]:
    """Print mean and 90 % t interval of a ratio less 1; returns the interval."""
    found = summarise(logs)
    half = t_quantile(1 - LEVEL, found.n - 1) * (found.sd or 0.0) / math.sqrt(found.n)
    low, high = math.expm1(found.mean - half), math.expm1(found.mean + half)
    print(
        f"{name}: {100 * math.expm1(found.mean):+.2f} %, 90 % interval {100 * low:+.2f} to {100 * high:+.2f} %", end=""
    )
    print(f", n = {found.n} blocks")
    return low, high


def steps_per_s(sampled: bool, seconds: float, threads: int) -> float:
    """Throughput of one arm; the load's process is fresh each time."""
    cgroup, _ = create_trial_cgroup("effect")
    environment = {**os.environ, **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        if cgroup is not None:
            stack.enter_context(cgroup)
        folder = Path(name)
        load = subprocess.Popen([sys.executable, loads.__file__, "training", str(seconds), name], env=environment)
        stack.callback(load.wait)
        stack.callback(load.kill)
        for path in cgroup.procs_files if cgroup else ():
            path.write_text(str(load.pid))
        while not (folder / "ready").exists():
            if load.poll() is not None:
                raise SystemExit("the load ended before it was ready")
            time.sleep(0.05)
        if sampled:
            sampler = stack.enter_context(SamplerProcess.start(folder, {"gpu": False}))
            sampler.set_target(load.pid, cgroup.paths if cgroup else None, False)
        time.sleep(0.5)
        (folder / "go").touch()
        load.wait()
        steps, duration_s = (folder / "steps").read_text().split()
        return int(steps) / float(duration_s)


if __name__ == "__main__":
    sys.exit(main())
