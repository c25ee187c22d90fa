"""The layer kinds: parameters, output shape, tensors to train, and work of each.

A new kind is one class here, listed in `Layer`. Shapes are without the batch: `(C, H, W)` or `(units,)`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from harness.fields import FileModel, NonNegativeInt, PositiveInt, Slug

Shape = tuple[int, ...]


class ShapeError(ValueError):
    """A layer cannot take the shape it is given."""


class _OneInput(FileModel):
    """A layer with one input."""

    name: Slug
    inputs: tuple[str, ...] = Field(min_length=1, max_length=1)

    def parameters(self, _input_shape: Shape) -> dict[str, Shape]:
        """Tensors to train, by role (`weights`, `biases`), in the order they are drawn; none unless a kind has some."""
        return {}

    def forward_flops(self, _input_shape: Shape) -> int:
        """Operations of the multiply-adds for one image, a multiply-add counted as two; biases not counted."""
        return 0


class Convolution(_OneInput):
    """2-D cross-correlation with a square kernel and zero padding on all sides; weights `(out, in, kh, kw)`."""

    kind: Literal["convolution"]
    filters: PositiveInt
    kernel: PositiveInt
    stride: PositiveInt = 1
    padding: NonNegativeInt = 0

    def output_shape(self, input_shape: Shape) -> Shape:
        """`(filters, H', W')`; rows and columns that no full kernel covers are dropped, as in every framework."""
        _, height, width = _image(input_shape)
        covered = min(height, width) + 2 * self.padding
        if self.kernel > covered:
            raise ShapeError(f"kernel {self.kernel} is larger than its padded input of {covered}")
        return (self.filters, *((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (height, width)))

    def parameters(self, input_shape: Shape) -> dict[str, Shape]:
        """Weights `(filters, C, kernel, kernel)` and biases `(filters,)`."""
        return {"weights": (self.filters, input_shape[0], self.kernel, self.kernel), "biases": (self.filters,)}

    def forward_flops(self, input_shape: Shape) -> int:
        """`2 * filters * H' * W' * C * kernel ** 2`."""
        return 2 * math.prod(self.output_shape(input_shape)) * input_shape[0] * self.kernel**2


class MaxPool(_OneInput):
    """Maximum over square windows without padding."""

    kind: Literal["max_pool"]
    kernel: PositiveInt
    stride: PositiveInt

    def output_shape(self, input_shape: Shape) -> Shape:
        """`(C, H', W')`. Windows have to tile the input: where they do not, frameworks round differently."""
        channels, height, width = _image(input_shape)
        for size in (height, width):
            if size < self.kernel or (size - self.kernel) % self.stride:
                raise ShapeError(f"windows of {self.kernel} with stride {self.stride} do not tile {height}x{width}")
        return (channels, *((size - self.kernel) // self.stride + 1 for size in (height, width)))


class Dense(_OneInput):
    """Fully connected layer over the input flattened in C order; weights `(out, in)`."""

    kind: Literal["dense"]
    units: PositiveInt

    def output_shape(self, _input_shape: Shape) -> Shape:
        """`(units,)`."""
        return (self.units,)

    def parameters(self, input_shape: Shape) -> dict[str, Shape]:
        """Weights `(units, inputs)` and biases `(units,)`."""
        return {"weights": (self.units, math.prod(input_shape)), "biases": (self.units,)}

    def forward_flops(self, input_shape: Shape) -> int:
        """`2 * units * inputs`."""
        return 2 * self.units * math.prod(input_shape)


class Relu(_OneInput):
    """`max(x, 0)`, element by element."""

    kind: Literal["relu"]

    def output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape


Layer = Annotated[Convolution | MaxPool | Dense | Relu, Field(discriminator="kind")]


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ShapeError(f"needs an input of channels, height, width, not {shape}")
    return shape[0], shape[1], shape[2]
