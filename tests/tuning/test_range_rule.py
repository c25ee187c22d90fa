"""The rule of the range test, on made-up outcomes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DlgaugeError
from harness.reporting.range_text import range_as_dict, range_text
from harness.tuning.outcomes import Outcome
from harness.tuning.range_test import UsableRange, judge, rate_grid

RATES = (0.001, 0.01, 0.1, 1.0)


def outcome(
    rate: float, *, seed: int = 1, loss: float | None = 0.3, top1: float | None = 0.9, **changes: Any
) -> Outcome:
    values: dict[str, Any] = {
        "trial": f"{rate:g}-{seed}",
        "record": Path("store") / f"{rate:g}-{seed}",
        "framework": "torch",
        "seed": seed,
        "learning_rate": {"policy": "FIX", "k0": rate},
        "termination": "completed",
        "reason": None,
        "steps": 100,
        "first_loss": 2.3,
        "final_loss": loss,
        "top1": top1,
        "images": 1000,
        "validation_loss": loss,
        "test_top1": top1,
        "diverged_step": None,
        "diverged_rate": None,
        "training_time_s": 1.0,
    }
    return Outcome(**{**values, **changes})


def diverged(rate: float, *, seed: int = 1) -> Outcome:
    return outcome(rate, seed=seed, loss=None, top1=None, termination="diverged", reason="the loss was nan at step 6")


def judged(outcomes: list[Outcome], *, seeds: int = 1) -> UsableRange:
    return judge("torch", RATES, outcomes, seeds=seeds, classes=10)


def test_the_grid_has_equal_ratios_and_both_ends() -> None:
    assert rate_grid(1e-4, 1, 5) == (0.0001, 0.001, 0.01, 0.1, 1.0)
    assert rate_grid(0.01, 0.1, 3) == (0.01, 0.03162, 0.1)


def test_close_rates_stay_different_and_in_order() -> None:
    rates = rate_grid(0.1, 0.1001, 13)
    assert (rates[0], rates[-1]) == (0.1, 0.1001)
    steps = [later / earlier for earlier, later in itertools.pairwise(rates)]
    assert min(steps) > 1
    assert max(steps) - 1 < 1.5 * (min(steps) - 1)
    with pytest.raises(DlgaugeError, match="there are no 13 different rates"):
        rate_grid(0.1, math.nextafter(0.1, 1), 13)


def test_rates_near_the_best_are_usable_and_a_slow_and_a_diverged_one_are_not() -> None:
    found = judged([outcome(0.001, loss=1.9), outcome(0.01, loss=0.4), outcome(0.1), diverged(1.0)])
    assert (found.low, found.high, found.best) == (0.01, 0.1, 0.1)
    assert found.remarks == ()
    assert [point.usable for point in found.points] == [False, True, True, False]
    assert found.points[0].why_not == "loss fell by 20 % of the best fall"
    assert found.points[3].why_not == "diverged in 1 of 1"


def test_a_rate_that_only_fits_its_mini_batches_is_not_usable() -> None:
    found = judged([outcome(0.001), outcome(0.01), outcome(0.1, loss=0.2, top1=0.5), diverged(1.0)])
    assert found.high == 0.01
    assert found.points[2].why_not == "top-1 gained 50 % of the best gain"


def test_one_diverged_seed_is_enough() -> None:
    outcomes = [outcome(rate, seed=seed) for rate in (0.001, 0.01, 1.0) for seed in (1, 2)]
    found = judged([*outcomes, outcome(0.1), diverged(0.1, seed=2)], seeds=2)
    assert found.points[2].why_not == "diverged in 1 of 2"
    assert (found.low, found.high) == (0.001, 0.01)
    assert any("apart from the range: 1;" in remark for remark in found.remarks)


def test_a_range_that_touches_the_grid_says_so() -> None:
    found = judged([outcome(rate) for rate in RATES])
    assert len(found.remarks) == 2
    assert "--from" in found.remarks[0]
    assert "--to" in found.remarks[1]


def test_nothing_usable_is_said_and_not_guessed() -> None:
    found = judged([diverged(rate) for rate in RATES])
    assert found.low is found.high is found.best is None
    assert "no rate of the grid is usable" in found.remarks[0]
    assert range_as_dict(found)["suggested"] is None
    assert "usable range: none" in range_text(found, Path("store"))


def test_a_loss_that_rises_everywhere_is_no_best() -> None:
    found = judged([outcome(rate, loss=2.5) for rate in RATES])
    assert found.low is None
    assert {point.why_not for point in found.points} == {"the loss did not fall"}


def test_missing_runs_leave_the_range_open() -> None:
    found = judged([outcome(0.01), outcome(0.1)])
    assert found.points[0].why_not == "0 of 1 runs so far"
    assert any("not final" in remark for remark in found.remarks)


def test_plain_values_name_every_record() -> None:
    found = range_as_dict(judged([outcome(0.001, loss=1.9), outcome(0.01), outcome(0.1), diverged(1.0)]))
    assert found["usable"] == {"from": 0.01, "to": 0.1}
    assert found["suggested"] == {"k0": 0.01, "k1": 0.1}
    (run,) = found["points"][3]["runs"]
    assert (run["termination"], run["training_loss"], run["record"]) == ("diverged", None, "store/1-1")
