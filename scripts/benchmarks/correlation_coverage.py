#!/usr/bin/env python3
"""Do the intervals of `dlgauge correlate` hold the truth as often as they say? Simulated studies with known effects.

Each simulation is a study of 3 frameworks × 5 batch sizes × 2 CPUs × 2 momenta in randomised complete blocks, analysed
as the command does. Counted are: how often a 95 % interval holds the true value (each kind of number over all outcomes
and factors; beside it the lowest and highest of a single number), the share of false ones among the discoveries (each
family of tests), and how many planted interactions of framework and factor are found. Exit status 1 where a target is
missed.

Usage: .venv/bin/python scripts/benchmarks/correlation_coverage.py [--simulations 1000] [--blocks 5] [--seed 1]
[--processes 1]
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the matrices are small: threads would only wait for each other

import report_line  # noqa: E402

from harness.analysis.correlation.simulation import PLANTED, Tally, simulate, true_values  # noqa: E402

LOWEST, HIGHEST = 0.93, 0.97
FALSE_DISCOVERIES = 0.05
INTERACTIONS_FOUND = 0.95
CHUNK = 10
"""Simulations that a process takes at a time."""


def main() -> int:
    """Simulate, count, and compare with the targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, metavar="N")
    parser.add_argument("--blocks", type=int, default=5, metavar="N", help="blocks of each simulated study")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first simulation")
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    arguments = parser.parse_args()
    for name, least in (("simulations", 1), ("blocks", 3), ("seed", 0), ("processes", 1)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name} {getattr(arguments, name)}: {least} is the least")
    report_line.print_machine()
    print(
        f"{arguments.simulations} simulated studies of {arguments.blocks} blocks, seeds from {arguments.seed}, "
        f"{len(PLANTED)} outcomes"
    )
    return 0 if report(tally(arguments)) else 1


def tally(arguments: argparse.Namespace) -> Tally:
    """The counts of all simulations."""
    truths = true_values()
    first, last = arguments.seed, arguments.seed + arguments.simulations
    chunks = [range(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    total = Tally()
    if arguments.processes == 1:
        for chunk in chunks:
            total.merge(simulate(chunk, arguments.blocks, truths))
        return total
    with ProcessPoolExecutor(arguments.processes) as pool:
        for found in pool.map(simulate, chunks, [arguments.blocks] * len(chunks), [truths] * len(chunks)):
            total.merge(found)
    return total


def report(found: Tally) -> bool:
    """Print every figure beside its target; whether all are met."""
    met = True
    for kind, (inside, every) in found.covered.items():
        share = inside / every
        single = [counts[0] / counts[1] for (own, _), counts in found.single.items() if own == kind]
        figure = (
            f"{share:.2%} of n = {every} intervals; single numbers {min(single):.1%} to {max(single):.1%}, "
            f"median {statistics.median(single):.1%}, {len(single)} of them"
        )
        met &= report_line.verdict(
            f"coverage of 95 % intervals, {kind}", figure, f"{LOWEST:.0%} to {HIGHEST:.0%}", LOWEST <= share <= HIGHEST
        )
    for kind, rates in found.false_rates.items():
        mean = statistics.fmean(rates)
        error = statistics.stdev(rates) / math.sqrt(len(rates)) if len(rates) > 1 else math.nan
        hits, real = found.discoveries[kind]
        figure = (
            f"{mean:.2%} ± {error:.2%} (standard error), n = {len(rates)}; {hits / real:.1%} of the true ones found"
        )
        # A rate that is held exactly lies above the level in half of all runs: two standard errors are allowed.
        held = mean <= FALSE_DISCOVERIES + 2 * (error if math.isfinite(error) else 0.0)
        met &= report_line.verdict(f"false discovery rate, {kind}", figure, f"at most {FALSE_DISCOVERIES:.0%}", held)
    hits, planted = found.interactions
    figure = f"{hits / planted:.2%} of n = {planted}"
    met &= report_line.verdict(
        "planted interactions found", figure, f"at least {INTERACTIONS_FOUND:.0%}", hits / planted >= INTERACTIONS_FOUND
    )
    models = len(PLANTED) * found.simulations
    for why, count in found.fallbacks.items():
        print(f"models with fixed effects of the blocks: {count} of {models}: {why}")
    return met


if __name__ == "__main__":
    sys.exit(main())
