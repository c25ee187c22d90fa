"""Named seeds and the order of mini-batches, the same in every framework. Standard library + NumPy only."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, name: str, *numbers: int) -> int:
    """A 32-bit seed for one purpose of one trial: SHA-256 over the trial's seed, the purpose and further numbers."""
    text = "/".join(["dlgauge", str(int(seed)), name, *[str(int(number)) for number in numbers]])
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:4], "little")


def epoch_permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` images in an epoch (counted from 0), int32, shape `(count,)`.

    `RandomState` is used because NumPy keeps its stream for ever (NEP 19); `Generator`'s may change between versions,
    and workers run on NumPy 1.19 to 2.x.
    """
    return np.random.RandomState(derive_seed(seed, "order", epoch)).permutation(count).astype(np.int32)


class BatchOrder:
    """Mini-batches of constant size cut from the concatenated epoch permutations.

    A batch may cross the boundary of two epochs; every image is used exactly once per epoch.
    """

    def __init__(self, seed: int, count: int, batch_size: int) -> None:
        if batch_size < 1 or count < 1:
            raise ValueError("batch_size=%d and count=%d must be positive" % (batch_size, count))
        self._seed = seed
        self._count = count
        self._batch_size = batch_size
        self._epoch = 0
        self._pending = epoch_permutation(seed, 0, count)

    def next(self) -> np.ndarray:
        """Indices of the next mini-batch, int32, shape `(batch_size,)`."""
        while len(self._pending) < self._batch_size:
            self._epoch += 1
            more = epoch_permutation(self._seed, self._epoch, self._count)
            self._pending = np.concatenate([self._pending, more])
        batch, self._pending = self._pending[: self._batch_size], self._pending[self._batch_size :]
        return batch


def held_out(count: int, validation: dict) -> tuple:
    """Two slices of a training split of `count` images: what is trained on, and what is held out for validation.

    Args:
        validation: of the setting: `images`, how many, and `position`, whether they are the `first` or the `last`.
    """
    images = validation["images"]
    if validation["position"] == "first":
        return slice(images, count), slice(0, images)
    return slice(0, count - images), slice(count - images, count)
