"""What several adapters need to know of resolved layers. Standard library + NumPy only; Python 3.7 or newer."""

from __future__ import annotations

import numpy as np


def positive_padding(layer: dict) -> "list[tuple[int, int]]":
    """(before, after) of rows and of columns, without the negative numbers of rows that no window covers."""
    return [(before, max(after, 0)) for before, after in layer["padding"]]


def pool_divisors(layer: dict) -> np.ndarray:
    """What the sum of each window of an average pool is divided by, float32 `(H', W')`."""
    rows, columns = (
        _divisors_along(size, layer["kernel"], layer["stride"], before, count, layer)
        for size, (before, _), count in zip(layer["input_shapes"][0][1:], layer["padding"], layer["output_shape"][1:])
    )
    return (rows[:, None] * columns[None, :]).astype(np.float32)


def _divisors_along(size, kernel, stride, before, count, layer):
    starts = np.arange(count) * stride - before
    counted = layer["explicit_padding"] if layer["divisor"] == "padded" else 0
    first, last = (-before if counted else 0), size + counted
    return np.minimum(starts + kernel, last) - np.maximum(starts, first)


def connection_mask(layer: dict, shape) -> "np.ndarray | None":
    """1 where a weight of a convolution is connected, else 0, float32 in the weights' shape; None: all are."""
    if not layer.get("connections"):
        return None
    mask = np.zeros(shape, np.float32)
    for row, channels in enumerate(layer["connections"]):
        mask[row, channels] = 1.0
    return mask


def dropout_layers(network: dict) -> "list[dict]":
    """The dropout layers of a resolved network."""
    return [layer for layer in network["layers"] if layer["kind"] == "dropout"]
