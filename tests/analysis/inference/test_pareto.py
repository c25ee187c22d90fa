"""Pareto fronts: what dominates what, how certainly, and what cannot stand in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis import compare
from harness.analysis.inference.pareto import Front, fronts
from harness.records import Store
from tests.analysis.test_comparison import with_energy
from tests.synthetic import MACHINE, write_record


def write(store: Path, framework: str, seed: int, seconds: float, top1: float | None, **more: Any) -> Any:
    return write_record(store, framework, seed, summary={"training_time_s": seconds, "top1_percent": top1}, **more)


def front_of(store: Path, cost: str = "training_time_s") -> Front:
    (front,) = [one for one in fronts(compare(Store(store).records())) if one.cost == cost]
    return front


def test_a_slower_and_less_accurate_row_is_dominated(tmp_path: Path) -> None:
    for seed in (1, 2, 3, 4):
        write(tmp_path, "torch", seed, 10.0 + 0.1 * seed, 98.0)
        write(tmp_path, "caffe", seed, 20.0 + 0.1 * seed, 99.0)
        write(tmp_path, "theano", seed, 25.0 + 0.1 * seed, 98.5)
    front = front_of(tmp_path)
    assert [row.name for row in front.rows] == ["torch", "caffe", "theano"]
    assert [row.on_front for row in front.rows] == [True, True, False]
    theano = front.rows[2]
    assert (theano.dominated_by, theano.blocks_dominated, theano.resamples_dominated) == (("caffe",), 4, 1.0)
    assert (front.rows[0].blocks_dominated, front.rows[0].resamples_dominated) == (0, 0.0)
    assert front.seeds == (1, 2, 3, 4) and len(theano.trials) == 4


def test_an_uncertain_domination_is_counted(tmp_path: Path) -> None:
    for seed, top1 in ((1, 98.1), (2, 97.9), (3, 98.2), (4, 98.0)):
        write(tmp_path, "torch", seed, 10.0, 98.0)
        write(tmp_path, "caffe", seed, 20.0, top1)
    caffe = front_of(tmp_path).rows[1]
    assert caffe.on_front  # its mean is 98.05
    assert caffe.blocks_dominated == 2  # less accurate in block 2; as accurate and slower in block 4
    assert caffe.resamples_dominated is not None and 0.05 < caffe.resamples_dominated < 0.5


def test_equal_rows_do_not_dominate_each_other(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        write(tmp_path, "torch", seed, 0.1 * seed, 98.1)
        write(tmp_path, "caffe", seed, 0.1 * seed, 98.1)
    assert [(row.on_front, row.resamples_dominated) for row in front_of(tmp_path).rows] == [(True, 0.0)] * 2


def test_one_block_has_no_share_of_resamples(tmp_path: Path) -> None:
    write(tmp_path, "torch", 1, 10.0, 98.0)
    write(tmp_path, "caffe", 1, 20.0, 97.0)
    caffe = front_of(tmp_path).rows[1]
    assert (caffe.dominated_by, caffe.blocks_dominated, caffe.resamples_dominated) == (("torch",), 1, None)


def test_money_can_turn_the_front(tmp_path: Path) -> None:
    """The faster machine costs more than it saves."""
    for seed in (1, 2):
        write(tmp_path, "torch", seed, 10.0, 98.0, profile={"name": "big", "price_per_hour": 3.6})
        write(tmp_path, "caffe", seed, 20.0, 98.0, profile={"name": "small", "price_per_hour": 0.36})
    assert [row.name for row in front_of(tmp_path).rows if row.on_front] == ["torch · big"]
    money = front_of(tmp_path, "training_price")
    assert {row.name: row.cost for row in money.rows} == pytest.approx({"torch · big": 0.01, "caffe · small": 0.002})
    assert [row.name for row in money.rows if row.on_front] == ["caffe · small"]


def test_what_has_no_price_or_energy_is_named(tmp_path: Path) -> None:
    for seed in (1, 2):
        write(tmp_path, "torch", seed, 10.0, 98.0, profile={"price_per_hour": 1.0})
        write(tmp_path, "caffe", seed, 20.0, 98.0)
        write(tmp_path, "theano", seed, 20.0, None, not_measured={"top1_percent": "no evaluation"})
    money = front_of(tmp_path, "training_price")
    assert money.rows == ()
    assert money.reason is not None and "the profile has no price_per_hour" in money.reason
    assert set(money.left_out) == {"caffe", "theano"}
    assert front_of(tmp_path).left_out == {"theano": "no top-1 %: no evaluation"}
    energy = front_of(tmp_path, "training_joules").reason
    assert energy is not None and "no counter of energy" in energy


def test_energy_of_one_part_makes_a_front_and_of_several_none(tmp_path: Path) -> None:
    for seed in (1, 2):
        with_energy(write(tmp_path, "torch", seed, 10.0, 98.0), package=30.0)
        with_energy(write(tmp_path, "caffe", seed, 20.0, 98.0), package=20.0)
    front = front_of(tmp_path, "training_joules")
    assert {row.name: (row.cost, row.on_front) for row in front.rows} == {"caffe": (40.0, True), "torch": (60.0, False)}
    with_energy(write(tmp_path, "theano", 1, 10.0, 98.0), package=30.0, gpu=5.0)
    assert front_of(tmp_path, "training_joules").reason == (
        "energies of different parts of the machine: package, package+gpu"
    )


def test_other_machines_stand_in_another_front(tmp_path: Path) -> None:
    for seed in (1, 2):
        write(tmp_path, "torch", seed, 10.0, 98.0)
        write(tmp_path, "caffe", seed, 20.0, 97.0, machine={**MACHINE, "cpu_model": "Other"})
    found = [one for one in fronts(compare(Store(tmp_path).records())) if one.cost == "training_time_s"]
    assert [one.conditions for one in found] == ["A", "B"]
    assert all(one.rows == () and one.reason is not None for one in found)
