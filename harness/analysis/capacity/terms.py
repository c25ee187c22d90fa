"""A model's parameters as people and programs read them: value, unit, interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from harness.analysis.capacity.prediction import CONFIDENCE
from harness.analysis.capacity.regression import Fit


@dataclass(frozen=True)
class Term:
    """One parameter of a model.

    Attributes:
        name, unit: what it is; its formula stands in the model's module.
        value: the estimate.
        low, high: 95 % interval, not below 0; None where the trials give none.
    """

    name: str
    unit: str
    value: float
    low: float | None
    high: float | None


def coefficient_terms(fit: Fit, unit_of: Callable[[str], str]) -> tuple[Term, ...]:
    """The coefficients of a fit."""
    return tuple(
        term(name, unit_of(name), float(value), fit.variance(name), fit.degrees)
        for name, value in zip(fit.names, fit.coefficients, strict=True)
    )


def ratio_term(fit: Fit, name: str, unit: str, upper: str, lower: str) -> Term | None:
    """The ratio of two coefficients; its variance by the first-order expansion (delta method). None without them."""
    above, below = fit.of(upper), fit.of(lower)
    if above is None or not below:
        return None
    ratio = above / below
    parts = (fit.variance(upper), fit.variance(upper, lower), fit.variance(lower))
    variance = None
    if parts[0] is not None and parts[1] is not None and parts[2] is not None:
        variance = max(0.0, (parts[0] - 2 * ratio * parts[1] + ratio**2 * parts[2]) / below**2)
    return term(name, unit, ratio, variance, fit.degrees)


def term(name: str, unit: str, value: float, variance: float | None, degrees: int) -> Term:
    """A parameter with its t interval of `degrees` degrees of freedom."""
    if variance is None or degrees < 1:
        return Term(name, unit, value, None, None)
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, degrees)) * math.sqrt(variance)
    return Term(name, unit, value, max(0.0, value - half), value + half)
