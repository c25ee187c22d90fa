"""A predicted quantity: its estimate, its interval, and whether it lies within what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CONFIDENCE = 0.95
"""Confidence of an interval of which a question says nothing else."""

FARTHEST = 2.0
"""How many times above or below the measured range a question is still answered, as an extrapolation."""


class Basis(StrEnum):
    """Where a question lies in respect of what was measured."""

    MEASURED = "measured range"
    EXTRAPOLATION = "extrapolation"
    REFUSED = "refused"


@dataclass(frozen=True)
class Prediction:
    """What one new trial would show.

    Attributes:
        quantity: name with its unit in it, such as `peak_memory_bytes`.
        unit: `bytes`, `1/s`, `s`, `1`, or the currency of `price_per_hour`.
        estimate: None where the question is refused.
        low, high: ends of the prediction interval; None where it is refused, or where the records give no interval.
        confidence: of the interval.
        basis: see `Basis`.
        reasons: why it is an extrapolation, refused, or without an interval.
        records: trials behind it, by id.
    """

    quantity: str
    unit: str
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    basis: Basis
    reasons: tuple[str, ...] = ()
    records: tuple[str, ...] = ()

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return self.low is not None and self.high is not None


def refused(quantity: str, unit: str, reasons: Sequence[str], records: Sequence[str] = ()) -> Prediction:
    """No answer, with the reasons."""
    return Prediction(quantity, unit, None, None, None, CONFIDENCE, Basis.REFUSED, tuple(reasons), tuple(records))


def worst(bases: Iterable[Basis]) -> Basis:
    """The basis of what is made of several: refused before extrapolation before measured."""
    order = list(Basis)
    return max(bases, key=order.index, default=Basis.MEASURED)


@dataclass(frozen=True)
class Span:
    """The levels of a factor in the records that a model was fitted to.

    Attributes:
        name: of the factor.
        levels: different values, ascending.
        flat: the model has no term of this factor: another value is answered as if it did not matter.
    """

    name: str
    levels: tuple[float, ...]
    flat: bool = False

    @property
    def text(self) -> str:
        """`16-1024`, or the one level."""
        return f"{self.levels[0]:g}" if len(self.levels) == 1 else f"{self.levels[0]:g}-{self.levels[-1]:g}"

    def place(self, value: float) -> tuple[Basis, str | None]:
        """Where a value lies: within the levels, up to `FARTHEST` times outside them, or beyond.

        The distance is a ratio: batch sizes and counts are steps on a log scale. Between two levels alone no record
        checks the shape of the curve, so that is an extrapolation; with one level nothing is known of any other,
        unless the factor is flat.
        """
        low, high = self.levels[0], self.levels[-1]
        if any(math.isclose(value, level, rel_tol=1e-9) for level in self.levels):
            return Basis.MEASURED, None
        distance = max(value / high, low / value) if value > 0 and low > 0 else math.inf
        if distance > FARTHEST:
            what = f"{self.name} {value:g} is {distance:.3g} times outside the measured {self.text}"
            return Basis.REFUSED, f"{what}; beyond {FARTHEST:g} times nothing is answered"
        if len(self.levels) == 1 and not self.flat:
            return Basis.REFUSED, f"{self.name} has one level in the records, {self.text}: nothing tells of {value:g}"
        if distance > 1:
            return Basis.EXTRAPOLATION, f"{self.name} {value:g} is outside the measured {self.text}"
        if len(self.levels) < 3:
            return Basis.EXTRAPOLATION, f"{self.name} {value:g} lies between the only two levels measured, {self.text}"
        return Basis.MEASURED, None


def product(
    quantity: str, unit: str, factors: Sequence[Prediction], scale: float = 1.0, confidence: float = CONFIDENCE
) -> Prediction:
    """The product of positive quantities and a constant.

    Its interval goes from the product of the low ends to that of the high ends. Where each of m factors has an interval
    of `share(confidence, m)`, all hold together with at least `confidence` (Bonferroni's inequality), and so does this.
    """
    return _combined(quantity, unit, factors, lambda values: scale * math.prod(values), confidence)


def total(quantity: str, unit: str, terms: Sequence[Prediction], confidence: float = CONFIDENCE) -> Prediction:
    """The sum of quantities, its interval as that of `product`."""
    return _combined(quantity, unit, terms, math.fsum, confidence)


def share(confidence: float, parts: int) -> float:
    """The confidence that each of `parts` intervals needs so that all hold together with `confidence` (Bonferroni)."""
    return 1 - (1 - confidence) / parts


def _combined(
    quantity: str,
    unit: str,
    parts: Sequence[Prediction],
    make: Callable[[list[float]], float],
    confidence: float,
) -> Prediction:
    reasons = tuple(dict.fromkeys(reason for part in parts for reason in part.reasons))
    records = tuple(dict.fromkeys(record for part in parts for record in part.records))
    estimates = [part.estimate for part in parts if part.estimate is not None]
    if len(estimates) < len(parts):
        return refused(quantity, unit, reasons, records)
    low = [part.low for part in parts if part.low is not None]
    high = [part.high for part in parts if part.high is not None]
    known = len(low) == len(high) == len(parts)
    ends: tuple[float | None, float | None] = (make(low), make(high)) if known else (None, None)
    basis = worst(part.basis for part in parts)
    return Prediction(quantity, unit, make(estimates), ends[0], ends[1], confidence, basis, reasons, records)


def inverse(quantity: str, unit: str, one: Prediction, scale: float = 1.0) -> Prediction:
    """`scale / one`, the ends of the interval exchanged."""
    if one.estimate is None:
        return refused(quantity, unit, one.reasons, one.records)
    low = scale / one.high if one.low and one.high else None
    high = scale / one.low if one.low and one.high else None
    estimate = scale / one.estimate
    return Prediction(quantity, unit, estimate, low, high, one.confidence, one.basis, one.reasons, one.records)
