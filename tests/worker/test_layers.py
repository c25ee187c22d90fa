"""What adapters are told of layers, against counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from frameworks.worker.layers import connection_mask, dropout_layers, pool_divisors, positive_padding
from harness.workloads import resolve_network


def resolved(size: tuple[int, int, int] = (3, 9, 8), **layer: Any) -> dict[str, Any]:
    network = resolve_network({"name": "net", "input": size, "layers": [{"name": "only", **layer}]})
    only: dict[str, Any] = network["layers"][0]
    return only


def counted(layer: dict[str, Any], height: int, width: int) -> np.ndarray:
    """Of every window, its elements in the image, or in the image with its explicit padding, one by one."""
    more = layer["explicit_padding"] if layer["divisor"] == "padded" else 0
    kernel, stride, (top, left) = layer["kernel"], layer["stride"], (side[0] for side in layer["padding"])
    rows, columns = layer["output_shape"][1:]

    def count(row: int, column: int) -> int:
        first_row, first_column = row * stride - top, column * stride - left
        down, right = range(first_row, first_row + kernel), range(first_column, first_column + kernel)
        return sum(-more <= i < height + more and -more <= j < width + more for i in down for j in right)

    return np.array([[count(row, column) for column in range(columns)] for row in range(rows)], np.float32)


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3) | st.sampled_from(["valid", "same"]),
    rounding=st.sampled_from(["floor", "ceil"]),
    divisor=st.sampled_from(["inside", "padded"]),
)
def test_divisors_of_average_pools(height, width, kernel, stride, padding, rounding, divisor) -> None:
    pad = padding if isinstance(padding, int) else 0
    assume(padding == "same" or (pad < kernel <= min(height, width) + 2 * pad))
    fields = {"kernel": kernel, "stride": stride, "padding": padding, "rounding": rounding, "divisor": divisor}
    layer = resolved((1, height, width), kind="average_pool", **fields)
    divisors = pool_divisors(layer)
    assert divisors.dtype == np.float32
    assert (divisors > 0).all()
    np.testing.assert_array_equal(divisors, counted(layer, height, width))


@pytest.mark.parametrize(
    ("divisor", "expected"),
    [
        ("inside", [[4, 4], [4, 4]]),  # windows of 3 over 3x3 with one row of padding, stride 2
        ("padded", [[9, 9], [9, 9]]),
    ],
)
def test_divisors_by_hand(divisor: str, expected: list[list[int]]) -> None:
    layer = resolved((1, 3, 3), kind="average_pool", kernel=3, stride=2, padding=1, divisor=divisor)
    assert pool_divisors(layer).tolist() == expected


def test_what_hangs_over_through_rounding_up_is_not_counted() -> None:
    layer = resolved((1, 4, 4), kind="average_pool", kernel=3, stride=2, rounding="ceil", divisor="padded")
    assert pool_divisors(layer).tolist() == [[9, 6], [6, 4]]


def test_rows_that_no_window_covers_need_no_padding() -> None:
    layer = resolved(kind="convolution", filters=2, kernel=3, stride=2)
    assert layer["padding"] == [[0, 0], [0, -1]]
    assert positive_padding(layer) == [(0, 0), (0, 0)]
    assert positive_padding(resolved(kind="max_pool", kernel=3, stride=2, padding="same")) == [(1, 1), (0, 1)]


def test_a_connection_mask_is_one_where_the_table_connects() -> None:
    layer = resolved(kind="convolution", filters=4, kernel=2, connections={"fan_in": 2})
    mask = connection_mask(layer, (4, 3, 2, 2))
    assert mask is not None and mask.dtype == np.float32
    for row, channels in enumerate(layer["connections"]):
        assert [channel for channel in range(3) if mask[row, channel].all()] == channels
    assert mask.sum() == 4 * 2 * 2 * 2
    assert connection_mask(resolved(kind="convolution", filters=4, kernel=2), (4, 3, 2, 2)) is None


def test_dropout_layers_are_found_by_kind() -> None:
    network = {"layers": [resolved(kind="tanh"), resolved(kind="dropout", keep=0.5)]}
    assert [layer["keep"] for layer in dropout_layers(network)] == [0.5]
