"""The layer kinds in TensorFlow: a function `(inputs, parameters, context) -> output` for each layer of a network.

Images are `N, H, W, C`, as TensorFlow's CPU kernels need them; parameters are in the layout of `layout.py`.
"""

from __future__ import annotations

import math

import numpy as np

from frameworks.tensorflow.layout import to_tensorflow
from frameworks.worker.adapter import unknown_layer
from frameworks.worker.layers import connection_mask, pool_divisors, positive_padding


class Context:
    """What a layer may need beside its inputs, while the graph is built.

    Attributes:
        training: mini-batch statistics and dropout, or moving statistics and none.
        masks: dropout masks by layer, uint8 tensors in the boundary's layout.
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
    """What a batch normalisation uses in evaluation: TensorFlow's moving averages, corrected for their start at 0."""

    def __init__(self, tf, channels, decay):
        self.tf, self.decay = tf, float(decay)
        self.mean, self.variance = (tf.Variable(tf.zeros([channels]), trainable=False) for _ in range(2))
        self.steps = tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def assign(self, mean, variance):
        """The averages after one more mini-batch."""
        self.mean.assign(mean)
        self.variance.assign(variance)
        self.steps.assign_add(1.0)

    def corrected(self):
        """(mean, variance); 0 and 1 before the first mini-batch."""
        tf = self.tf
        started = self.steps > 0.0
        share = tf.cast(1.0 - tf.constant(self.decay, tf.float64) ** self.steps, tf.float32)
        share = tf.where(started, share, 1.0)
        return self.mean / share, tf.where(started, self.variance / share, tf.ones_like(self.variance))


def make_layers(tf, network):
    """`(name, names of the inputs, function)` of every layer.

    Raises:
        Unsupported: an unknown kind.
    """
    before_tanh = {source for layer in network["layers"] if layer["kind"] == "tanh" for source in layer["inputs"]}
    found = []
    for layer in network["layers"]:
        maker = MAKERS.get(layer["kind"])
        if maker is None:
            raise unknown_layer(layer)
        function = maker(tf, {**layer, "before_tanh": layer["name"] in before_tanh})
        found.append((layer["name"], layer["inputs"], function))
    return found


def convolution(tf, layer):
    name, stride, groups, padding = layer["name"], layer["stride"], layer["groups"], windows_padding(layer)
    kernels = (layer["filters"], layer["input_shapes"][0][0] // groups, layer["kernel"], layer["kernel"])
    mask = connection_mask(layer, kernels)
    mask = None if mask is None else tf.constant(to_tensorflow(mask))

    def convolve(x, weights):
        if groups == 1:
            return tf.nn.conv2d(x, weights, stride, padding)
        # Eigen's kernels have no gradients for groups, oneDNN's none for groups with padding that is given as numbers.
        parts = zip(tf.split(x, groups, axis=3), tf.split(weights, groups, axis=3))
        return tf.concat([tf.nn.conv2d(part, own, stride, padding) for part, own in parts], axis=3)

    def apply(inputs, parameters, _context):
        weights = parameters[name + ".weights"]
        y = convolve(inputs[0], weights if mask is None else weights * mask)
        return biased(tf, y, parameters, name)

    return apply


def max_pool(tf, layer):
    kernel, stride, padding = layer["kernel"], layer["stride"], windows_padding(layer)
    return lambda inputs, _parameters, _context: tf.nn.max_pool2d(inputs[0], kernel, stride, padding)


def average_pool(tf, layer):
    """TensorFlow's operation divides by the elements inside, and takes no padding in numbers."""
    kernel, stride, padding = layer["kernel"], layer["stride"], windows_padding(layer)
    counts_padding = layer["divisor"] == "padded" and layer["explicit_padding"] > 0
    if padding == "VALID" or padding == "SAME" and not counts_padding:
        return lambda inputs, _parameters, _context: tf.nn.avg_pool2d(inputs[0], kernel, stride, padding)
    zeros = [[0, 0], *positive_padding(layer), [0, 0]]
    factors = tf.constant((kernel**2 / pool_divisors(layer))[:, :, None].astype(np.float32))

    def apply(inputs, _parameters, _context):
        return tf.nn.avg_pool2d(tf.pad(inputs[0], zeros), kernel, stride, "VALID") * factors

    return apply


def global_average_pool(tf, _layer):
    return lambda inputs, _parameters, _context: tf.reduce_mean(inputs[0], axis=[1, 2])


def dense(tf, layer):
    name, features = layer["name"], math.prod(layer["input_shapes"][0])
    on_image = len(layer["input_shapes"][0]) == 3

    def apply(inputs, parameters, _context):
        x = tf.reshape(inputs[0], [-1, features]) if on_image else inputs[0]
        return biased(tf, tf.matmul(x, parameters[name + ".weights"]), parameters, name)

    return apply


def biased(tf, y, parameters, name):
    """An output with the biases of its layer, if it has any."""
    biases = parameters.get(name + ".biases")
    return y if biases is None else tf.nn.bias_add(y, biases)


def activation(tf, layer):
    function = {"relu": tf.nn.relu, "tanh": tf.tanh, "sigmoid": tf.sigmoid}[layer["kind"]]
    return lambda inputs, _parameters, _context: function(inputs[0])


def dropout(tf, layer):
    name, factor = layer["name"], 1.0 / layer["keep"]
    on_image = len(layer["output_shape"]) == 3

    def apply(inputs, _parameters, context):
        if not context.training:
            return inputs[0]
        mask = context.masks[name]
        mask = tf.transpose(mask, [0, 2, 3, 1]) if on_image else mask
        return inputs[0] * (tf.cast(mask, tf.float32) * factor)

    return apply


def add(tf, _layer):
    return lambda inputs, _parameters, _context: tf.add(inputs[0], inputs[1])


def local_response_normalisation(tf, layer):
    size, alpha, beta, bias = layer["size"], layer["alpha"], layer["beta"], layer["bias"]
    if layer["across"] == "channels":
        normalise = tf.nn.local_response_normalization
        return lambda inputs, _parameters, _context: normalise(inputs[0], size // 2, bias, alpha / size, beta)
    # TensorFlow's mean leaves out what lies beyond the edges, here it counts as 0: the factors make up for it.
    inside = [np.convolve(np.ones(length), np.ones(size))[size // 2 :][:length] for length in layer["output_shape"][1:]]
    factors = tf.constant((alpha / size**2 * np.outer(*inside))[:, :, None].astype(np.float32))

    def apply(inputs, _parameters, _context):
        x = inputs[0]
        return x * tf.pow(bias + factors * tf.nn.avg_pool2d(x * x, size, 1, "SAME"), -beta)

    return apply


def batch_normalisation(tf, layer):
    """TensorFlow's fused kernel itself, since its wrapper `tf.compat.v1.nn.fused_batch_norm` raises small epsilons.

    In training the kernel gives the next moving averages too, of means and of unbiased variances. In evaluation,
    TensorFlow's graph optimiser merges convolution, fused kernel and tanh into an operation that oneDNN does not have
    ("Fusion is not implemented: [FusedBatchNorm,Tanh]"), so that before a tanh the formula takes the kernel's place.
    """
    name, epsilon, share = layer["name"], layer["epsilon"], 1.0 - layer["decay"]
    on_image, channels = len(layer["output_shape"]) == 3, layer["output_shape"][0]

    def apply(inputs, parameters, context):
        moving, scale, offset = context.statistics[name], parameters[name + ".weights"], parameters[name + ".biases"]
        mean, variance = (moving.mean, moving.variance) if context.training else moving.corrected()
        if layer["before_tanh"] and not context.training:
            return tf.nn.batch_normalization(inputs[0], mean, variance, offset, scale, epsilon)
        found = tf.raw_ops.FusedBatchNormV3(
            x=inputs[0] if on_image else tf.reshape(inputs[0], [-1, 1, 1, channels]),
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            epsilon=epsilon,
            exponential_avg_factor=share,
            is_training=context.training,
        )
        if context.training and not context.keep:
            moving.assign(found.batch_mean, found.batch_variance)
        return found.y if on_image else tf.reshape(found.y, [-1, channels])

    return apply


def windows_padding(layer):
    """Padding of a layer's windows as TensorFlow's operations take it: `VALID`, `SAME` or numbers for every axis.

    Numbers are left to what the names cannot say. Rows that no window covers need nothing: the operations drop them.
    """
    rows, columns = positive_padding(layer)
    if rows == columns == (0, 0):
        return "VALID"
    if all(_is_same(layer, axis) for axis in (0, 1)):
        return "SAME"
    return [[0, 0], list(rows), list(columns), [0, 0]]


def _is_same(layer, axis):
    """Whether the windows along rows (0) or columns (1) are those of TensorFlow's SAME."""
    size, (before, after) = layer["input_shapes"][0][1 + axis], positive_padding(layer)[axis]
    count = -(-size // layer["stride"])
    total = max((count - 1) * layer["stride"] + layer["kernel"] - size, 0)
    return (count, before, after) == (layer["output_shape"][1 + axis], total // 2, total - total // 2)


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
