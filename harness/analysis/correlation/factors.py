"""Which factors the trials at hand really vary, with their levels, and which of them move together."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DlgaugeError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FACTOR_COLUMNS = (
    "framework",
    "batch_size",
    "learning_rate",
    "policy",
    "optimizer",
    "momentum",
    "weight_decay",
    "steps",
    "cpus",
    "threads",
    "blas",
    "precision",
    "memory_bytes",
    "network",
    "parameters",
    "activation_values_per_sample",
    "flops_per_sample",
    "dataset",
    "workload",
    "setting",
    "profile",
)
"""Columns that can be factors. Of factors that move together the first one here gives its name to all."""

UNITS = {"memory_bytes": "bytes", "batch_size": "images", "cpus": "CPUs", "threads": "threads", "steps": "steps"}
NOT_SET = "none"
VARIED = "varied."
"""How the column of something begins that a study varies and that has the name of another column."""

LEVELS_A_PART = 2
"""Levels that a factor of names needs for each factor that it is made of, so that their effects can be told apart."""
DOUBLING_FROM = 2.0
"""Ratio of the largest to the smallest level from which a factor is taken on the scale of doublings."""


@dataclass(frozen=True)
class Factor:
    """Something that the trials vary.

    Attributes:
        name: column of the observations.
        ordered: its levels are numbers; of other factors (names) there is no correlation, only differences of levels.
        levels: in ascending order, or by name.
        together_with: other factors whose levels change with this one's, one to one: their effects cannot be told
            apart.
    """

    name: str
    ordered: bool
    levels: tuple[Any, ...]
    together_with: tuple[str, ...] = ()

    @property
    def doubles(self) -> bool:
        """Whether its scale is the logarithm to base 2: all levels positive, spread over a factor of two or more."""
        return self.ordered and self.levels[0] > 0 and self.levels[-1] / self.levels[0] >= DOUBLING_FROM

    @property
    def change(self) -> str:
        """What a change by 1 on its scale is: `doubling`, or `A to B` from the lowest to the highest level."""
        return "doubling" if self.doubles else f"{self.levels[0]:g} to {self.levels[-1]:g}"

    @property
    def title(self) -> str:
        """Its name for people, with unit, without underscores."""
        words = self.name.removeprefix(VARIED).removesuffix("_bytes").replace("_", " ")
        unit = UNITS.get(self.name)
        return f"{words} ({unit})" if unit and unit not in words else words

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values on its scale: doublings above the lowest level, else the part of the way to the highest."""
        lowest, highest = float(self.levels[0]), float(self.levels[-1])
        if self.doubles:
            return np.asarray(np.log2(values / lowest))
        return np.asarray((values - lowest) / (highest - lowest))

    def codes(self, column: pd.Series) -> NDArray[np.int64]:
        """The number of its level for each value of the column, -1 for a level that it has not."""
        place = {level: index for index, level in enumerate(self.levels)}
        levels, inverse = _distinct(column, self.ordered)
        return np.array([place.get(level, -1) for level in levels], dtype=np.int64)[inverse]


def find_factors(frame: pd.DataFrame, names: Sequence[str] | None = None) -> tuple[tuple[Factor, ...], tuple[str, ...]]:
    """The factors with more than one level among the trials, and the names of candidates with one level.

    Args:
        frame: observations, one row a trial.
        names: the candidates; default: every column of `FACTOR_COLUMNS`.

    Raises:
        DlgaugeError: a name that the observations do not have.
    """
    candidates = list(dict.fromkeys(names)) if names is not None else candidates_of(frame)
    for name in candidates:
        if name not in frame.columns:
            known = ", ".join(candidates_of(frame))
            raise DlgaugeError(f"unknown factor {name!r}", hint=f"the trials have: {known}")
    found: list[Factor] = []
    single: list[str] = []
    partitions: dict[bytes, list[int]] = {}
    for name in candidates:
        factor = _factor(name, frame[name])
        if factor is None:
            single.append(name)
            continue
        # Equal partitions of the trials: numbered by first appearance, so the order of levels does not matter.
        same = partitions.setdefault(_by_appearance(factor.codes(frame[name])).tobytes(), [])
        place = next((one for one in same if _move_together(found[one], factor, frame)), None)
        if place is None:
            same.append(len(found))
            found.append(factor)
        else:
            found[place] = _joined(found[place], factor)
    return tuple(found), tuple(single)


def told_apart(frame: pd.DataFrame, factors: Sequence[Factor]) -> tuple[tuple[Factor, ...], tuple[str, ...]]:
    """The factors whose effects can be told apart, and a sentence for each one left out.

    A factor of names that determines others (a profile its CPUs, a policy its first rate) is left out where they
    determine it too, taken together, and it has `LEVELS_A_PART` levels or more for each of them; else they are. A
    factor that the framework determines is left out.
    """
    kept = list(factors)
    sentences: list[str] = []
    for factor in sorted((f for f in factors if not f.ordered), key=lambda f: (f.name != "framework", -len(f.levels))):
        if factor not in kept:
            continue
        codes = factor.codes(frame[factor.name])
        others = [f for f in kept if f is not factor and f.name != "framework" and len(f.levels) < len(factor.levels)]
        determined = [f for f in others if _determines(codes, f.codes(frame[f.name]))]
        if not determined:
            continue
        names = ", ".join(f.name for f in determined)
        enough = len(factor.levels) >= LEVELS_A_PART * len(determined)
        if factor.name != "framework" and enough and _determines(cells_of(frame, determined), codes):
            kept.remove(factor)
            sentences.append(f"{factor.name} is left out: it is the combination of {names}, which stand for it")
            continue
        kept = [f for f in kept if f not in determined]
        sentences.append(
            f"{names} left out: {factor.name} determines {'it' if len(determined) == 1 else 'them'}, so that "
            "effects cannot be told "
            f"apart; --factors {','.join(f.name for f in determined)} looks at "
            f"{'it' if len(determined) == 1 else 'them'} instead"
        )
    return tuple(kept), tuple(sentences)


def cells_of(frame: pd.DataFrame, factors: Iterable[Factor]) -> NDArray[np.int64]:
    """(n,) number of the cell of each trial: what all its factors have in common."""
    codes = [factor.codes(frame[factor.name]) for factor in factors]
    if not codes:
        return np.zeros(len(frame), dtype=np.int64)
    return np.asarray(np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1]).reshape(-1)


def indicator_columns(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, levels - 1) columns of 0 and 1, one for each level but the first that occurs."""
    present = np.unique(codes)
    return (codes[:, None] == present[None, 1:]).astype(float)


def candidates_of(frame: pd.DataFrame, varied: Sequence[str] = ()) -> list[str]:
    """Columns that can be factors: those of `FACTOR_COLUMNS`, then what a study varies under a name of its own."""
    own = [name for name in FACTOR_COLUMNS if name in frame.columns]
    return list(dict.fromkeys([*own, *(name for name in varied if name in frame.columns)]))


def _factor(name: str, column: pd.Series) -> Factor | None:
    values = set(_distinct(column, True)[0])
    ordered = all(isinstance(value, float) for value in values)
    if not ordered:
        values = set(_distinct(column, False)[0])
    if len(values) < 2:
        return None
    return Factor(name, ordered, tuple(sorted(values)))


def _distinct(column: pd.Series, ordered: bool) -> tuple[list[Any], NDArray[np.int64]]:
    """The level of each distinct value, and which of them each row has: levels are worked out once, not row by row."""
    import pandas as pd

    try:
        inverse, distinct = pd.factorize(column, use_na_sentinel=False)
        values = list(distinct)
    except TypeError:  # a list or a mapping among the values
        inverse, values = np.arange(len(column)), list(column)
    return [_level(value, ordered) for value in values], np.asarray(inverse, dtype=np.int64)


def _level(value: Any, ordered: bool) -> Any:
    """A level: a number where it is one and `ordered`, else text; a missing value is the level `none`."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, int | float | np.integer | np.floating):
        if math.isnan(value):
            return NOT_SET
        return float(value) if ordered else f"{float(value):g}"
    if value is None:
        return NOT_SET
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    return NOT_SET if str(value) in ("<NA>", "nan", "NaT") else str(value)


def _by_appearance(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse.reshape(-1)])


def _move_together(one: Factor, other: Factor, frame: pd.DataFrame) -> bool:
    """Of two with equal partitions: two of numbers only where one rises or falls with the other all the way.

    In a sample of combinations (a Latin hypercube) every level may occur once, and the numbers be unrelated all the
    same.
    """
    if not (one.ordered and other.ordered):
        return True
    codes = np.unique(np.stack([f.codes(frame[f.name]) for f in (one, other)], axis=1), axis=0)
    steps = np.diff(codes[:, 1])
    return bool((steps > 0).all() or (steps < 0).all())


def _determines(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether the level of the second follows from that of the first."""
    pairs = np.unique(np.stack([one, other], axis=1), axis=0)
    return len(pairs) == len(np.unique(one))


def _joined(first: Factor, other: Factor) -> Factor:
    """Both move together: the name stays the first one's unless only the other has an order."""
    lead, follow = (
        (other, first) if other.ordered and not first.ordered and first.name != "framework" else (first, other)
    )
    names = [*first.together_with, *other.together_with, follow.name]
    return Factor(lead.name, lead.ordered, lead.levels, tuple(dict.fromkeys(names)))
