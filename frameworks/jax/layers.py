"""The layer kinds in JAX: a function `(inputs, parameters, context) -> output` for each layer of a network.

Images are `N, C, H, W`: on a CPU XLA brings convolutions into the order of axes it likes best by itself, and with two
threads LeNet trains a little faster than from `N, H, W, C`. So nothing has to be transposed at the boundary.
"""

from __future__ import annotations

import numpy as np

from frameworks.jax.optimizers import share_of_steps
from frameworks.worker.adapter import unknown_layer
from frameworks.worker.layers import connection_mask, pool_divisors, positive_padding

AXES = ("NCHW", "OIHW", "NCHW")


class Context:
    """What a layer may need beside its inputs.

    Attributes:
        training: mini-batch statistics and dropout, or moving statistics and none.
        masks: dropout masks by layer.
        statistics: layer -> moving statistics, see `start_statistics`.
        moved: layer -> what those are after this mini-batch; filled by the layers in training.
    """

    __slots__ = ("masks", "moved", "statistics", "training")

    def __init__(self, training, masks, statistics):
        self.training = training
        self.masks = masks
        self.statistics = statistics
        self.moved = {}


def make_layer(jax, layer):
    """The function of one layer.

    Raises:
        Unsupported: an unknown kind.
    """
    maker = MAKERS.get(layer["kind"])
    if maker is None:
        raise unknown_layer(layer)
    return maker(jax, layer)


def convolution(jax, layer):
    name, strides, padding = layer["name"], (layer["stride"],) * 2, positive_padding(layer)
    kernels = (layer["filters"], layer["input_shapes"][0][0] // layer["groups"], layer["kernel"], layer["kernel"])
    mask = connection_mask(layer, kernels)

    def apply(inputs, parameters, _context):
        weights = parameters[name + ".weights"]
        outputs = jax.lax.conv_general_dilated(
            inputs[0],
            weights if mask is None else weights * mask,
            strides,
            padding,
            dimension_numbers=AXES,
            feature_group_count=layer["groups"],
        )
        biases = parameters.get(name + ".biases")
        return outputs if biases is None else outputs + biases[:, None, None]

    return apply


def max_pool(jax, layer):
    reduce = over_windows(jax, layer)
    return lambda inputs, _parameters, _context: reduce(inputs[0], -np.inf, jax.lax.max)


def average_pool(jax, layer):
    reduce, divisors = over_windows(jax, layer), pool_divisors(layer)
    factors = np.float32(1.0) / (divisors.flat[0] if (divisors == divisors.flat[0]).all() else divisors)
    return lambda inputs, _parameters, _context: reduce(inputs[0], 0.0, jax.lax.add) * factors


def global_average_pool(_jax, _layer):
    return lambda inputs, _parameters, _context: inputs[0].mean(axis=(2, 3))


def dense(_jax, layer):
    name = layer["name"]

    def apply(inputs, parameters, _context):
        outputs = inputs[0].reshape(len(inputs[0]), -1) @ parameters[name + ".weights"].T
        biases = parameters.get(name + ".biases")
        return outputs if biases is None else outputs + biases

    return apply


def activation(jax, layer):
    function = getattr(jax.nn, layer["kind"])
    return lambda inputs, _parameters, _context: function(inputs[0])


def dropout(jax, layer):
    name, factor = layer["name"], 1.0 / layer["keep"]

    def apply(inputs, _parameters, context):
        return jax.numpy.where(context.masks[name], inputs[0] * factor, 0.0) if context.training else inputs[0]

    return apply


def add(_jax, _layer):
    return lambda inputs, _parameters, _context: inputs[0] + inputs[1]


def local_response_normalisation(jax, layer):
    size, half, beta, bias = layer["size"], layer["size"] // 2, layer["beta"], layer["bias"]
    in_channels = layer["across"] == "channels"
    window = (1, size, 1, 1) if in_channels else (1, 1, size, size)
    padding = [(half, half) if length > 1 else (0, 0) for length in window]
    alpha = layer["alpha"] / (size if in_channels else size**2)

    def apply(inputs, _parameters, _context):
        x = inputs[0]
        squares = jax.lax.reduce_window(x * x, 0.0, jax.lax.add, window, (1, 1, 1, 1), padding)
        return x * (bias + alpha * squares) ** -beta

    return apply


def batch_normalisation(jax, layer):
    name, epsilon, decay = layer["name"], layer["epsilon"], layer["decay"]
    axes = (0, *range(2, len(layer["output_shape"]) + 1))
    per_channel = (-1,) + (1,) * (len(layer["output_shape"]) - 1)

    def apply(inputs, parameters, context):
        x, moving = inputs[0], context.statistics[name]
        if context.training:
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            context.moved[name] = moved_on(moving, decay, mean, variance, x.size // len(mean))
        else:
            mean, variance = corrected(jax, moving, decay)
        scale = parameters[name + ".weights"] * jax.lax.rsqrt(variance + epsilon)
        shifted = x - mean.reshape(per_channel)
        return shifted * scale.reshape(per_channel) + parameters[name + ".biases"].reshape(per_channel)

    return apply


def start_statistics(jax, layer):
    """Moving statistics of a batch normalisation before the first mini-batch: averages that start at 0."""
    channels = (layer["output_shape"][0],)
    zeros = jax.numpy.zeros
    return {"steps": zeros((), "int32"), "mean": zeros(channels), "variance": zeros(channels)}


def moved_on(moving, decay, mean, variance, count):
    """The moving statistics after a mini-batch with this mean and (biased) variance of `count` numbers a channel."""
    unbiased = variance * (count / max(count - 1, 1))
    return {
        "steps": moving["steps"] + 1,
        "mean": decay * moving["mean"] + (1.0 - decay) * mean,
        "variance": decay * moving["variance"] + (1.0 - decay) * unbiased,
    }


def corrected(jax, moving, decay):
    """(mean, variance) for evaluation, corrected for their start at 0; 0 and 1 before the first mini-batch."""
    where, begun = jax.numpy.where, moving["steps"] > 0
    share = where(begun, share_of_steps(jax, decay, moving["steps"]), 1.0)
    return moving["mean"] / share, where(begun, moving["variance"] / share, 1.0)


def over_windows(jax, layer):
    """A function `(x, start, operation) -> y` that reduces each window of a pool."""
    window, strides = (1, 1, layer["kernel"], layer["kernel"]), (1, 1, layer["stride"], layer["stride"])
    padding = [(0, 0), (0, 0), *positive_padding(layer)]
    return lambda x, start, operation: jax.lax.reduce_window(x, start, operation, window, strides, padding)


MAKERS = {
    "convolution": convolution,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "global_average_pool": global_average_pool,
    "dense": dense,
    "relu": activation,
    "tanh": activation,
    "sigmoid": activation,
    "dropout": dropout,
    "add": add,
    "local_response_normalisation": local_response_normalisation,
    "batch_normalisation": batch_normalisation,
}
