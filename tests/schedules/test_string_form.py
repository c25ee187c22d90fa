from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.schedules import Policy, PolicyError, parse_policy, policy, string_form
from tests.schedules.strategies import POLICIES, SOME

SINEXP_THEN_FIX = "lrPolicy_SINEXP+k0_1.0+k1_3.0+gamma_0.94+l_5-lrPolicy_FIX+k0_0.5-AT-11"


@SOME
@given(POLICIES)
def test_a_policy_comes_back_from_its_string_form(made: Policy) -> None:
    assert parse_policy(string_form(made)) == made


@SOME
@given(POLICIES)
def test_the_string_form_is_one_shell_word_and_safe_as_a_file_name(made: Policy) -> None:
    assert all(character.isalnum() or character in "_+-." for character in string_form(made))


@SOME
@given(st.floats(1e-300, 1e300))
def test_every_number_comes_back_to_the_last_bit(k0: float) -> None:
    made = policy("COMPOSITE", parts=[{"policy": "FIX", "k0": k0}] * 3, at=[1, 2])
    assert parse_policy(string_form(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        SINEXP_THEN_FIX,
        "lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_1e-05-lrPolicy_FIX+k0_1e-06-AT-100+200",
        "lrPolicy_NSTEP+k0_0.001+gamma_0.1+l_8571+9286+10000",
        "lrPolicy_NSTEP+k0_0.001+gamma_0.1+l_60000+65000-lrPolicy_NSTEP+k0_1e-05+gamma_0.5+l_10-AT-70000",
        "lrPolicy_POLY+k0_0.1+k1_0.5+p_1.2+l_5",
        "lrPolicy_SIG+k0_0.01+gamma_-1e-05+l_1000",
        "lrPolicy_COS+k0_0.1+k1_0.5+l_5+compat_lrbench",
        "lrPolicy_FIX+k0_0.1-lrPolicy_EXP+k0_0.1+gamma_0.5-AT-10-TIME-continue",
        f"lrPolicy_WARM_UP+shape_linear+start_0.0+steps_5-THEN-{SINEXP_THEN_FIX}",
        "lrPolicy_WARM_UP+shape_constant+start_0.1+steps_5+time_continue-THEN-lrPolicy_FIX+k0_0.1",
    ],
)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    assert string_form(parse_policy(text)) == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("k1_0.006+k0_0.001+lrPolicy_UPCOS+l_2000", "lrPolicy_UPCOS+k0_0.001+k1_0.006+l_2000"),
        ("lrPolicy_FIX+k0_0.1+k1_None", "lrPolicy_FIX+k0_0.1"),
        ("lrPolicy_STEP+k0_1.0+gamma_1.0+l_1.0", "lrPolicy_STEP+k0_1.0+gamma_1.0+l_1"),
        ("l_5+lrPolicy_NSTEP+gamma_0.1+k0_1", "lrPolicy_NSTEP+k0_1.0+gamma_0.1+l_5"),
        ("lrPolicy_NSTEP+l_5+7+gamma_0.1+k0_1e+2", "lrPolicy_NSTEP+k0_100.0+gamma_0.1+l_5+7"),
        (
            "lrPolicy_FIX+k0_0.1-lrPolicy_STEP+k0_1.0+gamma_1.0+l_1.0-AT-10",
            "lrPolicy_FIX+k0_0.1-lrPolicy_STEP+k0_1.0+gamma_1.0+l_1-AT-10",
        ),
    ],
)
def test_what_lrbench_writes_is_read(text: str, same: str) -> None:
    assert string_form(parse_policy(text)) == same


def test_the_values_are_those_of_the_yaml_form() -> None:
    assert parse_policy(SINEXP_THEN_FIX) == parse_policy(
        {
            "policy": "COMPOSITE",
            "parts": [
                {"policy": "SINEXP", "k0": 1.0, "k1": 3.0, "gamma": 0.94, "l": 5},
                {"policy": "FIX", "k0": 0.5},
            ],
            "at": [11],
        }
    )


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 1, "a parameter such as k0_0.1, or lrPolicy_NAME, not the end"),
        ("0.1", 1, "a parameter such as k0_0.1, or lrPolicy_NAME, not '0.1'"),
        ("FIX", 4, "'_' and the value of FIX, not the end"),
        ("k0_0.1", 1, "a policy with its name, lrPolicy_NAME, not 'k0_0.1'"),
        ("lrPolicy_FIX+k0_", 17, "a number, not the end"),
        ("lrPolicy_FIX+k0_x", 17, "a number, not 'x'"),
        ("lrPolicy_FIX+k0_0.1+", 21, "a parameter such as k0_0.1, or lrPolicy_NAME, not the end"),
        ("lrPolicy_FIX+k0_0.1+k0_0.2", 21, "every parameter once, k0 is there already, not 'k0_0.2'"),
        ("lrPolicy_FIX+k0_0.1 ", 20, "'+' and a parameter, '-' and another policy"),
        ("lrPolicy_FIX k0_0.1", 13, "'+' and a parameter, '-' and another policy"),
        ("lrPolicy_FIX+k0_0.1-", 21, "a parameter such as k0_0.1, or lrPolicy_NAME, not the end"),
        ("lrPolicy_FIX+k0_0.1-k0_0.2-AT-5", 21, "a policy with its name, lrPolicy_NAME, not 'k0_0.2-AT-5'"),
        ("lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_1", 38, "'-AT-' and its boundaries, or the end, not the end"),
        ("lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_1-AT-", 42, "a number, not the end"),
        ("lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_1-AT-5+", 43, "'+' and another boundary, '-TIME-', or the end, not '+'"),
        (
            "lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_1-AT-5-6",
            43,
            "'+' and another boundary, '-TIME-', or the end, not '-6'",
        ),
        ("lrPolicy_FIX+k0_0.1-THEN-", 26, "a parameter such as k0_0.1, or lrPolicy_NAME, not the end"),
    ],
)
def test_a_malformed_text_is_an_error_with_its_position(text: str, position: int, expected: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert f"at position {position} there should be" in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("lrPolicy_TRJ+k0_1", "unknown policy 'TRJ' … did you mean 'TRI'?", 10),
        ("lrPolicy_TRI+k0_-1.0+k1_2+l_5", "k0 should be at least 0, not -1.0: a negative rate climbs the loss", 17),
        ("lrPolicy_TRI+k0_1+k1_2+l_5-lrPolicy_FIX+k0_0-AT-7", "parts[1].k0 should be greater than 0, not 0", 44),
        ("lrPolicy_TRI+k0_1+k1_2+l_5-lrPolicy_FIX+k0_1+p_1-AT-7", "unknown key 'p' in parts[1]", 48),
        ("lrPolicy_FIX+k0_1-lrPolicy_FIX+k0_1-AT-0", "at[0] should be at least 1, not 0", 40),
        ("lrPolicy_FIX+k0_1-lrPolicy_FIX+k0_1-lrPolicy_FIX+k0_1-AT-4+0", "at[1] should be at least 1, not 0", 60),
        ("lrPolicy_NSTEP+k0_1+gamma_0.1+l_3+0", "l[1] should be at least 1, not 0", 35),
        ("lrPolicy_STEP+k0_1+gamma_0.1+l_2.5", "l should be a valid integer, not 2.5", 32),
        ("lrPolicy_WARM_UP+start_0.1+steps_0-THEN-lrPolicy_FIX+k0_0", "steps should be at least 1, not 0", 34),
        ("lrPolicy_WARM_UP+start_0.1+steps_1-THEN-lrPolicy_FIX+k0_0", "then.k0 should be greater than 0, not 0", 57),
    ],
)
def test_a_value_out_of_its_range_is_an_error_with_its_position(text: str, message: str, position: int) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert message in str(caught.value)
    assert f"(position {position} of '{text}')" in str(caught.value)


@SOME
@given(st.text(alphabet="lrPolicy_FIXTRSNAE+-.0123456789k01e THEN", max_size=60))
def test_any_text_is_a_policy_or_an_error_that_shows_it(text: str) -> None:
    try:
        made = parse_policy(text)
    except PolicyError as error:
        assert repr(text) in str(error) or "boundaries" in str(error) or "key " in str(error)
    else:
        assert parse_policy(string_form(made)) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"lrPolicy_TRI+k0_0.1+k1_0.3+l_{'9' * 310}", r"l should be at most 2\*\*53 .*, not a number above 1e20"),
        (f"lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_0.01-AT-{'9' * 310}", r"at.* should be at most 2\*\*53"),
        (
            "lrPolicy_TRI+k0_0.1+k1_0.3+l_9007199254740993",
            r"at most 2\*\*53 \(9007199254740992\), not 9007199254740993",
        ),
        (f"lrPolicy_TRI+k0_0.1+k1_0.3+l_{'9' * 5000}", "at position 30 there should be a number of at most 400 char"),
        (f"lrPolicy_FIX+k0_{'9' * 310}", "k0 should be "),
    ],
)
def test_a_huge_number_is_an_error(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(text)


def test_the_largest_number_of_steps_has_rates() -> None:
    assert parse_policy(f"lrPolicy_TRI+k0_0.1+k1_0.3+l_{2**53}").at(1) >= 0.1
