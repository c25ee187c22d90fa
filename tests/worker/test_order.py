"""Mini-batch order: every image once an epoch, constant batches, the same stream on every NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.worker.order import BatchOrder, derive_seed, epoch_permutation


@given(st.integers(1, 50), st.integers(1, 120), st.integers(0, 2**40))
def test_every_image_is_used_once_an_epoch_whatever_the_batch_size(count: int, batch_size: int, seed: int) -> None:
    order = BatchOrder(seed, count, batch_size)
    epochs = 3
    batches = [order.next() for _ in range(-(-epochs * count // batch_size))]
    assert {len(batch) for batch in batches} == {batch_size}
    stream = np.concatenate(batches)
    for epoch in range(epochs):
        assert sorted(stream[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_the_stream_is_fixed_for_ever() -> None:
    """These numbers must never change: records made with them would no longer be comparable."""
    assert derive_seed(1, "order", 0) == 1356065621
    assert epoch_permutation(1, 0, 8).tolist() == [4, 0, 1, 5, 2, 7, 6, 3]


def test_named_seeds_differ_by_name_number_and_seed() -> None:
    seeds = {
        derive_seed(1, "order", 0),
        derive_seed(1, "order", 1),
        derive_seed(1, "weights"),
        derive_seed(2, "weights"),
    }
    assert len(seeds) == 4


@pytest.mark.parametrize(("count", "batch_size"), [(0, 1), (1, 0)])
def test_nothing_to_draw_from_is_an_error(count: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        BatchOrder(1, count, batch_size)
