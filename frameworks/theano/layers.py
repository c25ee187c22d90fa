"""The layer kinds in Theano: a function `(layer, inputs, context) -> symbolic output` each."""

from __future__ import annotations

import numpy as np

from frameworks.worker.adapter import unknown_layer
from frameworks.worker.layers import connection_mask, pool_divisors, positive_padding


class Context:
    """What a layer may need beside its inputs.

    Attributes:
        training: mini-batch statistics and dropout, or moving statistics and none.
        batch_size: of every mini-batch that comes in.
        parameters: name -> shared variable.
        statistics: layer -> `MovingStatistics`.
        masks: dropout layer -> symbolic mask.
        updates: `[(shared variable, its new value)]` that layers have asked for.
    """

    def __init__(self, theano, training, batch_size, parameters, statistics, masks=None):
        self.theano = theano
        self.training = training
        self.batch_size = batch_size
        self.parameters = parameters
        self.statistics = statistics
        self.masks = masks
        self.updates = []

    def parameter(self, layer, role):
        """The layer's `weights` or `biases`, or None."""
        return self.parameters.get("%s.%s" % (layer["name"], role))


class MovingStatistics:
    """What a batch normalisation uses in evaluation: moving averages that start at 0, corrected for that start.

    `share` is the moving average of ones, so that it has the same rounding errors as the averages it corrects.
    """

    def __init__(self, theano, channels, decay):
        self.theano = theano
        self.new = np.float32(1.0 - decay)
        self.mean, self.variance, self.share = (
            theano.shared(np.zeros(shape, np.float32)) for shape in ((channels,), (channels,), ())
        )

    def updates(self, mean, variance):
        """For one more mini-batch; `variance` is unbiased."""
        kept = np.float32(1.0) - self.new
        pairs = ((self.mean, mean), (self.variance, variance), (self.share, np.float32(1.0)))
        return [(moving, kept * moving + self.new * value) for moving, value in pairs]

    def corrected(self):
        """(mean, variance); 0 and 1 before the first mini-batch."""
        tensor = self.theano.tensor
        started = tensor.gt(self.share, 0)
        share = tensor.switch(started, self.share, np.float32(1.0))
        return self.mean / share, tensor.switch(started, self.variance / share, np.float32(1.0))


def make_output(layer, inputs, context):
    """The symbolic output of one layer.

    Raises:
        Unsupported: an unknown kind.
    """
    kind = KINDS.get(layer["kind"])
    if kind is None:
        raise unknown_layer(layer)
    return kind(layer, inputs, context)


def convolution(layer, inputs, context):
    weights, biases = context.parameter(layer, "weights"), context.parameter(layer, "biases")
    kernels = weights.get_value(borrow=True).shape
    mask = connection_mask(layer, kernels)
    y = context.theano.tensor.nnet.conv2d(
        inputs[0],
        weights if mask is None else weights * mask,
        batch_shape(layer, context),
        kernels,
        border_mode=tuple(positive_padding(layer)),
        subsample=(layer["stride"],) * 2,
        filter_flip=False,  # the cross-correlation that every other framework calls convolution
        num_groups=layer["groups"],
    )
    return y if biases is None else y + biases.dimshuffle("x", 0, "x", "x")


def max_pool(layer, inputs, context):
    return pooled(layer, inputs[0], context, "max", -np.inf)


def average_pool(layer, inputs, context):
    divisors = pool_divisors(layer)
    if (divisors == layer["kernel"] ** 2).all():
        return pooled(layer, inputs[0], context, "average_inc_pad", 0.0)
    return pooled(layer, inputs[0], context, "sum", 0.0) * (np.float32(1.0) / divisors)


def pooled(layer, x, context, mode, padding_value):
    """Theano's pool, on an input padded by hand where the layer's windows are not those that it has itself."""
    pool_2d, kernel, stride = context.theano.tensor.signal.pool.pool_2d, layer["kernel"], layer["stride"]
    own = own_windows(layer)
    if own is None:
        x, own = padded(layer, x, context, padding_value), (True, (0, 0))
    ignore_border, padding = own
    return pool_2d(x, (kernel, kernel), ignore_border, (stride, stride), padding, mode)


def own_windows(layer):
    """`(ignore_border, padding)` with which `pool_2d` has the layer's windows; None where it cannot have them.

    It pads both sides alike and drops what is left over, or pads nothing and lets a last window hang over.
    """
    kernel, stride = layer["kernel"], layer["stride"]
    sizes, counts = layer["input_shapes"][0][1:], layer["output_shape"][1:]
    before = tuple(first for first, _ in layer["padding"])
    if [(size + 2 * first - kernel) // stride + 1 for size, first in zip(sizes, before)] == counts:
        return True, before
    hanging_over = [max(0, size - 1 - max(kernel - stride, 0)) // stride + 1 for size in sizes]
    return (False, (0, 0)) if before == (0, 0) and hanging_over == counts else None


def padded(layer, x, context, value):
    """The input in a frame of `value`."""
    tensor = context.theano.tensor
    batch_size, channels, rows, columns = batch_shape(layer, context)
    (top, bottom), (left, right) = positive_padding(layer)
    frame = tensor.alloc(np.float32(value), batch_size, channels, top + rows + bottom, left + columns + right)
    return tensor.set_subtensor(frame[:, :, top : top + rows, left : left + columns], x)


def global_average_pool(_layer, inputs, _context):
    return inputs[0].mean(axis=(2, 3))


def dense(layer, inputs, context):
    weights, biases = context.parameter(layer, "weights"), context.parameter(layer, "biases")
    x = inputs[0]
    y = context.theano.tensor.dot(x.flatten(2) if x.ndim > 2 else x, weights.T)
    return y if biases is None else y + biases


def activation(layer, inputs, context):
    tensor = context.theano.tensor
    function = {"relu": tensor.nnet.relu, "tanh": tensor.tanh, "sigmoid": tensor.nnet.sigmoid}[layer["kind"]]
    return function(inputs[0])


def dropout(layer, inputs, context):
    if not context.training:
        return inputs[0]
    return inputs[0] * context.masks[layer["name"]] * np.float32(1.0 / layer["keep"])


def add(_layer, inputs, _context):
    return inputs[0] + inputs[1]


def local_response_normalisation(layer, inputs, context):
    x, size = inputs[0], layer["size"]
    across_channels = layer["across"] == "channels"
    share = np.float32(layer["alpha"] / (size if across_channels else size**2))
    neighbourhood = sum_of_channels if across_channels else sum_of_pixels
    scale = np.float32(layer["bias"]) + share * neighbourhood(layer, x * x, context)
    return x * scale ** np.float32(-layer["beta"])


def sum_of_channels(layer, squares, context):
    """The sum of shifted copies; Theano's pool over an image whose rows are the channels is slower."""
    tensor, size = context.theano.tensor, layer["size"]
    batch_size, channels, rows, columns = batch_shape(layer, context)
    reach = size // 2
    frame = tensor.alloc(np.float32(0.0), batch_size, channels + 2 * reach, rows, columns)
    frame = tensor.set_subtensor(frame[:, reach : reach + channels], squares)
    sums = frame[:, :channels]
    for first in range(1, size):
        sums = sums + frame[:, first : first + channels]
    return sums


def sum_of_pixels(layer, squares, context):
    pool_2d, size = context.theano.tensor.signal.pool.pool_2d, layer["size"]
    return pool_2d(squares, (size, size), True, (1, 1), (size // 2, size // 2), "sum")


def batch_normalisation(layer, inputs, context):
    """In plain expressions: Theano turns its own operation into them too late to simplify them, which is slower."""
    tensor, x = context.theano.tensor, inputs[0]
    axes, wide = ((0, 2, 3), ("x", 0, "x", "x")) if x.ndim == 4 else ((0,), ("x", 0))
    weights, biases = context.parameter(layer, "weights"), context.parameter(layer, "biases")
    moving, epsilon = context.statistics[layer["name"]], np.float32(layer["epsilon"])
    if context.training:
        shape = batch_shape(layer, context)
        count = int(np.prod(shape)) // shape[1]
        mean = x.sum(axis=axes) * np.float32(1.0 / count)
        centred = x - mean.dimshuffle(wide)
        squares = (centred * centred).sum(axis=axes)
        variance = squares * np.float32(1.0 / count)
        context.updates += moving.updates(mean, squares * np.float32(1.0 / (count - 1)))
    else:
        mean, variance = moving.corrected()
        centred = x - mean.dimshuffle(wide)
    return centred * (weights / tensor.sqrt(variance + epsilon)).dimshuffle(wide) + biases.dimshuffle(wide)


def batch_shape(layer, context):
    """Shape of the layer's input, batch first."""
    return (context.batch_size, *layer["input_shapes"][0])


KINDS = {
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
