"""Preprocessing in NumPy: done once, the same for every framework.

One module per family of steps: `pixels` (every image by itself), `statistics` (what the training split knows),
`contrast` (Torch's CIFAR-10).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.workloads.preprocessing.contrast import YuvLocalContrast
from harness.workloads.preprocessing.pixels import CentreCrop, Grey, Pad, Scale, Standardise, UniformNoise
from harness.workloads.preprocessing.statistics import GlobalNormalisation, SubtractMeanImage
from harness.workloads.preprocessing.step import Images, Shape, Splits, StepError

Preprocessing = Annotated[
    Scale
    | UniformNoise
    | Pad
    | CentreCrop
    | Grey
    | Standardise
    | SubtractMeanImage
    | GlobalNormalisation
    | YuvLocalContrast,
    Field(discriminator="kind"),
]

__all__ = [
    "CentreCrop",
    "GlobalNormalisation",
    "Grey",
    "Images",
    "Pad",
    "Preprocessing",
    "Scale",
    "Splits",
    "Standardise",
    "StepError",
    "SubtractMeanImage",
    "UniformNoise",
    "YuvLocalContrast",
    "preprocess",
    "preprocessed_shape",
]


def preprocess(train: NDArray[Any], test: NDArray[Any], steps: Sequence[Preprocessing]) -> Splits:
    """Both splits after all steps, float32, C order; the arrays given are left as they are.

    Args:
        train, test: `(N, C, H, W)`, of any type.
    """
    splits = Splits(*(np.array(images, dtype=np.float32, order="C") for images in (train, test)))
    for step in steps:
        splits = step.apply(splits)
    return Splits(*(np.ascontiguousarray(images, dtype=np.float32) for images in splits))


def preprocessed_shape(shape: Shape, steps: Sequence[Preprocessing]) -> Shape:
    """Shape `(C, H, W)` of one image after all steps.

    Raises:
        StepError: a step cannot take the images that reach it; its kind and their shape are named.
    """
    for step in steps:
        try:
            shape = step.output_shape(shape)
        except StepError as error:
            raise StepError(f"preprocessing step {step.kind!r}: {error}") from None
    return shape
