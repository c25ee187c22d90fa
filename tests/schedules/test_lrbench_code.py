"""`compat: lrbench` against LRBench's code, written down once more in plain Python (lrbench_code.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.schedules import FUNCTIONS, PolicyError, parse_policy, policy
from tests.schedules import lrbench_code
from tests.schedules.strategies import LENGTH, RATE, parameters

STEPS = 700


def assert_agrees(values: dict[str, Any], expected: list[Any]) -> None:
    found = parse_policy(values, compat="lrbench").trace(len(expected))
    # The arc sine of a sine loses half the digits at the top of a triangle.
    tolerance = 1e-7 if "TRI" in str(values) else 1e-11
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=tolerance * max(found.max(), 1e-6))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "POLY"])
@settings(deadline=None, max_examples=30)
@given(st.data())
def test_every_function_is_what_the_code_computes(name: str, data: st.DataObject) -> None:
    values = {"policy": name, **data.draw(parameters(name))}
    assert_agrees(values, lrbench_code.trace(values, STEPS))


@settings(deadline=None)
@given(RATE, RATE, st.floats(0.1, 4), LENGTH)
def test_poly_goes_from_k1_to_k0(one: float, other: float, p: float, length: int) -> None:
    values = {"policy": "POLY", "k0": min(one, other), "k1": max(one, other), "p": p, "l": length}
    assert_agrees(values, lrbench_code.trace(values, length + 1))


def test_poly_goes_on_after_its_end_where_the_power_is_whole() -> None:
    values = {"policy": "POLY", "k0": 1.0, "k1": 2.0, "p": 2, "l": 10}
    assert_agrees(values, lrbench_code.trace(values, 50))
    odd = {"policy": "POLY", "k0": 1.0, "k1": 2.0, "p": 3, "l": 10}
    assert_agrees(odd, lrbench_code.trace(odd, 21))
    with pytest.raises(
        PolicyError, match="the learning rate is negative from step 21 on.*after step l=10 LRBench's code"
    ):
        parse_policy(odd, compat="lrbench").trace(22)


def test_where_the_code_of_poly_gives_a_complex_number_there_is_no_rate() -> None:
    values = {"policy": "POLY", "k0": 0.1, "k1": 0.5, "p": 1.2, "l": 5}
    assert isinstance(lrbench_code.trace(values, 7)[6], complex)
    with pytest.raises(PolicyError, match="not finite from step 6 on.*a negative number to the power 1.2"):
        parse_policy(values, compat="lrbench").trace(7)
    assert parse_policy(values).at(6) == 0.1


def test_cosine_by_the_table_is_twice_as_fast_as_by_the_code() -> None:
    values = {"policy": "COS", "k0": 0.1, "k1": 0.5, "l": 40}
    table, code = parse_policy(values), parse_policy(values, compat="lrbench")
    np.testing.assert_array_equal(table.trace(100), code.rates(2.0 * np.arange(100)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_those_with_a_note_in_the_catalogue_differ(name: str) -> None:
    values = {"policy": name, **FUNCTIONS[name].example}
    if name == "POLY":
        values.update(k0=0.001, k1=0.01, l=500)
    try:
        same = np.array_equal(parse_policy(values).trace(1000), parse_policy(values, compat="lrbench").trace(1000))
    except PolicyError:
        same = False
    differs_alone = FUNCTIONS[name].lrbench is not None and name != "NSTEP"  # NSTEP differs in composites
    assert same != differs_alone


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.sampled_from(["NSTEP", "NSTEP", "SINEXP", "FIX", "COS2", "RSW"]).flatmap(
            lambda name: parameters(name).map(lambda values: {"policy": name, **values})
        ),
        min_size=2,
        max_size=4,
    ),
    st.data(),
)
def test_composites_are_what_the_code_computes_with_the_count_of_nstep_going_on(
    parts: list[dict[str, Any]], data: st.DataObject
) -> None:
    count = len(parts) - 1
    at = sorted(data.draw(st.sets(st.integers(1, STEPS - 100), min_size=count, max_size=count)))
    values = {"policy": "COMPOSITE", "parts": parts, "at": at}
    assert_agrees(values, lrbench_code.piecewise(parts, at, STEPS))


def test_by_default_the_boundaries_of_a_later_nstep_are_its_own() -> None:
    parts = [
        {"policy": "NSTEP", "k0": 1.0, "gamma": 0.5, "l": [2, 4]},
        {"policy": "NSTEP", "k0": 1.0, "gamma": 0.5, "l": [3]},
    ]
    values = {"policy": "COMPOSITE", "parts": parts, "at": [6]}
    assert parse_policy(values).trace(11).tolist() == [1, 1, 0.5, 0.5, 0.25, 0.25, 1, 1, 1, 0.5, 0.5]
    assert parse_policy(values, compat="lrbench").trace(11).tolist() == [1, 1, 0.5, 0.5, *[0.25] * 7]


def test_compat_is_a_field_too() -> None:
    values = {"policy": "COS", "k0": 0.1, "k1": 0.5, "l": 40}
    assert policy(**{"name": "COS", "k0": 0.1, "k1": 0.5, "l": 40, "compat": "lrbench"}) == parse_policy(
        values, "lrbench"
    )
    both = {"policy": "COMPOSITE", "parts": [values, values], "at": [7], "compat": "lrbench"}
    assert parse_policy(both) == parse_policy({key: both[key] for key in ("policy", "parts", "at")}, compat="lrbench")
    warm = {"policy": "WARM_UP", "start": 0.0, "steps": 3, "then": both}
    assert parse_policy(warm) == parse_policy({**warm, "then": {**both}}, compat="lrbench")
