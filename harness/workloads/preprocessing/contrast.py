"""Torch's preprocessing of CIFAR-10: YUV, local contrast in Y, global normalisation of U and V."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.workloads.preprocessing.step import Shape, Splits, Step, StepError, chunks, mean_and_std

RGB_TO_YUV = ((0.299, 0.587, 0.114), (-0.14713, -0.28886, 0.436), (0.615, -0.51499, -0.10001))
"""Rows Y, U, V over columns R, G, B. Source: torch/image, init.lua, `image.rgb2yuv`."""

KERNEL_SIZE = 7
THRESHOLD = 1e-4
"""Smaller local deviations are set to this. Source: torch/nn, SpatialContrastiveNormalization.lua, its defaults."""

Plane = NDArray[np.float64]


class YuvLocalContrast(Step):
    """RGB to YUV; Y gets local contrast normalisation; of U and V the mean is subtracted and `-s` divides.

    Y, for every image by itself, with g the smoothing by a Gaussian of 7 pixels in both directions (zeros outside) and
    c = g(1), which makes up for the border: `d = y - g(y) / c`; `y' = d / max(sqrt(g(d²)) / c, 1e-4)`.
    U and V, in both splits: `(u - m) / -s`, m and s (divisor n - 1) over the training split. The sign is the script's.
    Shape `(3, H, W)` is kept.

    Source: torch/demos, train-on-cifar/train-on-cifar.lua, as in GTDLBench, models/cifar10/torch/train-on-cifar-10.lua;
    torch/nn, SpatialSubtractiveNormalization.lua and SpatialDivisiveNormalization.lua (c is not under the root there);
    torch/image, `image.gaussian1D(7)`.
    """

    kind: Literal["yuv_local_contrast"]

    def output_shape(self, shape: Shape) -> Shape:
        """The same; three channels are needed."""
        if shape[0] != 3:
            raise StepError(f"takes images of 3 channels (RGB), not of {shape[0]}")
        return shape

    def apply(self, splits: Splits) -> Splits:
        """In place."""
        for images in splits:
            for chunk in chunks(images):
                rgb = np.moveaxis(chunk.astype(np.float64), 1, 0)
                luminance, u, v = (sum(w * plane for w, plane in zip(row, rgb, strict=True)) for row in RGB_TO_YUV)
                chunk[:, 0], chunk[:, 1], chunk[:, 2] = local_contrast(luminance), u, v
        for channel in (1, 2):
            mean, deviation = mean_and_std(splits.train[:, channel])
            for images in splits:
                images[:, channel] -= np.float32(mean)
                images[:, channel] /= np.float32(-(deviation or 1.0))
        return splits


def local_contrast(planes: Plane) -> Plane:
    """Local contrast normalisation of planes `(N, H, W)`, float64; see `YuvLocalContrast`."""
    border = _smooth(np.ones((1, *planes.shape[1:])))
    centred = planes - _smooth(planes) / border
    deviation = np.sqrt(_smooth(np.square(centred))) / border
    return centred / np.where(deviation > THRESHOLD, deviation, THRESHOLD)


def gaussian_kernel(size: int = KERNEL_SIZE) -> Plane:
    """`image.gaussian1D(size)` with sum 1: `exp(-((i - centre) / (0.25 size))² / 2)`."""
    offsets = np.arange(size) - (size - 1) / 2
    kernel = np.exp(-np.square(offsets / (0.25 * size)) / 2)
    return kernel / kernel.sum()


def _smooth(planes: Plane) -> Plane:
    margin = KERNEL_SIZE // 2
    for axis in (2, 1):
        widths = [(0, 0)] * 3
        widths[axis] = (margin, margin)
        # The axis comes first, so that a shift along it is a slice.
        padded = np.moveaxis(np.pad(planes, widths), axis, 0)
        length, total = planes.shape[axis], 0.0
        for first, weight in enumerate(gaussian_kernel()):
            total = total + weight * padded[first : first + length]
        planes = np.moveaxis(np.asarray(total), 0, axis)
    return planes
