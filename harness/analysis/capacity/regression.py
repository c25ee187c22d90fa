"""Fits of sums of non-negative terms, robust and in relative error: the engine under all capacity models.

`measured = sum_j coefficient_j * column_j`, every coefficient 0 or more. Least squares with that condition is Lawson
and Hanson's algorithm (Solving Least Squares Problems, 1974; `scipy.optimize.nnls`). Residuals are relative, since
what varies by percent at 16 images a step varies by percent at 1024; Huber's weights (Huber and Ronchetti, Robust
Statistics, 2009, chapter 7: 1 up to 1.345 standard deviations, falling as 1 / |residual| beyond) keep one disturbed
trial from bending a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HUBER = 1.345
"""Standard deviations up to which a residual has full weight: 95 % efficient where residuals are normal."""
TO_SD = 1.4826
"""A median absolute deviation times this is the standard deviation of a normal distribution."""
LEAST_SCALE = 1e-9
ITERATIONS = 60
CONVERGED = 1e-7
"""Change of the fitted values, relative to the largest, at which the weights are taken as settled."""
LEVELS_FOR_JACKKNIFE = 3
SIGNIFICANT = 0.01
INDEPENDENT = 1e-6
"""Singular values below this part of the largest are none: columns that differ by less are not told apart."""

Array = np.ndarray[Any, np.dtype[np.float64]]


class CannotFit(ValueError):
    """The rows do not suffice for a model; the text says what is missing."""


@dataclass(frozen=True)
class Fit:
    """A fitted sum of terms.

    Attributes:
        names: of the terms, in order.
        coefficients: one a term, 0 or more.
        covariance: of the coefficients; None with no more rows than terms, or not asked for.
        degrees: of freedom, of Student's t with that covariance.
        rows: how many were fitted.
        deviance: weighted sum of the squared relative residuals.
        residuals: `measured / fitted - 1`, `(rows,)`, each times its weight.
    """

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array | None
    degrees: int
    rows: int
    deviance: float
    residuals: Array

    def at(self, columns: Array) -> Array:
        """The sum for rows of columns `(rows, terms)`."""
        values: Array = columns @ self.coefficients
        return values

    def of(self, name: str) -> float | None:
        """The coefficient of a term, None where it is not in the fit."""
        return float(self.coefficients[self.names.index(name)]) if name in self.names else None

    def variance(self, name: str, other: str | None = None) -> float | None:
        """Variance of a coefficient, or covariance of two."""
        if self.covariance is None or name not in self.names or (other or name) not in self.names:
            return None
        return float(self.covariance[self.names.index(name), self.names.index(other or name)])


def independent(names: Sequence[str], columns: Array) -> list[int]:
    """Which columns can be told apart, greedily in their order: one that the earlier ones already span is left out."""
    distinct = np.unique(columns, axis=0)
    kept: list[int] = []
    for index in range(len(names)):
        tried = distinct[:, [*kept, index]]
        norms = np.linalg.norm(tried, axis=0)
        if not np.all(norms > 0):
            continue
        singular = np.linalg.svd(tried / norms, compute_uv=False)
        if len(singular) == len(kept) + 1 and singular[-1] > INDEPENDENT * singular[0]:
            kept.append(index)
    return kept


def fit_terms(
    names: Sequence[str],
    columns: Array,
    measured: Array,
    offset: float = 0.0,
    levels: Array | None = None,
) -> Fit:
    """Fit non-negative coefficients.

    Args:
        columns: `(rows, terms)`, columns that can be told apart.
        measured: `(rows,)`, positive.
        offset: a known part of the sum that is not fitted; `Fit.at` does not add it.
        levels: `(rows,)`, the level of each row, rows of one level having something in common that no term knows;
            None: no covariance is worked out.

    Raises:
        CannotFit: fewer rows than terms, or nothing positive fits.
    """
    from scipy.optimize import nnls

    rows, terms = columns.shape
    if rows < terms or terms == 0:
        raise CannotFit(f"{rows} trials for {terms} terms")
    weights, fitted = np.ones(rows), measured
    coefficients = np.zeros(terms)
    scale_of_terms = np.abs(columns).max(axis=0)
    for step in range(ITERATIONS):
        by = weights**0.5 / fitted
        found, _residual = nnls(columns / scale_of_terms * by[:, None], (measured - offset) * by, maxiter=30 * terms)
        new = found / scale_of_terms
        values = offset + columns @ new
        if not np.all(values > 0):
            raise CannotFit("no positive sum of the terms fits")
        residuals = measured / values - 1
        spread = max(TO_SD * float(np.median(np.abs(residuals))), LEAST_SCALE)
        weights = np.minimum(1.0, HUBER * spread / np.maximum(np.abs(residuals), LEAST_SCALE))
        fitted = values
        change = float(np.abs(columns @ (new - coefficients)).max())
        coefficients = new
        if step and change <= CONVERGED * float(values.max()):
            break
    covariance, degrees = None, 0
    if levels is not None:
        covariance, degrees = _covariance(columns / fitted[:, None], residuals, weights, levels)
    return Fit(
        names=tuple(names),
        coefficients=coefficients,
        covariance=covariance,
        degrees=degrees,
        rows=rows,
        deviance=float(np.sum(weights * residuals**2)),
        residuals=weights * residuals,
    )


def _covariance(relative: Array, residuals: Array, weights: Array, levels: Array) -> tuple[Array | None, int]:
    """Huber's sandwich: bread `(J' D J)^-1`, filling of `J' W r`; and its degrees of freedom.

    D is the derivative of Huber's function: 1 where a residual has full weight, else 0 (Huber and Ronchetti, 7.6). With
    three levels or more the filling is summed level by level, each level's residuals divided by `I - H` of the level
    (CR3, the jackknife over levels: Bell and McCaffrey, Survey Methodology 28, 2002): what a level has of its own is in
    the interval then, with one degree of freedom less than there are levels. Else row by row (HC1).
    """
    rows, terms = relative.shape
    if rows <= terms:
        return None, 0
    norms = np.linalg.norm(relative, axis=0)
    scaled = relative / norms
    bread = np.linalg.pinv(scaled.T @ (scaled * (weights >= 1.0)[:, None]))
    kinds = np.unique(levels)
    scores = (weights * residuals)[:, None]
    if len(kinds) < LEVELS_FOR_JACKKNIFE:
        filling, degrees = scaled.T @ (scaled * scores**2) * rows / (rows - terms), rows - terms
    else:
        sums = []
        for kind in kinds:
            own = scaled[levels == kind]
            hat = own @ bread @ (own * weights[levels == kind][:, None]).T
            sums.append(own.T @ np.linalg.pinv(np.eye(len(own)) - hat) @ scores[levels == kind])
        stacked = np.hstack(sums)
        filling, degrees = stacked @ stacked.T * (len(kinds) - 1) / len(kinds), len(kinds) - 1
    found: Array = bread @ filling @ bread / np.outer(norms, norms)
    return found, degrees


def needed(without: Fit, having: Fit, levels: Array, parameters: int) -> bool:
    """Whether a parameter more explains what the levels differ in: an F test at 1 % of their mean residuals.

    The units are the levels: trials of one level share what it has of its own, and are no independent witnesses.

    Args:
        without, having: fits of the same rows.
        levels: `(rows,)`.
        parameters: how many the mean of a level depends on, the tested one among them.
    """
    from scipy.stats import f

    kinds = np.unique(levels)
    free = len(kinds) - parameters
    if free < 1:
        return False
    before, after = (
        sum(float(one.residuals[levels == kind].mean()) ** 2 for kind in kinds) for one in (without, having)
    )
    if after <= 0 or before <= after:
        return before > after
    return bool(f.sf((before - after) / (after / free), 1, free) < SIGNIFICANT)
