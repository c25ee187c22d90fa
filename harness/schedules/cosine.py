"""The cosine waves of LRBench: COS COS2 COSEXP, and the same begun at the bottom (UP...).

COS is in the table of arXiv 1908.06477, the others are in LRBench's code alone (`LRfunctions.py`), which for COS differs from
the table: there `l` is a period, in the code half of one. With `compat: lrbench` COS follows the code; the others always do, so
their `l` is half a period.
"""

from __future__ import annotations

from typing import Literal

from harness.schedules.base import DampedModel, RangeModel, Rates
from harness.schedules.waves import half_cosine, halved, triangle


class Cos(RangeModel):
    """COS: from `k1` down to `k0` at step `l / 2` and back at `l`; `g(t) = (1 + cos(2 pi t / l)) / 2`.

    LRBench's code (`compat: lrbench`) has the period `2 l`: `g(t) = (1 + cos(pi t / l)) / 2`, at `k0` at step `l`.
    """

    policy: Literal["COS"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return _falling(t if self.compat == "lrbench" else 2.0 * t, self.l)


class Cos2(RangeModel):
    """COS2: from `k1` down to `k0` at step `l` and back, halved at every low point.

    `g(t) = (1 + cos(pi t / l)) / 2 / 2 ** floor((t + l) / (2 l))`.
    """

    policy: Literal["COS2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(_falling(t, self.l), t + self.l, 2 * self.l)


class CosExp(DampedModel):
    """COSEXP: from `k1` down to `k0` at step `l` and back, its height falling with every step.

    `g(t) = (1 + cos(pi t / l)) / 2 * gamma ** t`.
    """

    policy: Literal["COSEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return _falling(t, self.l)


class UpCos(RangeModel):
    """UPCOS: from `k0` to `k1` at step `l` and back at `2 l`; `g(t) = (1 + cos(pi (t / l + 1))) / 2`."""

    policy: Literal["UPCOS"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return half_cosine(triangle(t, self.l))


class UpCos2(RangeModel):
    """UPCOS2: UPCOS whose height is halved after every period; `g(t) = UPCOS(t) / 2 ** floor(t / (2 l))`."""

    policy: Literal["UPCOS2"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return halved(half_cosine(triangle(t, self.l)), t, 2 * self.l)


class UpCosExp(DampedModel):
    """UPCOSEXP: UPCOS whose height falls with every step; `g(t) = UPCOS(t) gamma ** t`."""

    policy: Literal["UPCOSEXP"]

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        return half_cosine(triangle(t, self.l))


def _falling(t: Rates, half: int) -> Rates:
    """`(1 + cos(pi t / half)) / 2`: 1 at 0, 0 at `half`, 1 at `2 half`."""
    return half_cosine(1.0 - triangle(t, half))
