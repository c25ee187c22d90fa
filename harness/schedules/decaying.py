"""FIX, the functions that decay, and SIG.

Source of names and formulas: Y. Wu et al., "Demystifying Learning Rate Policies for High Accuracy Training of Deep
Neural Networks", arXiv 1908.06477, table of learning-rate functions: `eta(t) = |k0 - k1| g(t) + min(k0, k1)` with
`k1 = 0` for those that decay, so `k0` is the rate at the start. SIG is in LRBench's code alone.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from harness.schedules.base import (
    Decay,
    FunctionModel,
    Power,
    PowerOrZero,
    Rate,
    RateOrZero,
    Rates,
    Slope,
    Steepness,
    Steps,
    between,
    check_two_rates,
    is_whole,
)


class Fix(FunctionModel):
    """FIX: `k0`."""

    policy: Literal["FIX"]
    k0: Rate

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return np.full(t.shape, self.k0)


class Step(FunctionModel):
    """STEP: `k0 * gamma ** floor(t / l)`."""

    policy: Literal["STEP"]
    k0: Rate
    gamma: Decay
    l: Steps  # noqa: E741  the name of the paper

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 * self.gamma ** ((t - np.fmod(t, float(self.l))) / self.l)


class Nstep(FunctionModel):
    """NSTEP: `k0 * gamma ** i`, `i` the number of boundaries `l[0] < l[1] < ...` that are <= t.

    LRBench's code counts the boundaries in a state that all its NSTEP share, is set to 0 whenever a policy is made, and passes at most one
    boundary a call. Asked at every step from 0, as a training does, one NSTEP gives the same rates. Several in one composite do
    not: a later one goes on with the count of the earlier. `compat: lrbench` on a composite computes that.
    """

    policy: Literal["NSTEP"]
    k0: Rate
    gamma: Decay
    l: tuple[Steps, ...] = Field(min_length=1)  # noqa: E741  the name of the paper

    @model_validator(mode="after")
    def _boundaries_rise(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.l, self.l[1:], strict=False)):
            raise ValueError(f"the boundaries l should rise, not be {list(self.l)}")
        return self

    def passed(self, t: Rates) -> Rates:
        """How many boundaries are passed at the steps `t`, as float64."""
        return np.searchsorted(np.asarray(self.l, dtype=np.float64), t, side="right").astype(np.float64)

    def rates(self, t: Rates, passed_before: int = 0) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0).

        Args:
            passed_before: boundaries that LRBench's shared state has counted already.
        """
        return self.k0 * self.gamma ** np.maximum(self.passed(t), float(passed_before))


class Exp(FunctionModel):
    """EXP: `k0 * gamma ** t`."""

    policy: Literal["EXP"]
    k0: Rate
    gamma: Decay

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 * self.gamma**t


class Inv(FunctionModel):
    """INV: `k0 / (1 + t * gamma) ** p`, the policy `inv` of Caffe."""

    policy: Literal["INV"]
    k0: Rate
    gamma: Slope
    p: PowerOrZero

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 / (1.0 + t * self.gamma) ** self.p


class Poly(FunctionModel):
    """POLY: `|k0 - k1| (1 - t / l) ** p + min(k0, k1)`, and `min(k0, k1)` from step `l` on; `k1` is 0 where not given.

    So it starts at the higher of the two rates and ends at the lower one, in whichever order they are given; with `k0`
    alone, as in the table, from `k0` to 0.

    LRBench's code (`compat: lrbench`) is `(k1 - k0) (1 - t / l) ** p + k0`: `k0` is the rate at the end and `k1` the one
    at the start, and both must be given. It goes on after step `l` with a negative number to the power `p`: with a whole `p` the rate leaves
    the range (for an even one it rises again); with any other the code gives a complex number, here an error that names the first such step.
    """

    policy: Literal["POLY"]
    k0: RateOrZero
    k1: RateOrZero | None = None
    p: Power
    l: Steps  # noqa: E741  the name of the paper

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.compat == "lrbench" and self.k1 is None:
            raise ValueError("k1, the rate at the start, should be given with compat: lrbench, where k0 is the one at the end")
        if self.k1 is None and self.k0 == 0:
            raise ValueError("k0 should be greater than 0, not 0.0: at a rate of 0 nothing is learned")
        check_two_rates(self.k0, self.k1 or 0.0, self.compat)
        return self

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0); with `compat`, NaN where there is none."""
        left = 1.0 - t / self.l
        if self.compat is None:
            left = np.maximum(left, 0.0)
        with np.errstate(invalid="ignore"):
            return between(self.k0, self.k1 or 0.0, left**self.p)

    def why_not(self, fault: str) -> str:
        """Why a rate of this policy can be `negative` or `not finite`, as the end of a sentence."""
        if fault == "not finite" and not is_whole(self.p):
            return f"; after step l={self.l} LRBench's code takes a negative number to the power {self.p!r}"
        return f"; after step l={self.l} LRBench's code leaves the range of k0 and k1"


class Sig(FunctionModel):
    """SIG: `k0 / (1 + exp(-gamma (t - l)))`, the policy `sigmoid` of Caffe.

    `k0` is the rate it comes from or goes to, not the one at the start: with a positive `gamma` the rate rises to `k0`, with a
    negative one it falls from nearly `k0` to 0; at step `l` it is `k0 / 2`.
    """

    policy: Literal["SIG"]
    k0: Rate
    gamma: Steepness
    l: Steps  # noqa: E741  the name of the paper

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        with np.errstate(over="ignore"):
            return self.k0 / (1.0 + np.exp(-self.gamma * (t - self.l)))
