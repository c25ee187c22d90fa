"""The layer kinds. A new kind is one class, listed in `Layer`."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.fields import PositiveInt, PositiveNumber
from harness.workloads.networks.layer import LayerBase, Parameter, Shape, ShapeError, image
from harness.workloads.networks.spatial import AveragePool, Convolution, MaxPool

MASK_LEVELS = 256
"""Dropout keeps a unit if a random byte is below `keep * 256`: one byte a unit, the same in every framework."""


class Dense(LayerBase):
    """Fully connected layer over the input flattened in C order; weights `(units, inputs)`."""

    kind: Literal["dense"]
    units: PositiveInt
    biases: bool = True

    def output_shape(self, *_input_shapes: Shape) -> Shape:
        """`(units,)`."""
        return (self.units,)

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """`weights`, and `biases` unless the layer has none."""
        inputs = math.prod(input_shape)
        found = {"weights": Parameter((self.units, inputs), inputs, self.units)}
        if self.biases:
            found["biases"] = Parameter((self.units,), inputs, self.units)
        return found

    def forward_flops(self, input_shape: Shape) -> int:
        """`2 * units * inputs`."""
        return 2 * self.units * math.prod(input_shape)


class Activation(LayerBase):
    """Element by element: `relu` max(x, 0), `tanh`, `sigmoid` 1 / (1 + exp(-x))."""

    kind: Literal["relu", "tanh", "sigmoid"]


class Dropout(LayerBase):
    """In training every unit is kept with probability `keep` and then divided by it, else 0; otherwise the identity.

    The masks are drawn by the worker from the trial's seed `dropout`, the same in every framework.
    """

    kind: Literal["dropout"]
    keep: Annotated[float, Field(strict=True, gt=0, le=1)]

    @field_validator("keep")
    @classmethod
    def _whole_levels(cls, value: float) -> float:
        if value * MASK_LEVELS != round(value * MASK_LEVELS):
            raise ValueError(f"should be a multiple of 1/{MASK_LEVELS}, such as 0.5 or 0.75, not {value}")
        return value


class LocalResponseNormalisation(LayerBase):
    """`x / (bias + alpha / n * sum of squares) ** beta` over a neighbourhood of n elements around each.

    `across: channels`: `size` channels of the same pixel, n = size. `across: space`: a square of `size` in the same
    channel, n = size ** 2. Beyond the edges everything is 0; n stays the same. As in Caffe 1.0.0
    (`src/caffe/layers/lrn_layer.cpp`: ACROSS_CHANNELS, WITHIN_CHANNEL); TensorFlow's own `alpha` is `alpha / n` here.
    """

    kind: Literal["local_response_normalisation"]
    across: Literal["channels", "space"]
    size: PositiveInt
    alpha: PositiveNumber
    beta: PositiveNumber
    bias: PositiveNumber = 1.0

    @field_validator("size")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"should be odd, so that a neighbourhood has a middle, not {value}")
        return value

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """The input's shape, which is an image's."""
        return image(input_shapes[0])


class BatchNormalisation(LayerBase):
    """`weights * (x - mean) / sqrt(variance + epsilon) + biases`, each of them one number a channel.

    In training mean and (biased) variance are those of the mini-batch. In evaluation they are moving averages over the
    steps: after t steps `sum_i decay ** (t - i) * value_i / sum_i decay ** (t - i)`, the variance unbiased
    (`n / (n - 1)`), as in Caffe 1.0.0 (`src/caffe/layers/batch_norm_layer.cpp`).
    """

    kind: Literal["batch_normalisation"]
    epsilon: PositiveNumber
    decay: Annotated[float, Field(strict=True, ge=0, lt=1)]

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """`weights` (scale, 1 at the start) and `biases` (shift, 0 at the start), `(C,)` each."""
        channels = input_shape[0]
        return {
            "weights": Parameter((channels,), 1, 1, initial=1.0),
            "biases": Parameter((channels,), 1, 1, initial=0.0),
        }


class GlobalAveragePool(LayerBase):
    """Mean of every channel."""

    kind: Literal["global_average_pool"]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """`(C,)`."""
        return (image(input_shapes[0])[0],)


class Add(LayerBase):
    """Sum of two outputs of the same shape, as at the end of a residual block."""

    kind: Literal["add"]
    inputs: tuple[str, ...] = Field(min_length=2, max_length=2)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """The inputs' shape."""
        first, second = input_shapes
        if first != second:
            raise ShapeError(
                f"adds outputs of different shapes, {'x'.join(map(str, first))} and {'x'.join(map(str, second))}"
            )
        return first


Layer = Annotated[
    Convolution
    | MaxPool
    | AveragePool
    | GlobalAveragePool
    | Dense
    | Activation
    | Dropout
    | LocalResponseNormalisation
    | BatchNormalisation
    | Add,
    Field(discriminator="kind"),
]
