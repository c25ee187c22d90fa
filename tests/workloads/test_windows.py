"""Windows of convolutions and pools: counted one by one, and against the formulas of the frameworks."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.workloads.networks.windows import WindowError, resolve

SIZES = st.integers(1, 40)
KERNELS = st.integers(1, 11)
STRIDES = st.integers(1, 8)
PADS = st.integers(0, 6)


def full_windows(size: int, kernel: int, stride: int, pad: int) -> list[int]:
    """Where the windows start, from the first padded element on, that lie wholly in the padded input."""
    return [start for start in range(0, size + 2 * pad, stride) if start + kernel <= size + 2 * pad]


def covering_windows(size: int, kernel: int, stride: int, pad: int) -> list[int]:
    """Windows one after the other until the padded input is covered, without one that starts behind the image."""
    starts = [0]
    while starts[-1] + kernel < size + 2 * pad:
        starts.append(starts[-1] + stride)
    if len(starts) > 1 and starts[-1] >= pad + size:
        starts.pop()
    return starts


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, pad=PADS)
def test_floor_counts_the_windows_that_fit(size: int, kernel: int, stride: int, pad: int) -> None:
    assume(kernel <= size + 2 * pad)
    windows = resolve(size, kernel, stride, pad, "floor")
    assert windows.count == len(full_windows(size, kernel, stride, pad))
    assert windows.count == math.floor((size + 2 * pad - kernel) / stride) + 1
    assert windows.before == pad


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, pad=PADS)
def test_ceil_counts_the_windows_that_cover(size: int, kernel: int, stride: int, pad: int) -> None:
    assume(kernel <= size + 2 * pad and pad < kernel)
    windows = resolve(size, kernel, stride, pad, "ceil")
    assert windows.count == len(covering_windows(size, kernel, stride, pad))
    unclipped = math.ceil((size + 2 * pad - kernel) / stride) + 1
    assert windows.count == unclipped - ((unclipped - 1) * stride >= size + pad)
    assert windows.before == pad


@given(size=SIZES, kernel=KERNELS, stride=STRIDES)
def test_same_has_a_window_for_every_stride_and_splits_the_least_padding(size: int, kernel: int, stride: int) -> None:
    windows = resolve(size, kernel, stride, "same", None)
    assert windows.count == len(range(0, size, stride)) == math.ceil(size / stride)
    least = next(total for total in range(kernel + size) if (windows.count - 1) * stride + kernel <= size + total)
    assert windows.before == least // 2
    if least:
        assert windows.after == least - least // 2


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, padding=PADS | st.sampled_from(["valid", "same"]), data=st.data())
def test_the_padding_on_both_sides_holds_exactly_the_windows(size, kernel, stride, padding, data) -> None:
    rounding = data.draw(st.sampled_from(["floor", "ceil"]))
    pad = padding if isinstance(padding, int) else 0
    assume(padding == "same" or (kernel <= size + 2 * pad and pad < kernel))
    windows = resolve(size, kernel, stride, padding, rounding)
    assert windows.before + size + windows.after == (windows.count - 1) * stride + kernel
    last = (windows.count - 1) * stride - windows.before
    assert kernel - windows.before > 0 and last < size, "the first and the last window touch the image"


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, pad=PADS)
def test_without_rounding_windows_have_to_tile(size: int, kernel: int, stride: int, pad: int) -> None:
    assume(kernel <= size + 2 * pad)
    covered = full_windows(size, kernel, stride, pad)[-1] + kernel
    if covered == size + 2 * pad:
        assert resolve(size, kernel, stride, pad, None) == resolve(size, kernel, stride, pad, "floor")
        assert resolve(size, kernel, stride, pad, None) == resolve(size, kernel, stride, pad, "ceil")
    else:
        with pytest.raises(WindowError, match=f"windows of {kernel} with stride {stride} do not tile"):
            resolve(size, kernel, stride, pad, None)


@given(size=SIZES, kernel=KERNELS, stride=STRIDES, rounding=st.sampled_from(["floor", "ceil", None]))
def test_valid_is_no_padding(size: int, kernel: int, stride: int, rounding) -> None:
    def outcome(padding):
        try:
            return resolve(size, kernel, stride, padding, rounding)
        except WindowError as error:
            return str(error)

    assert outcome("valid") == outcome(0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((32, 3, 2, 0, "floor"), (15, 0, -1)),  # the last row is covered by no window
        ((32, 3, 2, 0, "ceil"), (16, 0, 1)),  # Caffe's pools of CIFAR-10
        ((24, 3, 2, "same", None), (12, 0, 1)),  # TensorFlow pads an odd row behind
        ((9, 3, 2, "same", None), (5, 1, 1)),
        ((7, 1, 3, "same", None), (3, 0, 0)),
        ((8, 1, 3, "same", None), (3, 0, -1)),
        ((28, 3, 3, 1, None), (10, 1, 1)),  # Torch's first pool of MNIST
        ((5, 2, 2, 1, "ceil"), (3, 1, 0)),  # the fourth window would start at 5, behind the image: clipped
        ((4, 2, 3, 0, "ceil"), (2, 0, 1)),
        ((4, 2, 4, 0, "ceil"), (1, 0, -2)),
    ],
)
def test_by_hand(arguments: tuple, expected: tuple[int, int, int]) -> None:
    windows = resolve(*arguments)
    assert (windows.count, windows.before, windows.after) == expected


def test_a_kernel_larger_than_its_padded_input_is_refused() -> None:
    with pytest.raises(WindowError, match="kernel 6 is larger than its padded input of 5"):
        resolve(3, 6, 1, 1, "ceil")
