"""A small, seeded run of the simulation behind `scripts/benchmarks/correlation_coverage.py`."""

from __future__ import annotations

import statistics

import pytest

from harness.analysis.correlation.simulation import Tally, simulate, true_values

SIMULATIONS = 30


@pytest.fixture(scope="module")
def tally() -> Tally:
    return simulate(range(1, SIMULATIONS + 1), 5, true_values(blocks=200))


def test_intervals_hold_the_truth_about_as_often_as_they_say(tally: Tally) -> None:
    kinds = {"spearman", "kendall", "partial", "ratio", "slope", "share", "90 % of the plateau"}
    assert set(tally.covered) == kinds
    for kind, (inside, every) in tally.covered.items():
        # 30 simulations: numbers of one simulation go together, so the bounds are wider than those of 1,000.
        assert 0.90 <= inside / every <= 0.99, (kind, inside, every)


def test_false_discoveries_stay_rare_and_planted_effects_are_found(tally: Tally) -> None:
    assert tally.simulations == SIMULATIONS
    for kind, rates in tally.false_rates.items():
        assert statistics.fmean(rates) < 0.10, kind
    found, planted = tally.interactions
    assert planted == 3 * SIMULATIONS
    assert found / planted > 0.95


def test_the_counts_notice_intervals_that_are_too_narrow() -> None:
    """The check can fail: against truths that are off, hardly an interval holds."""
    wrong = {key: value * 1.5 + 0.2 for key, value in true_values(blocks=50).items() if key[0] == "slope"}
    found = simulate(range(1, 3), 5, wrong).covered["slope"]
    assert found[0] / found[1] < 0.5
