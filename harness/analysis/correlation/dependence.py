"""Partial dependence: the outcome at each level of a factor, all other factors held at their mean.

Each block gives the outcome at every level from a least-squares fit with one number a level and the other factors
beside it; what is shown is the mean over blocks with its t interval, a geometric mean where all values are positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.associations import EXPLAINED, too_few_blocks
from harness.analysis.correlation.effects import fits_of_blocks
from harness.analysis.correlation.factors import Factor, indicator_columns
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, over_blocks
from harness.analysis.correlation.scopes import POOLED, Scope, logarithm_if_positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LEVELS = 16


@dataclass(frozen=True)
class Profiles:
    """An outcome over the levels of a factor, block by block.

    Attributes:
        values: (blocks, levels), natural logarithms where `logarithmic`; only blocks that tell every level, the other
            factors at their mean over all trials.
        logarithmic: whether all values of the outcome are positive.
        trials: trials with the outcome.
    """

    values: NDArray[np.float64]
    logarithmic: bool
    trials: int


@dataclass(frozen=True)
class Dependence:
    """The curve of one outcome over one factor on one framework.

    Attributes:
        id: names the row, such as `dependence-3`.
        scope, outcome, factor: as in `Association`.
        levels: of the factor, in order; numbers or names.
        means, lows, highs: outcome at each level and its 95 % interval, in the outcome's unit; None where there is
            none.
        trials, blocks: how many it is of.
        reason: why something is None.
    """

    id: str
    scope: str
    outcome: str
    factor: str
    levels: tuple[float | str, ...]
    means: tuple[float | None, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]
    trials: int
    blocks: int
    reason: str | None = None


def profiles(scope: Scope, factor: Factor, keys: Sequence[str]) -> dict[str, Profiles]:
    """Each outcome that a trial has over the levels, in each block that has all, other factors held constant."""
    found: dict[str, Profiles] = {}
    for own, mask in scope.with_outcomes(keys):
        frame = scope.frame[mask]
        raw = frame[list(own)].to_numpy(dtype=float)
        numbers = [logarithm_if_positive(column) for column in raw.T]
        values = np.stack([column for column, _ in numbers], axis=1)
        codes = factor.codes(frame[factor.name])
        others = [indicator_columns(f.codes(frame[f.name])) for f in scope.factors if f.name != factor.name]
        held = np.concatenate(others, axis=1) if others else np.zeros((len(frame), 0))
        held = held - held.mean(axis=0)
        blocks = np.unique(scope.blocks[mask], return_inverse=True)[1]
        at_level = (codes[:, None] == np.arange(len(factor.levels))[None, 1:]).astype(float)
        # The constant is the outcome at the first level where the others are at their mean over all trials: in a block
        # that lacks some of its trials that is not the mean of those it has.
        fits = fits_of_blocks(at_level, held, values, blocks)
        table = np.concatenate([fits[:, :1], fits[:, :1] + fits[:, 1:]], axis=1)
        for place, key in enumerate(own):
            complete = table[np.isfinite(table[:, :, place]).all(axis=1), :, place]
            found[key] = Profiles(complete, numbers[place][1], int(mask.sum()))
    return found


def dependences(scopes: Sequence[Scope], outcomes: Sequence[str]) -> tuple[Dependence, ...]:
    """The curves of every framework for every factor and outcome that a trial has."""
    rows = []
    for scope in scopes:
        if scope.name == POOLED:
            continue
        for factor in scope.factors:
            few = len(factor.levels) <= MOST_LEVELS
            found = profiles(scope, factor, outcomes) if few else {}
            for key in outcomes:
                if np.isfinite(scope.frame[key].to_numpy(dtype=float)).any():
                    rows.append(_dependence(scope, factor, key, found.get(key)))
    return tuple(replace(row, id=f"dependence-{number}") for number, row in enumerate(rows, 1))


def _dependence(scope: Scope, factor: Factor, key: str, found: Profiles | None) -> Dependence:
    levels = factor.levels
    none = (None,) * len(levels)
    nothing = Dependence(
        "", scope.name, key, factor.name, levels, none, none, none, len(scope.frame), scope.block_count
    )
    if found is None:
        return replace(nothing, reason=f"{len(levels)} levels, more than {MOST_LEVELS}: no curve by level")
    blocks = len(found.values)
    if blocks == 0:
        return replace(nothing, trials=found.trials, blocks=0, reason=EXPLAINED + ", or no block has every level")
    mean, spread = over_blocks(found.values)
    means, lows, highs = (_shown(part, found.logarithmic) for part in (mean, spread.low, spread.high))
    reason = None if blocks >= FEWEST_BLOCKS else too_few_blocks(blocks)
    return replace(nothing, means=means, lows=lows, highs=highs, trials=found.trials, blocks=blocks, reason=reason)


def _shown(values: NDArray[np.float64], logarithmic: bool) -> tuple[float | None, ...]:
    back = np.exp(values) if logarithmic else values
    return tuple(float(one) if np.isfinite(one) else None for one in back)
