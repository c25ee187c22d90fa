#!/usr/bin/env python3
"""How long does a learning-rate policy take for a million steps? Processor time of one trace, the least of several.

Every function with its example of the catalogue, a composite and a warm-up. The processor time and not the clock's,
so that other work on the machine is not counted; one thread computes.

Usage: .venv/bin/python scripts/benchmarks/schedule_speed.py [NAME ...] [--steps 1000000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import sys
import time

import report_line

from harness.schedules import FUNCTIONS, Policy, policy

TARGET_S = 0.1


def main() -> int:
    """Time every policy; exit status 1 when one is over the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions; all by default")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    report_line.print_machine()
    known = policies(arguments.steps)
    if unknown := set(arguments.names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    met = True
    for name in arguments.names or known:
        least_s = seconds(known[name], arguments.steps, arguments.repeats)
        figure = f"{1e3 * least_s:.1f} ms, least of n = {arguments.repeats}"
        met &= report_line.verdict(name, figure, f"< {1e3 * TARGET_S:g} ms", least_s < TARGET_S)
    return 0 if met else 1


def policies(steps: int) -> dict[str, Policy]:
    """All functions with their examples, and one composite and one warm-up of them."""
    functions = {name: policy(name, **function.example) for name, function in FUNCTIONS.items()}
    half = max(steps // 2, 1)
    composite = policy("COMPOSITE", parts=[functions["SINEXP"], functions["TRI2"]], at=[half])
    return {
        **functions,
        "COMPOSITE": composite,
        "WARM_UP": policy("WARM_UP", start=0.0, steps=half, then=functions["SINEXP"]),
    }


def seconds(made: Policy, steps: int, repeats: int) -> float:
    """The least processor time of a trace."""
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        made.trace(steps)
        found.append(time.process_time() - begin)
    return min(found)


if __name__ == "__main__":
    sys.exit(main())
