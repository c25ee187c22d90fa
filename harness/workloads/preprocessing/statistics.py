"""Steps that subtract or divide by what they find in the training split."""

from __future__ import annotations

from typing import Literal

import numpy as np

from harness.workloads.preprocessing.step import Images, Splits, Step, mean_and_std


class SubtractMeanImage(Step):
    """Subtract the mean image of the training split, one value per channel and pixel, from every image.

    Source: Caffe 1.0.0, tools/compute_image_mean.cpp and `transform_param.mean_file` (examples/cifar10).
    """

    kind: Literal["subtract_mean_image"]

    def apply(self, splits: Splits) -> Splits:
        """In place."""
        mean = splits.train.mean(axis=0, dtype=np.float64).astype(np.float32)
        for images in splits:
            images -= mean
        return splits


class GlobalNormalisation(Step):
    """Subtract one mean and divide by one standard deviation, both over all pixels of all images of the training split.

    With `per_split` the test split is normalised by its own mean and deviation, as in Torch's demo for MNIST, which
    passes nothing to the second call of `normalizeGlobal` (torch/demos, train-a-digit-classifier/dataset-mnist.lua).
    The deviation has the divisor n - 1 (`torch.std`).
    """

    kind: Literal["global_normalisation"]
    per_split: bool = False

    def apply(self, splits: Splits) -> Splits:
        """In place."""
        of_train = mean_and_std(splits.train)
        _normalise(splits.test, *(mean_and_std(splits.test) if self.per_split else of_train))
        _normalise(splits.train, *of_train)
        return splits


def _normalise(images: Images, mean: float, deviation: float) -> None:
    images -= np.float32(mean)
    # A split of one single value has no deviation; what is left of it is 0 already.
    images /= np.float32(deviation or 1.0)
