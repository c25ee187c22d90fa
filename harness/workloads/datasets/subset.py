"""A fixed, class-proportional draw from a labelled split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUBSET_SEED = 1998
"""Seed of the draw behind `mnist-subset` (the year of MNIST's paper)."""


def class_counts(labels: NDArray[np.int32], size: int) -> list[int]:
    """How many of each class a subset of `size` takes: the class's share, rounded by largest remainder.

    Ties of remainders go to the smaller class number.
    """
    counts = np.bincount(labels)
    floors = [int(count) * size // len(labels) for count in counts]
    remainders = [int(count) * size % len(labels) for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda label: (-remainders[label], label))
    for label in by_remainder[: size - sum(floors)]:
        floors[label] += 1
    return floors


def draw_subset(random: np.random.RandomState, labels: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """Indices of a class-proportional subset, rising: of each class the first ones in one random permutation."""
    order = random.permutation(len(labels))
    wanted = class_counts(labels, size)
    chosen = [order[labels[order] == label][:count] for label, count in enumerate(wanted)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
