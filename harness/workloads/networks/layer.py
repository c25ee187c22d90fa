"""What every layer kind has: inputs, output shape, parameters, work, and how the worker sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from harness.fields import FileModel, Slug

Shape = tuple[int, ...]
Connections = tuple[tuple[int, ...], ...]


class ShapeError(ValueError):
    """A layer cannot take the shape it is given."""


@dataclass(frozen=True)
class Parameter:
    """A tensor to train.

    Attributes:
        shape: weights of convolutions `(out, in / groups, kernel, kernel)`, of dense layers `(out, in)`; else `(out,)`.
        fan_in, fan_out: connections into one output unit and out of one input unit (a bias has those of its layer).
        initial: the value of a parameter that settings do not draw (scale and shift of batch normalisation).
        connections: of each output channel, the input channels it is connected to; all other weights stay 0.
    """

    shape: Shape
    fan_in: int
    fan_out: int
    initial: float | None = None
    connections: Connections | None = None

    @property
    def count(self) -> int:
        """How many numbers are trained."""
        if self.connections is None:
            return math.prod(self.shape)
        return sum(len(row) for row in self.connections) * math.prod(self.shape[2:])


class LayerBase(FileModel):
    """A layer with one input. Shapes are without the batch: `(C, H, W)` or `(units,)`."""

    name: Slug
    inputs: tuple[str, ...] = Field(min_length=1, max_length=1)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of the output for one image; the input's unless a kind says otherwise.

        Raises:
            ShapeError: the layer cannot take these inputs.
        """
        return input_shapes[0]

    def parameters(self, _input_shape: Shape) -> dict[str, Parameter]:
        """Tensors to train, by role (`weights`, `biases`), in the order they are drawn; none unless a kind has some."""
        return {}

    def forward_flops(self, _input_shape: Shape) -> int:
        """Operations of the multiply-adds for one image, a multiply-add counted as two; biases not counted."""
        return 0

    def resolved(self, _input_shape: Shape) -> dict[str, Any]:
        """What the worker gets beside or in place of the layer's own fields: all that a framework could misread."""
        return {}


def image(shape: Shape) -> tuple[int, int, int]:
    """The shape, if it is that of an image."""
    if len(shape) != 3:
        raise ShapeError(f"needs an input of channels, height, width, not {shape}")
    return shape[0], shape[1], shape[2]
