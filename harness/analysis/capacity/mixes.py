"""The answer to `fleet`: jobs and machines as predicted numbers, and the plan that the integer programme finds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.capacity.fleets import MachineType, Plan, Work, least_cost
from harness.analysis.capacity.machines import Machine, resolve_machine
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.prediction import Basis, Prediction, worst
from harness.analysis.capacity.questions import Fleet, FleetJob
from harness.analysis.capacity.rates import SPLIT
from harness.analysis.capacity.runs import Run, run_of
from harness.errors import DlgaugeError
from harness.units import format_bytes, format_seconds

MOST_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Option:
    """One kind of job on one machine type.

    Attributes:
        side_by_side: how many at once.
        time_s: until all of them are done, as planned on; None: it is no option.
        why_not: why it is none.
    """

    job: str
    machine: str
    side_by_side: int
    run: Run
    time_s: float | None
    why_not: str


@dataclass(frozen=True)
class Machines:
    """Machines of one type that all do the same work.

    Attributes:
        work: (job, how many at once, how often) on each.
        busy_fraction: part of the horizon in which each works.
    """

    machine: str
    machines: int
    work: tuple[tuple[str, int, int], ...]
    busy_fraction: float
    cost: float


@dataclass(frozen=True)
class FleetAnswer:
    """The cheapest fleet, or why there is none.

    Attributes:
        cost: of the horizon, in the currency of `price_per_hour`; None: there is no plan.
        machines: the plan.
        reasons: why there is none, by name.
        options: every job on every machine type.
        basis: the worst of the predictions that the plan uses.
    """

    jobs: tuple[FleetJob, ...]
    horizon_s: float
    plan_on: str
    cost: float | None
    machines: tuple[Machines, ...]
    reasons: tuple[str, ...]
    options: tuple[Option, ...]
    basis: Basis

    ask: str = "fleet"


def answer_fleet(models: CapacityModels, question: Fleet, relative_to: Path | None = None) -> FleetAnswer:
    """Answer the question.

    Raises:
        DlgaugeError: a machine cannot be resolved or has no price; two of the same name; several models answer.
    """
    machines = [resolve_machine(one, models.observations.frame, relative_to) for one in question.machines]
    names = _names(question)
    _check(machines)
    options = [
        option
        for machine in machines
        for job, name in zip(question.jobs, names, strict=True)
        for option in _options(models, question, job, name, machine, relative_to)
    ]
    types = [_machine_type(machine, names, options, question.horizon) for machine in machines]
    plan = least_cost(types, [job.count for job in question.jobs], question.horizon)
    used = [one for one in options if _is_used(one, plan, types, names)]
    return FleetAnswer(
        jobs=question.jobs,
        horizon_s=question.horizon,
        plan_on=question.plan_on,
        cost=plan.cost,
        machines=tuple(_machines(plan, types, names, question.horizon)),
        reasons=_reasons(plan, question, names, options),
        options=tuple(options),
        basis=worst(basis for one in used for basis in _bases(one, machines)),
    )


def _bases(option: Option, machines: list[Machine]) -> list[Basis]:
    """Of what a plan rests on: the time, and where the machine has a limit the memory."""
    limited = any(one.name == option.machine and one.memory_bytes is not None for one in machines)
    return [option.run.time.basis, *([option.run.memory.basis] if limited else [])]


def _names(question: Fleet) -> list[str]:
    """A name of each kind of job; those that are alike are numbered."""
    titles = [job.title for job in question.jobs]
    return [title if titles.count(title) == 1 else f"{title} ({i + 1})" for i, title in enumerate(titles)]


def _check(machines: list[Machine]) -> None:
    for machine in machines:
        if machine.price_per_hour is None:
            raise DlgaugeError(
                f"{machine.name} has no price: the cheapest fleet cannot be told",
                hint="give it: {profile: NAME, price_per_hour: 0.10}",
            )
    names = [machine.name for machine in machines]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DlgaugeError(f"two machines are called {', '.join(twice)}", hint="give them a `name`")


def _options(
    models: CapacityModels, question: Fleet, job: FleetJob, name: str, machine: Machine, relative_to: Path | None
) -> list[Option]:
    """One job alone, and as many side by side as were measured, where that does more in the same time."""
    found = [_option(question, name, machine, 1, run_of(models, job, machine, relative_to))]
    if question.cores is None or found[0].time_s is None:
        return found
    for jobs in range(2, min(MOST_SIDE_BY_SIDE, job.count) + 1):
        if question.cores == SPLIT and machine.cpus % jobs:
            continue
        run = run_of(models, job, machine, relative_to, jobs, question.cores)
        option = _option(question, name, machine, jobs, run)
        found.append(option)
        if option.time_s is None:
            break
    return found


def _option(question: Fleet, name: str, machine: Machine, jobs: int, run: Run) -> Option:
    time_s, why_not = _end(run.time, question.plan_on), ""
    if time_s is None:
        why_not = "; ".join(run.time.reasons) or "its time has no interval"
    elif time_s > question.horizon:
        why_not = f"takes {format_seconds(time_s)}, the horizon is {format_seconds(question.horizon)}"
    if machine.memory_bytes is not None:
        need = _end(run.memory, question.plan_on)
        if need is None:
            why_not = why_not or f"memory cannot be told: {'; '.join(run.memory.reasons)}"
        elif jobs * need > machine.memory_bytes:
            has = format_bytes(machine.memory_bytes)
            why_not = why_not or f"{jobs} need up to {jobs * need / 2**20:.0f} MiB of memory, the machine has {has}"
    return Option(name, machine.name, jobs, run, None if why_not else time_s, why_not)


def _end(one: Prediction, plan_on: str) -> float | None:
    return one.high if plan_on == "high" else one.estimate


def _machine_type(machine: Machine, names: list[str], options: list[Option], horizon_s: float) -> MachineType:
    own = [one for one in options if one.machine == machine.name and one.time_s is not None]
    work = tuple(Work(names.index(one.job), one.side_by_side, one.time_s) for one in own if one.time_s is not None)
    cost = (machine.price_per_hour or 0.0) * horizon_s / 3600
    return MachineType(machine.name, cost, _worth(work), machine.at_most)


def _worth(work: tuple[Work, ...]) -> tuple[Work, ...]:
    """Without what does no more side by side than one after the other."""
    alone = {piece.job: piece.time_s for piece in work if piece.side_by_side == 1}
    return tuple(
        piece
        for piece in work
        if piece.side_by_side == 1 or piece.time_s < piece.side_by_side * alone.get(piece.job, math.inf)
    )


def _machines(plan: Plan, types: list[MachineType], names: list[str], horizon_s: float) -> list[Machines]:
    return [
        Machines(
            machine=types[one.machine].name,
            machines=one.machines,
            work=tuple((names[piece.job], piece.side_by_side, count) for piece, count in one.work),
            busy_fraction=one.busy_s / horizon_s,
            cost=types[one.machine].cost * one.machines,
        )
        for one in plan.assignments
    ]


def _is_used(option: Option, plan: Plan, types: list[MachineType], names: list[str]) -> bool:
    return any(
        types[one.machine].name == option.machine
        and any(names[piece.job] == option.job and piece.side_by_side == option.side_by_side for piece, _ in one.work)
        for one in plan.assignments
    )


def _reasons(plan: Plan, question: Fleet, names: list[str], options: list[Option]) -> tuple[str, ...]:
    """Why there is no plan, with what each machine says to each job that none can do."""
    if plan.cost is not None:
        return ()
    lost = [name for name in names if all(one.time_s is None for one in options if one.job == name)]
    found = [f"{one.job} on {one.machine}: {one.why_not}" for one in options if one.job in lost]
    found += [reason for reason in plan.reasons if not lost]
    for job, count in (plan.missing or {}).items():
        found.append(f"{count} of {question.jobs[job].count} {names[job]} cannot be done in the horizon")
    return tuple(found)
