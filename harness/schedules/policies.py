"""The decaying learning-rate policies of LRBench.

Source of names and formulas: Y. Wu et al., "Demystifying Learning Rate Policies for High Accuracy Training of Deep
Neural Networks", arXiv 1908.06477, table of learning-rate functions: eta(t) = |k0 - k1| g(t) + min(k0, k1) with
k1 = 0 for the decaying ones. `t` is the step, counted from 0; `k0` is always the rate at the start.

Where the table and the code of LRBench (`LRBench/lr/LRfunctions.py`) differ, the table is followed:

* POLY: the code takes `k0` as the value at the end and `k1` as the one at the start; here `k0` is the start.
  For `t > l` and a fractional `p` the code gives a complex number; here the rate stays 0 from step `l` on.
* NSTEP: the code counts steps in a state shared by all its instances; here it is a function of `t` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, model_validator

from harness.fields import FileModel, NonNegativeNumber, PositiveInt, PositiveNumber

Rates = NDArray[np.float64]


class Fix(FileModel):
    """FIX: `k0`."""

    policy: Literal["FIX"]
    k0: PositiveNumber

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return np.full(t.shape, self.k0)


class Step(FileModel):
    """STEP: `k0 * gamma ** floor(t / l)`."""

    policy: Literal["STEP"]
    k0: PositiveNumber
    gamma: PositiveNumber
    l: PositiveInt  # noqa: E741  the name of the paper

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 * self.gamma ** np.floor(t / self.l)


class Nstep(FileModel):
    """NSTEP: `k0 * gamma ** i`, `i` the number of boundaries `l[0] < l[1] < ...` that are <= t."""

    policy: Literal["NSTEP"]
    k0: PositiveNumber
    gamma: PositiveNumber
    l: tuple[PositiveInt, ...] = Field(min_length=1)  # noqa: E741  the name of the paper

    @model_validator(mode="after")
    def _boundaries_rise(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.l, self.l[1:], strict=False)):
            raise ValueError(f"the boundaries l should rise, not be {list(self.l)}")
        return self

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        passed = np.searchsorted(np.asarray(self.l, dtype=np.float64), t, side="right")
        return self.k0 * self.gamma ** passed.astype(np.float64)


class Exp(FileModel):
    """EXP: `k0 * gamma ** t`."""

    policy: Literal["EXP"]
    k0: PositiveNumber
    gamma: PositiveNumber

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 * self.gamma**t


class Inv(FileModel):
    """INV: `k0 / (1 + t * gamma) ** p`, the policy `inv` of Caffe."""

    policy: Literal["INV"]
    k0: PositiveNumber
    gamma: NonNegativeNumber
    p: NonNegativeNumber

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 / (1.0 + t * self.gamma) ** self.p


class Poly(FileModel):
    """POLY: `k0 * (1 - t / l) ** p`, and 0 from step `l` on."""

    policy: Literal["POLY"]
    k0: PositiveNumber
    p: PositiveNumber
    l: PositiveInt  # noqa: E741  the name of the paper

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return self.k0 * np.maximum(1.0 - t / self.l, 0.0) ** self.p


Policy = Annotated[Fix | Step | Nstep | Exp | Inv | Poly, Field(discriminator="policy")]

_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)


def parse_policy(value: Policy | Mapping[str, Any]) -> Policy:
    """The policy that a specification holds as plain values; `pydantic.ValidationError` where it is none."""
    return _POLICY.validate_python(value)


def learning_rates(policy: Policy | Mapping[str, Any], steps: int) -> Rates:
    """Learning rates of a training of `steps` steps: float64, shape `(steps,)`, item `t` for the step `t` from 0.

    Raises:
        ValueError: `steps` is negative, or the policy leaves the finite numbers.
    """
    if steps < 0:
        raise ValueError(f"steps={steps} should not be negative")
    with np.errstate(over="ignore"):
        rates = parse_policy(policy).rates(np.arange(steps, dtype=np.float64))
    if not np.isfinite(rates).all():
        first = int(np.flatnonzero(~np.isfinite(rates))[0])
        raise ValueError(f"the learning rate is not finite from step {first} on: {policy}")
    return rates
