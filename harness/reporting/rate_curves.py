"""Learning rates over the step as curves that a figure can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 4_000
"""Points of one drawn curve: more than a figure has pixels in a row."""

TOGETHER_AT_MOST = 6
"""Curves that one pair of axes holds before each gets its own."""

COLUMNS_AT_MOST = 4


@dataclass(frozen=True)
class RateCurve:
    """The learning rates of a policy.

    Attributes:
        label: name in the legend or above the panel.
        rates: float64, shape `(steps,)`; item `t` is the rate of step `t`, counted from 0.
    """

    label: str
    rates: NDArray[np.float64]


def drawn_points(rates: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps and rates to draw: all of them, or the lowest and the highest of every bin, in their order.

    A peak of one step and the depth of every valley stay where they are, however long the curve is.
    """
    if len(rates) <= MOST_POINTS:
        return np.arange(len(rates), dtype=np.int64), rates
    kept = [np.array([0, len(rates) - 1])]
    edges = np.linspace(0, len(rates), MOST_POINTS // 2, dtype=np.int64)
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        part = rates[begin:end]
        kept.append(begin + np.array([np.argmin(part), np.argmax(part)]))
    steps = np.unique(np.concatenate(kept)).astype(np.int64)
    return steps, rates[steps]


def grid(count: int, panels: bool | None) -> tuple[int, int]:
    """Rows and columns of axes for `count` curves; `panels` None: one pair of axes as long as they are few."""
    if panels is None:
        panels = count > TOGETHER_AT_MOST
    if not panels:
        return 1, 1
    columns = min(COLUMNS_AT_MOST, math.ceil(math.sqrt(count)))
    return math.ceil(count / columns), columns


def shared_top(curves: Sequence[RateCurve]) -> float | None:
    """The upper end of one axis of rates for all panels; None where it would flatten one of them to a line."""
    tops = [float(curve.rates.max()) for curve in curves]
    return max(tops) * 1.05 if min(tops) > 0.2 * max(tops) else None
