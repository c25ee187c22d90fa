"""The parts of the trials that are looked at: each framework, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.correlation.alignment import without_blocks
from harness.analysis.correlation.factors import Factor, cells_of, find_factors

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

POOLED = "pooled"


@dataclass(frozen=True)
class Scope:
    """Trials of one framework, or of all.

    Attributes:
        name: the framework, or `pooled`.
        frame: its observations.
        factors: those with more than one level in it, without `framework`.
        blocks: (n,) number of the block of each trial.
        block_count: number of blocks.
        frameworks: (n,) number of the framework of each trial; all 0 in the scope of one framework.
    """

    name: str
    frame: pd.DataFrame
    factors: tuple[Factor, ...]
    blocks: NDArray[np.int64]
    block_count: int
    frameworks: NDArray[np.int64]

    @property
    def ordered(self) -> tuple[Factor, ...]:
        """The factors whose levels are numbers."""
        return tuple(factor for factor in self.factors if factor.ordered)

    @property
    def unordered(self) -> tuple[Factor, ...]:
        """The factors whose levels are names."""
        return tuple(factor for factor in self.factors if not factor.ordered)

    def with_outcomes(self, outcomes: Sequence[str]) -> list[tuple[tuple[str, ...], NDArray[np.bool_]]]:
        """Outcomes grouped by which trials have them, (outcomes, mask), without those that no trial has."""
        grouped: dict[bytes, tuple[list[str], NDArray[np.bool_]]] = {}
        for key in outcomes:
            mask = np.isfinite(self.frame[key].to_numpy(dtype=float))
            if mask.any():
                grouped.setdefault(mask.tobytes(), ([], mask))[0].append(key)
        return [(tuple(keys), mask) for keys, mask in grouped.values()]


def make_scopes(frame: pd.DataFrame, names: Sequence[str]) -> tuple[Scope, ...]:
    """A scope for each framework, and one for all where there is more than one framework."""
    frameworks = sorted(str(name) for name in frame["framework"].unique())
    scopes = [_scope(name, frame[frame["framework"].astype(str) == name], names) for name in frameworks]
    return (*scopes, _scope(POOLED, frame, names)) if len(frameworks) > 1 else tuple(scopes)


def logarithm_if_positive(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Natural logarithms and True where all values are positive, else the values and False."""
    if len(values) and float(values.min()) > 0:
        return np.asarray(np.log(values)), True
    return values, False


def aligned_outcomes(scope: Scope, keys: Sequence[str], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, m) outcomes without blocks: on the logarithmic scale where all are positive, framework by framework."""
    frame = scope.frame[mask]
    columns = [logarithm_if_positive(frame[key].to_numpy(dtype=float))[0] for key in keys]
    values = np.stack(columns, axis=1)
    aligned = np.empty_like(values)
    cells = cells_of(frame, scope.factors)
    for framework in np.unique(scope.frameworks[mask]):
        rows = scope.frameworks[mask] == framework
        blocks = np.unique(scope.blocks[mask][rows], return_inverse=True)[1]
        own_cells = np.unique(cells[rows], return_inverse=True)[1]
        aligned[rows] = without_blocks(values[rows], blocks, own_cells)
    return aligned


def _scope(name: str, frame: pd.DataFrame, names: Sequence[str]) -> Scope:
    factors, _ = find_factors(frame, [one for one in names if one != "framework"])
    blocks = np.unique(frame["block"].to_numpy(), return_inverse=True)[1]
    frameworks = np.unique(frame["framework"].astype(str).to_numpy(), return_inverse=True)[1]
    if name != POOLED:
        frameworks = np.zeros(len(frame), dtype=np.int64)
    count = int(blocks.max()) + 1 if len(blocks) else 0
    return Scope(name, frame, factors, blocks, count, frameworks)
