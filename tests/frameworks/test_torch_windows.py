"""Torch's own pools are used where their windows are the layer's, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frameworks.torch.layers import own_windows
from frameworks.worker.layers import pool_divisors
from harness.workloads import resolve_network


def pool(size: int, **fields: Any) -> dict[str, Any]:
    layers = [{"name": "pool", **fields}, {"name": "logits", "kind": "dense", "units": 2}]
    return resolve_network({"name": "net", "input": [1, size, size], "layers": layers})["layers"][0]


def test_the_pools_of_cifar10_quick_are_torchs_own() -> None:
    largest = pool(32, kind="max_pool", kernel=3, stride=2, rounding="ceil")
    average = pool(16, kind="average_pool", kernel=3, stride=2, rounding="ceil", divisor="padded")
    assert own_windows(largest)[:2] == (0, True)
    padding, ceil_mode, divisors = own_windows(average)
    assert (padding, ceil_mode) == (0, True)
    np.testing.assert_array_equal(divisors[True], pool_divisors(average))


def test_padding_that_differs_before_and_after_is_not_torchs() -> None:
    layer = pool(24, kind="max_pool", kernel=3, stride=2, padding="same")
    assert layer["padding"][0] == [0, 1]
    assert own_windows(layer)[:2] == (0, True)  # a last window that hangs over is the same as a row of padding after
    assert own_windows(pool(8, kind="max_pool", kernel=4, stride=1, padding="same")) is None


@given(st.integers(4, 20), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2), st.sampled_from(["floor", "ceil"]))
def test_numbers_of_windows_are_those_of_the_network(
    size: int, kernel: int, stride: int, padding: int, way: str
) -> None:
    if padding > kernel // 2:
        return
    try:
        layer = pool(size, kind="max_pool", kernel=kernel, stride=stride, padding=padding, rounding=way)
    except ValueError:
        return
    assert own_windows(layer) is not None
