"""Initial weights, drawn once in NumPy for every framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from frameworks.worker.order import derive_seed
from harness.fields import FileModel, Number, PositiveNumber
from harness.workloads.networks import Network, fan_in, parameter_shapes

Weights = dict[str, NDArray[np.float32]]


class CaffeXavier(FileModel):
    """Uniform in ±sqrt(3 / fan_in), fan_in = in * kernel height * kernel width.

    Source: Caffe 1.0.0, `include/caffe/filler.hpp`, XavierFiller with its default variance_norm FAN_IN.
    """

    kind: Literal["caffe_xavier"]

    def draw(self, random: np.random.RandomState, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """One tensor, float32."""
        bound = math.sqrt(3.0 / fan_in(shape))
        return random.uniform(-bound, bound, shape).astype(np.float32)


class Constant(FileModel):
    """Every element `value`; draws nothing."""

    kind: Literal["constant"]
    value: Number

    def draw(self, _random: np.random.RandomState, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """One tensor, float32."""
        return np.full(shape, self.value, dtype=np.float32)


class Gaussian(FileModel):
    """Normal with mean `mean` and standard deviation `std`."""

    kind: Literal["gaussian"]
    mean: Number = 0.0
    std: PositiveNumber

    def draw(self, random: np.random.RandomState, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """One tensor, float32."""
        return random.normal(self.mean, self.std, shape).astype(np.float32)


WeightFiller = Annotated[CaffeXavier | Constant | Gaussian, Field(discriminator="kind")]
BiasFiller = Annotated[Constant | Gaussian, Field(discriminator="kind")]


class Initialisation(FileModel):
    """How weights and biases are drawn."""

    weights: WeightFiller
    biases: BiasFiller


def initial_weights(
    network: Network | Mapping[str, Any], initialisation: Initialisation | Mapping[str, Any], seed: int
) -> Weights:
    """Initial parameters of a trial: `<layer>.weights` and `<layer>.biases` -> float32 arrays.

    One `RandomState(derive_seed(seed, "weights"))` serves all tensors in the order of `parameter_shapes`; its stream
    is the same in every NumPy (NEP 19).
    """
    fillers = Initialisation.model_validate(initialisation)
    random = np.random.RandomState(derive_seed(seed, "weights"))
    return {
        name: (fillers.weights if name.endswith(".weights") else fillers.biases).draw(random, shape)
        for name, shape in parameter_shapes(network).items()
    }
