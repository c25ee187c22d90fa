"""Accuracy against what it costs: which rows are dominated, and how certain that is.

A row dominates another where it is at least as accurate at no higher cost, and better in one of the two. The front is
made of the rows that none dominates by their means (those of the table). How certain that is: in how many blocks the
row is dominated by some row, and in what share of bootstrap resamples of the blocks, in which all rows are resampled
together. Rows may stand in one front where data and machine are the same; work and settings may differ, which is what
a front is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import row_names
from harness.analysis.columns import column_for
from harness.analysis.comparison import Cell, Comparison
from harness.analysis.costs import TRAINING_JOULES, TRAINING_PRICE
from harness.analysis.inference.bounds import resampling_weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ACCURACY = "top1_percent"
COSTS = ("training_time_s", TRAINING_JOULES, TRAINING_PRICE)
FRONT_RESAMPLES = 1_999


@dataclass(frozen=True)
class FrontRow:
    """A row of a front.

    Attributes:
        name: the row's.
        accuracy_percent, cost: means over its own trials.
        dominated_by: rows that dominate it by the means; empty on the front.
        blocks_dominated: complete blocks in which some row dominates it.
        resamples_dominated: share of the resamples in which some row does; None of one block.
        trials: ids of the records behind the means.
    """

    name: str
    accuracy_percent: float
    cost: float
    dominated_by: tuple[str, ...]
    blocks_dominated: int
    resamples_dominated: float | None
    trials: tuple[str, ...]

    @property
    def on_front(self) -> bool:
        """Whether no row dominates it by the means."""
        return not self.dominated_by


@dataclass(frozen=True)
class Front:
    """Rows of one data and machine by accuracy and one cost.

    Attributes:
        cost: key of the cost.
        conditions: letter of data and machine.
        rows: those that have both, by cost.
        seeds: complete blocks, those in which every row has both.
        left_out: row -> why it is not in it.
        reason: why there is no front.
    """

    cost: str
    conditions: str
    rows: tuple[FrontRow, ...]
    seeds: tuple[int, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None


def fronts(comparison: Comparison) -> tuple[Front, ...]:
    """A front for every conditions and cost."""
    names = row_names(cell.key for cell in comparison.cells)
    found = []
    for letter in comparison.conditions:
        rows = {names[cell.key]: cell for cell in comparison.cells if cell.conditions == letter}
        found += [_front(letter, cost, rows) for cost in COSTS]
    return tuple(found)


def _front(letter: str, cost: str, rows: Mapping[str, Cell]) -> Front:
    both = {name: _both(cell, cost) for name, cell in rows.items()}
    left_out = {name: found for name, found in both.items() if isinstance(found, str)}
    known = {name: found for name, found in both.items() if not isinstance(found, str)}
    if cost == TRAINING_JOULES and (mixed := _mixed_parts([rows[name] for name in known])):
        return Front(cost, letter, (), (), left_out, f"energies of different parts of the machine: {mixed}")
    if len(known) < 2:
        why = next(iter(left_out.values()), "one row alone")
        return Front(cost, letter, (), (), left_out, f"fewer than two rows have both: {why}")
    means = {name: (_mean(value[0]), _mean(value[1])) for name, value in known.items()}
    seeds = tuple(sorted(set.intersection(*(set(value[0]) for value in known.values()))))
    blocks, shares = _uncertainty(known, seeds)
    made = [
        FrontRow(
            name=name,
            accuracy_percent=accuracy,
            cost=price,
            dominated_by=tuple(other for other in means if _dominates(means[other], means[name])),
            blocks_dominated=blocks[name],
            resamples_dominated=shares[name],
            trials=tuple(trial.id for trial in rows[name].trials if trial.seed in known[name][0]),
        )
        for name, (accuracy, price) in means.items()
    ]
    return Front(cost, letter, tuple(sorted(made, key=lambda row: (row.cost, row.name))), seeds, left_out)


Both = tuple[dict[int, float], dict[int, float]]
"""Accuracy and cost by seed, of the seeds that have both."""


def _both(cell: Cell, cost: str) -> Both | str:
    """Accuracy and cost of a row, or why it has not both."""
    accuracy, price = cell.values.get(ACCURACY), cell.values.get(cost)
    for key, value in ((ACCURACY, accuracy), (cost, price)):
        if value is None or not value.by_seed:
            why = "; ".join(value.missing) if value and value.missing else "no reason recorded"
            return f"no {_title(key)}: {why}"
    assert accuracy is not None
    assert price is not None
    seeds = sorted(accuracy.by_seed.keys() & price.by_seed.keys())
    if not seeds:
        return f"no trial has both {_title(ACCURACY)} and {_title(cost)}"
    return {s: accuracy.by_seed[s] for s in seeds}, {s: price.by_seed[s] for s in seeds}


def _mixed_parts(cells: Sequence[Cell]) -> str | None:
    parts = sorted({part for cell in cells for part in cell.energy_parts})
    return ", ".join(parts) if len(parts) > 1 else None


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def _uncertainty(known: Mapping[str, Both], seeds: Sequence[int]) -> tuple[dict[str, int], dict[str, float | None]]:
    """Of each row: blocks in which it is dominated, and the share of resamples."""
    import numpy as np

    names = list(known)
    if not seeds:
        return dict.fromkeys(names, 0), dict.fromkeys(names)
    accuracy = np.array([[known[name][0][seed] for name in names] for seed in seeds])
    cost = np.array([[known[name][1][seed] for name in names] for seed in seeds])
    blocks = dict(zip(names, _dominated(accuracy, cost).sum(axis=0).tolist(), strict=True))
    if len(seeds) < 2:
        return blocks, dict.fromkeys(names)
    weights = resampling_weights(len(seeds), FRONT_RESAMPLES)
    shares = _dominated(_rounded(weights @ accuracy), _rounded(weights @ cost)).mean(axis=0)
    return blocks, dict(zip(names, (float(share) for share in shares), strict=True))


def _dominated(accuracy: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each column is dominated by some other in each row; shapes (cases, rows)."""
    import numpy as np

    found = []
    for index in range(accuracy.shape[1]):
        own_accuracy, own_cost = accuracy[:, index : index + 1], cost[:, index : index + 1]
        no_worse = (accuracy >= own_accuracy) & (cost <= own_cost)
        better = (accuracy > own_accuracy) | (cost < own_cost)
        found.append((no_worse & better).any(axis=1))
    return np.stack(found, axis=1)


def _rounded(means: Any) -> NDArray[np.float64]:
    """Means to 12 digits: equal values of two rows shall stay equal after the sums."""
    import numpy as np

    scale = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(means), 1e-300))) - 11)
    rounded: NDArray[np.float64] = np.round(means / scale) * scale
    return rounded


def _mean(by_seed: Mapping[int, float]) -> float:
    return sum(by_seed.values()) / len(by_seed)


def _title(key: str) -> str:
    return column_for(key).title
