"""Augmentation of mini-batches in NumPy, the same in every framework. Standard library + NumPy only; Python 3.7+.

What is random in a step's mini-batch depends on the trial's seed `augment` and the step's number alone. Sums are
taken in float64: their last bits depend on the version of NumPy, and float32 results hardly ever do.
"""

from __future__ import annotations

import queue
import threading
from typing import Callable

import numpy as np

from frameworks.worker.order import BatchOrder, derive_seed

AHEAD = 4
"""Mini-batches that are prepared ahead of training."""


class AugmentedBatches:
    """Mini-batches of the training split, augmented ahead of training by one thread.

    Args:
        images: the training split, float32 `(N, C, H, W)`.
        labels: int32 `(N,)`.
        augmentation: the list `augmentation` of the specification's workload.
        seed: the trial's seed.
        batch_size: of training.
        count: how many mini-batches are wanted.
    """

    def __init__(self, images, labels, augmentation: list, seed: int, batch_size: int, count: int) -> None:
        self._images = images
        self._labels = labels
        self._augmentation = augmentation
        self._seed = seed
        self._order = BatchOrder(seed, len(labels), batch_size)
        self._count = count
        self._ready = queue.Queue(maxsize=AHEAD)  # type: queue.Queue
        self._stopped = False
        self._thread = threading.Thread(target=self._prepare, name="augmentation", daemon=True)
        self._thread.start()

    def next(self) -> tuple:
        """Images float32 `(batch, C, h, w)` and labels int32 `(batch,)` of the next step; waits where it must.

        An error of the preparing thread is raised here.
        """
        batch = self._ready.get()
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self) -> None:
        """End the preparing thread."""
        self._stopped = True
        while self._thread.is_alive():
            try:
                self._ready.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)

    def _prepare(self) -> None:
        try:
            for step in range(1, self._count + 1):
                indices = self._order.next()
                images = augment(self._images[indices], self._augmentation, self._seed, step)
                self._ready.put((images, self._labels[indices]))
                if self._stopped:
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the training loop waits
            self._ready.put(error)


def augment(images, augmentation: list, seed: int, step: int):
    """A mini-batch `(batch, C, H, W)`, float32, after all kinds of augmentation in their order; may change `images`.

    Args:
        augmentation: each with `kind` and the fields that it has in a workload file.
        step: counted from 1.
    """
    random = np.random.RandomState(derive_seed(seed, "augment", step))
    for fields in augmentation:
        options = {key: value for key, value in fields.items() if key != "kind"}
        images = KINDS[fields["kind"]](images, random, **options)
    return np.ascontiguousarray(images, dtype=np.float32)


def for_evaluation(images, augmentation: list):
    """Images `(N, C, H, W)` as evaluation has them: with what stands there in the place of each kind of augmentation.

    The harness does the same to the test split (`harness/workloads/augmentation.py`); a test holds both to each other.
    """
    for fields in augmentation:
        options = {key: value for key, value in fields.items() if key != "kind"}
        if fields["kind"] == "random_crop":
            images = centre_crop(images, **options)
        elif fields["kind"] == "standardise":
            images = standardise(images, None)
    return images


def centre_crop(images, size: int, padding: int):
    """The `size` x `size` pixels in the centre of the image, which `padding` zeros surround first."""
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    top, left = ((length - size) // 2 for length in padded.shape[2:])
    return np.ascontiguousarray(padded[:, :, top : top + size, left : left + size])


def random_crop(images, random, size: int, padding: int):
    """`size` x `size` pixels from anywhere in the image, which `padding` zeros surround first."""
    if padding:
        count, channels, height, width = images.shape
        padded = np.zeros((count, channels, height + 2 * padding, width + 2 * padding), images.dtype)
        padded[:, :, padding : padding + height, padding : padding + width] = images
        images = padded
    images = np.ascontiguousarray(images)
    count, channels, height, width = images.shape
    rows, columns = height - size + 1, width - size + 1
    top, left = random.randint(0, rows, count), random.randint(0, columns, count)
    # A view with all crops of every image: one indexing picks one of each.
    of_image, of_channel, of_row, of_column = images.strides
    crops = np.lib.stride_tricks.as_strided(
        images,
        (count, rows, columns, channels, size, size),
        (of_image, of_row, of_column, of_channel, of_row, of_column),
    )
    return crops[np.arange(count), top, left]


def random_flip(images, random):
    """Half of the images, at random, are mirrored left to right."""
    flipped = random.randint(0, 2, len(images)).astype(bool)
    images[flipped] = images[flipped][..., ::-1]
    return images


def random_brightness(images, random, max_delta: float):
    """One number for each image, uniform in [-max_delta, max_delta), is added to all its pixels."""
    images += _of_each(random.uniform(-max_delta, max_delta, len(images)))
    return images


def random_contrast(images, random, lower: float, upper: float):
    """`(x - m) f + m`: m the mean of the image's channel, f one number for each image, uniform in [lower, upper)."""
    factors = _of_each(random.uniform(lower, upper, len(images)))
    means = images.mean(axis=(2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
    images -= means
    images *= factors
    images += means
    return images


def standardise(images, random):
    """Of each image: subtract the mean, divide by max(standard deviation, 1 / sqrt(number of values))."""
    del random
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    deviations = np.sqrt(np.square(flat).mean(axis=1, keepdims=True, dtype=np.float64))
    flat /= np.maximum(deviations, flat.shape[1] ** -0.5).astype(np.float32)
    return flat.reshape(images.shape)


KINDS: "dict[str, Callable]" = {
    "random_crop": random_crop,
    "random_flip": random_flip,
    "random_brightness": random_brightness,
    "random_contrast": random_contrast,
    "standardise": standardise,
}


def _of_each(numbers):
    return numbers.astype(np.float32)[:, None, None, None]
