"""Held-out error: a model fitted without some of its levels, asked for exactly those.

The same residuals give the prediction intervals. A level that was left out is what a question about an unmeasured
level is; its residual holds the noise of a trial and the misfit of the curve, which residuals of the fit itself do
not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.capacity.regression import Array, CannotFit

if TYPE_CHECKING:
    import pandas as pd

Fitted = Callable[["pd.DataFrame"], Array]
"""A model's values for rows; NaN where it cannot tell."""


@dataclass(frozen=True)
class LeftOutCell:
    """One cell that a model was asked for without having seen it.

    Attributes:
        levels: its factors.
        trials: how many measured it.
        measured: geometric mean over them.
        predicted: by the model that was fitted without.
        error_fraction: `predicted / measured - 1`.
        outside: the levels left out were the lowest or highest of the factor: the model had to extrapolate.
    """

    levels: dict[str, Any]
    trials: int
    measured: float
    predicted: float
    error_fraction: float
    outside: bool


@dataclass(frozen=True)
class HeldOut:
    """The errors of leaving out the levels of a factor, one after the other.

    Attributes:
        by: the factors of which one combination of levels is left out at a time.
        cells: all cells that were left out and predicted.
        not_possible: what could not be predicted, and why.
    """

    by: tuple[str, ...]
    cells: tuple[LeftOutCell, ...]
    not_possible: tuple[str, ...]

    @property
    def mean_error_fraction(self) -> float | None:
        """Mean of the absolute errors over cells; None where none could be predicted."""
        return math.fsum(abs(cell.error_fraction) for cell in self.cells) / len(self.cells) if self.cells else None

    @property
    def worst(self) -> LeftOutCell | None:
        """The cell with the largest absolute error."""
        return max(self.cells, key=lambda cell: abs(cell.error_fraction), default=None)


@dataclass(frozen=True)
class Spread:
    """How far a new trial lies from a model, in logarithms.

    Attributes:
        sd_log: standard deviation of the logarithms' difference.
        degrees: degrees of freedom of Student's t.
        edge_sd_log: the same for a question outside the measured range: not less than the root mean square of the
            levels at its ends when they were left out.
        levels, trials: how many it is from.
        source: what it is from, in words.
    """

    sd_log: float
    degrees: float
    edge_sd_log: float
    levels: int
    trials: int
    source: str

    def factor(self, confidence: float, *, outside: bool = False) -> float:
        """What the estimate is divided and multiplied by for the ends of a t prediction interval."""
        from scipy.stats import t

        sd = self.edge_sd_log if outside else self.sd_log
        return math.exp(float(t.ppf((1 + confidence) / 2, self.degrees)) * sd)

    def plus(self, variance: float, degrees: float) -> Spread:
        """With an error that is the same in all residuals, so that none of them shows it; independent of them.

        Args:
            variance: of the logarithm.
            degrees: of freedom that it is known with; those of the sum are Satterthwaite's.
        """
        if variance == 0:
            return self
        own = self.sd_log**2
        total = own + variance
        return replace(
            self,
            sd_log=math.sqrt(total),
            degrees=total**2 / (own**2 / self.degrees + variance**2 / degrees),
            edge_sd_log=math.sqrt(self.edge_sd_log**2 + variance),
        )


def widest(spreads: Sequence[Spread], confidence: float, *, outside: bool) -> float:
    """Logarithm of the largest factor of the spreads: a question may be new in more than one way."""
    return max(math.log(one.factor(confidence, outside=outside)) for one in spreads)


def leave_out(
    rows: pd.DataFrame,
    by: Sequence[str],
    outcome: str,
    cells: Sequence[str],
    fit: Callable[[pd.DataFrame], Fitted],
) -> tuple[HeldOut, Array]:
    """Leave out one combination of levels at a time, fit the others, predict what was left out.

    Args:
        rows: of one model; `outcome` is positive.
        by: columns whose combinations are left out.
        cells: columns that make a cell.
        fit: of rows; raises `CannotFit`.

    Returns:
        The errors, and of every row `log(measured / predicted)`, NaN where it could not be predicted.
    """
    residuals = np.full(len(rows), math.nan)
    found: list[LeftOutCell] = []
    impossible: list[str] = []
    groups = rows.groupby(list(by), sort=True, dropna=False).indices
    edges = _edges(rows, by)
    for name, positions in groups.items():
        label = dict(zip(by, name if isinstance(name, tuple) else (name,), strict=True))
        kept = np.setdiff1d(np.arange(len(rows)), positions)
        words = ", ".join(f"{key} {_word(value)}" for key, value in label.items())
        if not len(kept):
            impossible.append(f"{words}: nothing else was measured")
            continue
        out = rows.iloc[positions]
        try:
            predicted = fit(rows.iloc[kept])(out)
        except CannotFit as error:
            impossible.append(f"{words}: {error}")
            continue
        if not np.all(np.isfinite(predicted) & (predicted > 0)):
            impossible.append(f"{words}: the others do not tell how the outcome changes towards it")
            continue
        residuals[positions] = np.log(out[outcome].to_numpy(float)) - np.log(predicted)
        outside = any(label[key] in edges.get(key, ()) for key in by)
        found += _cells(out.assign(_predicted=predicted), outcome, cells, outside)
    return HeldOut(tuple(by), tuple(found), tuple(impossible)), residuals


def _edges(rows: pd.DataFrame, by: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    import pandas as pd

    return {key: (rows[key].min(), rows[key].max()) for key in by if pd.api.types.is_numeric_dtype(rows[key])}


def _cells(out: pd.DataFrame, outcome: str, cells: Sequence[str], outside: bool) -> list[LeftOutCell]:
    found = []
    for name, members in out.groupby(list(cells), sort=True, dropna=False):
        measured = math.exp(float(np.log(members[outcome].to_numpy(float)).mean()))
        predicted = math.exp(float(np.log(members["_predicted"].to_numpy(float)).mean()))
        values = name if isinstance(name, tuple) else (name,)
        levels = {key: _plain(value) for key, value in zip(cells, values, strict=True)}
        found.append(LeftOutCell(levels, len(members), measured, predicted, predicted / measured - 1, outside))
    return found


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def spread_of(residuals: Array, levels: Array, source: str) -> Spread | None:
    """The spread behind a prediction interval, from residuals of levels that were left out.

    A residual is the misfit of its level plus the noise of its trial: a one-way model with random levels, of which
    the mean is 0 by construction. With n0 trials a level, the variance of a single new trial at a new level is `MSB /
    n0 + (1 - 1 / n0) MSW`, MSB between levels (as many degrees of freedom as levels) and MSW within them;
    Satterthwaite (Biometrics Bulletin 2, 1946) gives the degrees of freedom of the sum. Where levels differ no more
    than trials do, that is nearly the number of trials; where misfit rules, the number of levels.

    Args:
        residuals: `(rows,)`, logarithms; NaN is left out.
        levels: `(rows,)`, number of the level of each, ascending with the factor.

    Returns:
        None with fewer than three levels.
    """
    known = np.isfinite(residuals)
    residuals, levels = residuals[known], levels[known]
    kinds = np.unique(levels)
    if len(kinds) < 3:
        return None
    members = [residuals[levels == kind] for kind in kinds]
    counts = np.array([len(one) for one in members], dtype=float)
    n0 = (counts.sum() - (counts**2).sum() / counts.sum()) / (len(counts) - 1)
    between = float(np.mean(counts * np.array([one.mean() ** 2 for one in members])))
    inside = counts.sum() - len(counts)
    within = math.fsum(float(((one - one.mean()) ** 2).sum()) for one in members) / inside if inside else between
    parts = (between / n0, (1 - 1 / n0) * within)
    variance = math.fsum(parts)
    divisor = parts[0] ** 2 / len(counts) + (parts[1] ** 2 / inside if inside else 0.0)
    degrees = float(variance**2 / divisor) if divisor > 0 else float(len(counts))
    edge = np.concatenate([members[0], members[-1]])
    return Spread(
        sd_log=math.sqrt(variance),
        degrees=degrees,
        edge_sd_log=math.sqrt(max(variance, float((edge**2).mean()))),
        levels=len(kinds),
        trials=int(known.sum()),
        source=source,
    )


def spread_of_fit(residuals: Array, parameters: int, source: str) -> Spread | None:
    """The spread of trials around their own fit, for models that cannot leave a level out.

    The estimate's own error is counted as that of a mean of `n / parameters` trials: variance times
    `1 + parameters / n`.

    Returns:
        None without a degree of freedom.
    """
    degrees = len(residuals) - parameters
    if degrees < 1:
        return None
    variance = float((residuals**2).sum()) / degrees * (1 + parameters / len(residuals))
    sd = math.sqrt(variance)
    return Spread(sd, float(degrees), sd, 1, len(residuals), source)
