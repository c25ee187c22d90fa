"""How much an outcome changes with a factor: from each block for itself, then the mean over blocks with its t interval.

In each block a least-squares fit of the outcome on all factors gives the change by one doubling (or from the lowest to
the highest level, or from a reference to another level of names), the other factors held constant. The blocks are
independent repetitions of the same experiment, so their mean and the spread between them need no model of what happens
inside a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.alignment import ROUNDING
from harness.analysis.correlation.associations import (
    EXPLAINED,
    FALSE_DISCOVERY_RATE,
    ONLY_BETWEEN,
    benjamini_hochberg,
    too_few_blocks,
    varies_within,
)
from harness.analysis.correlation.factors import Factor, indicator_columns
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS, over_blocks
from harness.analysis.correlation.scopes import Scope, logarithm_if_positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOT_POSITIVE = "a value is not positive: there are no ratios"
NO_SPREAD = "the change is the same in every block"
ESTIMABLE = 1e-6
LARGEST_PRODUCTS = 20_000_000
"""Numbers that are held at once while the normal equations of blocks are made (160 MB)."""


@dataclass(frozen=True)
class Effect:
    """The change of an outcome with one change of a factor.

    Attributes:
        id: names the row, such as `effect-3`.
        scope, outcome, factor: as in `Association`.
        change: `doubling`, `A to B`, or `LEVEL against REFERENCE`.
        difference: mean change over blocks, in the outcome's unit; `difference_low`, `difference_high` its interval.
        ratio: geometric mean of the factor by which the outcome changes; None where a value is not positive.
        p: of no change, on the logarithmic scale where there is a ratio; `q` after Benjamini and Hochberg.
        trials, blocks: how many it is of; a block that cannot tell the change is not counted.
        reason: why something is None.
    """

    id: str
    scope: str
    outcome: str
    factor: str
    change: str
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    p: float | None
    q: float | None
    trials: int
    blocks: int
    reason: str | None = None

    @property
    def found(self) -> bool:
        """Whether it is distinguishable from no change at the false discovery rate held."""
        return self.q is not None and self.q <= FALSE_DISCOVERY_RATE


@dataclass(frozen=True)
class Contrast:
    """A column of the fit: one change of one factor."""

    factor: Factor
    change: str
    column: NDArray[np.float64]


def effects(scopes: Sequence[Scope], outcomes: Sequence[str]) -> tuple[Effect, ...]:
    """All effects of all scopes, with the correction for their number."""
    rows = [row for scope in scopes for row in _of_scope(scope, outcomes)]
    places = [index for index, row in enumerate(rows) if row.p is not None]
    for index, q in zip(places, benjamini_hochberg([rows[index].p or 0.0 for index in places]), strict=True):
        rows[index] = replace(rows[index], q=q)
    return tuple(replace(row, id=f"effect-{number}") for number, row in enumerate(rows, 1))


def contrasts_of(factors: Sequence[Factor], scope: Scope, mask: NDArray[np.bool_]) -> list[Contrast]:
    """The columns of these factors: one for a factor of numbers, one a level but the first for a factor of names."""
    frame = scope.frame[mask]
    found = []
    for factor in factors:
        if factor.ordered:
            found.append(Contrast(factor, factor.change, factor.scaled(frame[factor.name].to_numpy(dtype=float))))
            continue
        codes = factor.codes(frame[factor.name])
        for index, level in enumerate(factor.levels[1:], 1):
            found.append(Contrast(factor, f"{level} against {factor.levels[0]}", (codes == index).astype(float)))
    return found


def slopes_of_blocks(
    columns: NDArray[np.float64], others: NDArray[np.float64], values: NDArray[np.float64], blocks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(blocks, c, m) coefficients of `columns` in each block's own fit; NaN where the block cannot tell one.

    Args: as of `fits_of_blocks`.
    """
    return fits_of_blocks(columns, others, values, blocks)[:, 1:]


def fits_of_blocks(
    columns: NDArray[np.float64], others: NDArray[np.float64], values: NDArray[np.float64], blocks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(blocks, 1 + c, m) constant and coefficients of `columns` in each block's own fit; NaN where it cannot tell one.

    Args:
        columns: (n, c) of interest.
        others: (n, k) held constant beside them; a constant is added.
        values: (n, m) outcomes.
        blocks: (n,) codes from 0.
    """
    count = int(blocks.max()) + 1
    design = np.concatenate([np.ones((len(blocks), 1)), columns, others], axis=1)
    order = np.argsort(blocks, kind="stable")
    edges = np.searchsorted(blocks[order], np.arange(count + 1))
    most = max(1, LARGEST_PRODUCTS // design.shape[1] ** 2)
    parts, first = [], 0
    while first < count:
        # As many blocks at a time as have `most` trials together.
        last = max(first + 1, int(np.searchsorted(edges, edges[first] + most, side="right")) - 1)
        rows = order[edges[first] : edges[last]]
        parts.append(_solved(design[rows], values[rows], edges[first:last] - edges[first]))
        first = last
    return np.concatenate(parts)[:, : 1 + columns.shape[1]]


def _solved(design: NDArray[np.float64], values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(blocks, c, m) coefficients of the blocks that begin at the rows `starts`, by their normal equations."""
    scale = np.sqrt((design**2).mean(axis=0))
    unit = design / np.where(scale > 0, scale, 1.0)
    products = np.add.reduceat(unit[:, :, None] * unit[:, None, :], starts, axis=0)
    across = np.add.reduceat(unit[:, :, None] * values[:, None, :], starts, axis=0)
    inverse = np.linalg.pinv(products, rcond=ESTIMABLE**2, hermitian=True)
    # A coefficient is determined where the projection onto the rows of the design leaves its axis alone.
    told = np.abs(np.einsum("bij,bji->bi", inverse, products) - 1) < ESTIMABLE
    solved = (inverse @ across) / np.where(scale > 0, scale, 1.0)[None, :, None]
    solved[~told] = np.nan
    return np.asarray(solved)


def _of_scope(scope: Scope, outcomes: Sequence[str]) -> Iterable[Effect]:
    if not scope.factors:
        return
    for keys, mask in scope.with_outcomes(outcomes):
        contrasts = contrasts_of(scope.factors, scope, mask)
        blocks = np.unique(scope.blocks[mask], return_inverse=True)[1]
        raw = scope.frame.loc[mask, list(keys)].to_numpy(dtype=float)
        logs = [logarithm_if_positive(column) for column in raw.T]
        largest = [float(np.abs(column).max()) for column in raw.T]
        values = np.concatenate([raw, np.stack([column for column, _ in logs], axis=1)], axis=1)
        columns = np.stack([one.column for one in contrasts], axis=1)
        slopes = slopes_of_blocks(columns, indicator_columns(scope.frameworks[mask]), values, blocks)
        for index, contrast in enumerate(contrasts):
            varies = varies_within(scope, contrast.factor, mask)
            for place, key in enumerate(keys):
                own = slopes[:, index, place]
                logarithmic = slopes[:, index, place + len(keys)] if logs[place][1] else None
                yield _effect(scope.name, key, contrast, own, logarithmic, int(mask.sum()), varies, largest[place])


def _effect(
    scope: str,
    key: str,
    contrast: Contrast,
    slopes: NDArray[np.float64],
    logarithmic: NDArray[np.float64] | None,
    trials: int,
    varies: bool,
    largest: float,
) -> Effect:
    blocks = int(np.isfinite(slopes).sum())
    reason = None
    if blocks == 0 or not varies:
        reason = EXPLAINED if varies else ONLY_BETWEEN
    elif blocks < FEWEST_BLOCKS:
        reason = too_few_blocks(blocks)
    elif logarithmic is None:
        reason = NOT_POSITIVE
    if not varies:
        slopes, logarithmic = np.full_like(slopes, np.nan), None
    mean, spread = over_blocks(slopes)
    scale = 1.0 if logarithmic is not None else largest
    difference = (_number(mean), _number(spread.low), _number(spread.high))
    ratio: tuple[float | None, float | None, float | None] = (None, None, None)
    p = _number(spread.p)
    if logarithmic is not None:
        mean, spread = over_blocks(logarithmic)
        ratio = (_power(mean), _power(spread.low), _power(spread.high))
        p = _number(spread.p)
    if not float(spread.standard_error) > ROUNDING * scale:
        p = None  # what spread there is comes from rounding
        reason = reason or NO_SPREAD
    return Effect(
        id="",
        scope=scope,
        outcome=key,
        factor=contrast.factor.name,
        change=contrast.change,
        difference=difference[0],
        difference_low=difference[1],
        difference_high=difference[2],
        ratio=ratio[0],
        ratio_low=ratio[1],
        ratio_high=ratio[2],
        p=p,
        q=None,
        trials=trials,
        blocks=blocks,
        reason=reason,
    )


def _power(logarithm: NDArray[np.float64]) -> float | None:
    return float(np.exp(logarithm)) if np.isfinite(logarithm) else None


def _number(value: NDArray[np.float64]) -> float | None:
    return float(value) if np.isfinite(value) else None
