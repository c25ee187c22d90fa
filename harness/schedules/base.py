"""What all learning-rate policies have in common, and the types of their parameters.

Every policy is an immutable model with `policy` as its name. `t` is the training step, counted from 0; rates are
float64. A parameter outside its range is refused with the reason.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.errors import DlgaugeError
from harness.fields import FileModel, Number

Rates = NDArray[np.float64]

KEY_ORDER = ("policy", "k0", "k1", "gamma", "p", "l")
"""The order in which parameters are written, that of LRBench."""

LONGEST = 2**53
"""Up to this number float64 knows every whole one."""


MOST_STEPS = 10_000_000
"""Most steps of a training: a rate, a loss and a step record of every one of them are kept, some 100 bytes a step."""


class PolicyError(DlgaugeError, ValueError):
    """Something is no learning-rate policy, or has no learning rate at some step."""


def _check_rate(value: float) -> float:
    if value <= 0:
        raise ValueError(
            f"should be greater than 0, not {value!r}: at a rate of 0 nothing is learned, below it unlearned"
        )
    return value


def _check_rate_or_zero(value: float) -> float:
    if value < 0:
        raise ValueError(f"should be at least 0, not {value!r}: a negative rate climbs the loss")
    return value


def _check_decay(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(
            f"should be greater than 0 and at most 1, not {value!r}: its powers have to fall, "
            "above 1 they grow without bound and below 0 they change sign"
        )
    return value


def _check_steps(value: int) -> int:
    if value < 1:
        raise ValueError(f"should be at least 1, not {value!r}: it is a number of steps")
    if value > LONGEST:
        text = str(value) if value < 10**20 else "a number above 1e20"
        raise ValueError(f"should be at most 2**53 ({LONGEST}), not {text}: steps are counted in float64")
    return value


def _check_slope(value: float) -> float:
    if value < 0:
        raise ValueError(f"should be at least 0, not {value!r}: below 0 the rate has a pole, at step -1 / gamma")
    return value


def _check_power(value: float) -> float:
    if value <= 0:
        raise ValueError(f"should be greater than 0, not {value!r}: the power has to bring the rate down to its end")
    return value


def _check_power_or_zero(value: float) -> float:
    if value < 0:
        raise ValueError(f"should be at least 0, not {value!r}: below 0 the rate would grow without bound")
    return value


_SMALLEST_EXPONENT = -746.0
"""`exp` of this is 0 in float64."""

_Finite = Field(strict=True, allow_inf_nan=False)
Rate = Annotated[float, _Finite, AfterValidator(_check_rate)]
RateOrZero = Annotated[float, _Finite, AfterValidator(_check_rate_or_zero)]
Decay = Annotated[float, _Finite, AfterValidator(_check_decay)]
"""Base of a power that falls with the step: 0 < gamma <= 1."""
Slope = Annotated[float, _Finite, AfterValidator(_check_slope)]
Power = Annotated[float, _Finite, AfterValidator(_check_power)]
PowerOrZero = Annotated[float, _Finite, AfterValidator(_check_power_or_zero)]
Steepness = Number
Steps = Annotated[int, Field(strict=True), AfterValidator(_check_steps)]
Compat = Literal["lrbench"]


class PolicyModel(FileModel):
    """Base of all policies."""

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, any shape, counted from 0), each of its `t` alone."""
        raise NotImplementedError

    def at(self, step: int) -> float:
        """The learning rate of one step, counted from 0.

        Raises:
            PolicyError: the step is negative, or there is no learning rate at it.
        """
        if step < 0:
            raise PolicyError(f"step {step} should be at least 0: steps are counted from 0")
        return float(self._checked(np.array([step], dtype=np.float64))[0])

    def trace(self, steps: int) -> Rates:
        """Learning rates of a training of `steps` steps: float64, shape `(steps,)`, item `t` for the step `t` from 0.

        Raises:
            PolicyError: `steps` is negative or above `MOST_STEPS`, or a rate is not finite or negative.
        """
        if steps < 0:
            raise PolicyError(f"steps={steps} should not be negative")
        if steps > MOST_STEPS:
            raise PolicyError(f"steps={steps} should be at most {MOST_STEPS}: the rate of every step is held in memory")
        return self._checked(np.arange(steps, dtype=np.float64))

    def _checked(self, t: Rates) -> Rates:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            rates = self.rates(t)
        wrong = ~(np.isfinite(rates) & (rates >= 0))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            fault = "negative" if np.isfinite(rates[first]) else "not finite"
            message = f"the learning rate is {fault} from step {int(t[first])} on: {self.short()}"
            raise PolicyError(f"{message}{self.why_not(fault)}")
        return rates

    def why_not(self, fault: str) -> str:  # noqa: ARG002  for those that can tell
        """Why a rate of this policy can be `negative` or `not finite`, as the end of a sentence."""
        return ""

    def short(self) -> str:
        """The policy on one line: `TRI k0=0.001 k1=0.06 l=250`."""
        return " ".join(
            str(value) if key == "policy" else f"{key}={value}" for key, value in self.model_dump(mode="json").items()
        )

    @model_serializer(mode="wrap")
    def _plain_values(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = {key: value for key, value in handler(self).items() if value is not None}
        ordered = [key for key in KEY_ORDER if key in values]
        return {key: values[key] for key in [*ordered, *(key for key in values if key not in ordered)]}


class FunctionModel(PolicyModel):
    """Base of the 34 functions.

    Attributes:
        compat: `lrbench` for what LRBench's code computes where it differs from the table of the paper.
    """

    compat: Compat | None = None


class RangeModel(FunctionModel):
    """Base of the functions that move between two rates: `|k0 - k1| g(t) + min(k0, k1)`.

    So the order of `k0` and `k1` does not matter, and `k0` below stands for the lower of them. LRBench's code is
    `(k1 - k0) g(t) + k0`, the same where `k0 <= k1`; with `compat: lrbench` anything else is refused.

    Attributes:
        l: half a period of the wave in steps, or a whole one, as the function says.
    """

    k0: RateOrZero
    k1: RateOrZero
    l: Steps  # noqa: E741  the name of the paper

    @model_validator(mode="after")
    def _two_rates(self) -> Self:
        check_two_rates(self.k0, self.k1, self.compat)
        return self

    def g(self, t: Rates) -> Rates:
        """The function's own form in 0 … 1, at the steps `t`."""
        raise NotImplementedError

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return between(self.k0, self.k1, self.g(t))


class DampedModel(RangeModel):
    """A function between two rates whose height is multiplied by `gamma ** t`."""

    gamma: Decay

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        return between(self.k0, self.k1, self.g(t) * powers(self.gamma, t))


def check_two_rates(k0: float, k1: float, compat: Compat | None) -> None:
    """ValueError where two rates do not make a range."""
    if k0 == 0 and k1 == 0:
        raise ValueError("k0 and k1 should not both be 0: at a rate of 0 nothing is learned")
    if compat == "lrbench" and k0 > k1:
        raise ValueError(
            f"k0={k0!r} should not be greater than k1={k1!r} with compat: lrbench: its code takes k0 for the lower rate"
        )


def between(k0: float, k1: float, g: Rates) -> Rates:
    """`|k0 - k1| g + min(k0, k1)`, exactly the lower rate at `g = 0` and exactly the higher one at `g = 1`.

    In floating point `(b - a) + a` need not be `b`, so the upper half is taken from the upper end.
    """
    low, high = min(k0, k1), max(k0, k1)
    span = high - low
    return np.where(g <= 0.5, low + span * g, high - span * (1.0 - g))


def powers(base: float, exponents: Rates) -> Rates:
    """`base ** exponents` for `0 < base <= 1` and exponents of at least 0.

    What is too small for a number is 0 without being computed, which takes a processor many times as long.
    """
    if base == 1.0:
        return np.ones(exponents.shape)
    power = np.zeros(exponents.shape)
    np.power(base, exponents, out=power, where=exponents <= _SMALLEST_EXPONENT / math.log(base))
    return power


def is_whole(value: float) -> bool:
    """Whether a finite number is whole."""
    return math.isfinite(value) and value == math.floor(value)
