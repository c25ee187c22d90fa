"""Rank correlations against scipy and against the plainest way to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.analysis.correlation.alignment import without_blocks
from harness.analysis.correlation.associations import benjamini_hochberg
from harness.analysis.correlation.jackknife import groups_of, jackknife, over_blocks
from harness.analysis.correlation.kendall import tau
from harness.analysis.correlation.permutation import permutation_p
from harness.analysis.correlation.ranks import midranks, rank_correlations

BLOCKS = np.repeat(np.arange(6), 12)


def table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Factors with ties, and outcomes that follow them."""
    chance = np.random.default_rng(seed)
    factors = np.stack([chance.integers(0, 4, 72), chance.integers(0, 3, 72)], axis=1).astype(float)
    outcomes = np.stack([factors[:, 0] + chance.normal(size=72), np.round(chance.normal(size=72), 1)], axis=1)
    return factors, outcomes


def test_spearman_is_scipys_with_ties() -> None:
    factors, outcomes = table()
    found = rank_correlations(factors, outcomes, np.zeros((72, 0)), BLOCKS)
    for i in range(2):
        for j in range(2):
            assert found.spearman[i, j] == pytest.approx(
                stats.spearmanr(factors[:, i], outcomes[:, j]).statistic, abs=1e-12
            )


def test_without_a_block_it_is_that_of_the_other_rows() -> None:
    factors, outcomes = table()
    found = rank_correlations(factors, outcomes, np.zeros((72, 0)), BLOCKS)
    for block in range(6):
        kept = block != BLOCKS
        expected = stats.spearmanr(factors[kept, 0], outcomes[kept, 1]).statistic
        assert found.spearman_without[block, 0, 1] == pytest.approx(expected, abs=1e-12)


def test_partial_is_the_correlation_of_what_the_others_leave() -> None:
    factors, outcomes = table(1)
    controls = np.eye(3)[np.random.default_rng(2).integers(0, 3, 72)][:, 1:]
    found = rank_correlations(factors, outcomes, controls, BLOCKS)
    ranks = [stats.rankdata(column) for column in (*factors.T, *outcomes.T)]
    held = np.column_stack([np.ones(72), ranks[1], controls])
    left = [column - held @ np.linalg.lstsq(held, column, rcond=None)[0] for column in (ranks[0], ranks[2])]
    assert found.partial[0, 0] == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)


def test_a_factor_that_the_others_determine_has_no_partial_coefficient() -> None:
    factors, outcomes = table()
    doubled = np.stack([factors[:, 0], 2 * factors[:, 0]], axis=1)
    found = rank_correlations(doubled, outcomes, np.zeros((72, 0)), BLOCKS)
    assert np.isnan(found.partial).all()
    assert np.isfinite(found.spearman).all()


def test_an_outcome_with_one_value_has_no_coefficient() -> None:
    factors, _ = table()
    found = rank_correlations(factors, np.ones((72, 1)), np.zeros((72, 0)), BLOCKS)
    assert np.isnan(found.spearman).all()


def test_kendall_is_scipys_and_exact_without_each_block() -> None:
    factors, outcomes = table(3)
    for outcome in outcomes.T:
        value, without = tau(factors[:, 0], outcome, BLOCKS)
        assert value == pytest.approx(stats.kendalltau(factors[:, 0], outcome).statistic, abs=1e-12)
        for block in range(6):
            kept = block != BLOCKS
            expected = stats.kendalltau(factors[kept, 0], outcome[kept]).statistic
            assert without[block] == pytest.approx(expected, abs=1e-12)


def test_kendall_of_one_value_is_none() -> None:
    value, without = tau(np.ones(72), table()[1][:, 0], BLOCKS)
    assert np.isnan(value)
    assert np.isnan(without).all()


def test_midranks() -> None:
    assert midranks(np.array([0, 2, 2, 1])).tolist() == [1.0, 3.5, 3.5, 2.0]


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    """Of a mean the jackknife's standard error is the usual one, so the interval is that of Student."""
    values = np.array([3.0, 4.5, 2.5, 5.0, 4.0])
    without = np.array([[np.delete(values, i).mean()] for i in range(5)])
    spread = jackknife(np.array([values.mean()]), without)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (spread.low[0], spread.high[0]) == pytest.approx((low, high))
    assert spread.p[0] == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    mean, same = over_blocks(values[:, None])
    assert (mean[0], same.low[0], same.high[0]) == pytest.approx((values.mean(), low, high))


def test_two_blocks_give_no_interval() -> None:
    assert np.isnan(jackknife(np.array([0.5]), np.array([[0.4], [0.6]]), correlations=True).low).all()
    assert np.isnan(over_blocks(np.array([[1.0], [2.0], [np.nan]]))[1].low).all()


def test_many_blocks_are_left_out_in_groups() -> None:
    groups, count = groups_of(np.arange(1000), 1000)
    assert count == 40
    assert np.bincount(groups).tolist() == [25] * 40


def test_an_interval_of_a_coefficient_stays_between_minus_one_and_one() -> None:
    spread = jackknife(np.array([0.95]), np.array([[0.9], [0.99], [0.93]]), correlations=True)
    assert -1 <= spread.low[0] < 0.95 < spread.high[0] <= 1


def test_a_coefficient_of_one_without_one_block_leaves_an_interval() -> None:
    spread = jackknife(np.array([0.98]), np.array([[0.97], [1.0], [0.975]]), correlations=True, most=1 - 6 / 12**3)
    assert -1 < spread.low[0] < 0.98 < spread.high[0] < 1


def test_blocks_are_taken_out_wholly_where_they_are_complete() -> None:
    chance = np.random.default_rng(4)
    cells = np.tile(np.arange(4), 5)
    blocks = np.repeat(np.arange(5), 4)
    inner = chance.normal(size=20)
    first = without_blocks((inner + 10 * chance.normal(size=5)[blocks])[:, None], blocks, cells)
    second = without_blocks(inner[:, None], blocks, cells)
    assert first == pytest.approx(second, abs=1e-8)


def test_a_block_that_lacks_a_cell_is_not_taken_for_a_fast_one() -> None:
    """Cells 0 and 10, block 2 without the cell of 10: its plain mean is lower, its effect is not."""
    cells, blocks = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2])
    values = np.array([0.0, 10.0, 0.0, 10.0, 0.0])
    found = without_blocks(values[:, None], blocks, cells)[:, 0]
    assert np.ptp(found[cells == 0]) == pytest.approx(0.0, abs=1e-6)
    assert found[1] - found[0] == pytest.approx(10.0, abs=1e-6)


def test_benjamini_hochberg_by_hand_and_by_scipy() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert benjamini_hochberg([]) == []
    drawn = np.random.default_rng(5).random(50) ** 3
    assert benjamini_hochberg(list(drawn)) == pytest.approx(list(stats.false_discovery_control(drawn)))


def test_permutations_inside_blocks() -> None:
    """Three levels in perfect order in two blocks: 2 of the 36 orders are as strong."""
    levels, blocks = np.tile([1.0, 2.0, 3.0], 2), np.repeat([0, 1], 3)
    outcome = levels + 10.0 * blocks
    aligned = outcome - np.repeat([2.0, 12.0], 3)
    assert permutation_p(levels, aligned, blocks, draws=3999) == pytest.approx(2 / 36, abs=0.012)
    assert permutation_p(np.tile(levels, 3), np.tile(aligned, 3), np.repeat(np.arange(6), 3)) == pytest.approx(0.001)
    assert permutation_p(levels, np.array([1.0, 2.0, 3.0, 3.0, 2.0, 1.0]), blocks) == 1.0
