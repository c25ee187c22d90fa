#!/usr/bin/env python3
"""How often do the intervals of `dlgauge compare` hold the truth? Seeded simulation; no trial is run.

Draws log-ratios of n blocks whose true mean is known and counts how often the 95 % t interval and the 95 % BCa interval
contain it, how wide they are, and how often the sign-flip test calls a true mean of zero different at 5 %. Ratios:

  lognormal   normal log-ratios: noise that is many small factors
  skewed      log-ratios from an exponential distribution: noise that only ever makes a trial slower
  disturbed   normal, but one block in ten is slower by five standard deviations

The standard error of a coverage of 95 % is sqrt(0.95 x 0.05 / simulations): 0.3 points for 5,000.
Usage: .venv/bin/python scripts/benchmarks/interval_coverage.py [--simulations 5000] [--blocks 3 5 6 10 20 40]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.inference.bounds import Bounds, bca_bounds, t_bounds
from harness.analysis.inference.sign_flips import sign_flip_test

SEED = 20_261_124
LEVEL = 0.05
SHARE_DISTURBED, SHIFT = 0.1, 5.0

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def _disturbed(chance: np.random.Generator, n: int) -> NDArray[np.float64]:
    return chance.normal(size=n) + SHIFT * (chance.random(n) < SHARE_DISTURBED) - SHIFT * SHARE_DISTURBED


NOISES: dict[str, Draw] = {
    "lognormal": lambda chance, n: chance.normal(size=n),
    "skewed": lambda chance, n: chance.exponential(size=n) - 1.0,
    "disturbed": _disturbed,
}
"""Log-ratios with a true mean of 0; their size does not matter, as intervals and tests scale with it."""


@dataclass(frozen=True)
class Coverage:
    """What the simulations of one kind of noise and number of blocks gave.

    Attributes:
        noise: a key of `NOISES`.
        blocks: log-ratios in each simulation.
        simulations: how many.
        t, bca: share of the intervals that hold the true mean; None where there is no interval of so few blocks.
        width_ratio: median of the BCa interval's width ÷ that of the t interval.
        called_different: share of the simulations with p < 0.05, all of them wrongly.
    """

    noise: str
    blocks: int
    simulations: int
    t: float
    bca: float | None
    width_ratio: float | None
    called_different: float


def simulate(noise: str, blocks: int, simulations: int) -> Coverage:
    """Count over `simulations` draws; the same arguments give the same counts."""
    chance = np.random.default_rng([SEED, list(NOISES).index(noise), blocks])
    held_t = held_bca = different = 0
    widths, drawn_bca = [], 0
    for _ in range(simulations):
        logs = NOISES[noise](chance, blocks).tolist()
        t, bca = t_bounds(logs), bca_bounds(logs)
        held_t += _holds(t)
        different += sign_flip_test(logs).p < LEVEL
        if bca.low is not None:
            drawn_bca += 1
            held_bca += _holds(bca)
            widths.append(_width(bca) / _width(t))
    return Coverage(
        noise,
        blocks,
        simulations,
        held_t / simulations,
        held_bca / drawn_bca if drawn_bca else None,
        float(np.median(widths)) if widths else None,
        different / simulations,
    )


def _holds(bounds: Bounds) -> bool:
    assert bounds.low is not None
    assert bounds.high is not None
    return bounds.low <= 0.0 <= bounds.high


def _width(bounds: Bounds) -> float:
    assert bounds.low is not None
    assert bounds.high is not None
    return bounds.high - bounds.low


def main() -> int:
    """Simulate all kinds of noise and numbers of blocks and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=5_000)
    parser.add_argument("--blocks", type=int, nargs="+", default=[3, 5, 6, 10, 20, 40])
    asked = parser.parse_args()
    error = 100 * math.sqrt(0.95 * 0.05 / asked.simulations)
    print(f"{asked.simulations} simulations each, standard error of a coverage of 95 %: {error:.2f} points")
    print("noise       blocks  t covers %  BCa covers %  BCa width / t width  sign flips p < 0.05 %")
    for noise in NOISES:
        for blocks in asked.blocks:
            found = simulate(noise, blocks, asked.simulations)
            bca = "n/a" if found.bca is None else f"{100 * found.bca:.1f}"
            width = "n/a" if found.width_ratio is None else f"{found.width_ratio:.2f}"
            row = f"{noise:10}  {blocks:6}  {100 * found.t:10.1f}  {bca:>12}  {width:>19}"
            print(f"{row}  {100 * found.called_different:21.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
