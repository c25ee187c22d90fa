"""Steps that change every image by itself."""

from __future__ import annotations

from typing import Literal

import numpy as np

from frameworks.worker.order import derive_seed
from harness.fields import NonNegativeInt, Number, PositiveInt, PositiveNumber
from harness.workloads.preprocessing.step import Images, ImageStep, Shape, StepError, chunks


class Scale(ImageStep):
    """Multiply every pixel by `factor`."""

    kind: Literal["scale"]
    factor: Number

    def transform(self, images: Images) -> Images:
        """In place."""
        images *= np.float32(self.factor)
        return images


class UniformNoise(ImageStep):
    """Add noise, uniform in [0, `amplitude`), the same for every run: pixels that were equal then differ.

    Max pooling then has no ties, on whose gradient frameworks really disagree, so that losses can be compared to the
    last digits.
    """

    kind: Literal["uniform_noise"]
    amplitude: PositiveNumber
    seed: NonNegativeInt = 0

    def transform(self, images: Images) -> Images:
        """In place."""
        random = np.random.RandomState(derive_seed(self.seed, "noise"))
        for image in images:
            image += random.uniform(0.0, self.amplitude, image.shape).astype(np.float32)
        return images


class Pad(ImageStep):
    """Surround every image with `pixels` rows and columns of zeros: `(C, H, W)` becomes `(C, H + 2p, W + 2p)`.

    Torch's MNIST (mnist.t7, `train_32x32.t7`) is MNIST padded from 28x28 to 32x32, that is by 2.
    """

    kind: Literal["pad"]
    pixels: PositiveInt

    def output_shape(self, shape: Shape) -> Shape:
        """`(C, H + 2p, W + 2p)`."""
        return shape[0], shape[1] + 2 * self.pixels, shape[2] + 2 * self.pixels

    def transform(self, images: Images) -> Images:
        """A new array."""
        sides = (self.pixels, self.pixels)
        return np.pad(images, ((0, 0), (0, 0), sides, sides))


class CentreCrop(ImageStep):
    """Keep the middle `size` x `size` pixels; an odd remainder leaves the greater part below and to the right.

    As `tf.image.resize_image_with_crop_or_pad` does it (offset `(H - size) // 2`).
    """

    kind: Literal["centre_crop"]
    size: PositiveInt

    def output_shape(self, shape: Shape) -> Shape:
        """`(C, size, size)`."""
        if self.size > min(shape[1:]):
            raise StepError(f"cannot crop {self.size}x{self.size} out of {shape[1]}x{shape[2]}")
        return shape[0], self.size, self.size

    def transform(self, images: Images) -> Images:
        """A view."""
        top, left = ((length - self.size) // 2 for length in images.shape[2:])
        return images[:, :, top : top + self.size, left : left + self.size]


class Grey(ImageStep):
    """The mean of the channels: `(C, H, W)` becomes `(1, H, W)`. As benanne/theano-tutorial has it (6_convnet.py)."""

    kind: Literal["grey"]

    def output_shape(self, shape: Shape) -> Shape:
        """`(1, H, W)`."""
        return 1, shape[1], shape[2]

    def transform(self, images: Images) -> Images:
        """A new array."""
        return images.mean(axis=1, keepdims=True, dtype=np.float32)


class Standardise(ImageStep):
    """Of every image: subtract its mean, divide by `max(s, 1 / sqrt(n))`, with s its standard deviation, n its size.

    Both over all channels and pixels, s with divisor n. As `tf.image.per_image_standardization`.
    """

    kind: Literal["standardise"]

    def transform(self, images: Images) -> Images:
        """In place where the array allows."""
        result = np.ascontiguousarray(images)
        for chunk in chunks(result):
            flat = chunk.reshape(len(chunk), -1)
            centred = flat - flat.mean(axis=1, keepdims=True, dtype=np.float64)
            deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
            chunk[...] = (centred / np.maximum(deviation, flat.shape[1] ** -0.5)).reshape(chunk.shape)
        return result
