"""A setting: everything about a training but the workload and the machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from harness.fields import FileModel, NonNegativeInt, NonNegativeNumber, PositiveInt, PositiveNumber, Slug
from harness.schedules import MOST_STEPS, LearningRate, PlateauRule
from harness.workloads.initialisation import Filler, Initialisation
from harness.yaml_files import find_named, load_yaml, names_in, validate

SETTINGS_FOLDER = Path(__file__).resolve().parent


class Sgd(FileModel):
    """Stochastic gradient descent with momentum and L2 weight decay.

    `momentum_form`: `rate_in_velocity` is `v = m v + r g; w -= v` (Caffe, Keras); `rate_on_velocity` is
    `v = m v + g; w -= r v` (Torch, optax). `g` already holds `weight_decay * decay multiplier * w`. With `nesterov` the
    last assignment is `w -= m v + r g`, respectively `w -= r (g + m v)`, with the new `v`.
    """

    kind: Literal["sgd"]
    momentum: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    momentum_form: Literal["rate_in_velocity", "rate_on_velocity"] = "rate_in_velocity"
    nesterov: bool = False
    weight_decay: NonNegativeNumber = 0.0


class Adam(FileModel):
    """Adam (Kingma and Ba, arXiv 1412.6980), with L2 weight decay added to the gradient.

    `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g²`; after t steps m' = m / (1 - b1^t), v' = v / (1 - b2^t).
    `epsilon_placement`: `corrected` is `w -= r m' / (sqrt(v') + epsilon)` (Algorithm 1; Torch); `uncorrected` is
    `w -= r sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)` (end of its section 2; TensorFlow, Caffe).
    """

    kind: Literal["adam"]
    beta1: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.999
    epsilon: PositiveNumber = 1e-8
    epsilon_placement: Literal["corrected", "uncorrected"]
    weight_decay: NonNegativeNumber = 0.0


Optimizer = Annotated[Sgd | Adam, Field(discriminator="kind")]


class Multiplier(FileModel):
    """Factors on the learning rate and on the weight decay of some parameters."""

    rate: NonNegativeNumber = 1.0
    decay: NonNegativeNumber = 1.0


class Multipliers(FileModel):
    """Multipliers of all weights and of all biases."""

    weights: Multiplier = Multiplier()
    biases: Multiplier = Multiplier()


class ParameterRule(FileModel):
    """What is different for the weights or the biases of some layers; what is None stays as the setting has it."""

    rate: NonNegativeNumber | None = None
    decay: NonNegativeNumber | None = None
    initialisation: Filler | None = None


class Rule(FileModel):
    """An exception for the layers of these names; a network that has none of them is not concerned."""

    layers: tuple[Slug, ...] = Field(min_length=1)
    weights: ParameterRule = ParameterRule()
    biases: ParameterRule = ParameterRule()


class WeightAverage(FileModel):
    """Evaluate with moving averages of the parameters: after every step `average = decay average + (1 - decay) w`.

    The averages start at the initial values. Training goes on with the parameters themselves.
    """

    decay: Annotated[float, Field(strict=True, ge=0, lt=1)]


class Evaluation(FileModel):
    """A pass over the test split every so many steps, and always after the last step."""

    every_steps: PositiveInt
    batch_size: PositiveInt


class Validation(FileModel):
    """Training images that are held out: no step trains on them, and the epochs and `steps_for` count the others alone.

    They are the first or the last images in the dataset's own order. `every_steps`: how often they are evaluated; None:
    never. Preprocessing is the workload's and sees all training images, these among them.
    """

    images: PositiveInt
    position: Literal["first", "last"]
    every_steps: PositiveInt | None = None


class EarlyStopping(FileModel):
    """Patience, as in the Deep Learning Tutorials on Theano (logistic_sgd.py, convolutional_mlp.py).

    The step (counted from 0) after which training ends is `patience_steps` at first. When an evaluation of the
    validation images after step i finds less than `(1 - smallest_improvement)` times the smallest value so far, it
    becomes `max(patience, patience_factor * i)`. What counts is the `error` (1 - top-1) or the mean `loss`. Every
    evaluation with a new smallest value is followed by one of the test images, which decides nothing.
    """

    watch: Literal["error", "loss"]
    patience_steps: PositiveInt
    patience_factor: Annotated[float, Field(strict=True, ge=1)] = 2.0
    smallest_improvement: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0


def _check_length(value: float) -> float:
    if value > MOST_STEPS:
        raise ValueError(f"should be at most {MOST_STEPS}, not {value!r}: {TOO_LONG}")
    return value


TOO_LONG = "a rate, a loss and a record of every step are kept"
"""Why a training has no more than `MOST_STEPS` steps."""


class Setting(FileModel):
    """A full set of hyper-parameters. The length is given by `steps`, `epochs` or `samples`, exactly one of them.

    Attributes:
        samples: training images, each counted as often as it is trained on; the last mini-batch is a whole one.
        warm_up_steps: first training steps that are kept out of the steady-state figures (tracing, compilation).
        rules: exceptions by layer; later rules go before earlier ones.
        weight_average: None where the parameters themselves are evaluated.
        validation: None where all training images are trained on.
        early_stopping: None where the length is all that ends the training.
    """

    name: Slug = Field(validation_alias=AliasChoices("setting", "name"))
    steps: Annotated[PositiveInt, AfterValidator(_check_length)] | None = None
    epochs: Annotated[PositiveNumber, AfterValidator(_check_length)] | None = None
    samples: PositiveInt | None = None
    batch_size: PositiveInt
    warm_up_steps: Annotated[NonNegativeInt, AfterValidator(_check_length)] = 1
    optimizer: Optimizer
    learning_rate: LearningRate
    multipliers: Multipliers = Multipliers()
    initialisation: Initialisation
    rules: tuple[Rule, ...] = ()
    weight_average: WeightAverage | None = None
    validation: Validation | None = None
    early_stopping: EarlyStopping | None = None
    evaluation: Evaluation

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        lengths = {"steps": self.steps, "epochs": self.epochs, "samples": self.samples}
        given = [f"{name}={value}" for name, value in lengths.items() if value is not None]
        if len(given) != 1:
            told = " and ".join(given) or "none of them"
            raise ValueError(f"exactly one of steps, epochs and samples should be given, not {told}")
        if self.steps is not None and self.warm_up_steps >= self.steps:
            raise ValueError(f"warm_up_steps={self.warm_up_steps} should be smaller than steps={self.steps}")
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `samples` where they are not given: ids of trials and certificates are older than this key."""
        values: dict[str, Any] = dump(self)
        if values.get("samples") is None:
            values.pop("samples", None)
        return values

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        if self.early_stopping is not None and (self.validation is None or self.validation.every_steps is None):
            missing = "validation" if self.validation is None else "validation.every_steps"
            raise ValueError(f"early_stopping watches the validation images, so {missing} should be given too")
        return self

    @model_validator(mode="after")
    def _something_to_follow(self) -> Self:
        rule = self.learning_rate
        if isinstance(rule, PlateauRule) and (self.validation is None or self.validation.every_steps is None):
            missing = "validation" if self.validation is None else "validation.every_steps"
            what = f"{rule.policy} follows the validation images, so {missing} should be given too"
            raise _problem_at("learning_rate", what, rule)
        return self

    def trained_on(self, train_images: int) -> int:
        """How many images of a training split are trained on: those that are not held out for validation."""
        return train_images - (self.validation.images if self.validation else 0)

    def steps_for(self, train_images: int) -> int:
        """Training steps on a training split.

        `steps`, or `ceil(samples / batch_size)`, or `ceil(epochs * images trained on / batch_size)`.
        """
        if self.steps is not None:
            return self.steps
        if self.samples is not None:
            return -(-self.samples // self.batch_size)
        assert self.epochs is not None
        return math.ceil(self.epochs * self.trained_on(train_images) / self.batch_size)


def _problem_at(key: str, message: str, value: object) -> ValidationError:
    """A problem of several keys, told at the line of one of them."""
    error = PydanticCustomError("value_error", "Value error, {problem}", {"problem": message})
    return ValidationError.from_exception_data("Setting", [{"type": error, "loc": (key,), "input": value}])


def setting_names() -> list[str]:
    """Names of the settings that come with the project."""
    return names_in(SETTINGS_FOLDER)


def load_setting(name: str, *, relative_to: Path | None = None) -> Setting:
    """A setting by name, or from a file where the name ends in `.yaml`.

    Raises:
        FileFormatError: unknown name, or a file that is not valid.
    """
    return validate(load_yaml(find_named(name, SETTINGS_FOLDER, "setting", relative_to=relative_to)), Setting)
