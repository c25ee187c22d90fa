"""The layer kinds in Torch: a function `(inputs, parameters, context) -> output` for each layer of a network."""

from __future__ import annotations

import math

from frameworks.worker.adapter import unknown_layer
from frameworks.worker.layers import connection_mask, pool_divisors, positive_padding


class Context:
    """What a layer may need beside its inputs.

    Attributes:
        training: mini-batch statistics and dropout, or moving statistics and none.
        masks: dropout masks by layer, as tensors.
        statistics: layer -> `MovingStatistics`.
        keep: whether training leaves the moving statistics as they are.
    """

    __slots__ = ("keep", "masks", "statistics", "training")

    def __init__(self, training, masks, statistics, keep=False):
        self.training = training
        self.masks = masks
        self.statistics = statistics
        self.keep = keep


class MovingStatistics:
    """What a batch normalisation uses in evaluation: Torch's moving averages, corrected for their start at 0."""

    def __init__(self, torch, channels, decay):
        self.mean, self.variance = torch.zeros(channels), torch.zeros(channels)
        self.momentum, self.decay, self.steps = 1.0 - decay, decay, 0
        self._ones = torch.ones(channels)

    def corrected(self):
        """(mean, variance); 0 and 1 before the first mini-batch."""
        if not self.steps:
            return self.mean, self._ones
        share = 1.0 - self.decay**self.steps
        return self.mean / share, self.variance / share


def make_layer(torch, layer):
    """The function of one layer.

    Raises:
        Unsupported: an unknown kind.
    """
    maker = MAKERS.get(layer["kind"])
    if maker is None:
        raise unknown_layer(layer)
    return maker(torch, layer)


def convolution(torch, layer):
    conv2d, name, stride, groups = torch.nn.functional.conv2d, layer["name"], layer["stride"], layer["groups"]
    pad, padding = padder(torch, layer, 0.0)
    kernels = (layer["filters"], layer["input_shapes"][0][0] // groups, layer["kernel"], layer["kernel"])
    mask = connection_mask(layer, kernels)
    mask = None if mask is None else torch.from_numpy(mask)

    def apply(inputs, parameters, _context):
        weights = parameters[name + ".weights"]
        weights = weights if mask is None else weights * mask
        return conv2d(pad(inputs[0]), weights, parameters.get(name + ".biases"), stride, padding, 1, groups)

    return apply


def max_pool(torch, layer):
    pool, kernel, stride = torch.nn.functional.max_pool2d, layer["kernel"], layer["stride"]
    padding, ceil_mode, _ = own_windows(layer) or (None, None, None)
    if padding is not None:
        return lambda inputs, _parameters, _context: pool(inputs[0], kernel, stride, padding, 1, ceil_mode)
    pad, padding = padder(torch, layer, -math.inf, most=kernel // 2)
    return lambda inputs, _parameters, _context: pool(pad(inputs[0]), kernel, stride, padding)


def average_pool(torch, layer):
    pool, kernel, stride = torch.nn.functional.avg_pool2d, layer["kernel"], layer["stride"]
    divisors = pool_divisors(layer)
    padding, ceil_mode, own_divisors = own_windows(layer) or (None, None, {})
    for count_padding, own in own_divisors.items():
        if (own == divisors).all():
            return lambda inputs, _parameters, _context: pool(
                inputs[0], kernel, stride, padding, ceil_mode, count_padding
            )
    pad, padding = padder(torch, layer, 0.0, most=kernel // 2)
    if (divisors == kernel**2).all():
        return lambda inputs, _parameters, _context: pool(pad(inputs[0]), kernel, stride, padding)
    factors = torch.from_numpy(kernel**2 / divisors)
    return lambda inputs, _parameters, _context: pool(pad(inputs[0]), kernel, stride, padding) * factors


def own_windows(layer):
    """How Torch's own pools get this layer's very windows, which spares a padded copy of its input.

    Returns:
        (padding, ceil_mode, {count_include_pad: divisors}), see `torch.nn.AvgPool2d`; None where they cannot.
    """
    kernel, stride, padding = layer["kernel"], layer["stride"], layer["padding"][0][0]
    sizes, counts = layer["input_shapes"][0][1:], tuple(layer["output_shape"][1:])
    if layer["padding"][1][0] != padding or padding > kernel // 2:
        return None
    for ceil_mode in (False, True):
        if tuple(windows_along(size, kernel, stride, padding, ceil_mode) for size in sizes) == counts:
            explicit = {
                True: dict(layer, divisor="padded", explicit_padding=padding),
                False: dict(layer, divisor="inside"),
            }
            return padding, ceil_mode, {counted: pool_divisors(pool) for counted, pool in explicit.items()}
    return None


def windows_along(size, kernel, stride, padding, ceil_mode):
    """Number of windows of Torch's pools along one side; with `ceil_mode` none begins in the padding after it."""
    rest = size + 2 * padding - kernel
    count = (-(-rest // stride) if ceil_mode else rest // stride) + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


def global_average_pool(_torch, _layer):
    return lambda inputs, _parameters, _context: inputs[0].mean(dim=(2, 3))


def dense(torch, layer):
    linear, flatten, name = torch.nn.functional.linear, torch.flatten, layer["name"]

    def apply(inputs, parameters, _context):
        return linear(flatten(inputs[0], 1), parameters[name + ".weights"], parameters.get(name + ".biases"))

    return apply


def activation(torch, layer):
    function = getattr(torch, layer["kind"])
    return lambda inputs, _parameters, _context: function(inputs[0])


def dropout(_torch, layer):
    name, factor = layer["name"], 1.0 / layer["keep"]

    def apply(inputs, _parameters, context):
        return inputs[0] * context.masks[name] * factor if context.training else inputs[0]

    return apply


def add(_torch, _layer):
    return lambda inputs, _parameters, _context: inputs[0] + inputs[1]


def local_response_normalisation(torch, layer):
    functional, size, alpha, beta, bias = (
        torch.nn.functional,
        layer["size"],
        layer["alpha"],
        layer["beta"],
        layer["bias"],
    )
    if layer["across"] == "channels":
        return lambda inputs, _parameters, _context: functional.local_response_norm(inputs[0], size, alpha, beta, bias)

    def apply(inputs, _parameters, _context):
        x = inputs[0]
        mean = functional.avg_pool2d(x * x, size, 1, size // 2)  # divides by size ** 2 at the edges too
        return x * (bias + alpha * mean) ** -beta

    return apply


def batch_normalisation(torch, layer):
    batch_norm, name, epsilon = torch.nn.functional.batch_norm, layer["name"], layer["epsilon"]

    def apply(inputs, parameters, context):
        weights, biases = parameters[name + ".weights"], parameters[name + ".biases"]
        moving = context.statistics[name]
        if not context.training:
            mean, variance = moving.corrected()
            return batch_norm(inputs[0], mean, variance, weights, biases, False, 0.0, epsilon)
        if context.keep:
            return batch_norm(inputs[0], None, None, weights, biases, True, 0.0, epsilon)
        moving.steps += 1
        return batch_norm(inputs[0], moving.mean, moving.variance, weights, biases, True, moving.momentum, epsilon)

    return apply


def padder(torch, layer, value, most=None):
    """(function that pads what the operation itself cannot, padding for the operation).

    Torch's operations pad both sides alike, its pools by at most half a kernel and with the value that never counts.
    """
    (top, bottom), (left, right) = positive_padding(layer)
    dropped = any(after < before for before, after in layer["padding"])
    alike = top == bottom and left == right or dropped and _floor_drops(layer)
    if alike and (most is None or max(top, left) <= most):
        return (lambda x: x), (top, left)
    pad = torch.nn.functional.pad
    return (lambda x: pad(x, (left, right, top, bottom), value=value)), 0


def _floor_drops(layer):
    """Whether padding both sides by `before` gives the same windows, since the operation drops what is left over."""
    shape = layer["input_shapes"][0][1:]
    counts = [
        (size + 2 * before - layer["kernel"]) // layer["stride"] + 1
        for size, (before, _) in zip(shape, layer["padding"])
    ]
    return counts == layer["output_shape"][1:]


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
