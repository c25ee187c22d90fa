"""Every layer kind in NumPy, forward and backward, written to be read: the reference that parity compares with.

A layer is a function `(layer, inputs, parameters, context) -> (output, backward)`; `backward(gradient of output)` gives
`(gradients of the inputs, gradients of the parameters by role)`. Computed in the type of the inputs.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from frameworks.worker.layers import connection_mask, pool_divisors


class Context:
    """What a layer may need beside its inputs.

    Attributes:
        training: mini-batch statistics and dropout, or moving statistics and none.
        masks: dropout masks by layer.
        statistics: layer -> moving sums of a batch normalisation.
        keep: whether training leaves the moving statistics as they are.
    """

    def __init__(self, training, masks, statistics, keep=False):
        self.training = training
        self.masks = masks or {}
        self.statistics = statistics
        self.keep = keep


def pad(x, padding, value=0.0):
    """Rows and columns added (or, where a number is negative, taken away) on every side of `(N, C, H, W)`."""
    (top, bottom), (left, right) = padding
    widths = [(0, 0), (0, 0), (top, max(bottom, 0)), (left, max(right, 0))]
    y = np.pad(x, widths, constant_values=value)
    return y[:, :, : y.shape[2] + min(bottom, 0), : y.shape[3] + min(right, 0)]


def unpad(gradient, padding, shape):
    """The inverse of `pad` for a gradient; `shape` is that of the input."""
    (top, _), (left, _) = padding
    result = np.zeros(shape, gradient.dtype)
    inner = gradient[:, :, top : top + shape[2], left : left + shape[3]]
    result[:, :, : inner.shape[2], : inner.shape[3]] = inner
    return result


def windows_of(x, kernel, stride):
    """View `(N, C, H', W', kernel, kernel)` of all windows."""
    return sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]


def add_windows(gradient, shape, kernel, stride):
    """Sum of window gradients `(N, C, H', W', kernel, kernel)` at their places in an array of `shape`."""
    result = np.zeros(shape, gradient.dtype)
    rows, columns = gradient.shape[2:4]
    for i in range(kernel):
        for j in range(kernel):
            place = result[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
            place += gradient[:, :, :rows, :columns, i, j]
    return result


def convolution(layer, inputs, parameters, _context):
    (x,), weights = inputs, parameters["weights"]
    kernel, stride, groups = layer["kernel"], layer["stride"], layer["groups"]
    mask = connection_mask(layer, weights.shape)
    used = weights if mask is None else weights * mask
    padded = pad(x, layer["padding"])
    windows = windows_of(padded, kernel, stride)
    count, rows, columns = x.shape[0], windows.shape[2], windows.shape[3]
    # (N, H', W', G, C / G * k * k) times (G, out / G, C / G * k * k)
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(count, rows, columns, groups, -1)
    kernels = used.reshape(groups, layer["filters"] // groups, -1)
    y = np.einsum("nhwgk,gok->nhwgo", flat, kernels, optimize=True).reshape(count, rows, columns, -1)
    y = y.transpose(0, 3, 1, 2)
    if "biases" in parameters:
        y = y + parameters["biases"][None, :, None, None]

    def backward(dy):
        by_group = dy.transpose(0, 2, 3, 1).reshape(count, rows, columns, groups, -1)
        d_kernels = np.einsum("nhwgo,nhwgk->gok", by_group, flat, optimize=True).reshape(weights.shape)
        d_flat = np.einsum("nhwgo,gok->nhwgk", by_group, kernels, optimize=True)
        d_windows = d_flat.reshape(count, rows, columns, x.shape[1], kernel, kernel).transpose(0, 3, 1, 2, 4, 5)
        dx = unpad(add_windows(d_windows, padded.shape, kernel, stride), layer["padding"], x.shape)
        gradients = {"weights": d_kernels if mask is None else d_kernels * mask}
        if "biases" in parameters:
            gradients["biases"] = dy.sum(axis=(0, 2, 3))
        return [dx], gradients

    return y, backward


def max_pool(layer, inputs, _parameters, _context):
    (x,), kernel, stride = inputs, layer["kernel"], layer["stride"]
    padded = pad(x, layer["padding"], -np.inf)
    windows = windows_of(padded, kernel, stride)
    flat = windows.reshape(windows.shape[:4] + (-1,))
    winner = flat.argmax(axis=-1)  # of equal values the first: ties are where frameworks differ

    def backward(dy):
        d_flat = np.zeros(flat.shape, dy.dtype)
        np.put_along_axis(d_flat, winner[..., None], dy[..., None], axis=-1)
        d_padded = add_windows(d_flat.reshape(windows.shape), padded.shape, kernel, stride)
        return [unpad(d_padded, layer["padding"], x.shape)], {}

    return np.take_along_axis(flat, winner[..., None], axis=-1)[..., 0], backward


def average_pool(layer, inputs, _parameters, _context):
    (x,), kernel, stride = inputs, layer["kernel"], layer["stride"]
    padded = pad(x, layer["padding"])
    windows = windows_of(padded, kernel, stride)
    divisors = pool_divisors(layer).astype(x.dtype)

    def backward(dy):
        d_windows = np.broadcast_to((dy / divisors)[..., None, None], windows.shape)
        return [unpad(add_windows(d_windows, padded.shape, kernel, stride), layer["padding"], x.shape)], {}

    return windows.sum(axis=(4, 5)) / divisors, backward


def global_average_pool(_layer, inputs, _parameters, _context):
    (x,) = inputs
    area = x.shape[2] * x.shape[3]
    return x.mean(axis=(2, 3)), lambda dy: ([np.broadcast_to(dy[:, :, None, None] / area, x.shape)], {})


def dense(_layer, inputs, parameters, _context):
    (x,), weights = inputs, parameters["weights"]
    flat = x.reshape(len(x), -1)
    y = flat @ weights.T + parameters.get("biases", 0.0)

    def backward(dy):
        gradients = {"weights": dy.T @ flat}
        if "biases" in parameters:
            gradients["biases"] = dy.sum(axis=0)
        return [(dy @ weights).reshape(x.shape)], gradients

    return y, backward


def relu(_layer, inputs, _parameters, _context):
    (x,) = inputs
    return np.maximum(x, 0), lambda dy: ([dy * (x > 0)], {})


def tanh(_layer, inputs, _parameters, _context):
    y = np.tanh(inputs[0])
    return y, lambda dy: ([dy * (1 - y * y)], {})


def sigmoid(_layer, inputs, _parameters, _context):
    y = 1 / (1 + np.exp(-inputs[0]))
    return y, lambda dy: ([dy * y * (1 - y)], {})


def dropout(layer, inputs, _parameters, context):
    (x,) = inputs
    if not context.training:
        return x, lambda dy: ([dy], {})
    factor = (context.masks[layer["name"]] / layer["keep"]).astype(x.dtype)
    return x * factor, lambda dy: ([dy * factor], {})


def add(_layer, inputs, _parameters, _context):
    return inputs[0] + inputs[1], lambda dy: ([dy, dy], {})


def local_response_normalisation(layer, inputs, _parameters, _context):
    (x,), size, beta = inputs, layer["size"], layer["beta"]
    across_channels = layer["across"] == "channels"
    share = layer["alpha"] / (size if across_channels else size**2)

    def neighbourhood(values):
        reach = size // 2
        if across_channels:
            padded = np.pad(values, [(0, 0), (reach, reach), (0, 0), (0, 0)])
            return sliding_window_view(padded, size, axis=1).sum(axis=-1)
        return windows_of(pad(values, [(reach, reach)] * 2), size, 1).sum(axis=(4, 5))

    scale = layer["bias"] + share * neighbourhood(x * x)
    y = x * scale**-beta

    def backward(dy):
        return [dy * scale**-beta - 2 * share * beta * x * neighbourhood(dy * y / scale)], {}

    return y, backward


def batch_normalisation(layer, inputs, parameters, context):
    (x,) = inputs
    axes = (0, 2, 3) if x.ndim == 4 else (0,)
    wide = (None, slice(None), None, None) if x.ndim == 4 else (None, slice(None))
    moving = context.statistics[layer["name"]]
    count = x.size // x.shape[1]
    if context.training:
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
        if not context.keep:
            moving.add(layer["decay"], mean, variance * count / (count - 1))
    else:
        mean, variance = moving.mean, moving.variance
    inverse = 1 / np.sqrt(variance + layer["epsilon"])
    normal = (x - mean[wide]) * inverse[wide]

    def backward(dy):
        gradients = {"weights": (dy * normal).sum(axis=axes), "biases": dy.sum(axis=axes)}
        spread = gradients["biases"][wide] + normal * gradients["weights"][wide]
        return [(parameters["weights"] * inverse)[wide] * (dy - spread / count)], gradients

    return parameters["weights"][wide] * normal + parameters["biases"][wide], backward


class MovingStatistics:
    """Weighted sums of the mini-batches' means and variances, and of the weights."""

    def __init__(self, channels):
        self.total, self.sum_mean, self.sum_variance = 0.0, np.zeros(channels), np.zeros(channels)

    def add(self, decay, mean, variance):
        """One more mini-batch; all earlier ones count `decay` times as much as before."""
        self.total = decay * self.total + 1
        self.sum_mean = decay * self.sum_mean + mean
        self.sum_variance = decay * self.sum_variance + variance

    @property
    def mean(self):
        """0 before the first mini-batch."""
        return self.sum_mean / self.total if self.total else self.sum_mean

    @property
    def variance(self):
        """1 before the first mini-batch."""
        return self.sum_variance / self.total if self.total else np.ones_like(self.sum_variance)


KINDS = {
    function.__name__: function
    for function in (
        convolution,
        max_pool,
        average_pool,
        global_average_pool,
        dense,
        relu,
        tanh,
        sigmoid,
        dropout,
        add,
        local_response_normalisation,
        batch_normalisation,
    )
}
