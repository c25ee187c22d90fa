from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.schedules import learning_rates, parse_policy

RATE = st.floats(1e-6, 10)
GAMMA = st.floats(0.5, 1.0)
LENGTH = st.integers(1, 500)

POLICIES = st.one_of(
    st.builds(lambda k0: {"policy": "FIX", "k0": k0}, RATE),
    st.builds(lambda k0, gamma, length: {"policy": "STEP", "k0": k0, "gamma": gamma, "l": length}, RATE, GAMMA, LENGTH),
    st.builds(
        lambda k0, gamma, bounds: {"policy": "NSTEP", "k0": k0, "gamma": gamma, "l": sorted(bounds)},
        RATE,
        GAMMA,
        st.sets(LENGTH, min_size=1, max_size=5),
    ),
    st.builds(lambda k0, gamma: {"policy": "EXP", "k0": k0, "gamma": gamma}, RATE, GAMMA),
    st.builds(lambda k0, gamma, p: {"policy": "INV", "k0": k0, "gamma": gamma, "p": p}, RATE, GAMMA, st.floats(0, 3)),
    st.builds(lambda k0, p, length: {"policy": "POLY", "k0": k0, "p": p, "l": length}, RATE, st.floats(0.1, 4), LENGTH),
)


@given(POLICIES)
def test_a_decaying_policy_starts_at_k0_and_never_rises(policy: dict) -> None:
    rates = learning_rates(policy, 300)
    assert rates.dtype == np.float64
    assert rates.shape == (300,)
    assert rates[0] == pytest.approx(policy["k0"], rel=1e-12)
    assert (np.diff(rates) <= 1e-15 * rates[0]).all()
    assert (rates >= 0).all()


@given(POLICIES, st.integers(1, 100), st.integers(0, 100))
def test_the_rate_of_a_step_does_not_depend_on_how_many_steps_follow(policy: dict, steps: int, more: int) -> None:
    np.testing.assert_array_equal(learning_rates(policy, steps), learning_rates(policy, steps + more)[:steps])


@given(POLICIES)
def test_plain_values_and_model_give_the_same(policy: dict) -> None:
    model = parse_policy(policy)
    assert parse_policy(model.model_dump(mode="json")) == model
    np.testing.assert_array_equal(learning_rates(model, 20), learning_rates(policy, 20))


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


@pytest.mark.parametrize(
    "policy",
    [
        {"policy": "NSTEP", "k0": 1.0, "gamma": 0.1, "l": [4, 4]},
        {"policy": "NSTEP", "k0": 1.0, "gamma": 0.1, "l": []},
        {"policy": "FIX", "k0": 0.0},
        {"policy": "FIX", "k0": float("nan")},
        {"policy": "FIX", "k0": 1.0, "gamma": 0.1},
        {"policy": "STEP", "k0": 1.0, "gamma": 0.1, "l": 0},
        {"policy": "WARP", "k0": 1.0},
        {"k0": 1.0},
    ],
)
def test_what_is_no_policy_is_refused(policy: dict) -> None:
    with pytest.raises(ValidationError):
        learning_rates(policy, 1)


def test_a_rate_that_leaves_the_finite_numbers_is_an_error_with_its_step() -> None:
    with pytest.raises(ValueError, match="not finite from step 1024"):
        learning_rates({"policy": "EXP", "k0": 1.0, "gamma": 2.0}, 2000)
