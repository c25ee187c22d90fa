"""Ranges in place of lists: which values they stand for, and what is said of those that stand for none."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.study import make_plan
from harness.study.ranges import MOST_VALUES, Range, RangeError, values_at, values_of
from tests.study.test_study_files import error_of


def values(kind: str = "whole", **given_keys) -> list:
    keys = {"from": given_keys.pop("first"), "to": given_keys.pop("last"), **given_keys}
    return values_of(Range.model_validate(keys), kind)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"first": 16, "last": 1024, "scale": "log2"}, [16, 32, 64, 128, 256, 512, 1024]),
        ({"first": 16, "last": 1024, "factor": 2}, [16, 32, 64, 128, 256, 512, 1024]),
        ({"first": 16, "last": 1024, "factor": 4}, [16, 64, 256, 1024]),
        ({"first": 16, "last": 54, "factor": 1.5}, [16, 24, 36, 54]),
        ({"first": 1, "last": 9, "count": 5}, [1, 3, 5, 7, 9]),
        ({"first": 10, "last": 1000, "count": 3, "scale": "log"}, [10, 100, 1000]),
        ({"first": 1, "last": 10, "count": 4, "scale": "linear"}, [1, 4, 7, 10]),
    ],
)
def test_whole_numbers(keys: dict, expected: list[int]) -> None:
    found = values(**keys)
    assert found == expected
    assert all(type(value) is int for value in found)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"first": 0.001, "last": 0.1, "count": 3, "scale": "log"}, [0.001, 0.01, 0.1]),
        ({"first": 0.001, "last": 0.1, "count": 5, "scale": "log"}, [0.001, 0.003162, 0.01, 0.03162, 0.1]),
        ({"first": 0, "last": 0.9, "count": 4}, [0.0, 0.3, 0.6, 0.9]),
        ({"first": 0.001, "last": 1, "factor": 10}, [0.001, 0.01, 0.1, 1.0]),
        ({"first": 0.25, "last": 4, "scale": "log2"}, [0.25, 0.5, 1.0, 2.0, 4.0]),
        # Four digits would make three of them equal: there are as many as it takes.
        ({"first": 1.00001, "last": 1.00005, "count": 5}, [1.00001, 1.00002, 1.00003, 1.00004, 1.00005]),
    ],
)
def test_other_numbers(keys: dict, expected: list[float]) -> None:
    assert values("number", **keys) == expected


def test_amounts_of_memory() -> None:
    assert values("amount", first="256 MiB", last="1 GiB", factor=2) == ["256 MiB", "512 MiB", "1 GiB"]
    assert values("amount", first="1 GiB", last="3 GiB", count=3) == ["1 GiB", "2 GiB", "3 GiB"]


ends = st.tuples(st.floats(1e-6, 1e6), st.floats(1.01, 1e4)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@settings(deadline=None)
@given(ends=ends, count=st.integers(2, 50), scale=st.sampled_from(["linear", "log"]))
def test_a_range_of_numbers_keeps_its_ends_and_rises_in_even_steps(
    ends: tuple[float, float], count: int, scale: str
) -> None:
    low, high = ends
    found = values("number", first=low, last=high, count=count, scale=scale)
    assert (found[0], found[-1], len(found)) == (low, high, count)
    assert all(before < after for before, after in itertools.pairwise(found))
    for index, value in enumerate(found):
        share = index / (count - 1)
        exact = low + (high - low) * share if scale == "linear" else low * (high / low) ** share
        neighbours = [*found[max(index - 1, 0) : index], *found[index + 1 : index + 2]]
        step = min(abs(value - one) for one in neighbours)
        assert abs(value - exact) <= 1.01e-3 * step + 1e-12 * high


@settings(deadline=None)
@given(low=st.integers(1, 10_000), span=st.integers(1, 100_000), count=st.integers(2, 60), log=st.booleans())
def test_a_range_of_whole_numbers_is_whole_or_refused(low: int, span: int, count: int, log: bool) -> None:
    high = low + span
    try:
        found = values(first=low, last=high, count=count, scale="log" if log else "linear")
    except RangeError as error:
        assert "different whole numbers" in str(error)
        assert count > 2  # both ends are always different
        return
    assert (found[0], found[-1], len(set(found))) == (low, high, count)
    assert found == sorted(found)
    assert all(type(value) is int for value in found)


@settings(deadline=None)
@given(low=st.integers(0, 12), steps=st.integers(1, 12))
def test_powers_of_two_are_all_of_them(low: int, steps: int) -> None:
    found = values(first=2**low, last=2 ** (low + steps), scale="log2")
    assert found == [2 ** (low + step) for step in range(steps + 1)]
    assert found == values(first=2**low, last=2 ** (low + steps), factor=2)


shares = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20)


@settings(deadline=None)
@given(shares=shares, low=st.integers(1, 1000), span=st.integers(1, 5000), log=st.booleans())
def test_values_at_shares_stay_within_the_range(shares: list[float], low: int, span: int, log: bool) -> None:
    keys = {"from": low, "to": low + span, "scale": "log" if log else "linear"}
    whole = values_at(Range.model_validate(keys), "whole", shares)
    numbers = values_at(Range.model_validate(keys), "number", shares)
    assert all(low <= value <= low + span for value in (*whole, *numbers))
    assert all(type(value) is int for value in whole)
    order = sorted(range(len(shares)), key=shares.__getitem__)
    assert [whole[index] for index in order] == sorted(whole)


def test_whole_numbers_have_equal_parts_at_shares() -> None:
    given_range = Range.model_validate({"from": 1, "to": 4})
    assert values_at(given_range, "whole", [0.0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 0.999]) == [1, 1, 2, 2, 3, 3, 4, 4]
    powers = Range.model_validate({"from": 2, "to": 16, "scale": "log2"})
    assert values_at(powers, "whole", [0.0, 0.3, 0.6, 0.99]) == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("kind", "keys", "message"),
    [
        ("whole", {"from": 16, "to": 1000, "factor": 2}, "passes over 1000, from 512 to 1024: end it with one of them"),
        ("whole", {"from": 16, "to": 122, "factor": 1.5}, "gives 121.5, which is no whole number"),
        ("whole", {"from": 16, "to": 1000, "scale": "log2"}, "begin and end with a power of two"),
        ("whole", {"from": 1, "to": 4, "count": 10}, "has only 4 different whole numbers for a count of 10"),
        ("whole", {"from": 1.5, "to": 4, "count": 2}, "takes whole numbers, so from should be one, not 1.5"),
        ("whole", {"from": 8, "to": 4, "count": 2}, "should go from a smaller to a larger number"),
        ("whole", {"from": 16, "to": 64}, "should have a count, a factor or scale: log2"),
        ("number", {"from": 0, "to": 1, "count": 3, "scale": "log"}, "should begin above 0"),
        ("number", {"from": "a", "to": 1, "count": 3}, "should have a number for from, not 'a'"),
        ("number", {"from": 1, "to": math.inf, "count": 3}, "should have a number for to, not inf"),
        ("number", {"from": 1.0, "to": 2.0, "factor": 1.0001}, f"has more than {MOST_VALUES} values"),
        ("amount", {"from": "1 gig", "to": "2 GiB", "count": 2}, "should have an amount of memory for from"),
        (None, {"from": 1, "to": 2, "count": 2}, "is of a key that takes no numbers: give a list"),
    ],
)
def test_ranges_without_values_are_refused(kind: str | None, keys: dict, message: str) -> None:
    with pytest.raises(RangeError, match=".") as caught:
        values_of(Range.model_validate(keys), kind)
    assert message in str(caught.value)


def test_one_way_to_say_the_values() -> None:
    for more in ({"count": 3}, {"scale": "log"}):
        with pytest.raises(ValidationError, match="factor 2 says all values already"):
            Range.model_validate({"from": 1, "to": 8, "factor": 2, **more})
    with pytest.raises(ValidationError, match="scale log2 says all values already: leave out count 3"):
        Range.model_validate({"from": 1, "to": 8, "scale": "log2", "count": 3})


def test_a_study_varies_over_ranges(study_of) -> None:
    more = (
        "vary:\n  batch_size: {from: 16, to: 64, factor: 2}\n  rate: {from: 0.01, to: 1, count: 3, scale: log}\n"
        "  memory: {from: 1 GiB, to: 2 GiB, count: 2}\n  learning_rate.p: {from: 0.5, to: 1, count: 2}\n"
    )
    trials = make_plan(study_of(more)).trials
    assert {trial.varied["batch_size"] for trial in trials} == {16, 32, 64}
    assert {trial.specification["setting"]["learning_rate"]["k0"] for trial in trials} == {0.01, 0.1, 1.0}
    assert {trial.specification["profile"]["memory_bytes"] for trial in trials} == {2**30, 2**31}
    assert len(trials) == 2 * 2 * 3 * 3 * 2 * 2


def test_a_range_and_the_list_of_its_values_are_the_same_trials(study_of) -> None:
    by_range = make_plan(study_of("vary: {batch_size: {from: 16, to: 64, scale: log2}}\n"))
    by_list = make_plan(study_of("vary: {batch_size: [16, 32, 64]}\n"))
    assert [trial.id for trial in by_range.trials] == [trial.id for trial in by_list.trials]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "vary:\n  batch_size:\n    from: 16\n    to: 1000\n    factor: 2\n",
            "x.yaml:7: vary.batch_size passes over 1000, from 512 to 1024: end it with one of them, not {from: 16, "
            "to: 1000, factor: 2}",
        ),
        (
            "vary:\n  batch_size:\n    from: 16\n    to: 64\n    scal: log\n",
            "x.yaml:10: vary.batch_size: unknown key 'scal",
        ),
        ("vary:\n  batch_size: {from: 16, count: 3}\n", "x.yaml:7: vary.batch_size: key 'to' is missing"),
        ("vary:\n  batch_size: {from: 16, to: 64, count: 1}\n", "x.yaml:7: vary.batch_size: count should be greater"),
        ("vary:\n  batch_size: {from: true, to: 64, count: 2}\n", "vary.batch_size: from should be a number, not True"),
        ("vary:\n  blas: {from: 1, to: 2, count: 2}\n", "x.yaml:7: vary.blas is of a key that takes no numbers"),
        ("vary:\n  batchsize: {from: 1, to: 2, count: 2}\n", "x.yaml:7: unknown key 'batchsize' in vary … did"),
        ("vary:\n  batch_size: {from: 8192, to: 16384, scale: log2}\n", "x.yaml:7: batch_size 16384 is larger than"),
    ],
)
def test_errors_name_file_line_key_and_value(study_of, more: str, message: str) -> None:
    assert message in error_of(study_of, more)
