"""Augmentation as data: what happens to every mini-batch in training, and what evaluation has in its place.

The worker computes it: `frameworks/worker/augmentation.py` has a function for each kind, with the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.fields import FileModel, NonNegativeInt, Number, PositiveInt, PositiveNumber
from harness.workloads.preprocessing import CentreCrop, Pad, Shape, Standardise, StepError
from harness.workloads.preprocessing.step import ImageStep


class AugmentationStep(FileModel):
    """One kind of augmentation. Evaluation has nothing in its place unless a kind says otherwise."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape `(C, H, W)` of one image afterwards.

        Raises:
            StepError: the images do not fit.
        """
        return shape

    def in_evaluation(self) -> tuple[ImageStep, ...]:
        """What is done to the test split, once, when it is prepared."""
        return ()


class RandomCrop(AugmentationStep):
    """`size` x `size` pixels from anywhere in the image, which `padding` zeros surround first.

    In evaluation those in the centre. Source: `tf.random_crop` and `tf.image.resize_image_with_crop_or_pad` in
    TensorFlow's cifar10_input.py; with padding He et al. (arXiv 1512.03385), section 4.2.
    """

    kind: Literal["random_crop"]
    size: PositiveInt
    padding: NonNegativeInt = 0

    def output_shape(self, shape: Shape) -> Shape:
        """`(C, size, size)`."""
        height, width = (length + 2 * self.padding for length in shape[1:])
        if self.size > min(height, width):
            raise StepError(f"cannot crop {self.size}x{self.size} out of {height}x{width}")
        return shape[0], self.size, self.size

    def in_evaluation(self) -> tuple[ImageStep, ...]:
        """The centre of the padded image."""
        crop = CentreCrop(kind="centre_crop", size=self.size)
        return (Pad(kind="pad", pixels=self.padding), crop) if self.padding else (crop,)


class RandomFlip(AugmentationStep):
    """Half of the images, at random, are mirrored left to right (`tf.image.random_flip_left_right`)."""

    kind: Literal["random_flip"]


class RandomBrightness(AugmentationStep):
    """One number for each image, uniform in [-max_delta, max_delta), is added (`tf.image.random_brightness`)."""

    kind: Literal["random_brightness"]
    max_delta: PositiveNumber


class RandomContrast(AugmentationStep):
    """Every channel's distance from its mean is multiplied by one number for each image, uniform in [lower, upper).

    As `tf.image.random_contrast`.
    """

    kind: Literal["random_contrast"]
    lower: Number
    upper: Number

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= self.lower < self.upper:
            raise ValueError(f"lower={self.lower} should be at least 0 and smaller than upper={self.upper}")
        return self


class StandardiseEach(AugmentationStep):
    """Every image to mean 0 and deviation 1 (`tf.image.per_image_standardization`), in evaluation too."""

    kind: Literal["standardise"]

    def in_evaluation(self) -> tuple[ImageStep, ...]:
        """The same."""
        return (Standardise(kind="standardise"),)


Augmentation = Annotated[
    RandomCrop | RandomFlip | RandomBrightness | RandomContrast | StandardiseEach, Field(discriminator="kind")
]


def augmented_shape(shape: Shape, steps: Sequence[Augmentation]) -> Shape:
    """Shape `(C, H, W)` of one image after all steps.

    Raises:
        StepError: a step cannot take the images that reach it; its kind and their shape are named.
    """
    for step in steps:
        try:
            shape = step.output_shape(shape)
        except StepError as error:
            raise StepError(f"augmentation {step.kind!r}: {error}") from None
    return shape


def evaluation_steps(steps: Sequence[Augmentation]) -> tuple[ImageStep, ...]:
    """What the test split gets in place of the augmentation, after the preprocessing that both splits have."""
    return tuple(own for step in steps for own in step.in_evaluation())
