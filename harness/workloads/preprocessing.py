"""Preprocessing in NumPy: done once, the same for every framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from frameworks.worker.order import derive_seed
from harness.fields import FileModel, NonNegativeInt, Number, PositiveNumber

Images = NDArray[np.float32]


class Scale(FileModel):
    """Multiply every pixel by `factor`."""

    kind: Literal["scale"]
    factor: Number

    def apply(self, images: Images) -> Images:
        """float32 in, float32 out, shape `(N, C, H, W)` kept; works in place."""
        images *= np.float32(self.factor)
        return images


class UniformNoise(FileModel):
    """Add noise, uniform in [0, `amplitude`), the same for every run: pixels that were equal then differ.

    Max pooling then has no ties, on whose gradient frameworks really disagree, so that losses can be compared to the
    last digits.
    """

    kind: Literal["uniform_noise"]
    amplitude: PositiveNumber
    seed: NonNegativeInt = 0

    def apply(self, images: Images) -> Images:
        """float32 in, float32 out, shape `(N, C, H, W)` kept; works in place."""
        random = np.random.RandomState(derive_seed(self.seed, "noise"))
        for image in images:
            image += random.uniform(0.0, self.amplitude, image.shape).astype(np.float32)
        return images


Preprocessing = Annotated[Scale | UniformNoise, Field(discriminator="kind")]


def preprocess(images: NDArray[Any], steps: Sequence[Preprocessing]) -> Images:
    """Images after all steps, float32, C order; `images` itself is left as it is."""
    result = np.array(images, dtype=np.float32, order="C")
    for step in steps:
        result = step.apply(result)
    return np.ascontiguousarray(result, dtype=np.float32)
