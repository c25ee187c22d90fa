from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schedules import Policy, PolicyError, parse_policy, policy
from tests.schedules.strategies import LENGTH, RATE, SOME, composites, functions

SIN_THEN_FIX = {
    "policy": "COMPOSITE",
    "parts": [{"policy": "SIN", "k0": 1.0, "k1": 6.0, "l": 5}, {"policy": "FIX", "k0": 0.5}],
    "at": [11],
}
"""The piecewise policy of LRBench's Keras example."""


def test_a_part_takes_over_at_its_boundary() -> None:
    rates = parse_policy(SIN_THEN_FIX).trace(14)
    np.testing.assert_array_equal(rates[:11], policy("SIN", k0=1.0, k1=6.0, l=5).trace(11))
    assert rates[10] == 1.0
    assert rates[11:].tolist() == [0.5] * 3


@SOME
@given(composites())
def test_every_part_runs_on_its_own_time_or_on_the_trainings(made: Policy) -> None:
    edges = [0, *made.boundaries, 700]  # type: ignore[union-attr]
    trace = made.trace(700)
    for part, begin, end in zip(made.parts, edges, edges[1:], strict=False):  # type: ignore[union-attr]
        own = np.arange(begin, end, dtype=np.float64)
        if made.time == "restart":  # type: ignore[union-attr]
            own -= begin
        np.testing.assert_array_equal(trace[begin:end], part.rates(own))


def test_parts_may_be_text() -> None:
    text = {**SIN_THEN_FIX, "parts": ["lrPolicy_SIN+k0_1.0+k1_6.0+l_5", "lrPolicy_FIX+k0_0.5"]}
    assert parse_policy(text) == parse_policy(SIN_THEN_FIX)


@SOME
@given(RATE, st.floats(0, 10), LENGTH, st.sampled_from(["restart", "continue"]), functions())
def test_a_linear_warm_up_rises_straight_to_the_policy(
    k0: float, start: float, steps: int, time: str, then: Policy
) -> None:
    rates = policy("WARM_UP", start=start, steps=steps, then=then, time=time).trace(steps + 300)
    offset = steps if time == "continue" else 0
    np.testing.assert_array_equal(rates[steps:], then.rates(np.arange(offset, offset + 300, dtype=np.float64)))
    assert rates[0] == start
    np.testing.assert_allclose(np.diff(rates[: steps + 1]), (rates[steps] - start) / steps, atol=1e-14, rtol=0)


def test_a_constant_warm_up_stays() -> None:
    then = {"policy": "EXP", "k0": 1.0, "gamma": 0.5}
    made = {"policy": "WARM_UP", "shape": "constant", "start": 0.1, "steps": 2, "then": then}
    assert parse_policy(made).trace(5).tolist() == [0.1, 0.1, 1.0, 0.5, 0.25]
    assert parse_policy({**made, "time": "continue"}).trace(5).tolist() == [0.1, 0.1, 0.25, 0.125, 0.0625]


def test_a_composite_can_be_warmed_up() -> None:
    made = policy("WARM_UP", start=0.0, steps=4, then=SIN_THEN_FIX)
    assert made.trace(5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert made.at(4 + 11) == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": []}, "2 parts need 1 boundaries in at, not 0: []"),
        ({"at": [3, 5]}, "2 parts need 1 boundaries in at, not 2: [3, 5]"),
        ({"at": [0]}, "at[0] should be at least 1, not 0"),
        ({"at": [2.0]}, "at[0] should be a valid integer, not 2.0"),
        ({"parts": [{"policy": "FIX", "k0": 1.0}]}, "parts should have at least 2 items"),
        (
            {"parts": [{"policy": "FIX", "k0": 1.0}, {"policy": "FIX", "k0": 0}]},
            "parts[1].k0 should be greater than 0, not 0",
        ),
        (
            {"parts": [{"policy": "FIX", "k0": 1.0}, {"policy": "FIXX", "k0": 1.0}]},
            "unknown policy 'FIXX' in parts[1] … did you",
        ),
        (
            {"parts": [{"policy": "FIX", "k0": 1.0}, "lrPolicy_FIX+k0"]},
            "at position 16 there should be '_' and the value of k0",
        ),
        ({"time": "stop"}, "time should be 'restart' or 'continue', not 'stop'"),
        ({"time": "continue", "compat": "lrbench"}, "time should be restart with compat: lrbench"),
        ({"compat": "x"}, "parts[0].compat should be 'lrbench', not 'x'"),
    ],
)
def test_what_is_no_composite_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy({**SIN_THEN_FIX, **changes})
    assert message in str(caught.value)


def test_boundaries_rise() -> None:
    parts = [{"policy": "FIX", "k0": k0} for k0 in (1.0, 2.0, 3.0)]
    with pytest.raises(PolicyError, match=r"the boundaries in at should rise, not be \[5, 5\]"):
        policy("COMPOSITE", parts=parts, at=[5, 5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "constant"}, "start should be greater than 0 with shape: constant, not 0.0"),
        ({"start": -1.0}, "start should be at least 0, not -1.0"),
        ({"steps": 0}, "steps should be at least 1, not 0"),
        ({"then": 3}, "then should be a policy such as"),
        ({"then": {"policy": "WARM_UP"}}, "unknown policy 'WARM_UP' in then"),
    ],
)
def test_what_is_no_warm_up_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy({"policy": "WARM_UP", "start": 0.0, "steps": 4, "then": {"policy": "FIX", "k0": 0.1}, **changes})
    assert message in str(caught.value)


def test_a_part_without_a_rate_is_found_with_the_step_of_the_training() -> None:
    poly = {"policy": "POLY", "k0": 0.1, "k1": 0.5, "p": 1.2, "l": 5, "compat": "lrbench"}
    made = policy("COMPOSITE", parts=[{"policy": "FIX", "k0": 0.1}, poly], at=[100])
    assert made.trace(106)[-1] == 0.1
    with pytest.raises(PolicyError, match="not finite from step 106 on.*to the power 1.2"):
        made.trace(107)
