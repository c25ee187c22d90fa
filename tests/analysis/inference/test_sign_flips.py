"""The sign-flip test against all flips written out, and what few blocks cannot say."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from harness.analysis.inference.sign_flips import DRAWN, EXACT_UP_TO, MOST_DRAWN, draws_for, sign_flip_test, smallest_p


def by_hand(values: list[float]) -> float:
    seen = abs(sum(values))
    sums = [abs(sum(sign * value for sign, value in zip(signs, values, strict=True))) for signs in flips(len(values))]
    return sum(total >= seen - 1e-12 for total in sums) / len(sums)


def flips(n: int) -> list[tuple[int, ...]]:
    return list(product((1, -1), repeat=n))


@pytest.mark.parametrize("n", range(1, 10))
def test_all_flips_are_tried(n: int) -> None:
    values = np.random.default_rng(n).normal(0.4, 1.0, n).tolist()
    found = sign_flip_test(values)
    assert found.exact and found.flips == 2**n
    assert found.p == pytest.approx(by_hand(values), abs=1e-15)


@pytest.mark.parametrize(("n", "smallest"), [(1, 1.0), (2, 0.5), (3, 0.25), (5, 0.0625), (6, 0.03125), (9, 2 / 512)])
def test_the_smallest_p_of_few_blocks(n: int, smallest: float) -> None:
    assert smallest_p(n) == smallest
    assert sign_flip_test([1.0 + 0.01 * i for i in range(n)]).p == smallest


def test_ties_and_zeros_count_as_far() -> None:
    assert sign_flip_test([0.0, 0.0, 0.0]).p == 1.0
    assert sign_flip_test([1.0, 1.0, -1.0, -1.0]).p == 1.0
    assert sign_flip_test([0.1, 0.2, 0.3]).p == 0.25  # 0.1 + 0.2 + 0.3 is not 0.6 in binary
    assert sign_flip_test([1.0, 0.0]).p == 1.0  # a block without a difference tells nothing


def test_the_sign_of_the_mean_does_not_matter() -> None:
    values = [0.3, -0.1, 0.5, 0.2, 0.4, -0.05]
    assert sign_flip_test(values).p == sign_flip_test([-value for value in values]).p


def test_many_blocks_are_drawn_and_p_is_never_zero() -> None:
    values = np.random.default_rng(3).normal(0.3, 1.0, EXACT_UP_TO + 1)
    found = sign_flip_test(values.tolist())
    assert not found.exact and found.flips == DRAWN
    signs = np.array(flips(EXACT_UP_TO + 1))
    exact = float(np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-12))
    assert found.p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / DRAWN) ** 0.5)
    assert sign_flip_test([1.0] * 39 + [-1e-3]).p == 1 / (1 + DRAWN)
    assert sign_flip_test(values.tolist()) == found


def test_nothing_cannot_be_tested() -> None:
    with pytest.raises(ValueError, match="no values"):
        sign_flip_test([])


@pytest.mark.parametrize("n", [14, 20, 40])
def test_of_one_sign_p_is_exact_for_any_number_of_blocks(n: int) -> None:
    found = sign_flip_test([-1.0 - 0.01 * i for i in range(n)])
    assert found.exact and found.p == smallest_p(n) == 2 / 2**n


@pytest.mark.parametrize("comparisons", [561, 4950])
def test_enough_flips_are_drawn_for_a_family_of_many_comparisons(comparisons: int) -> None:
    values = [1.0] * 39 + [-1e-3]
    assert comparisons * sign_flip_test(values).p > 0.05
    assert comparisons * sign_flip_test(values, draws_for(comparisons, 0.05)).p < 0.05
    assert draws_for(1, 0.05) == DRAWN and draws_for(10**6, 0.05) == MOST_DRAWN
