"""Every relation on records whose truth is known, in each of the verdicts; and what may not change a verdict."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.claims import Evaluation, Verdict, evaluate_claim
from harness.analysis.claims.estimates import decide, difference_of, mean_of
from harness.analysis.observations import observe
from harness.records import Record
from tests.analysis.claims.synthetic import TIME, TOP1, claim, record, records, verdict

NOISE = {
    "torch": (0.00, 0.30, -0.20, 0.10, -0.25, 0.05),
    "caffe": (0.20, -0.10, 0.05, -0.30, 0.15, 0.00),
    "theano": (-0.20, 0.10, 0.25, -0.05, 0.00, -0.15),
    "tensorflow": (0.10, 0.00, -0.30, 0.20, 0.05, -0.10),
}
SUPPORTED, REFUTED, UNDECIDED = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.UNDECIDED


def times(means: Mapping[str, float], spread: float = 0.02, blocks: int = 5) -> list[Record]:
    """Training times: `mean × (1 + spread × noise)`."""
    return [
        one
        for name, mean in means.items()
        for one in records(name, [mean * (1 + spread * noise) for noise in NOISE[name][:blocks]])
    ]


def accuracies(means: Mapping[str, float], spread: float = 0.1, blocks: int = 5) -> list[Record]:
    """Top-1 in percent: `mean + spread × noise`."""
    return [
        one
        for name, mean in means.items()
        for one in records(name, [mean + spread * noise for noise in NOISE[name][:blocks]], TOP1)
    ]


ORDER = {"kind": "order", "cells": ["caffe", "torch", "theano"]}
RATIO = {"kind": "ratio", "of": "torch", "to": "caffe", "value": 2.0, "tolerance": 0.1}
POINTS = {"kind": "difference", "of": "torch", "less": "caffe", "at_least": 1.0, "at_most": 3.0}
THREE, TWO = ("caffe", "torch", "theano"), ("caffe", "torch")


@pytest.mark.parametrize(
    ("relation", "cells", "found", "expected"),
    [
        (ORDER, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), SUPPORTED),
        (ORDER, THREE, times({"caffe": 10, "torch": 9, "theano": 20}), REFUTED),
        (ORDER, THREE, times({"caffe": 10, "torch": 10.01, "theano": 20}), UNDECIDED),
        ({**ORDER, "direction": "falling"}, THREE, times({"caffe": 20, "torch": 12, "theano": 10}), SUPPORTED),
        ({**ORDER, "direction": "falling"}, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), REFUTED),
        (RATIO, TWO, times({"caffe": 10, "torch": 20.2}), SUPPORTED),
        (RATIO, TWO, times({"caffe": 10, "torch": 25}), REFUTED),
        (RATIO, TWO, times({"caffe": 10, "torch": 15}), REFUTED),
        (RATIO, TWO, times({"caffe": 10, "torch": 20.2}, spread=0.5), UNDECIDED),
        (
            {"kind": "ratio", "of": "torch", "to": "caffe", "at_least": 1.5},
            TWO,
            times({"caffe": 10, "torch": 20}),
            SUPPORTED,
        ),
        (
            {"kind": "ratio", "of": "torch", "to": "caffe", "at_most": 1.5},
            TWO,
            times({"caffe": 10, "torch": 20}),
            REFUTED,
        ),
        (
            {"kind": "equal", "relative_tolerance": 0.05},
            THREE,
            times({"caffe": 10, "torch": 10.1, "theano": 9.9}),
            SUPPORTED,
        ),
        (
            {"kind": "equal", "relative_tolerance": 0.05},
            THREE,
            times({"caffe": 10, "torch": 10, "theano": 11}),
            REFUTED,
        ),
        ({"kind": "equal", "relative_tolerance": 0.05}, TWO, times({"caffe": 10, "torch": 10.5}), UNDECIDED),
        (
            {"kind": "different", "relative_tolerance": 0.05},
            THREE,
            times({"caffe": 10, "torch": 10, "theano": 11}),
            SUPPORTED,
        ),
        (
            {"kind": "different", "relative_tolerance": 0.05},
            THREE,
            times({"caffe": 10, "torch": 10.1, "theano": 9.9}),
            REFUTED,
        ),
        ({"kind": "best_of", "cell": "caffe"}, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), SUPPORTED),
        ({"kind": "best_of", "cell": "torch"}, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), REFUTED),
        ({"kind": "best_of", "cell": "caffe"}, THREE, times({"caffe": 10, "torch": 10.01, "theano": 20}), UNDECIDED),
        (
            {"kind": "best_of", "cell": "theano", "better": "higher"},
            THREE,
            times({"caffe": 10, "torch": 12, "theano": 20}),
            SUPPORTED,
        ),
        ({"kind": "beaten", "cell": "torch"}, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), SUPPORTED),
        ({"kind": "beaten", "cell": "caffe"}, THREE, times({"caffe": 10, "torch": 12, "theano": 20}), REFUTED),
        ({"kind": "threshold", "at_most": 11.0}, ("caffe",), times({"caffe": 10}), SUPPORTED),
        ({"kind": "threshold", "at_least": 11.0}, ("caffe",), times({"caffe": 10}), REFUTED),
        ({"kind": "threshold", "at_most": 10.0}, ("caffe",), times({"caffe": 10}), UNDECIDED),
    ],
)
def test_relations_of_times(
    relation: Mapping[str, Any], cells: Sequence[str], found: list[Record], expected: Verdict
) -> None:
    one = verdict(claim(relation, cells), found)
    assert (one.verdict, one.reasons if expected is not UNDECIDED else ()) == (expected, ())


@pytest.mark.parametrize(
    ("relation", "cells", "found", "expected"),
    [
        (POINTS, TWO, accuracies({"caffe": 96, "torch": 98}), SUPPORTED),
        (POINTS, TWO, accuracies({"caffe": 96, "torch": 96.5}), REFUTED),
        (POINTS, TWO, accuracies({"caffe": 96, "torch": 97}), UNDECIDED),
        (
            {"kind": "order", "cells": ["torch", "caffe"], "direction": "falling"},
            TWO,
            accuracies({"caffe": 96, "torch": 98}),
            SUPPORTED,
        ),
        ({"kind": "best_of", "cell": "torch"}, TWO, accuracies({"caffe": 96, "torch": 98}), SUPPORTED),
        (
            {"kind": "best_of", "cell": "caffe", "tolerance": 3.0},
            TWO,
            accuracies({"caffe": 96, "torch": 98}),
            SUPPORTED,
        ),
        ({"kind": "threshold", "at_least": 97.0, "slack": 1.2}, TWO, accuracies({"caffe": 96, "torch": 98}), SUPPORTED),
        ({"kind": "threshold", "at_least": 97.0}, TWO, accuracies({"caffe": 96, "torch": 98}), REFUTED),
        ({"kind": "equal", "tolerance": 0.25}, TWO, accuracies({"caffe": 99.1, "torch": 99.12}), SUPPORTED),
    ],
)
def test_relations_of_accuracies_are_in_points(
    relation: Mapping[str, Any], cells: Sequence[str], found: list[Record], expected: Verdict
) -> None:
    one = verdict(claim(relation, cells, TOP1), found)
    assert one.verdict is expected
    assert {part.scale for part in one.parts} <= {"difference", "mean"}


def swept(values: Mapping[int, float], spread: float = 0.02) -> list[Record]:
    names = list(NOISE)
    return [
        record("torch", block, {TIME: value * (1 + spread * NOISE[names[index % 4]][block])}, batch_size=size)
        for index, (size, value) in enumerate(values.items())
        for block in range(5)
    ]


LEVELS = {"of": "batch_size", "select": {"framework": "torch"}}


@pytest.mark.parametrize(
    ("values", "tolerance", "expected"),
    [
        ({16: 40, 64: 20, 256: 15}, 0.0, SUPPORTED),
        ({16: 40, 64: 20, 256: 25}, 0.0, REFUTED),
        ({16: 40, 64: 20, 256: 20.2}, 0.05, SUPPORTED),
        ({16: 40, 64: 41, 256: 42}, 0.05, REFUTED),  # each step within the tolerance, the whole the other way
        ({16: 40, 64: 20, 256: 20.01}, 0.0, UNDECIDED),
    ],
)
def test_a_trend_over_the_levels_that_were_measured(
    values: dict[int, float], tolerance: float, expected: Verdict
) -> None:
    relation = {"kind": "trend", "direction": "falling", "tolerance": tolerance}
    one = verdict(claim(relation, levels=LEVELS), swept(values))
    assert one.verdict is expected
    assert [part.name for part in one.parts][:2] == ["16 ÷ 64", "64 ÷ 256"]


def none_best(fast: str, accurate: str, margin: float = 1.0) -> list[Record]:
    return [
        record(
            name,
            block,
            {
                TIME: (10 if name == fast else 20) * (1 + 0.02 * NOISE[name][block]),
                TOP1: (97 + margin if name == accurate else 97) + 0.1 * NOISE[name][block],
            },
        )
        for name in THREE
        for block in range(5)
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (none_best("caffe", "torch"), SUPPORTED),
        (none_best("caffe", "caffe"), REFUTED),
        (none_best("caffe", "torch", margin=0.01), UNDECIDED),
    ],
)
def test_no_cell_is_the_best_in_all(found: list[Record], expected: Verdict) -> None:
    one = claim({"kind": "none_best_in_all", "outcomes": [TIME, TOP1]}, THREE, None)
    assert verdict(one, found).verdict is expected


def test_the_ratio_is_the_geometric_mean_of_pairs_with_its_t_interval() -> None:
    ratios = [2.0, 2.2, 1.9, 2.1]
    found = [*records("caffe", [10, 20, 30, 40]), *records("torch", [10 * r * k for k, r in enumerate(ratios, 1)])]
    (part,) = verdict(claim(RATIO, TWO), found).parts
    logs = [math.log(ratio) for ratio in ratios]
    mean = sum(logs) / 4
    error = math.sqrt(sum((value - mean) ** 2 for value in logs) / 3) / 2
    low, high = stats.t.interval(0.95, 3, loc=mean, scale=error)
    assert (part.n, part.how) == (4, "paired")
    assert part.value == pytest.approx(math.exp(mean))
    assert (part.low, part.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert (part.low_95, part.high_95) == pytest.approx((part.low, part.high))
    assert (part.claimed_low, part.claimed_high) == pytest.approx((2 / 1.1, 2.2))


def test_further_blocks_are_those_after_which_the_interval_would_end_before_the_bound() -> None:
    found = [*records("caffe", [10.0] * 4, TOP1), *records("torch", [12.0, 10.5, 11.5, 10.0], TOP1)]
    one = verdict(claim({"kind": "difference", "of": "torch", "less": "caffe", "at_least": 0.0}, TWO, TOP1), found)
    deviation = stats.tstd([2.0, 0.5, 1.5, 0.0])
    needed = next(n for n in range(5, 100) if stats.t.ppf(0.975, n - 1) * deviation / math.sqrt(n) <= 1.0)
    assert one.verdict is UNDECIDED
    assert one.more_blocks == needed - 4


def test_one_block_decides_nothing_and_says_so() -> None:
    one = verdict(claim(ORDER, THREE), times({"caffe": 1, "torch": 100, "theano": 1000}, blocks=1))
    assert (one.verdict, one.n, one.more_blocks) == (UNDECIDED, 1, None)
    assert any("one block" in reason for reason in one.reasons)
    assert [part.low for part in one.parts] == [None, None]
    assert one.parts[0].value == pytest.approx(100 / 1.004)


def test_accuracies_without_spread_are_known_to_one_image_only() -> None:
    found = [*records("caffe", [99.10] * 3, TOP1), *records("torch", [99.12] * 3, TOP1)]
    one = verdict(claim({"kind": "order", "cells": ["caffe", "torch"]}, TWO, TOP1), found)
    half_width = stats.t.ppf(0.975, 2) * 0.01 * math.sqrt(2 / 12) / math.sqrt(3)
    assert one.parts[0].high == pytest.approx(0.02 + half_width)


def test_cells_without_common_blocks_are_compared_without_pairs_and_it_is_said() -> None:
    found = [
        *records("caffe", [10, 10.1, 9.9]),
        *(record("torch", block, {TIME: 20 + block / 10}) for block in (7, 8, 9)),
    ]
    one = verdict(claim({"kind": "ratio", "of": "torch", "to": "caffe", "at_least": 1.5}, TWO), found)
    assert (one.verdict, one.parts[0].how) == (SUPPORTED, "Welch")
    assert any("without pairs" in note for note in one.notes)


def test_holm_asks_more_of_the_surest_of_a_family_than_of_one_alone() -> None:
    values = {1: 1.0, 2: 1.6, 3: 0.5, 4: 1.3}
    alone = mean_of(values, 0.0)
    (single,) = decide([(alone, 0.0, math.inf)])
    family = decide([(alone, 0.0, math.inf)] * 5)
    assert single.inside is True
    assert single.p < 0.05 < 5 * single.p
    assert [one.inside for one in family] == [None] * 5
    assert {one.alpha for one in family} == {0.01}
    assert all(one.needs and one.needs > 0 for one in family)


def test_a_refuted_pair_refutes_the_order_whatever_is_open() -> None:
    one = verdict(claim(ORDER, THREE), times({"caffe": 10, "torch": 10.001, "theano": 2}))
    assert [part.decided for part in one.parts] == [None, False]
    assert one.verdict is REFUTED


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.lists(st.floats(1, 100), min_size=4, max_size=4), min_size=3, max_size=3),
    seed=st.integers(0, 1000),
)
def test_neither_the_order_of_records_nor_the_names_of_blocks_change_a_verdict(
    values: list[list[float]], seed: int
) -> None:
    chance = random.Random(seed)
    blocks = chance.sample(range(1, 50), 4)

    def made(names: Sequence[int]) -> list[Record]:
        return [
            record(name, block, {TIME: value})
            for name, row in zip(THREE, values, strict=True)
            for block, value in zip(names, row, strict=True)
        ]

    shuffled = made(blocks)
    chance.shuffle(shuffled)
    first, second = (verdict(claim(ORDER, THREE), found) for found in (made([1, 2, 3, 4]), shuffled))
    assert (first.verdict, first.more_blocks, first.n) == (second.verdict, second.more_blocks, second.n)
    for one, other in zip(first.parts, second.parts, strict=True):
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.lists(st.floats(1, 100), min_size=3, max_size=3), min_size=4, max_size=4))
def test_a_comparison_is_decided_exactly_where_the_interval_shown_says_so(values: list[list[float]]) -> None:
    found = [one for name, row in zip(NOISE, values, strict=True) for one in records(name, row)]
    one = verdict(claim({"kind": "equal", "relative_tolerance": 0.5}, list(NOISE)), found)
    for part in one.parts:
        assert part.low is not None
        assert part.high is not None
        inside = part.claimed_low < part.low and part.high < part.claimed_high
        outside = part.high < part.claimed_low or part.low > part.claimed_high
        assert part.decided is (True if inside else False if outside else None)
        assert (part.needs == 0) == (part.decided is not None)


def test_a_family_of_equal_cells_is_wrongly_decided_no_more_often_than_the_level() -> None:
    chance = random.Random(20261124)
    rounds, wrong = 400, 0
    for _ in range(rounds):
        cells = [{block: chance.gauss(0, 1) for block in range(4)} for _ in range(4)]
        pairs = [(cells[a], cells[b]) for a in range(4) for b in range(a)]
        family = decide([(difference_of(a, b, 0.0), 0.0, math.inf) for a, b in pairs])
        wrong += any(one.inside is not None for one in family)
    assert wrong / rounds < stats.binom.ppf(0.999, rounds, 0.05) / rounds


def test_every_verdict_names_the_records_it_rests_on() -> None:
    found = times({"caffe": 10, "torch": 12, "theano": 20}, blocks=3)
    one: Evaluation = evaluate_claim(claim(ORDER, THREE), observe(found))[0]
    assert sorted(entry.id for entry in one.records) == sorted(entry.id for entry in found)
    assert {(entry.cell, entry.block) for entry in one.records} == {
        (name, block) for name in THREE for block in (1, 2, 3)
    }
