"""Taking the blocks out of outcomes: what is left differs by the factors and by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDING = 1e-12
"""Differences below this share of an outcome's largest value are none."""
ROUNDS = 200
CLOSE = 1e-9
"""Rounds stop when no block's effect moves by more than this share of the outcome's spread."""


def group_means(values: NDArray[np.float64], codes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(count, m) means of the rows (n, m) with each code; 0 for a code without rows."""
    sizes = np.bincount(codes, minlength=count)
    sums = np.stack([np.bincount(codes, values[:, j], count) for j in range(values.shape[1])], axis=1)
    return np.asarray(sums / np.maximum(sizes, 1)[:, None])


def without_blocks(
    values: NDArray[np.float64], blocks: NDArray[np.int64], cells: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Outcomes minus the effect of their block and minus their mean.

    The effects are those of the additive model `value = cell + block`, fitted by least squares in turns (backfitting).
    With complete blocks that is the block's mean; in a block that lacks a cell it is not, and a plain mean would be
    wrong.

    Args:
        values: (n, m), one column an outcome, without NaN.
        blocks, cells: (n,) codes from 0.
    """
    if len(values) == 0:
        return values
    block_count, cell_count = int(blocks.max()) + 1, int(cells.max()) + 1
    effects = np.zeros((block_count, values.shape[1]))
    scale = np.maximum(values.std(axis=0), np.finfo(float).tiny)
    in_cells = np.zeros((cell_count, values.shape[1]))
    for _ in range(ROUNDS):
        new = group_means(values - in_cells[cells], blocks, block_count)
        new -= new[blocks].mean(axis=0)
        moved = np.abs(new - effects) / scale
        effects = new
        if float(moved.max(initial=0.0)) < CLOSE:
            break
        in_cells = group_means(values - effects[blocks], cells, cell_count)
    aligned = values - effects[blocks]
    aligned -= aligned.mean(axis=0)
    # Equal outcomes stay equal: differences that come from rounding would have ranks of their own.
    unit = np.maximum(np.abs(values).max(axis=0) * ROUNDING, np.finfo(float).tiny)
    return np.asarray(np.round(aligned / unit) * unit)
