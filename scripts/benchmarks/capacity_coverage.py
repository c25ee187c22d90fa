#!/usr/bin/env python3
"""How often do the intervals of `dlgauge capacity` hold what they should? On simulated trials whose laws are known.

Each draw is a study of 7 batch sizes (16-1024) x 2 profiles x blocks with other laws, fitted as records are. The
prediction intervals are asked for one new trial at each of 12 batch sizes between the measured ones, and outside at
1,500; the 95 % intervals of the parameters for the truth. Three worlds: noise alone; misfit, every batch size having
something of its own that no model knows; and disturbed, where one trial in 20 is 30 % off.

Usage: .venv/bin/python scripts/benchmarks/capacity_coverage.py [--draws 200] [--blocks 5]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.analysis.capacity import rows as table
from harness.analysis.capacity.memory import MemoryNeed, fit_memory
from harness.analysis.capacity.throughput import fit_throughput
from tests.analysis.capacity import simulated
from tests.analysis.capacity.simulated import NETWORKS, Truth

NOISE = 0.01
WORLDS = {"noise alone": (0.0, 0.0), "misfit": (0.03, 0.0), "disturbed": (0.0, 0.05)}
"""Standard deviation of what a batch size has of its own, and share of disturbed trials."""
INSIDE = (20, 24, 40, 48, 80, 96, 160, 192, 320, 384, 640, 768)
OUTSIDE = (1500,)
Counts = dict[str, list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{arguments.draws} draws of 7 batch sizes x 2 profiles x {arguments.blocks} blocks, noise {100 * NOISE:g} %")
    for name, (level_sd, disturbed) in WORLDS.items():
        counts: Counts = defaultdict(lambda: [0, 0])
        errors: dict[str, list[float]] = defaultdict(list)
        for draw in range(arguments.draws):
            one_draw(draw, arguments.blocks, level_sd, disturbed, counts, errors)
        print(f"\n{name}")
        for what, (inside, asked) in counts.items():
            print(f"  {what:58} {100 * inside / asked:5.1f} % of {asked}")
        for what, values in errors.items():
            print(f"  {what:58} {100 * float(np.mean(values)):5.2f} %")


def one_draw(
    draw: int, blocks: int, level_sd: float, disturbed: float, counts: Counts, errors: dict[str, list[float]]
) -> None:
    """One study: fit both models and count."""
    chance = np.random.default_rng([draw, 17])
    truth = Truth(
        bytes_per_activation=float(chance.uniform(5, 40)),
        overhead_s=float(chance.uniform(5e-4, 8e-3)),
        contention=float(chance.uniform(0.02, 0.6)),
    )
    rows = simulated.study(truth, draw, blocks=blocks, level_sd=level_sd, noise=NOISE)
    for row in rows:
        if chance.random() < disturbed:
            row["samples_per_s"] *= 0.7
            row["peak_memory_bytes"] *= 1.3
    observations = simulated.observed(rows)
    ((group, found),) = table.groups(table.usable(observations, "peak_memory_bytes")[0], table.OVER_WORKLOADS)
    memory = fit_memory(group, found)
    ((group, found),) = table.groups(table.usable(observations, "samples_per_s")[0], table.OF_A_WORKLOAD)
    rate = fit_throughput(group, found)
    parameters, activations, dataset = NETWORKS["lenet-mnist"]
    for batch in (*INSIDE, *OUTSIDE):
        effect = chance.normal(0, level_sd)
        where = "within" if batch in INSIDE else "outside"
        need = MemoryNeed(dataset, batch, parameters, activations, 2)
        for what, predicted, true in (
            ("peak memory", memory.predict(need), truth.memory_bytes("lenet-mnist", batch, 2)),
            ("samples/s", rate.predict(batch, 2), truth.samples_per_s(batch, 2)),
        ):
            new = true * math.exp(effect + chance.normal(0, NOISE))
            count(counts, f"{what}: a new trial {where} the measured range", predicted, new)
    for model in (memory, rate):
        for term in model.terms:
            known = truth.base_bytes if term.name.startswith("base_bytes") else getattr(truth, term.name)
            count(counts, f"parameter {term.name}", term, known)
    for what, model in (("peak memory", memory), ("samples/s", rate)):
        mean = model.held_out[0].mean_error_fraction
        if mean is not None:
            errors[f"{what}: mean error of left-out batch sizes"].append(mean)


def count(counts: Counts, what: str, interval: Any, value: float) -> None:
    """Whether an interval holds a value; one without ends is not counted (growth and floor have none)."""
    if interval.low is None or interval.high is None:
        return
    counts[what][0] += interval.low <= value <= interval.high
    counts[what][1] += 1


if __name__ == "__main__":
    main()
