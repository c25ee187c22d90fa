"""`fleet`: a mix of jobs onto machine types at least cost, as an integer programme.

Machines are rented for the whole horizon. On each, work is done one after the other; a piece of work is one job, or k
jobs of a kind side by side where that was measured. Over the patterns p of every machine type (`patterns.py`), `x_p`
machines follow p:

    minimise    sum_p price_p x_p
    so that     sum_p done_jp x_p >= count_j    for every job j
                sum_(p of type m) x_p <= at_most_m,    x_p a whole number

solved by HiGHS through `scipy.optimize.milp`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.analysis.capacity.patterns import TooManyPatterns, maximal_patterns
from harness.analysis.capacity.regression import Array

SCALE, TIE = 1e4, 1e-3


@dataclass(frozen=True)
class Work:
    """One piece of work on a machine type.

    Attributes:
        job: number of the kind of job.
        side_by_side: how many of it are done at once.
        time_s: until all of them are done.
    """

    job: int
    side_by_side: int
    time_s: float


@dataclass(frozen=True)
class MachineType:
    """A machine type of the programme.

    Attributes:
        cost: of one machine over the horizon.
        work: what can be done on it.
        at_most: None: no bound.
    """

    name: str
    cost: float
    work: tuple[Work, ...]
    at_most: int | None = None


@dataclass(frozen=True)
class Assignment:
    """Machines that all do the same.

    Attributes:
        machine: number of its type.
        machines: how many.
        work: (piece of work, how often) on each of them.
        busy_s: of the horizon, on each.
    """

    machine: int
    machines: int
    work: tuple[tuple[Work, int], ...]
    busy_s: float


@dataclass(frozen=True)
class Plan:
    """An optimal plan, or why there is none.

    Attributes:
        cost: the least; None where there is no plan.
        assignments: of machines.
        reasons: why there is no plan.
        missing: job -> how many of it cannot be done, where machines are too few.
    """

    cost: float | None
    assignments: tuple[Assignment, ...] = ()
    reasons: tuple[str, ...] = ()
    missing: dict[int, int] | None = None


def least_cost(types: Sequence[MachineType], counts: Sequence[int], horizon_s: float) -> Plan:
    """The cheapest machines that do `counts[j]` jobs of every kind j within the horizon."""
    if lost := [job for job in range(len(counts)) if not any(_possible(one, job, horizon_s) for one in types)]:
        return Plan(None, reasons=tuple(f"job {job} can be done on no machine" for job in lost))
    try:
        columns = [pattern for index, one in enumerate(types) for pattern in _patterns(index, one, counts, horizon_s)]
    except TooManyPatterns as error:
        why = f"{error}: shorten the horizon, or ask for fewer kinds of jobs at once"
        return Plan(None, reasons=(why,))
    found = _solve(types, counts, columns)
    if found is not None:
        return _plan(types, columns, found)
    return _too_few(types, counts, columns)


def _possible(one: MachineType, job: int, horizon_s: float) -> bool:
    return one.at_most != 0 and any(work.job == job and work.time_s <= horizon_s for work in one.work)


def _patterns(index: int, one: MachineType, counts: Sequence[int], horizon_s: float) -> list[Assignment]:
    work = [piece for piece in one.work if piece.time_s <= horizon_s]
    most = [math.ceil(counts[piece.job] / piece.side_by_side) for piece in work]
    return [
        Assignment(
            machine=index,
            machines=0,
            work=tuple((piece, count) for piece, count in zip(work, pattern, strict=True) if count),
            busy_s=math.fsum(piece.time_s * count for piece, count in zip(work, pattern, strict=True)),
        )
        for pattern in maximal_patterns([piece.time_s for piece in work], horizon_s, most)
    ]


def _done(columns: Sequence[Assignment], jobs: int) -> Array:
    """Jobs of each kind that one machine of each pattern does, `(jobs, patterns)`."""
    found = np.zeros((jobs, len(columns)))
    for index, column in enumerate(columns):
        for piece, count in column.work:
            found[piece.job, index] += piece.side_by_side * count
    return found


def _solve(types: Sequence[MachineType], counts: Sequence[int], columns: Sequence[Assignment]) -> list[int] | None:
    """Machines of each pattern, None where there are too few."""
    from scipy.optimize import LinearConstraint, milp

    cost = np.array([types[column.machine].cost for column in columns])
    constraints = [
        LinearConstraint(_done(columns, len(counts)), lb=np.array(counts, dtype=float)),
        *_bounds(types, columns),
    ]
    # The solver's gap is absolute: costs are scaled. Ties go to fewer machines, each a ten-millionth of the dearest.
    scaled = cost / (cost.max() or 1.0) * SCALE + TIE
    result = milp(scaled, constraints=constraints, integrality=np.ones(len(columns)), options={"mip_rel_gap": 0.0})
    return None if result.x is None else [round(value) for value in result.x]


def _bounds(types: Sequence[MachineType], columns: Sequence[Assignment]) -> list[Any]:
    from scipy.optimize import LinearConstraint

    bounded = [index for index, one in enumerate(types) if one.at_most is not None]
    rows = [[float(column.machine == index) for column in columns] for index in bounded]
    return (
        [LinearConstraint(np.array(rows), ub=np.array([types[i].at_most for i in bounded], dtype=float))]
        if rows
        else []
    )


def _plan(types: Sequence[MachineType], columns: Sequence[Assignment], found: Sequence[int]) -> Plan:
    chosen = [replace(column, machines=n) for column, n in zip(columns, found, strict=True) if n]
    return Plan(math.fsum(types[one.machine].cost * one.machines for one in chosen), tuple(chosen))


def _too_few(types: Sequence[MachineType], counts: Sequence[int], columns: Sequence[Assignment]) -> Plan:
    """Which jobs are left over when as many as possible are done on the machines that there are."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    patterns, jobs = len(columns), len(counts)
    objective = np.concatenate([np.zeros(patterns), np.ones(jobs)])
    done = np.hstack([_done(columns, jobs), np.eye(jobs)])
    constraints = [LinearConstraint(done, lb=np.array(counts, dtype=float))]
    for bound in _bounds(types, columns):
        constraints.append(LinearConstraint(np.hstack([bound.A, np.zeros((len(bound.A), jobs))]), ub=bound.ub))
    upper = np.concatenate([np.full(patterns, np.inf), np.array(counts, dtype=float)])
    result = milp(objective, constraints=constraints, integrality=np.ones(patterns + jobs), bounds=Bounds(0, upper))
    if result.x is None:
        return Plan(None, reasons=(f"the solver found no plan: {result.message}",))
    missing = {job: round(value) for job, value in enumerate(result.x[patterns:]) if round(value)}
    bounded = ", ".join(f"{one.name} {one.at_most}" for one in types if one.at_most is not None)
    return Plan(None, reasons=(f"there are too few machines ({bounded})",), missing=missing)
