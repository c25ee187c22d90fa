"""The fleet's programme against every possible assignment, in small cases."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from harness.analysis.capacity import patterns
from harness.analysis.capacity.fleets import MachineType, Plan, Work, least_cost
from harness.analysis.capacity.patterns import TooManyPatterns, maximal_patterns


def by_trying_everything(types: list[MachineType], counts: list[int], horizon_s: float) -> float | None:
    """The least cost over all numbers of machines and all ways to put the work on them."""
    most = sum(counts)
    bounds = [min(most, most if one.at_most is None else one.at_most) for one in types]
    costs = []
    for numbers in itertools.product(*(range(bound + 1) for bound in bounds)):
        machines = [one for one, number in zip(types, numbers, strict=True) for _ in range(number)]
        if can_do(machines, [horizon_s] * len(machines), list(counts)):
            costs.append(math.fsum(one.cost for one in machines))
    return min(costs, default=None)


def can_do(machines: list[MachineType], left_s: list[float], counts: list[int]) -> bool:
    job = next((index for index, count in enumerate(counts) if count > 0), None)
    if job is None:
        return True
    tried = set()
    for index, one in enumerate(machines):
        if (one.name, left_s[index]) in tried:
            continue
        tried.add((one.name, left_s[index]))
        for piece in one.work:
            if piece.job == job and piece.time_s <= left_s[index] + 1e-9:
                less, fewer = list(left_s), list(counts)
                less[index] -= piece.time_s
                fewer[job] -= piece.side_by_side
                if can_do(machines, less, fewer):
                    return True
    return False


def check(plan: Plan, types: list[MachineType], counts: list[int], horizon_s: float) -> None:
    """The plan does the work, in time, with the machines that there are, at the cost that it says."""
    done = [0] * len(counts)
    for one in plan.assignments:
        assert math.fsum(piece.time_s * times for piece, times in one.work) <= horizon_s * (1 + 1e-9)
        for piece, times in one.work:
            assert piece in types[one.machine].work
            done[piece.job] += piece.side_by_side * times * one.machines
    assert all(have >= want for have, want in zip(done, counts, strict=True))
    for index, one in enumerate(types):
        used = sum(part.machines for part in plan.assignments if part.machine == index)
        assert one.at_most is None or used <= one.at_most
    total = math.fsum(types[one.machine].cost * one.machines for one in plan.assignments)
    assert plan.cost == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_the_least_cost_is_the_least_of_all(seed: int) -> None:
    chance = random.Random(seed)
    counts = [chance.randint(1, 3) for _ in range(chance.randint(1, 3))]
    horizon_s = 10.0
    types = []
    for index in range(chance.randint(1, 3)):
        work = [
            Work(job, side, time_s=chance.choice([1.5, 2.0, 3.0, 4.0, 5.5, 7.0]) * (1 if side == 1 else 1.6))
            for job in range(len(counts))
            for side in (1, 2)
            if chance.random() < (0.8 if side == 1 else 0.3)
        ]
        at_most = chance.choice([None, None, 1, 2])
        types.append(MachineType(f"m{index}", chance.choice([0.5, 1.0, 1.7, 3.1]), tuple(work), at_most))
    plan, expected = least_cost(types, counts, horizon_s), by_trying_everything(types, counts, horizon_s)
    if expected is None:
        assert plan.cost is None
        assert plan.reasons
    else:
        assert plan.cost == pytest.approx(expected, rel=1e-9)
        check(plan, types, counts, horizon_s)


def test_the_small_cases_hold_feasible_and_infeasible_ones() -> None:
    few = [MachineType("m", 1.0, (Work(0, 1, 6.0),), at_most=1)]
    assert by_trying_everything(few, [2], 10.0) is None
    assert by_trying_everything(few, [1], 10.0) == 1.0


def test_jobs_are_not_cut_in_two() -> None:
    # 3 jobs of 6 h: 18 h of work would fit two machines of 10 h if a job could be cut.
    types = [MachineType("m", 1.0, (Work(0, 1, 6.0),))]
    assert least_cost(types, [3], 10.0).cost == 3.0


def test_too_few_machines_are_named_with_the_jobs_left_over() -> None:
    types = [MachineType("m", 1.0, (Work(0, 1, 6.0), Work(1, 1, 4.0)), at_most=2)]
    plan = least_cost(types, [2, 3], 10.0)
    assert plan.cost is None
    assert plan.reasons == ("there are too few machines (m 2)",)
    assert plan.missing == {1: 1}


def test_a_job_for_which_no_machine_serves_is_named() -> None:
    types = [MachineType("m", 1.0, (Work(0, 1, 6.0), Work(1, 1, 11.0)))]
    assert least_cost(types, [1, 1], 10.0).reasons == ("job 1 can be done on no machine",)


def test_costs_far_apart_are_told_apart() -> None:
    types = [MachineType("a", 1e-7, (Work(0, 1, 6.0),)), MachineType("b", 1.1e-7, (Work(0, 1, 6.0),))]
    assert least_cost(types, [3], 10.0).cost == pytest.approx(3e-7, rel=1e-12)


def test_of_equal_costs_fewer_machines() -> None:
    types = [MachineType("m", 0.0, (Work(0, 1, 2.0),))]
    plan = least_cost(types, [5], 10.0)
    assert sum(one.machines for one in plan.assignments) == 1


def test_patterns_are_all_that_can_take_no_more() -> None:
    found = maximal_patterns([2.0, 3.0], 7.0, [5, 5])
    assert sorted(found) == [(0, 2), (2, 1), (3, 0)]
    assert maximal_patterns([2.0, 3.0], 7.0, [1, 1]) == [(1, 1)]
    assert maximal_patterns([8.0], 7.0, [1]) == []


def test_too_many_patterns_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_PATTERNS", 10)
    with pytest.raises(TooManyPatterns):
        maximal_patterns([1.0, 1.1, 1.2], 20.0, [20, 20, 20])
    types = [MachineType("m", 1.0, tuple(Work(job, 1, 1.0 + job / 10) for job in range(3)))]
    assert "more than 10 ways to fill a machine" in least_cost(types, [20, 20, 20], 20.0).reasons[0]
