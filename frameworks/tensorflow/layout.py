"""TensorFlow's layout of arrays, `N, H, W, C`, and the boundary's, `N, C, H, W`: there and back. NumPy only."""

from __future__ import annotations

import numpy as np


def channels_last(images):
    """`(N, H, W, C)` from `(N, C, H, W)`, in C order; arrays with other axes stay as they are."""
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if images.ndim == 4 else images


def channels_first(images):
    """The inverse of `channels_last`."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)) if images.ndim == 4 else images


def flattened_inputs(network):
    """Name of a dense layer's weights -> shape `(C, H, W)` of the input it flattens, for those that flatten one."""
    dense = [layer for layer in network["layers"] if layer["kind"] == "dense"]
    inputs = {layer["name"] + ".weights": tuple(layer["input_shapes"][0]) for layer in dense}
    return {name: shape for name, shape in inputs.items() if len(shape) == 3}


def to_tensorflow(value, flattened=None):
    """A parameter in TensorFlow's layout: `(kh, kw, in, out)` for convolutions, `(in, out)` for dense layers.

    The input features of a dense layer on `(C, H, W)` = `flattened` are put into the order `H, W, C` in which
    TensorFlow flattens, so that no activation has to be transposed while training.
    """
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    if flattened:
        value = value.reshape((len(value),) + flattened).transpose(0, 2, 3, 1).reshape(len(value), -1)
    return np.ascontiguousarray(value.T) if value.ndim == 2 else value


def from_tensorflow(value, flattened=None):
    """The inverse of `to_tensorflow`."""
    if value.ndim == 4:
        return np.ascontiguousarray(value.transpose(3, 2, 0, 1))
    if value.ndim == 2:
        value = np.ascontiguousarray(value.T)
    if flattened:
        channels, height, width = flattened
        value = value.reshape(len(value), height, width, channels).transpose(0, 3, 1, 2).reshape(len(value), -1)
    return value
