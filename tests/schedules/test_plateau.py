"""Plateau rules as they are written in a setting, and the candidates that the worker chooses among."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from harness.schedules import candidate_rates, learning_rates, parse_learning_rate, starting_policy, usable_evaluations

REDUCE: dict[str, Any] = {"policy": "REDUCE_ON_PLATEAU", "k0": 0.1, "factor": 0.5, "patience": 1}
CHANGE: dict[str, Any] = {
    "policy": "CHANGE_ON_PLATEAU",
    "policies": [{"policy": "EXP", "k0": rate, "gamma": 0.99} for rate in (0.3, 0.2, 0.1)],
    "start_index": 1,
}


def test_a_function_of_the_step_has_one_rate_a_step() -> None:
    policy = {"policy": "EXP", "k0": 0.1, "gamma": 0.9}
    np.testing.assert_array_equal(candidate_rates(policy, 20), learning_rates(policy, 20))


def test_the_levels_are_as_many_as_the_evaluations_can_reach() -> None:
    # 10 evaluations, of which every second can be the last one that patience allows.
    rates = candidate_rates(REDUCE, 105, usable_evaluations(105, 10))
    assert rates.shape == (6, 1)
    np.testing.assert_array_equal(rates[:, 0], 0.1 * 0.5 ** np.arange(6))


@pytest.mark.parametrize(
    ("steps", "every", "warm_up"),
    [(100, 10, 0), (100, 10, 9), (100, 10, 10), (101, 10, 25), (5, 5, 0), (30, 7, 29), (30, 7, 40), (3, 1, 1)],
)
def test_an_evaluation_counts_after_the_warm_up_and_before_the_last_step(steps: int, every: int, warm_up: int) -> None:
    counted = [step for step in range(every, 1000, every) if warm_up < step < steps]
    assert usable_evaluations(steps, every, warm_up) == len(counted)
    assert usable_evaluations(steps, None, warm_up) == 0


def test_the_last_level_is_the_smallest_rate() -> None:
    rates = candidate_rates({**REDUCE, "patience": 0, "smallest_rate": 0.03}, 1000, 999)
    np.testing.assert_array_equal(rates[:, 0], [0.1, 0.05, 0.03])
    endless = candidate_rates({**REDUCE, "patience": 0}, 5000, 4999)
    assert endless[-1, 0] == 0.0 and len(endless) < 1200  # float64 has no smaller one


def test_every_policy_has_a_row_over_the_whole_training() -> None:
    rates = candidate_rates(CHANGE, 50, 4)
    assert rates.shape == (3, 50)
    for row, policy in zip(rates, CHANGE["policies"], strict=True):
        np.testing.assert_array_equal(row, learning_rates(policy, 50))


def test_the_policy_at_the_start() -> None:
    assert starting_policy(REDUCE).model_dump() == {"policy": "FIX", "k0": 0.1}
    assert starting_policy(CHANGE).model_dump()["k0"] == 0.2
    assert starting_policy(CHANGE["policies"][0]).model_dump() == CHANGE["policies"][0]


def test_policies_that_do_not_fall_are_refused_by_their_mean() -> None:
    wrong = {**CHANGE, "policies": CHANGE["policies"][::-1]}
    with pytest.raises(ValueError, match=r"from large to small .* number 1 \(from 0\) has the mean rate"):
        candidate_rates(wrong, 50, 4)


def test_more_rates_than_memory_should_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="3 policies over 4000000 steps have 12000000 rates, more than the 10000000"):
        parse_learning_rate(CHANGE).candidates(4_000_000, 9)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({**REDUCE, "factor": 1.0}, "less than 1"),
        ({**REDUCE, "k0": 0.0}, "greater than 0"),
        ({**REDUCE, "patience": -1}, "greater than or equal to 0"),
        ({**REDUCE, "smallest_rate": 0.2}, "smallest_rate 0.2 should not be larger than k0, 0.1"),
        ({**REDUCE, "threshold": 1.5}, "threshold 1.5 should be below 1"),
        ({**REDUCE, "watch": "test"}, "'error' or 'loss'"),
        ({**CHANGE, "window": 1}, "greater than or equal to 2"),
        ({**CHANGE, "policies": CHANGE["policies"][:1]}, "at least 2 items"),
        ({**CHANGE, "start_index": 3}, "start_index 3 should be at most 2: there are 3 policies"),
        ({**CHANGE, "policies": [REDUCE, REDUCE]}, "REDUCE_ON_PLATEAU"),
    ],
)
def test_wrong_values_are_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parse_learning_rate(value)


def test_an_absolute_threshold_may_be_large() -> None:
    parse_learning_rate({**REDUCE, "threshold": 1.5, "threshold_mode": "absolute"})
