from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schedules import Policy, PolicyError, learning_rates, string_form
from tests.schedules.strategies import POLICIES, SOME


@SOME
@given(POLICIES, st.integers(1, 100), st.integers(0, 100))
def test_the_rate_of_a_step_does_not_depend_on_how_many_steps_follow(policy: Policy, steps: int, more: int) -> None:
    np.testing.assert_array_equal(learning_rates(policy, steps), learning_rates(policy, steps + more)[:steps])


@SOME
@given(POLICIES)
def test_plain_values_text_and_model_give_the_same(policy: Policy) -> None:
    rates = learning_rates(policy, 20)
    np.testing.assert_array_equal(learning_rates(policy.model_dump(mode="json"), 20), rates)
    np.testing.assert_array_equal(learning_rates(string_form(policy), 20), rates)


def test_caffes_inv_ends_where_the_solver_says() -> None:
    rates = learning_rates({"policy": "INV", "k0": 0.01, "gamma": 0.0001, "p": 0.75}, 10_001)
    assert rates[1] == pytest.approx(0.01 * 1.0001**-0.75)
    assert rates[10_000] == pytest.approx(0.005946, abs=5e-7)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"policy": "FIX", "k0": 0.5}, [0.5] * 6),
        ({"policy": "STEP", "k0": 1.0, "gamma": 0.5, "l": 2}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"policy": "NSTEP", "k0": 1.0, "gamma": 0.1, "l": [1, 4]}, [1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ({"policy": "EXP", "k0": 1.0, "gamma": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
        ({"policy": "INV", "k0": 1.0, "gamma": 1.0, "p": 1}, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]),
        ({"policy": "POLY", "k0": 1.0, "p": 1, "l": 4}, [1, 0.75, 0.5, 0.25, 0, 0]),
        ({"policy": "POLY", "k0": 1.0, "p": 0.5, "l": 4}, [1, 0.75**0.5, 0.5**0.5, 0.5, 0, 0]),
    ],
)
def test_values_by_hand(policy: dict, expected: list[float]) -> None:
    np.testing.assert_allclose(learning_rates(policy, 6), expected, rtol=1e-12)


def test_a_rate_that_is_none_is_an_error_with_its_step() -> None:
    policy = {"policy": "POLY", "k0": 0.0, "k1": 1.0, "p": 0.5, "l": 1024, "compat": "lrbench"}
    assert learning_rates(policy, 1025)[-1] == 0.0
    with pytest.raises(PolicyError, match="not finite from step 1025"):
        learning_rates(policy, 2000)
