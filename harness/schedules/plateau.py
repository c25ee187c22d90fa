"""Learning-rate policies that follow the validation images: a smaller rate, or another policy, on a plateau.

A plateau rule has no trace of its own: which of its candidates is in force is decided while training runs, in the
worker (`frameworks/worker/plateau.py`), after each evaluation of the images that the setting's `validation` holds out.
The test images decide nothing. The harness works out the rate of every step under every candidate beforehand, so that
all frameworks choose among identical numbers; the steps of a record have the rate that was in force.

Both rules watch a quantity of which smaller is better: `error` (1 - top-1) or `loss` of the validation images. An
evaluation without a finite value is no improvement, and no part of a plateau of CHANGE_ON_PLATEAU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from harness.fields import NonNegativeInt, NonNegativeNumber
from harness.schedules.base import MOST_STEPS, PolicyError, PolicyModel, Rate, Rates
from harness.schedules.composite import Composite, Functions, WarmUp
from harness.schedules.policies import Policy, learning_rates, policy
from harness.schedules.string_form import plain_values

Watched = Literal["error", "loss"]


class PlateauModel(PolicyModel):
    """Base of the two rules."""

    def rates(self, t: Rates) -> Rates:  # noqa: ARG002
        """Refused: a plateau rule is no function of the step.

        Raises:
            PolicyError: always.
        """
        name = self.model_dump()["policy"]
        raise PolicyError(f"{name} has no rate of its own at a step: it follows the validation images of a training")


class ReduceOnPlateau(PlateauModel):
    """REDUCE_ON_PLATEAU: the rate `k0`, times `factor` whenever the validation images have not improved for a while.

    The rule of `torch.optim.lr_scheduler.ReduceLROnPlateau`, looked at after each validation. An evaluation improves if
    it is smaller than `(1 - threshold)` times the best so far (`relative`) or than the best minus `threshold`
    (`absolute`, which is `min_delta` of Keras). After more than `patience` evaluations in a row without an improvement
    the rate is `max(factor * rate, smallest_rate)`; Keras's `ReduceLROnPlateau(patience=p)` counts one fewer, so
    `patience: p - 1` here. The `cooldown` evaluations after a change are not counted. Torch's `eps` is not taken over:
    every change counts, however small.
    """

    policy: Literal["REDUCE_ON_PLATEAU"]
    k0: Rate
    factor: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.1
    patience: NonNegativeInt = 10
    threshold: NonNegativeNumber = 1e-4
    threshold_mode: Literal["relative", "absolute"] = "relative"
    cooldown: NonNegativeInt = 0
    smallest_rate: NonNegativeNumber = 0.0
    watch: Watched = "loss"

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if self.smallest_rate > self.k0:
            raise ValueError(f"smallest_rate {self.smallest_rate:g} should not be larger than k0, {self.k0:g}")
        if self.threshold_mode == "relative" and self.threshold >= 1:
            raise ValueError(f"threshold {self.threshold:g} should be below 1: it is a fraction of the best so far")
        return self

    def start(self) -> Policy:
        """The policy in force until the first change."""
        return policy("FIX", k0=self.k0)

    @property
    def least_evaluations(self) -> int:
        """Evaluations until the first change at the soonest: one sets the best value, the others do not improve."""
        return self.patience + 2

    def candidates(self, steps: int, evaluations: int) -> Rates:  # noqa: ARG002
        """The rate of each level, float64 `(n, 1)`: one number holds for all steps.

        Args:
            evaluations: of the validation images that can change the rate (`usable_evaluations`): they bound how
                many levels can be reached.
        """
        rates = [self.k0]
        most = 1 + evaluations // (1 + self.patience)
        while len(rates) < most and rates[-1] > self.smallest_rate:
            rates.append(max(self.factor * rates[-1], self.smallest_rate))
        return np.array(rates, dtype=np.float64).reshape(-1, 1)


class ChangeOnPlateau(PlateauModel):
    """CHANGE_ON_PLATEAU, LRBench's `ChangeLROnPlateau`: another of a list of policies, from large to small rates.

    Source: `LRBench/lr/ChangeLROnPlateau.py`, a callback for Keras. In force is `policies[index]` at the step of the
    whole training (time does not restart at a change), at first with `start_index`. A plateau: among the last `window`
    evaluations no one has improved on the one before it by `threshold` (absolute) or more. On one, before `turn` (80 %)
    of the steps are done, the index falls by one (a larger rate), from then on it rises by one (a smaller rate). The
    `cooldown` evaluations after a change change nothing. What came before a change stays in the window.

    Where LRBench's code and what it means differ, this rule does what is meant:

    * The code calls policies from a global `LR_func_list` instead of the list it was given.
    * Its default quantity is called `var_loss`; for want of `val` in it, the training loss is watched. Here it is
      always the validation images.
    * Its notebook watches the test set as if it were validation images.
    * It asks for `window + 1` evaluations before it looks at the last `window`.
    * A `window` of 1 has no difference to look at and ends the code with an error; here `window` is at least 2.
    * It counts the steps of a policy from 1 (Keras has counted the step by then); here from 0, as for every policy.
    * A plateau with no policy left in that direction starts the cooldown there; here nothing happens.
    """

    policy: Literal["CHANGE_ON_PLATEAU"]
    policies: tuple[Policy, ...] = Field(min_length=2)
    start_index: NonNegativeInt = 0
    cooldown: NonNegativeInt = 5
    threshold: NonNegativeNumber = 0.05
    window: Annotated[int, Field(strict=True, ge=2)] = 5
    turn: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.8
    watch: Watched = "error"

    @model_validator(mode="after")
    def _start_is_there(self) -> Self:
        if self.start_index >= len(self.policies):
            last = len(self.policies) - 1
            raise ValueError(f"start_index {self.start_index} should be at most {last}: there are {last + 1} policies")
        return self

    def start(self) -> Policy:
        """The policy in force until the first change."""
        return self.policies[self.start_index]

    @property
    def least_evaluations(self) -> int:
        """Evaluations until the first change at the soonest: the window has to be full."""
        return self.window

    def candidates(self, steps: int, evaluations: int) -> Rates:  # noqa: ARG002
        """The rate of every step under every policy, float64 `(n, steps)`.

        Raises:
            ValueError: a policy has no finite rate somewhere, or a larger mean over all steps than the one before it;
                or the rates are too many.
        """
        if len(self.policies) * steps > MOST_STEPS:
            what = f"{len(self.policies)} policies over {steps} steps have {len(self.policies) * steps} rates"
            raise ValueError(f"{what}, more than the {MOST_STEPS} that may be held in memory")
        rates = np.stack([learning_rates(policy, steps) for policy in self.policies])
        means = rates.mean(axis=1)
        for number, (before, after) in enumerate(zip(means, means[1:], strict=False), start=1):
            if after > before:
                what = f"policies should go from large to small rates: over {steps} steps, number {number} (from 0) has"
                raise ValueError(f"{what} the mean rate {after:g}, more than the {before:g} of the one before it")
        return rates


PlateauRule = ReduceOnPlateau | ChangeOnPlateau

LearningRate = Annotated[
    Functions | Composite | WarmUp | ReduceOnPlateau | ChangeOnPlateau,
    Field(discriminator="policy"),
    BeforeValidator(plain_values),
]
"""What a setting's `learning_rate` may be."""

_LEARNING_RATE: TypeAdapter[LearningRate] = TypeAdapter(LearningRate)


def parse_learning_rate(value: Policy | PlateauRule | Mapping[str, Any]) -> Policy | PlateauRule:
    """The policy or plateau rule that a specification holds as plain values."""
    return _LEARNING_RATE.validate_python(value)


def starting_policy(value: Policy | PlateauRule | Mapping[str, Any]) -> Policy:
    """The policy in force until the first change: of a function of the step, the policy itself."""
    parsed = parse_learning_rate(value)
    return parsed.start() if isinstance(parsed, PlateauRule) else parsed


def usable_evaluations(steps: int, validate_every: int | None, warm_up_steps: int = 0) -> int:
    """How many evaluations of the validation images a plateau rule can look at: after the warm-up, with a step to come.

    Args:
        steps: of the whole training.
        validate_every: steps between evaluations of the validation images; None: never.
        warm_up_steps: first steps, in and after which nothing is evaluated.
    """
    return max(0, (steps - 1) // validate_every - warm_up_steps // validate_every) if validate_every else 0


def candidate_rates(value: Policy | PlateauRule | Mapping[str, Any], steps: int, evaluations: int = 0) -> Rates:
    """What the worker gets as `learning_rates.npy`: float64 `(steps,)`, or of a plateau rule `(n, steps)` or `(n, 1)`.

    Args:
        steps: of the whole training.
        evaluations: of the validation images that a plateau rule can look at, see `usable_evaluations`.

    Raises:
        ValueError: a policy leaves the finite numbers, or the candidates are not in their order.
    """
    parsed = parse_learning_rate(value)
    if not isinstance(parsed, PlateauRule):
        return learning_rates(parsed, steps)
    return parsed.candidates(steps, evaluations)
