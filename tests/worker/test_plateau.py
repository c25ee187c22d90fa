"""Plateau rules on made-up courses of the validation images."""

from __future__ import annotations

from typing import Any

import pytest

from frameworks.worker.plateau import plateau_rule, watched

REDUCE: dict[str, Any] = {
    "policy": "REDUCE_ON_PLATEAU",
    "k0": 1.0,
    "factor": 0.1,
    "patience": 2,
    "threshold": 0.0,
    "threshold_mode": "relative",
    "cooldown": 0,
    "smallest_rate": 0.0,
    "watch": "loss",
}
CHANGE: dict[str, Any] = {
    "policy": "CHANGE_ON_PLATEAU",
    "start_index": 2,
    "cooldown": 0,
    "threshold": 0.01,
    "window": 3,
    "turn": 0.8,
    "watch": "error",
}


def followed(rule: dict[str, Any], values: list[float | None], *, candidates: int = 5, steps: int = 1000) -> list[int]:
    """The candidate in force after each evaluation, one every 10 steps."""
    state = plateau_rule(rule, candidates, steps)
    assert state is not None
    found = []
    for number, value in enumerate(values, start=1):
        key = "loss" if rule["watch"] == "loss" else "top1"
        scores = {"loss": None, "top1": None, key: value}
        before = state.index
        assert state.look(10 * number, scores) is (state.index != before)
        found.append(state.index)
    return found


def test_a_function_of_the_step_has_no_rule() -> None:
    assert plateau_rule({"policy": "FIX", "k0": 0.1}, 1, 10) is None


def test_what_is_watched_is_smaller_where_it_is_better() -> None:
    assert watched(REDUCE, {"loss": 0.5, "top1": 0.75}) == 0.5
    assert watched(CHANGE, {"loss": 0.5, "top1": 0.75}) == 0.25
    assert watched(REDUCE, {"loss": None, "top1": None}) is None
    assert watched(REDUCE, {"loss": float("nan"), "top1": 0.1}) is None


def test_the_rate_falls_after_more_than_patience_evaluations_without_an_improvement() -> None:
    assert followed(REDUCE, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == [0, 0, 0, 1, 1, 1, 2]
    assert followed(REDUCE, [1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9]) == [0, 0, 0, 0, 0, 0, 1]
    assert followed({**REDUCE, "patience": 0}, [1.0, 0.9, 0.9, 0.8, 0.8]) == [0, 0, 1, 1, 2]


def test_the_threshold_is_relative_or_absolute() -> None:
    creeping = [1.0, 0.95, 0.90, 0.85, 0.80]
    assert followed({**REDUCE, "patience": 0, "threshold": 0.08}, creeping) == [0, 1, 1, 2, 2]
    absolute = {**REDUCE, "patience": 0, "threshold": 0.08, "threshold_mode": "absolute"}
    assert followed(absolute, creeping) == [0, 1, 1, 2, 2]
    assert followed({**REDUCE, "patience": 0, "threshold": 0.05}, [10.0, 9.9]) == [0, 1]
    assert followed({**absolute, "threshold": 0.05}, [10.0, 9.9]) == [0, 0]


def test_after_a_change_the_cooldown_is_not_counted() -> None:
    assert followed({**REDUCE, "patience": 0, "cooldown": 2}, [1.0] * 8) == [0, 1, 1, 1, 2, 2, 2, 3]


def test_an_evaluation_without_a_value_is_no_improvement() -> None:
    assert followed({**REDUCE, "patience": 1}, [1.0, None, 0.9, None, None]) == [0, 0, 0, 0, 1]


def test_at_the_smallest_rate_nothing_changes() -> None:
    assert followed({**REDUCE, "patience": 0}, [1.0] * 5, candidates=2) == [0, 1, 1, 1, 1]


def reduced_by_torch(rule: dict[str, Any], values: list[float]) -> list[int]:
    """`torch.optim.lr_scheduler.ReduceLROnPlateau.step`, after its source, with mode `min` and eps 0."""
    best, bad, cooldown, changes, found = float("inf"), 0, 0, 0, []
    for value in values:
        bound = best - rule["threshold"] if rule["threshold_mode"] == "absolute" else best * (1 - rule["threshold"])
        if value < bound:
            best, bad = value, 0
        else:
            bad += 1
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > rule["patience"]:
            changes, cooldown, bad = changes + 1, rule["cooldown"], 0
        found.append(changes)
    return found


@pytest.mark.parametrize("mode", ["relative", "absolute"])
@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (0, 3), (2, 0), (3, 2)])
def test_it_is_the_rule_of_torch(patience: int, cooldown: int, mode: str) -> None:
    import random

    chance = random.Random(patience + 10 * cooldown)
    values = [1.0 / (1 + 0.05 * i) + 0.1 * chance.random() for i in range(200)]
    rule = {**REDUCE, "patience": patience, "cooldown": cooldown, "threshold": 0.01, "threshold_mode": mode}
    assert followed(rule, list(values), candidates=1000) == reduced_by_torch(rule, values)


def test_before_the_turn_a_plateau_makes_the_rate_larger_and_after_it_smaller() -> None:
    flat = [0.5, 0.5, 0.5]
    assert followed(CHANGE, flat, steps=1000) == [2, 2, 1]
    assert followed(CHANGE, flat, steps=30) == [2, 2, 3]
    # 80 % of 37 steps are 29.6: done after 30. Of 38 they are 30.4.
    assert followed(CHANGE, flat, steps=37) == [2, 2, 3]
    assert followed(CHANGE, flat, steps=38) == [2, 2, 1]


@pytest.mark.parametrize(("turn", "steps"), [(0.55, 100), (0.07, 100), (0.29, 100), (0.58, 1_000_000), (0.8, 35)])
def test_a_turn_at_a_whole_step_is_at_that_step(turn: float, steps: int) -> None:
    at = round(turn * steps)
    assert abs(at - turn * steps) < 1e-6

    def index_after(step: int) -> int:
        state = plateau_rule({**CHANGE, "window": 2, "turn": turn}, 5, steps)
        assert state is not None
        state.look(1, {"loss": 0.5, "top1": 0.5})
        assert state.look(step, {"loss": 0.5, "top1": 0.5})
        return state.index

    assert (index_after(at - 1), index_after(at)) == (1, 3)


def test_one_good_step_in_the_window_is_no_plateau() -> None:
    assert followed(CHANGE, [0.5, 0.5, 0.52, 0.52]) == [2, 2, 2, 2]
    assert followed(CHANGE, [0.5, 0.5, 0.52, 0.52, 0.52]) == [2, 2, 2, 2, 1]
    assert followed({**CHANGE, "watch": "loss"}, [0.5, 0.5, 0.48, 0.48, 0.48]) == [2, 2, 2, 2, 1]


def test_getting_worse_is_a_plateau_too() -> None:
    assert followed(CHANGE, [0.5, 0.4, 0.3]) == [2, 2, 1]


def test_the_cooldown_of_a_change_lets_so_many_evaluations_pass() -> None:
    assert followed({**CHANGE, "start_index": 4, "cooldown": 3}, [0.5] * 11) == [4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 1]


def test_at_an_end_of_the_list_nothing_happens_and_no_cooldown_begins() -> None:
    """LRBench's would start one there, and a plateau right after the turn would go unused."""
    rule = {**CHANGE, "start_index": 0, "cooldown": 9}
    # The turn is at step 40: plateaus after 30 and after 40 steps.
    assert followed(rule, [0.5] * 4, steps=50) == [0, 0, 0, 1]
    assert followed({**CHANGE, "start_index": 4}, [0.5] * 3, steps=30) == [4, 4, 4]


def test_a_window_with_an_evaluation_without_a_value_is_no_plateau() -> None:
    assert followed(CHANGE, [0.5, None, 0.5, 0.5, 0.5]) == [2, 2, 2, 2, 1]
