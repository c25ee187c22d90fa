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
from harness.workloads.networks import Network, Parameter, parameters

Weights = dict[str, NDArray[np.float32]]
Drawn = NDArray[np.float64]


class CaffeXavier(FileModel):
    """Uniform in ±sqrt(3 / fan_in), fan_in = in * kernel height * kernel width.

    Source: Caffe 1.0.0, `include/caffe/filler.hpp`, XavierFiller with its default variance_norm FAN_IN.
    """

    kind: Literal["caffe_xavier"]

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        bound = math.sqrt(3.0 / parameter.fan_in)
        return random.uniform(-bound, bound, parameter.shape)


class GlorotUniform(FileModel):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)); `fan_out_divisor` divides fan_out first.

    Source: Glorot and Bengio (2010), equation 16. Theano's tutorial divides the fan_out of a convolution by the
    size of the pool behind it (GTDLBench, models/mnist/theano/convolutional_mlp.py).
    """

    kind: Literal["glorot_uniform"]
    fan_out_divisor: PositiveNumber = 1.0

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        bound = math.sqrt(6.0 / (parameter.fan_in + parameter.fan_out / self.fan_out_divisor))
        return random.uniform(-bound, bound, parameter.shape)


class InverseSqrtFanIn(FileModel):
    """Uniform in ±1 / sqrt(fan_in), biases as well as weights (a bias has the fan_in of its layer).

    Source: Torch7, `nn/SpatialConvolutionMM.lua`, `nn/Linear.lua`, `nn/SpatialConvolutionMap.lua` (`reset`).
    """

    kind: Literal["inverse_sqrt_fan_in"]

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        bound = 1.0 / math.sqrt(parameter.fan_in)
        return random.uniform(-bound, bound, parameter.shape)


class Constant(FileModel):
    """Every element `value`; draws nothing."""

    kind: Literal["constant"]
    value: Number

    def draw(self, _random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        return np.full(parameter.shape, self.value)


class Gaussian(FileModel):
    """Normal with mean `mean` and standard deviation `std`."""

    kind: Literal["gaussian"]
    mean: Number = 0.0
    std: PositiveNumber

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        return random.normal(self.mean, self.std, parameter.shape)


class HeNormal(FileModel):
    """Normal with mean 0 and standard deviation sqrt(2 / fan_in).

    Source: He et al. (arXiv 1502.01852), section 2.2.
    """

    kind: Literal["he_normal"]

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        return random.normal(0.0, math.sqrt(2.0 / parameter.fan_in), parameter.shape)


class TruncatedNormal(FileModel):
    """Normal with mean 0 and standard deviation `std`; values beyond two standard deviations are drawn again.

    Source: TensorFlow, `tf.truncated_normal` (`std` is that of the normal before it is cut).
    """

    kind: Literal["truncated_normal"]
    std: PositiveNumber

    def draw(self, random: np.random.RandomState, parameter: Parameter) -> Drawn:
        """One tensor."""
        values = random.normal(0.0, 1.0, math.prod(parameter.shape))
        while (outside := np.flatnonzero(np.abs(values) > 2.0)).size:
            values[outside] = random.normal(0.0, 1.0, outside.size)
        return (self.std * values).reshape(parameter.shape)


Filler = Annotated[
    CaffeXavier | GlorotUniform | InverseSqrtFanIn | HeNormal | Constant | Gaussian | TruncatedNormal,
    Field(discriminator="kind"),
]


class Initialisation(FileModel):
    """How weights and biases are drawn, where no rule of the setting says otherwise."""

    weights: Filler
    biases: Filler


def draw_weights(network: Network | Mapping[str, Any], fillers: Mapping[str, Filler], seed: int) -> Weights:
    """Initial parameters of a trial: `<layer>.weights` and `<layer>.biases` -> float32 arrays.

    One `RandomState(derive_seed(seed, "weights"))` serves all tensors in the order of the network; its stream is the
    same in every NumPy (NEP 19). Weights whose connection does not exist are 0.

    Args:
        fillers: parameter name -> filler; a parameter without one has the fixed start value of its layer kind.
    """
    random = np.random.RandomState(derive_seed(seed, "weights"))
    weights: Weights = {}
    for name, parameter in parameters(network).items():
        if name in fillers:
            drawn = fillers[name].draw(random, parameter)
        else:
            assert parameter.initial is not None, name
            drawn = np.full(parameter.shape, parameter.initial)
        if parameter.connections is not None:
            drawn = drawn * connection_mask(parameter)
        weights[name] = drawn.astype(np.float32)
    return weights


def connection_mask(parameter: Parameter) -> Drawn:
    """1 where a weight's connection exists, else 0, in the shape of the parameter."""
    mask = np.zeros(parameter.shape)
    for row, channels in enumerate(parameter.connections or ()):
        mask[row, list(channels)] = 1.0
    return mask
