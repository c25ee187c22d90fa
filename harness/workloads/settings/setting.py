"""A setting: everything about a training but the workload and the machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from harness.fields import FileModel, NonNegativeInt, NonNegativeNumber, PositiveInt, PositiveNumber, Slug
from harness.schedules import Policy
from harness.workloads.initialisation import Initialisation
from harness.yaml_files import find_named, load_yaml, names_in, validate

SETTINGS_FOLDER = Path(__file__).resolve().parent


class Sgd(FileModel):
    """Stochastic gradient descent with momentum and L2 weight decay.

    `momentum_form`: `rate_in_velocity` is `v = m v + r g; w -= v` (Caffe, Keras); `rate_on_velocity` is
    `v = m v + g; w -= r v` (Torch, optax). `g` already holds `weight_decay * decay multiplier * w`.
    """

    kind: Literal["sgd"]
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1)]
    momentum_form: Literal["rate_in_velocity", "rate_on_velocity"]
    weight_decay: NonNegativeNumber


class Multiplier(FileModel):
    """Factors on the learning rate and on the weight decay of some parameters."""

    rate: NonNegativeNumber = 1.0
    decay: NonNegativeNumber = 1.0


class Multipliers(FileModel):
    """Multipliers of all weights and of all biases."""

    weights: Multiplier = Multiplier()
    biases: Multiplier = Multiplier()


class Evaluation(FileModel):
    """A pass over the test split every so many steps, and always after the last step."""

    every_steps: PositiveInt
    batch_size: PositiveInt


class Setting(FileModel):
    """A full set of hyper-parameters. The length is given by `steps` or by `epochs`, exactly one of them.

    Attributes:
        warm_up_steps: first training steps that are kept out of the steady-state figures (tracing, compilation).
    """

    name: Slug = Field(validation_alias=AliasChoices("setting", "name"))
    steps: PositiveInt | None = None
    epochs: PositiveNumber | None = None
    batch_size: PositiveInt
    warm_up_steps: NonNegativeInt = 1
    optimizer: Sgd
    learning_rate: Policy
    multipliers: Multipliers = Multipliers()
    initialisation: Initialisation
    evaluation: Evaluation

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            given = "neither" if self.steps is None else f"steps={self.steps} and epochs={self.epochs}"
            raise ValueError(f"exactly one of steps and epochs should be given, not {given}")
        if self.steps is not None and self.warm_up_steps >= self.steps:
            raise ValueError(f"warm_up_steps={self.warm_up_steps} should be smaller than steps={self.steps}")
        return self

    def steps_for(self, train_images: int) -> int:
        """Training steps on a split of so many images: `steps`, or `ceil(epochs * train_images / batch_size)`."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None
        return math.ceil(self.epochs * train_images / self.batch_size)


def setting_names() -> list[str]:
    """Names of the settings that come with the project."""
    return names_in(SETTINGS_FOLDER)


def load_setting(name: str, *, relative_to: Path | None = None) -> Setting:
    """A setting by name, or from a file where the name ends in `.yaml`.

    Raises:
        FileFormatError: unknown name, or a file that is not valid.
    """
    return validate(load_yaml(find_named(name, SETTINGS_FOLDER, "setting", relative_to=relative_to)), Setting)
