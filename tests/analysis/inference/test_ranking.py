"""Friedman's and Nemenyi's tests: printed values, ties, and blocks that are not complete."""

from __future__ import annotations

import math

import pytest

from harness.analysis.inference.ranking import critical_difference, rank


def values_of(*rows: list[float]) -> dict[str, dict[int, float]]:
    return {name: dict(enumerate(row, 1)) for name, row in zip("abcdefgh", rows, strict=False)}


@pytest.mark.parametrize(("rows", "printed"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_values_are_those_printed_by_demsar(rows: int, printed: float) -> None:
    """Demšar 2006, table 5(a): q / sqrt(2) at 0.05."""
    q = critical_difference(rows, 10) / math.sqrt(rows * (rows + 1) / 60)
    assert q == pytest.approx(printed, abs=1e-3)  # he cuts the third digit off


def test_a_clear_order_with_one_pair_that_cannot_be_told_apart() -> None:
    blocks = range(10)
    found = rank(
        values_of(
            [10.0 + i for i in blocks],
            [10.0 + i + (0.1 if i % 2 else -0.1) for i in blocks],
            [30.0 + i for i in blocks],
            [40.0 + i for i in blocks],
        ),
        lower_is_better=True,
    )
    assert found.rows == ("a", "b", "c", "d")
    assert found.mean_ranks == (1.5, 1.5, 3.0, 4.0)
    assert found.statistic == pytest.approx(27.0)  # 12 N / (k (k + 1)) (sum of squares - k (k + 1)^2 / 4)
    assert found.p is not None and found.p < 1e-4
    assert found.critical_difference == pytest.approx(2.569 * math.sqrt(20 / 60), abs=1e-3)
    assert found.groups == (("a", "b"), ("c", "d"))  # a and c are 1.5 apart, c and d 1.0


def test_higher_is_better_turns_the_order() -> None:
    rows = values_of([1.0] * 6, [2.0] * 6, [3.0] * 6)
    assert rank(rows, lower_is_better=True).rows == ("a", "b", "c")
    assert rank(rows, lower_is_better=False).rows == ("c", "b", "a")


def test_ties_share_their_ranks() -> None:
    found = rank(values_of([1.0] * 6, [1.0] * 6, [2.0] * 6), lower_is_better=True)
    assert found.mean_ranks == (1.5, 1.5, 3.0)
    assert found.statistic == pytest.approx(12.0)  # corrected for ties, else 9


def test_rows_that_are_always_equal_are_said_to_be() -> None:
    found = rank(values_of([1.0] * 6, [1.0] * 6, [1.0] * 6), lower_is_better=True)
    assert found.reason == "all rows are equal in every block" and found.p is None and found.groups == ()


def test_no_difference_is_one_group() -> None:
    found = rank(
        values_of([1.0, 2.0, 3.0, 1.0, 2.0, 3.0], [2.0, 3.0, 1.0, 2.0, 3.0, 1.0], [3.0, 1.0, 2.0, 3.0, 1.0, 2.0]),
        lower_is_better=True,
    )
    assert found.p == pytest.approx(1.0)
    assert found.groups == (found.rows,)


def test_incomplete_blocks_are_named() -> None:
    rows = values_of([1.0] * 8, [2.0] * 8, [3.0] * 8)
    del rows["b"][3]
    del rows["c"][3]
    del rows["c"][8]
    found = rank(rows, lower_is_better=True)
    assert found.seeds == (1, 2, 4, 5, 6, 7)
    assert found.left_out == {3: ("b", "c"), 8: ("c",)}
    assert found.p is not None


def test_too_few_blocks_and_rows() -> None:
    found = rank(values_of([1.0] * 5, [2.0] * 5, [3.0] * 5), lower_is_better=True)
    assert found.reason == "5 complete blocks: Friedman's and Nemenyi's tests take 6"
    assert rank(values_of([1.0] * 9, [2.0] * 9), lower_is_better=True).reason == "a ranking takes 3 rows, 2 have values"
    assert rank({}, lower_is_better=True).reason is not None
