"""The triangular and the sine waves of LRBench: TRI TRI2 TRIEXP SIN SIN2 SINEXP, and the same begun at the top (D...).

Source of names and formulas: arXiv 1908.06477, table of learning-rate functions; those with D are in LRBench's code alone
(`LRfunctions.py`): the wave at `t + l`, so they start at `k1` and go down first. `l` is half a period.
"""

from __future__ import annotations

from typing import Literal

from harness.schedules.base import DampedModel, RangeModel, Rates
from harness.schedules.waves import halved, quarter_sine, triangle


class Tri(RangeModel):
    """TRI: from `k0` to `k1` at step `l` and back at `2 l`; `g(t) = (2 / pi) |arcsin(sin(pi t / (2 l)))|`."""

    policy: Literal["TRI"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return triangle(t, self.l)


class Tri2(RangeModel):
    """TRI2: TRI whose height is halved after every period; `g(t) = TRI(t) / 2 ** floor(t / (2 l))`."""

    policy: Literal["TRI2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(triangle(t, self.l), t, 2 * self.l)


class TriExp(DampedModel):
    """TRIEXP: TRI whose height falls with every step; `g(t) = TRI(t) gamma ** t`."""

    policy: Literal["TRIEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return triangle(t, self.l)


class DTri(RangeModel):
    """DTRI: TRI begun at the top, at `k1`; `g(t) = TRI(t + l)`."""

    policy: Literal["DTRI"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return triangle(t + self.l, self.l)


class DTri2(RangeModel):
    """DTRI2: DTRI, halved at every low point; `g(t) = TRI(t + l) / 2 ** floor((t + l) / (2 l))`."""

    policy: Literal["DTRI2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(triangle(t + self.l, self.l), t + self.l, 2 * self.l)


class DTriExp(DampedModel):
    """DTRIEXP: DTRI whose height falls with every step; `g(t) = TRI(t + l) gamma ** t`."""

    policy: Literal["DTRIEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return triangle(t + self.l, self.l)


class Sin(RangeModel):
    """SIN: from `k0` to `k1` at step `l` and back at `2 l`; `g(t) = |sin(pi t / (2 l))|`."""

    policy: Literal["SIN"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(triangle(t, self.l))


class Sin2(RangeModel):
    """SIN2: SIN whose height is halved after every period; `g(t) = SIN(t) / 2 ** floor(t / (2 l))`."""

    policy: Literal["SIN2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(quarter_sine(triangle(t, self.l)), t, 2 * self.l)


class SinExp(DampedModel):
    """SINEXP: SIN whose height falls with every step; `g(t) = SIN(t) gamma ** t`."""

    policy: Literal["SINEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(triangle(t, self.l))


class DSin(RangeModel):
    """DSIN: SIN begun at the top, at `k1`; `g(t) = SIN(t + l)`."""

    policy: Literal["DSIN"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(triangle(t + self.l, self.l))


class DSin2(RangeModel):
    """DSIN2: DSIN, halved at every low point; `g(t) = SIN(t + l) / 2 ** floor((t + l) / (2 l))`."""

    policy: Literal["DSIN2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(quarter_sine(triangle(t + self.l, self.l)), t + self.l, 2 * self.l)


class DSinExp(DampedModel):
    """DSINEXP: DSIN whose height falls with every step; `g(t) = SIN(t + l) gamma ** t`."""

    policy: Literal["DSINEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(triangle(t + self.l, self.l))
