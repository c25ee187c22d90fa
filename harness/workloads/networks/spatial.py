"""Layers with windows over images: convolution, max and average pooling."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from frameworks.worker.order import derive_seed
from harness.fields import FileModel, NonNegativeInt, PositiveInt
from harness.workloads.networks.layer import Connections, LayerBase, Parameter, Shape, ShapeError, image
from harness.workloads.networks.windows import Padding, Rounding, WindowError, Windows, resolve


class RandomConnections(FileModel):
    """A connection table: every filter sees `fan_in` input channels, drawn without repetition.

    Torch7's `nn.tables.random` made such tables; this one is drawn from `seed`, which is part of the network, so that
    every framework and every trial has the same.
    """

    fan_in: PositiveInt
    seed: NonNegativeInt = 0

    def table(self, filters: int, channels: int) -> Connections:
        """Of each filter, the sorted input channels it is connected to."""
        if self.fan_in > channels:
            raise ShapeError(f"connections.fan_in {self.fan_in} is larger than its {channels} input channels")
        random = np.random.RandomState(derive_seed(self.seed, "connections"))
        rows = (sorted(random.permutation(channels)[: self.fan_in].tolist()) for _ in range(filters))
        return tuple(tuple(row) for row in rows)


class _Windowed(LayerBase):
    """Square windows over the rows and columns of an image."""

    def windows(self, input_shape: Shape) -> tuple[Windows, Windows]:
        """Along rows and columns."""
        _, height, width = image(input_shape)
        try:
            return self._along(height), self._along(width)
        except WindowError as error:
            raise ShapeError(str(error)) from None

    def _along(self, _size: int) -> Windows:
        raise NotImplementedError

    def resolved(self, input_shape: Shape) -> dict[str, Any]:
        """`padding`: `[[before, after], [before, after]]` of rows and columns."""
        return {"padding": [[axis.before, axis.after] for axis in self.windows(input_shape)]}


class Convolution(_Windowed):
    """2-D cross-correlation with a square kernel and zero padding; weights `(filters, C / groups, kernel, kernel)`.

    Rows and columns that no full kernel covers are dropped, as in every framework.
    """

    kind: Literal["convolution"]
    filters: PositiveInt
    kernel: PositiveInt
    stride: PositiveInt = 1
    padding: Padding = 0
    groups: PositiveInt = 1
    connections: RandomConnections | None = None
    biases: bool = True

    @model_validator(mode="after")
    def _one_kind_of_connections(self) -> Convolution:
        if self.groups > 1 and self.connections:
            raise ValueError("groups and connections cannot be combined")
        return self

    def _along(self, size: int) -> Windows:
        return resolve(size, self.kernel, self.stride, self.padding, "floor")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """`(filters, H', W')`."""
        channels, _, _ = image(input_shapes[0])
        if channels % self.groups or self.filters % self.groups:
            raise ShapeError(f"groups {self.groups} should divide {channels} input channels and {self.filters} filters")
        if self.connections:
            self.connections.table(1, channels)
        return (self.filters, *(axis.count for axis in self.windows(input_shapes[0])))

    def parameters(self, input_shape: Shape) -> dict[str, Parameter]:
        """`weights`, and `biases` unless the layer has none."""
        channels = input_shape[0] // self.groups
        table = self.connections.table(self.filters, input_shape[0]) if self.connections else None
        fan_in = (self.connections.fan_in if self.connections else channels) * self.kernel**2
        fan_out = self.filters // self.groups * self.kernel**2
        shape = (self.filters, channels, self.kernel, self.kernel)
        found = {"weights": Parameter(shape, fan_in, fan_out, connections=table)}
        if self.biases:
            found["biases"] = Parameter((self.filters,), fan_in, fan_out)
        return found

    def forward_flops(self, input_shape: Shape) -> int:
        """`2 * filters * H' * W' * fan_in`; connections that are not there are not counted."""
        return 2 * math.prod(self.output_shape(input_shape)) * self.parameters(input_shape)["weights"].fan_in

    def resolved(self, input_shape: Shape) -> dict[str, Any]:
        """`padding` on every side; `connections`: of each filter, the input channels it sees, or None."""
        table = self.parameters(input_shape)["weights"].connections
        return {**super().resolved(input_shape), "connections": [list(row) for row in table] if table else None}


class _Pool(_Windowed):
    """Windows of a pool; where they do not tile their input the layer has to say how to round."""

    kernel: PositiveInt
    stride: PositiveInt
    padding: Padding = 0
    rounding: Rounding | None = None

    def _along(self, size: int) -> Windows:
        if isinstance(self.padding, int) and self.padding >= self.kernel:
            raise ShapeError(f"padding {self.padding} should be smaller than the kernel {self.kernel}")
        return resolve(size, self.kernel, self.stride, self.padding, self.rounding)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """`(C, H', W')`."""
        return (image(input_shapes[0])[0], *(axis.count for axis in self.windows(input_shapes[0])))


class MaxPool(_Pool):
    """Maximum over square windows; padding never wins."""

    kind: Literal["max_pool"]


class AveragePool(_Pool):
    """Mean over square windows.

    `divisor`: what a sum is divided by where a window reaches over the image. `inside`: the elements of the image in it
    (TensorFlow; Theano's `average_exc_pad`). `padded`: those and the explicit padding in it, but not what hangs over
    through rounding up (Caffe 1.0.0; Torch's default). Without padding both are the same.
    """

    kind: Literal["average_pool"]
    divisor: Literal["inside", "padded"] = "inside"

    def resolved(self, input_shape: Shape) -> dict[str, Any]:
        """`padding` on every side; `explicit_padding`: rows of padding that count under `divisor: padded`."""
        explicit = self.padding if isinstance(self.padding, int) else 0
        return {**super().resolved(input_shape), "explicit_padding": explicit}
