"""Early stopping: the rule of patience against the script it comes from, and what the training loop makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.worker.order import held_out
from frameworks.worker.patience import Patience

RULE = {"watch": "error", "patience_steps": 12, "patience_factor": 2.0, "smallest_improvement": 0.005}


def script(errors: list[float], period: int, total: int, rule: dict[str, Any]) -> tuple[int, int]:
    """(last step, step of the best error): the loop of the tutorial, iteration by iteration, counted from 0."""
    patience, best, best_step = rule["patience_steps"], np.inf, 0
    for iteration in range(total):
        if (iteration + 1) % period == 0:
            error = errors[(iteration + 1) // period - 1]
            if error < best:
                if error < best * (1 - rule["smallest_improvement"]):
                    patience = max(patience, iteration * rule["patience_factor"])
                best, best_step = error, iteration + 1
        if patience <= iteration:
            return iteration + 1, best_step
    return total, best_step


def with_patience(errors: list[float], period: int, total: int, rule: dict[str, Any]) -> tuple[int, int]:
    patience = Patience(rule)
    for number, error in enumerate(errors[: total // period], start=1):
        if number * period > min(total, patience.last_step):
            break
        patience.improved(number * period, {"top1": 1.0 - error, "loss": 10 * error})
    return min(total, patience.last_step), patience.best_step


@given(
    errors=st.lists(st.integers(0, 64).map(lambda n: n / 64), min_size=40, max_size=40),
    period=st.integers(1, 7),
    patience_steps=st.integers(1, 60),
    factor=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    watch=st.sampled_from(["error", "loss"]),
)
def test_it_ends_at_the_step_at_which_the_script_ends(
    errors: list[float], period: int, patience_steps: int, factor: float, watch: str
) -> None:
    rule = {"watch": watch, "patience_steps": patience_steps, "patience_factor": factor, "smallest_improvement": 0.005}
    assert with_patience(errors, period, 40 * period, rule) == script(errors, period, 40 * period, rule)


def test_an_improvement_that_is_too_small_is_the_best_but_buys_no_patience() -> None:
    patience = Patience(RULE)
    assert patience.improved(10, {"top1": 0.5, "loss": 1.0})
    assert patience.last_step == 19  # 2 * 9, counted from 0
    assert patience.improved(18, {"top1": 0.501, "loss": 1.0})
    assert (patience.last_step, patience.best_step) == (19, 18)
    assert not patience.improved(19, {"top1": 0.501, "loss": 0.1})


def test_a_score_that_is_not_finite_improves_nothing() -> None:
    patience = Patience({**RULE, "watch": "loss"})
    assert not patience.improved(10, {"top1": None, "loss": None})
    assert patience.best_step == 0


@pytest.mark.parametrize(("position", "trained", "rest"), [("first", (2, 6), (0, 2)), ("last", (0, 4), (4, 6))])
def test_what_is_held_out_is_not_trained_on(position: str, trained: tuple[int, int], rest: tuple[int, int]) -> None:
    numbers = list(range(6))
    kept, held = held_out(6, {"images": 2, "position": position})
    assert numbers[kept] == numbers[slice(*trained)]
    assert numbers[held] == numbers[slice(*rest)]
