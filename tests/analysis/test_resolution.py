"""How many blocks follow from a pilot."""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.resolution import PairSpread, resolution
from harness.analysis.statistics import seeds_for_precision
from harness.records import Store
from tests.synthetic import write_record


def write_speeds(store: Path, speeds: dict[str, list[float]], **more) -> None:
    for framework, values in speeds.items():
        for seed, value in enumerate(values, 1):
            write_record(store, framework, seed, summary={"samples_per_s": value}, **more)


def test_the_ratio_that_varies_most_decides(tmp_path: Path) -> None:
    write_speeds(tmp_path, {"torch": [100, 102, 98], "caffe": [50, 51, 49], "theano": [40, 42, 39]})
    found = resolution(Store(tmp_path).records(), 0.03)
    widest = found.widest
    assert widest is not None and "theano" in widest.name
    logs = [math.log(a / b) for a, b in zip([100, 102, 98], [40, 42, 39], strict=True)]
    assert widest.log_sd == pytest.approx(statistics.stdev(logs), rel=0.05)
    quiet = found.pairs[-1]
    assert quiet.name == "caffe against torch"
    assert quiet.log_sd == pytest.approx(0, abs=1e-12)
    assert quiet.needed == 2
    assert found.needed == widest.needed
    assert len(widest.trials) == 6


def test_what_two_frameworks_share_does_not_count(tmp_path: Path) -> None:
    """Blocks that are slow for both alike take nothing from the ratio."""
    write_speeds(tmp_path, {"torch": [100, 50, 200], "caffe": [10, 5, 20]})
    (pair,) = resolution(Store(tmp_path).records(), 0.03).pairs
    assert pair.needed == 2


def test_by_hand(tmp_path: Path) -> None:
    """t[0.975, 3] * 0.02 / 2 = 0.0318 > ln 1.03 = 0.02956 >= t[0.975, 4] * 0.02 / sqrt 5 = 0.0248."""
    steps = [math.exp(one * 0.02) for one in (-1, 0, 1)]
    write_speeds(tmp_path, {"torch": [100 * one for one in steps], "caffe": [50, 50, 50]})
    (pair,) = resolution(Store(tmp_path).records(), 0.03).pairs
    assert pair.log_sd == pytest.approx(0.02)
    assert pair.needed == 5
    assert pair.half_width(5) == pytest.approx(math.expm1(2.7764451 * 0.02 / math.sqrt(5)))
    assert pair.half_width(5) <= 0.03 < pair.half_width(4)


@settings(deadline=None)
@given(spread=st.floats(1e-4, 0.5), difference=st.floats(0.005, 0.5))
def test_the_number_is_the_smallest_that_serves(spread: float, difference: float) -> None:
    needed = seeds_for_precision(spread, math.log1p(difference))
    pair = PairSpread("a", "b", 3, spread, needed, ())
    if needed is None:
        assert pair.half_width(1000) > difference
        return
    assert pair.half_width(needed) <= difference * (1 + 1e-9)
    if needed > 2:
        assert pair.half_width(needed - 1) > difference * (1 - 1e-9)


def test_as_many_blocks_as_asked_for_resolve_the_difference_about_as_often_as_not() -> None:
    """With the true spread for `s` the mean half width is the one asked for: half of all studies end narrower."""
    chance = random.Random(3)
    needed = seeds_for_precision(0.05, math.log1p(0.03))
    assert needed is not None
    widths = []
    for _ in range(2000):
        logs = [chance.gauss(0.1, 0.05) for _ in range(needed)]
        widths.append(PairSpread("a", "b", needed, statistics.stdev(logs), None, ()).half_width(needed))
    assert 0.4 < sum(width <= 0.03 for width in widths) / len(widths) < 0.75


def test_cells_are_paired_with_all_else_equal(tmp_path: Path) -> None:
    for size in (16, 64):
        write_speeds(
            tmp_path,
            {"torch": [100, 101, 99], "caffe": [50, 50, 50]},
            setting={"batch_size": size},
            varied={"batch_size": size},
        )
    names = {pair.name for pair in resolution(Store(tmp_path).records(), 0.03).pairs}
    assert names == {f"caffe · batch_size={size} against torch · batch_size={size}" for size in (16, 64)}


def test_the_cells_of_one_framework_are_compared_with_each_other(tmp_path: Path) -> None:
    for size in (16, 32, 64):
        write_speeds(tmp_path, {"torch": [100, 101, 99]}, setting={"batch_size": size}, varied={"batch_size": size})
    assert len(resolution(Store(tmp_path).records(), 0.03).pairs) == 3


def test_a_single_cell_is_judged_by_its_own_throughput(tmp_path: Path) -> None:
    write_speeds(tmp_path, {"torch": [100, 110, 90]})
    (pair,) = resolution(Store(tmp_path).records(), 0.03).pairs
    assert pair.name == "torch"
    assert pair.log_sd == pytest.approx(statistics.stdev(math.log(value) for value in (100, 110, 90)))


def test_pairs_without_two_blocks_are_told(tmp_path: Path) -> None:
    write_speeds(tmp_path, {"torch": [100, 101, 99], "caffe": [50]})
    failed = write_record(tmp_path, "caffe", 2, termination="crashed")
    found = resolution(Store(tmp_path).records(), 0.03)
    assert found.pairs == ()
    assert found.needed is None
    assert found.not_judged == (
        f"caffe · caffe-mnist · seed 2 ({failed.id}): crashed",
        "caffe against torch: 1 completed block with samples/s of all its cells",
    )


def test_noise_beyond_all_plans_has_no_number(tmp_path: Path) -> None:
    write_speeds(tmp_path, {"torch": [1, 1000, 1], "caffe": [50, 50, 50]})
    assert resolution(Store(tmp_path).records(), 0.001).needed is None
