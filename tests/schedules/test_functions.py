from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schedules import FUNCTIONS, Policy, PolicyError, parse_policy, policy, scaled
from tests.schedules.strategies import CLIMBING, LENGTH, POLICIES, RATE, SOME, functions

TABLE = ["FIX", "STEP", "NSTEP", "EXP", "INV", "POLY", "TRI", "TRI2", "TRIEXP", "SIN", "SIN2", "SINEXP", "COS"]
RATES = st.tuples(RATE, RATE).filter(lambda rates: rates[0] < rates[1])


def test_there_are_34_functions_13_of_them_in_the_papers_table() -> None:
    assert len(FUNCTIONS) == 34
    assert [name for name, function in FUNCTIONS.items() if function.in_table] == TABLE


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_catalogue_can_be_made_of_its_example_and_has_just_those_parameters(name: str) -> None:
    function = FUNCTIONS[name]
    made = policy(name, **function.example)
    rates = made.trace(2000)
    assert rates.shape == (2000,)
    assert (rates >= 0).all()
    assert rates.max() > 0
    fields = set(type(made).model_fields) - {"policy", "compat"}
    assert set(function.parameters) == fields
    assert all(parameter.meaning and parameter.range for parameter in function.parameters.values())
    assert function.formula
    assert function.formula_latex.count("{") == function.formula_latex.count("}")


@SOME
@given(functions())
def test_the_rate_stays_between_the_parameters(made: Policy) -> None:
    values = made.model_dump()
    rates = made.trace(1500)
    assert (rates <= max(values["k0"], values.get("k1", 0.0))).all()
    low = 0.0 if values["policy"] not in (*CLIMBING, "POLY") else min(values["k0"], values.get("k1", 0.0))
    assert (rates >= low).all()


@SOME
@given(functions("FIX", "STEP", "NSTEP", "EXP", "INV"))
def test_a_decaying_policy_starts_exactly_at_k0_and_never_rises(made: Policy) -> None:
    rates = made.trace(600)
    assert rates[0] == made.model_dump()["k0"]
    assert (np.diff(rates) <= 1e-15 * rates[0]).all()


@SOME
@given(POLICIES, st.lists(st.integers(0, 5000), min_size=1, max_size=40))
def test_a_rate_is_of_its_step_alone(made: Policy, steps: list[int]) -> None:
    trace = made.trace(5001)
    several = made.rates(np.array(steps, dtype=np.float64))
    np.testing.assert_array_equal(several, trace[steps])
    assert [made.at(step) for step in steps[:5]] == several[:5].tolist()


@SOME
@given(POLICIES)
def test_plain_values_make_the_same_policy(made: Policy) -> None:
    assert parse_policy(made.model_dump(mode="json")) == made
    assert hash(parse_policy(made.model_dump(mode="python"))) == hash(made)


@SOME
@given(POLICIES, st.sampled_from([0.1, 0.5, 1, 5, 10]))
def test_a_scaled_policy_has_the_scaled_rates(made: Policy, factor: float) -> None:
    np.testing.assert_allclose(scaled(made, factor).trace(400), factor * made.trace(400), rtol=1e-12, atol=1e-300)


# The lower (0) or the higher (1) of the two rates at 0, l, 2 l and 3 l.

CORNERS = {
    "TRI": [0, 1, 0, 1],
    "SIN": [0, 1, 0, 1],
    "UPCOS": [0, 1, 0, 1],
    "DTRI": [1, 0, 1, 0],
    "DSIN": [1, 0, 1, 0],
    "RSW": [0, 0, 0, 0],
    "SINRSW": [0, 0, 0, 0],
    "COSRSW": [0, 0, 0, 0],
}


@pytest.mark.parametrize("name", CORNERS)
@SOME
@given(RATES, st.integers(1, 100_000), st.integers(0, 5000))
def test_corners_are_exact_in_every_period(name: str, rates: tuple[float, float], l: int, period: int) -> None:  # noqa: E741
    made = policy(name, k0=rates[0], k1=rates[1], l=l)
    steps = [(2 * period + corner) * l for corner in range(4)]
    assert [made.at(step) for step in steps] == [rates[corner] for corner in CORNERS[name]]


@SOME
@given(RATES, st.integers(1, 100_000), st.integers(0, 5000))
def test_cosine_has_its_corners_at_half_and_whole_periods_by_the_table_and_twice_as_far_by_the_code(
    rates: tuple[float, float],
    l: int,  # noqa: E741
    period: int,
) -> None:
    table = policy("COS", k0=rates[0], k1=rates[1], l=2 * l)
    code = policy("COS", k0=rates[0], k1=rates[1], l=l, compat="lrbench")
    for made in (table, code):
        assert [made.at((2 * period + corner) * l) for corner in range(3)] == [rates[1], rates[0], rates[1]]
    assert policy("COS", k0=rates[0], k1=rates[1], l=l).at(l * period) == rates[1]


@SOME
@given(functions(*(name for name in CLIMBING if name.endswith(("2", "EXP")))), st.integers(0, 20))
def test_halved_and_falling_functions_touch_the_lower_rate_exactly(made: Policy, period: int) -> None:
    values = made.model_dump()
    name, length = values["policy"], values["l"]
    corner = 1 if name.startswith(("D", "COS2", "COSEXP")) else 0
    assert made.at((2 * period + corner) * length) == values["k0"]
    if not name.endswith("2"):
        return
    first = made.at(0 if corner else length)
    base = policy(name[:-1], **{**{key: values[key] for key in ("k0", "k1", "l")}, "compat": "lrbench"})
    assert first == base.at(0 if corner else length)


@pytest.mark.parametrize("name", ["TRI2", "SIN2", "UPCOS2"])
def test_the_height_halves_after_every_period(name: str) -> None:
    made = policy(name, k0=1.0, k1=3.0, l=8)
    assert [made.at(8), made.at(24), made.at(40), made.at(56)] == [3.0, 2.0, 1.5, 1.25]


@pytest.mark.parametrize("name", ["DTRI2", "DSIN2", "COS2"])
def test_the_height_halves_at_every_low_point_of_those_that_begin_at_the_top(name: str) -> None:
    made = policy(name, k0=1.0, k1=3.0, l=8)
    assert [made.at(0), made.at(16), made.at(32), made.at(48)] == [3.0, 2.0, 1.5, 1.25]


def test_a_sawtooth_jumps_up_one_step_after_the_restart() -> None:
    made = policy("RSW", k0=1.0, k1=2.0, l=4)
    assert made.trace(9).tolist() == [1.0, 1.75, 1.5, 1.25, 1.0, 1.75, 1.5, 1.25, 1.0]
    halved = policy("RSW2", k0=1.0, k1=2.0, l=4)
    assert halved.trace(9).tolist() == [1.0, 1.75, 1.5, 1.25, 1.0, 1.375, 1.25, 1.125, 1.0]


@pytest.mark.parametrize("name", CLIMBING)
def test_by_the_table_the_order_of_the_two_rates_does_not_matter(name: str) -> None:
    example = dict(FUNCTIONS[name].example)
    swapped = {**example, "k0": example["k1"], "k1": example["k0"]}
    np.testing.assert_array_equal(policy(name, **example).trace(1000), policy(name, **swapped).trace(1000))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"policy": "TRI", "k0": 0.0, "k1": 1.0, "l": 2}, [0, 0.5, 1, 0.5, 0, 0.5]),
        ({"policy": "SIN", "k0": 0.0, "k1": 1.0, "l": 3}, [0, 0.5, 0.75**0.5, 1, 0.75**0.5, 0.5]),
        ({"policy": "COS", "k0": 0.0, "k1": 1.0, "l": 4}, [1, 0.5, 0, 0.5, 1, 0.5]),
        ({"policy": "UPCOS", "k0": 0.0, "k1": 1.0, "l": 2}, [0, 0.5, 1, 0.5, 0, 0.5]),
        ({"policy": "TRIEXP", "k0": 0.0, "k1": 1.0, "gamma": 0.5, "l": 2}, [0, 1 / 4, 1 / 4, 1 / 16, 0, 1 / 64]),
        ({"policy": "SIG", "k0": 1.0, "gamma": math.log(2), "l": 2}, [1 / 5, 1 / 3, 1 / 2, 2 / 3, 4 / 5, 8 / 9]),
        ({"policy": "POLY", "k0": 3.0, "k1": 1.0, "p": 1, "l": 4}, [3, 2.5, 2, 1.5, 1, 1]),
        ({"policy": "POLY", "k0": 1.0, "k1": 3.0, "p": 1, "l": 4}, [3, 2.5, 2, 1.5, 1, 1]),
        ({"policy": "POLY", "k0": 1.0, "k1": 3.0, "p": 2, "l": 2, "compat": "lrbench"}, [3, 1.5, 1, 1.5, 3, 5.5]),
    ],
)
def test_values_by_hand(values: dict[str, Any], expected: list[float]) -> None:
    np.testing.assert_allclose(parse_policy(values).trace(6), expected, rtol=1e-12, atol=1e-15)


def test_a_steep_sigmoid_neither_warns_nor_leaves_its_range() -> None:
    with np.errstate(all="raise", under="ignore"):
        rates = policy("SIG", k0=0.1, gamma=50.0, l=500).trace(1000)
    assert rates[0] == 0.0
    assert rates[-1] == 0.1


@SOME
@given(functions("POLY"), LENGTH)
def test_poly_stays_at_its_end(made: Policy, more: int) -> None:
    values = made.model_dump()
    assert made.at(values["l"] + more) == min(values["k0"], values.get("k1", 0.0))
    assert made.at(0) == max(values["k0"], values.get("k1", 0.0))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("FIX", {"k0": 0.0}, "k0 should be greater than 0, not 0.0: at a rate of 0 nothing is learned"),
        ("FIX", {"k0": -0.1}, "k0 should be greater than 0, not -0.1"),
        ("FIX", {"k0": "0.1"}, "k0 should be a valid number, not '0.1'"),
        ("FIX", {"k0": True}, "k0 should be a valid number, not True"),
        ("FIX", {"k0": math.inf}, "k0 should be a finite number, not inf"),
        ("FIX", {}, "key 'k0' is missing"),
        ("FIX", {"k0": 0.1, "gamme": 1}, "unknown key 'gamme'"),
        ("STEP", {"k0": 1.0, "gamma": 0.1, "l": 0}, "l should be at least 1, not 0: it is a number of steps"),
        ("STEP", {"k0": 1.0, "gamma": 0.1, "l": 2.5}, "l should be a valid integer, not 2.5"),
        (
            "STEP",
            {"k0": 1.0, "gamma": 1.5, "l": 2},
            "gamma should be greater than 0 and at most 1, not 1.5: its powers have to",
        ),
        ("EXP", {"k0": 1.0, "gamma": 0.0}, "gamma should be greater than 0 and at most 1, not 0.0"),
        ("NSTEP", {"k0": 1.0, "gamma": 0.1, "l": [4, 2]}, "the boundaries l should rise, not be [4, 2]"),
        ("NSTEP", {"k0": 1.0, "gamma": 0.1, "l": [4, 4]}, "the boundaries l should rise, not be [4, 4]"),
        ("NSTEP", {"k0": 1.0, "gamma": 0.1, "l": [0, 4]}, "l[0] should be at least 1, not 0"),
        ("NSTEP", {"k0": 1.0, "gamma": 0.1, "l": []}, "l should have at least 1 item, not []"),
        (
            "INV",
            {"k0": 1.0, "gamma": -0.1, "p": 1},
            "gamma should be at least 0, not -0.1: below 0 the rate has a pole",
        ),
        ("POLY", {"k0": 1.0, "p": 0, "l": 4}, "p should be greater than 0, not 0.0"),
        ("POLY", {"k0": 0.0, "p": 1, "l": 4}, "k0 should be greater than 0, not 0.0"),
        ("TRI", {"k0": -0.1, "k1": 1.0, "l": 4}, "k0 should be at least 0, not -0.1: a negative rate climbs the loss"),
        ("TRI", {"k0": 0.0, "k1": 0.0, "l": 4}, "k0 and k1 should not both be 0"),
        (
            "TRI",
            {"k0": 0.5, "k1": 0.1, "l": 4, "compat": "lrbench"},
            "k0=0.5 should not be greater than k1=0.1 with compat",
        ),
        ("TRI", {"k0": 0.5, "k1": 0.1, "l": 4, "compat": "caffe"}, "compat should be 'lrbench', not 'caffe'"),
        (
            "POLY",
            {"k0": 0.5, "p": 1, "l": 4, "compat": "lrbench"},
            "k1, the rate at the start, should be given with compat",
        ),
        ("TRIX", {"k0": 0.5}, "unknown policy 'TRIX' … did you mean 'TRI"),
        ("tri", {"k0": 0.5}, "unknown policy 'tri' … did you mean 'TRI'?"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(name, **parameters)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [3, None, ["FIX"], 0.1])
def test_what_is_neither_mapping_nor_text_is_refused_with_two_examples(value: Any) -> None:
    with pytest.raises(PolicyError, match=r"a policy such as \{policy: FIX, k0: 0.01\} or lrPolicy_FIX\+k0_0.01, not"):
        parse_policy(value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PolicyError, match=r"k0 should be .*; k1 should be .*; l should be"):
        policy("TRI", k0=-1.0, k1=-1.0, l=0)


def test_steps_before_the_first_and_negative_lengths_are_errors() -> None:
    made = policy("FIX", k0=0.1)
    with pytest.raises(PolicyError, match="step -1 should be at least 0"):
        made.at(-1)
    with pytest.raises(PolicyError, match="steps=-1 should not be negative"):
        made.trace(-1)
    with pytest.raises(PolicyError, match="steps=10000000000000 should be at most 10000000"):
        made.trace(10**13)
    assert made.trace(0).shape == (0,)


@pytest.mark.parametrize("factor", [0, -1.0, math.inf, math.nan])
def test_a_rate_is_scaled_by_a_positive_number_only(factor: float) -> None:
    with pytest.raises(PolicyError, match="should be a finite number greater than 0"):
        scaled(policy("FIX", k0=0.1), factor)


def test_policies_cannot_be_changed() -> None:
    made = policy("TRI", k0=0.1, k1=0.2, l=5)
    with pytest.raises(ValueError, match="frozen"):
        made.k0 = 0.3  # type: ignore[misc,union-attr]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"policy": "NSTEP", "k0": 0.1, "gamma": 0.1, "l": 5}, r"^l should be a list such as \[1000, 1500\], not 5$"),
        ({"policy": "COMPOSITE", "parts": 3, "at": [5]}, "^parts should be a list of policies such as .*, not 3$"),
        (
            {"policy": "COMPOSITE", "parts": [{"policy": "FIX", "k0": 0.1}] * 2, "at": 5},
            r"^at should be a list such as \[1000, 1500\], not 5$",
        ),
    ],
)
def test_a_number_in_place_of_a_list_is_told_with_an_example(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(values)
