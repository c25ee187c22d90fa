"""The functions of LRBench that restart: RSW RSW2 RSWEXP, and the same bent by a sine or a cosine.

They are in LRBench's code alone (`LRfunctions.py`). `saw(t)` is the fractional part of `-t / l`: exactly 0 at every multiple of `l`, so the rate
is `k0` there (at step 0 too); one step later it is almost 1, the rate near `k1`, and then it falls.
"""

from __future__ import annotations

from typing import Literal

from harness.schedules.base import DampedModel, RangeModel, Rates
from harness.schedules.waves import half_cosine, halved, quarter_sine, sawtooth


class Rsw(RangeModel):
    """RSW: from near `k1` to `k0` in a straight line, again every `l` steps; `g(t) = saw(t)`."""

    policy: Literal["RSW"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return sawtooth(t, self.l)


class Rsw2(RangeModel):
    """RSW2: RSW whose height is halved at every restart; `g(t) = RSW(t) / 2 ** floor(t / l)`."""

    policy: Literal["RSW2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(sawtooth(t, self.l), t, self.l)


class RswExp(DampedModel):
    """RSWEXP: RSW whose height falls with every step; `g(t) = RSW(t) gamma ** t`."""

    policy: Literal["RSWEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return sawtooth(t, self.l)


class SinRsw(RangeModel):
    """SINRSW: from near `k1` to `k0` along a quarter of a sine, again every `l` steps; `g(t) = sin(pi / 2 saw(t))`."""

    policy: Literal["SINRSW"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(sawtooth(t, self.l))


class SinRsw2(RangeModel):
    """SINRSW2: SINRSW whose height is halved at every restart; `g(t) = SINRSW(t) / 2 ** floor(t / l)`."""

    policy: Literal["SINRSW2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(quarter_sine(sawtooth(t, self.l)), t, self.l)


class SinRswExp(DampedModel):
    """SINRSWEXP: SINRSW whose height falls with every step; `g(t) = SINRSW(t) gamma ** t`."""

    policy: Literal["SINRSWEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return quarter_sine(sawtooth(t, self.l))


class CosRsw(RangeModel):
    """COSRSW: from near `k1` to `k0` along half a cosine, again every `l` steps; `g(t) = (1 - cos(pi saw(t))) / 2`."""

    policy: Literal["COSRSW"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return half_cosine(sawtooth(t, self.l))


class CosRsw2(RangeModel):
    """COSRSW2: COSRSW whose height is halved at every restart; `g(t) = COSRSW(t) / 2 ** floor(t / l)`."""

    policy: Literal["COSRSW2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(half_cosine(sawtooth(t, self.l)), t, self.l)


class CosRswExp(DampedModel):
    """COSRSWEXP: COSRSW whose height falls with every step; `g(t) = COSRSW(t) gamma ** t`."""

    policy: Literal["COSRSWEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return half_cosine(sawtooth(t, self.l))
