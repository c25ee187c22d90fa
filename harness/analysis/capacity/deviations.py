"""What batch sizes have of their own beside a law, and what that tells of batch sizes between them.

A law is smooth; a machine is not: a batch that outgrows a cache, or that a library cuts another way, costs some percent
more or less, and its neighbours often share that. So the law is multiplied by `exp(d)`, d being linear between the
measured batch sizes on the scale of doublings and constant beyond the last ones (interpolated residuals, as kriging
does: Cressie, Statistics for Spatial Data, 1993). d of a measured batch size is the mean of its trials' residuals times
`1 - MSW / MSB`, the part of it that is not their noise (James and Stein's shrinkage).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.capacity.regression import SIGNIFICANT, Array

LEVELS_FOR_DEVIATIONS = 4


@dataclass(frozen=True)
class Deviations:
    """How far batch sizes lie from a law.

    Attributes:
        batch_sizes: those measured, ascending.
        logarithms: natural, of measured by law; of each batch size.
    """

    batch_sizes: tuple[float, ...]
    logarithms: tuple[float, ...]

    def factors(self, batch_sizes: Array) -> Array:
        """What the law is multiplied by."""
        found: Array = np.exp(np.interp(np.log2(batch_sizes), np.log2(self.batch_sizes), self.logarithms))
        return found

    @property
    def words(self) -> str:
        """All of them for people."""
        each = ", ".join(
            f"{batch:g} {100 * math.expm1(value):+.1f} %"
            for batch, value in zip(self.batch_sizes, self.logarithms, strict=True)
        )
        return f"batch sizes differ from the law, which is multiplied by what they differ: {each}; linear in between"


def deviations(residuals: Array, batch_sizes: Array) -> Deviations | None:
    """The deviations of batch sizes from a law.

    None with fewer than `LEVELS_FOR_DEVIATIONS` batch sizes, or where they differ no more than their trials do (F test
    at 1 %).

    Args:
        residuals: `(rows,)`, natural logarithm of measured by law.
        batch_sizes: `(rows,)`.
    """
    from scipy.special import fdtrc

    kinds = np.unique(batch_sizes)
    members = [residuals[batch_sizes == kind] for kind in kinds]
    inside = len(residuals) - len(kinds)
    if len(kinds) < LEVELS_FOR_DEVIATIONS or inside < 1:
        return None
    means = np.array([one.mean() for one in members])
    between = float(np.mean([len(one) * one.mean() ** 2 for one in members]))
    within = math.fsum(float(((one - one.mean()) ** 2).sum()) for one in members) / inside
    if not between > 0 or float(fdtrc(len(kinds), inside, between / within if within > 0 else math.inf)) >= SIGNIFICANT:
        return None
    shrunk: Sequence[float] = ((1 - within / between) * means).tolist()
    return Deviations(tuple(kinds.tolist()), tuple(shrunk))
