"""Windows as Caffe 1.0.0 places them, and how to get any resolved layer's windows from that.

Caffe pads both sides alike. Its convolutions round the number of windows down, its pools up
(`src/caffe/layers/{base_conv,conv,pooling}_layer.cpp`). Since a window's content depends only on where it starts, all
that is needed is a padding with which the wanted windows are among Caffe's; the others are cropped away.
"""

from __future__ import annotations

import numpy as np

from frameworks.worker.adapter import Unsupported
from frameworks.worker.layers import pool_divisors


class Placement:
    """Caffe's windows along rows and columns.

    Attributes:
        pads: padding on either side, of rows and columns.
        first: number of windows in front of the first wanted one.
        counts: number of windows.
    """

    def __init__(self, pads, first, counts):
        self.pads = pads
        self.first = first
        self.counts = counts

    def cropped(self, layer) -> bool:
        """Whether there are windows that the layer does not have."""
        return list(self.counts) != layer["output_shape"][1:]


def place_convolution(layer: dict) -> Placement:
    """The windows of a convolution."""
    axes = []
    for size, (pad, _), wanted in _axes(layer):
        first = 0
        while _floor_count(size, pad, layer) < first + wanted:
            pad, first = pad + layer["stride"], first + 1
        axes.append((pad, first, _floor_count(size, pad, layer)))
    return Placement(*zip(*axes))


def place_pool(layer: dict) -> Placement:
    """The windows of a pool.

    Raises:
        Unsupported: it takes a padding as large as the kernel, which Caffe's pools refuse.
    """
    axes = []
    for size, (pad, _), wanted in _axes(layer):
        first = 0
        while _ceil_count(size, pad, layer) < first + wanted:
            pad, first = pad + layer["stride"], first + 1
        if pad >= layer["kernel"]:
            raise Unsupported(
                "layer %s" % layer["name"], "Caffe's pools pad less than their kernel of %d" % layer["kernel"]
            )
        axes.append((size, pad, first))
    padded = any(pad for _, pad, _ in axes)
    counts = []
    for size, pad, _ in axes:
        count = _ceil_count(size, pad, layer)
        starts_outside = (count - 1) * layer["stride"] >= size + pad
        counts.append(count - 1 if padded and starts_outside else count)
    return Placement([pad for _, pad, _ in axes], [first for _, _, first in axes], counts)


def covered_shape(layer: dict) -> "list[int]":
    """(C, H, W) of a pool's input without the rows and columns behind its last windows.

    Without padding Caffe's pools round up even where the last window then starts behind the image (a stride larger than
    the kernel). Such an empty window would have no maximum, so that the input has to be cropped, not the output.
    """
    channels, *sizes = layer["input_shapes"][0]
    if layer["stride"] <= layer["kernel"] or any(before for before, _ in layer["padding"]):
        return [channels, *sizes]
    return [channels] + [size + min(after, 0) for size, (_, after) in zip(sizes, layer["padding"])]


def divisor_factors(layer: dict, placement: Placement) -> "np.ndarray | None":
    """What the means of Caffe's average pool have to be multiplied by, float32 `(H', W')`; None where they are right.

    Caffe divides by the elements of the window in the padded image, without what hangs over behind the padding.
    """
    rows, columns = (
        np.minimum(starts + layer["kernel"], size + pad) - starts
        for (size, _, wanted), pad, first in zip(_axes(layer), placement.pads, placement.first)
        for starts in [(first + np.arange(wanted)) * layer["stride"] - pad]
    )
    wanted, divisors = pool_divisors(layer), rows[:, None] * columns[None, :]
    return None if (divisors == wanted).all() else (divisors / wanted).astype(np.float32)


def _axes(layer):
    return zip(layer["input_shapes"][0][1:], layer["padding"], layer["output_shape"][1:])


def _floor_count(size, pad, layer):
    return (size + 2 * pad - layer["kernel"]) // layer["stride"] + 1


def _ceil_count(size, pad, layer):
    return -(-(size + 2 * pad - layer["kernel"]) // layer["stride"]) + 1
