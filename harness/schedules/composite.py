"""Several policies after one another, and a warm-up before one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.schedules import cosine, cyclic, decaying, restart
from harness.schedules.base import FunctionModel, PolicyModel, RateOrZero, Rates, Steps
from harness.schedules.string_form import plain_values

Functions = (
    decaying.Fix
    | decaying.Step
    | decaying.Nstep
    | decaying.Exp
    | decaying.Inv
    | decaying.Poly
    | decaying.Sig
    | cyclic.Tri
    | cyclic.Tri2
    | cyclic.TriExp
    | cyclic.DTri
    | cyclic.DTri2
    | cyclic.DTriExp
    | cyclic.Sin
    | cyclic.Sin2
    | cyclic.SinExp
    | cyclic.DSin
    | cyclic.DSin2
    | cyclic.DSinExp
    | cosine.Cos
    | cosine.Cos2
    | cosine.CosExp
    | cosine.UpCos
    | cosine.UpCos2
    | cosine.UpCosExp
    | restart.Rsw
    | restart.Rsw2
    | restart.RswExp
    | restart.SinRsw
    | restart.SinRsw2
    | restart.SinRswExp
    | restart.CosRsw
    | restart.CosRsw2
    | restart.CosRswExp
)
FunctionPolicy = Annotated[Functions, Field(discriminator="policy"), BeforeValidator(plain_values)]
"""One of the 34 functions, as plain values or in the string form."""

Time = Literal["restart", "continue"]


class Composite(PolicyModel):
    """COMPOSITE: policies one after another; part `i` is in force for `at[i - 1] <= t < at[i]`.

    With `time: restart`, as LRBench's `piecewiseLR` does, a part's own `t` is 0 at its first step; with `continue` it is the
    training's. `compat: lrbench` goes to every part; if all parts have it, the count of boundaries of NSTEP goes on from
    part to part, as in LRBench's code (see NSTEP).

    Attributes:
        parts: at least two functions.
        boundaries: the steps, rising, at which the next part takes over, one fewer than parts; `at` in files.
    """

    policy: Literal["COMPOSITE"]
    parts: tuple[FunctionPolicy, ...] = Field(min_length=2)
    boundaries: tuple[Steps, ...] = Field(validation_alias="at")
    time: Time = "restart"

    @model_validator(mode="before")
    @classmethod
    def _compat_goes_to_the_parts(cls, values: Any) -> Any:
        return hand_down_compat(values)

    @model_validator(mode="after")
    def _boundaries_fit(self) -> Self:
        if len(self.boundaries) != len(self.parts) - 1:
            raise ValueError(
                f"{len(self.parts)} parts need {len(self.parts) - 1} boundaries in at, not {len(self.boundaries)}: {list(self.boundaries)}"
            )
        if any(later <= earlier for earlier, later in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"the boundaries in at should rise, not be {list(self.boundaries)}")
        if self.time == "continue" and any(part.compat for part in self.parts):
            raise ValueError("time should be restart with compat: lrbench: in LRBench's code every part begins at t = 0")
        return self

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        rates = np.empty(t.shape)
        in_force = np.searchsorted(np.asarray(self.boundaries, dtype=np.float64), t, side="right")
        passed = 0
        for index, part in enumerate(self.parts):
            here = in_force == index
            begin = self.boundaries[index - 1] if index else 0
            own = t[here] - (begin if self.time == "restart" else 0)
            if isinstance(part, decaying.Nstep) and self.follows_lrbench:
                rates[here] = part.rates(own, passed)
                if index < len(self.boundaries):
                    last = np.array([self.boundaries[index] - begin - 1.0])
                    passed = max(passed, int(part.passed(last)[0]))
            else:
                rates[here] = part.rates(own)
        return rates

    @model_serializer(mode="wrap")
    def _plain_values(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"at" if key == "boundaries" else key: value for key, value in handler(self).items()}

    @property
    def follows_lrbench(self) -> bool:
        """Whether all parts have `compat: lrbench`."""
        return all(part.compat == "lrbench" for part in self.parts)

    def why_not(self, fault: str) -> str:
        """Why a rate of this policy can be `negative` or `not finite`, as the end of a sentence."""
        return next((why for part in self.parts if (why := part.why_not(fault))), "")


class WarmUp(PolicyModel):
    """WARM_UP: `steps` steps that lead to a policy, then that policy.

    `shape: linear` is `start + (r - start) t / steps`, where `r` is the first rate of the policy (P. Goyal et al., arXiv 1706.02677,
    section 2.2: gradual warm-up); `shape: constant` is `start`. With `time: restart` the policy's own `t` is 0 at the first step after the
    warm-up, with `continue` it is the training's.

    Attributes:
        start: the learning rate at step 0; 0 only where the shape is linear.
        then: a function or a composite.
    """

    policy: Literal["WARM_UP"]
    shape: Literal["linear", "constant"] = "linear"
    start: RateOrZero
    steps: Steps
    then: Annotated[
        Functions | Composite, Field(discriminator="policy"), BeforeValidator(plain_values)
    ]
    time: Time = "restart"

    @model_validator(mode="before")
    @classmethod
    def _compat_goes_to_the_policy(cls, values: Any) -> Any:
        return hand_down_compat(values)

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.shape == "constant" and self.start == 0:
            raise ValueError("start should be greater than 0 with shape: constant, not 0.0: nothing would be learned")
        return self

    def rates(self, t: Rates) -> Rates:
        """Learning rates at the steps `t` (float64, counted from 0)."""
        begin = float(self.steps)
        warm = t < begin
        offset = begin if self.time == "restart" else 0.0
        rates = self.then.rates(np.maximum(t, begin) - offset)
        if self.shape == "constant":
            return np.where(warm, self.start, rates)
        first = float(self.then.rates(np.array([begin - offset]))[0])
        done = np.minimum(t, begin) / begin
        return np.where(warm, self.start * (1.0 - done) + first * done, rates)

    def why_not(self, fault: str) -> str:
        """Why a rate of this policy can be `negative` or `not finite`, as the end of a sentence."""
        return self.then.why_not(fault)


def hand_down_compat(values: Any) -> Any:
    """Plain values of a composite or a warm-up with their `compat` moved into the policies they hold."""
    if not isinstance(values, Mapping) or values.get("compat") is None:
        return values
    rest = {key: value for key, value in values.items() if key != "compat"}
    if isinstance(rest.get("parts"), list | tuple):
        rest["parts"] = [with_compat(part, values["compat"]) for part in rest["parts"]]
    if "then" in rest:
        rest["then"] = with_compat(rest["then"], values["compat"])
    return rest


def with_compat(value: Any, compat: str) -> Any:
    """Plain values of a policy with `compat` in them; what is no policy stays for the validation to find."""
    value = plain_values(value)
    if isinstance(value, FunctionModel | Composite | WarmUp):
        value = value.model_dump(mode="json")
    return {**value, "compat": compat} if isinstance(value, Mapping) else value
