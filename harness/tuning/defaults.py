"""Where a search looks by default: ranges of every parameter, from the length of the run and the setting's own rate.

Every rule here is ours: the papers say in which form a policy has its parameters, not where to look for them. With T
the steps of a run and r the highest rate of the setting's own policy during it:

* rates: r / 10 to 10 r, the span of base rates that LRBench varies for robustness (0.1 to 10; B2 of its notebook).
  Of two rates the lower one is sought in the lower half of that span and the higher one in the upper half (halves of
  the logarithm), so that they never cross. The bounds can be given, from a range test.
* l, half a period of TRI, SIN, D…, UPCOS…, a whole one of COS (table) and the sawtooth: T / 20 to T / 2, so that a run
  holds between one rise and fall and ten. STEP drops the rate every T / 10 to T / 2 steps.
* NSTEP: two boundaries, the first in T / 4 to 0.6 T, the second in 0.65 T to 0.95 T: the defaults of both papers drop
  the rate twice, late (60,000 and 65,000 of 70,000).
* POLY falls over the whole run, `l` = T; its power 0.5 to 3. SIG falls (`gamma` < 0) around T / 4 to 0.9 T.
* gamma of STEP and NSTEP: 0.1 to 0.7. Of EXP and of every ...EXP, a factor per step: such that gamma ** T is between
  0.001 and 0.5. Of INV: 0.1 / T to 100 / T, its power 0.5 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.schedules import FUNCTIONS

GRID_POINTS = 3
"""Values of a parameter in a grid, where nothing else is said."""


@dataclass(frozen=True)
class Dimension:
    """Where one parameter of one function is looked for.

    Attributes:
        parameter: as in the policy; the boundaries of NSTEP are `l_0`, `l_1`, ...
        low, high: ends, both included; with `choices` they are None.
        whole: whole numbers only.
        log: equal ratios are equally likely.
        choices: the values, in place of a range.
        points: values of a grid.
    """

    parameter: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    log: bool = False
    choices: tuple[Any, ...] = ()
    points: int = GRID_POINTS


@dataclass(frozen=True)
class Run:
    """What the default ranges are derived from.

    Attributes:
        steps: of a run.
        lowest_rate, highest_rate: bounds of all rates.
    """

    steps: int
    lowest_rate: float
    highest_rate: float

    @property
    def middle_rate(self) -> float:
        """The geometric middle of the bounds."""
        return float((self.lowest_rate * self.highest_rate) ** 0.5)

    def share(self, share: float) -> int:
        """A share of the steps, at least 1."""
        return max(1, round(share * self.steps))


def default_dimensions(function: str, run: Run) -> tuple[Dimension, ...]:
    """The default ranges of all parameters of a function."""
    named = FUNCTIONS[function].parameters
    two_rates = "k1" in named and function != "POLY"
    found = [_rate("k0", run.lowest_rate, run.middle_rate if two_rates else run.highest_rate)]
    if two_rates:
        found.append(_rate("k1", run.middle_rate, run.highest_rate))
    if "gamma" in named:
        found.append(_gamma(function, run))
    if "p" in named:
        found.append(Dimension("p", 0.5, 1.0) if function == "INV" else Dimension("p", 0.5, 3.0, log=True))
    if "l" in named:
        found += _lengths(function, run)
    return tuple(found)


def _rate(parameter: str, low: float, high: float) -> Dimension:
    return Dimension(parameter, low, high, log=True)


def _gamma(function: str, run: Run) -> Dimension:
    if function in ("STEP", "NSTEP"):
        return Dimension("gamma", 0.1, 0.7, log=True)
    if function == "INV":
        return Dimension("gamma", 0.1 / run.steps, 100.0 / run.steps, log=True)
    if function == "SIG":
        return Dimension("gamma", -50.0 / run.steps, -5.0 / run.steps)
    return Dimension("gamma", 0.001 ** (1 / run.steps), 0.5 ** (1 / run.steps), log=True)


def _lengths(function: str, run: Run) -> list[Dimension]:
    if function == "NSTEP":
        first = _whole("l_0", run.share(0.25), run.share(0.6))
        second = run.share(0.65)
        return [first, _whole("l_1", max(second, run.share(0.6) + 1), max(run.share(0.95), run.share(0.6) + 1))]
    if function == "POLY":
        return [Dimension("l", choices=(run.steps,))]
    if function == "SIG":
        return [_whole("l", run.share(0.25), run.share(0.9))]
    return [_whole("l", run.share(0.1 if function == "STEP" else 0.05), run.share(0.5), log=True)]


def _whole(parameter: str, low: int, high: int, *, log: bool = False) -> Dimension:
    return Dimension(parameter, low, high, whole=True, log=log)
