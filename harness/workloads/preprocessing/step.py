"""What every preprocessing step has: the shape it makes, and the splits it makes of two splits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.fields import FileModel

Images = NDArray[np.float32]
Shape = tuple[int, int, int]

_CHUNK = 100
"""Images at once: what is computed in between stays in the processor's cache."""


class Splits(NamedTuple):
    """Both splits of a dataset, float32 `(N, C, H, W)`. A step may change the arrays it is given."""

    train: Images
    test: Images


class StepError(ValueError):
    """A step cannot take images of the shape it is given."""


class Step(FileModel):
    """A preprocessing step. It sees both splits, because what it knows of the data comes from the training split."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape `(C, H, W)` of one image afterwards; unchanged unless a kind says otherwise.

        Raises:
            StepError: the step cannot take such images.
        """
        return shape

    def apply(self, splits: Splits) -> Splits:
        """Both splits afterwards."""
        raise NotImplementedError


class ImageStep(Step):
    """A step that needs to know nothing but the images it changes."""

    def apply(self, splits: Splits) -> Splits:
        """Both splits afterwards."""
        return Splits(self.transform(splits.train), self.transform(splits.test))

    def transform(self, images: Images) -> Images:
        """Images `(N, C, H, W)` afterwards, float32."""
        raise NotImplementedError


def chunks(images: Images) -> Iterator[Images]:
    """Views of a few images each: intermediate arrays in float64 stay small."""
    for first in range(0, len(images), _CHUNK):
        yield images[first : first + _CHUNK]


def mean_and_std(images: Images) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1, as `torch.std`) of all values, computed in float64."""
    mean = float(images.mean(dtype=np.float64))
    squares = sum(float(np.square(chunk - mean, dtype=np.float64).sum()) for chunk in chunks(images))
    return mean, float(np.sqrt(squares / (images.size - 1)))
