"""Answers of `dlgauge capacity` as tables with the verdict above and what it rests on below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from harness.analysis.capacity.asking import Answer
from harness.analysis.capacity.fits import FitAnswer
from harness.analysis.capacity.machines import Machine
from harness.analysis.capacity.mixes import FleetAnswer, Option
from harness.analysis.capacity.packing import PackAnswer
from harness.analysis.capacity.prediction import Basis, Prediction
from harness.analysis.capacity.sizes import Candidate, SizeAnswer
from harness.reporting.capacity_numbers import NONE, basis, duration, ids, interval, number, percent, runs
from harness.reporting.capacity_sheets import Sheet
from harness.units import format_bytes

Name = TypeVar("Name", str, int)
INTERVAL = "in brackets: 95 % prediction interval of one new trial"


def sheet(answer: Answer) -> Sheet:
    """One answer as a table."""
    if isinstance(answer, FitAnswer):
        return _fit(answer)
    if isinstance(answer, SizeAnswer):
        return _size(answer)
    return _pack(answer) if isinstance(answer, PackAnswer) else _fleet(answer)


def _fit(one: FitAnswer) -> Sheet:
    rows = ((one.machine.name, format_bytes(one.limit_bytes), interval(one.memory), basis(one.memory)),)
    above = (f"{one.verdict}{_extrapolated(one.memory)}",)
    below = [*one.memory.reasons, *one.evidence, INTERVAL]
    below += _records([one.memory.records, one.evidence_records])
    headers = ("profile", "memory limit", "predicted peak MiB", "")
    return Sheet(f"fit: {one.job.title}", headers, rows, (False, True, True, False), above, tuple(below))


def _extrapolated(one: Prediction) -> str:
    return " (extrapolation)" if one.basis is Basis.EXTRAPOLATION else ""


def _size(one: SizeAnswer) -> Sheet:
    headers = ("profile", "workers", "memory limit", "peak MiB", "samples/s", "time", "cost", "", "")
    rows = tuple(_candidate(candidate) for candidate in one.candidates)
    if one.cheapest is None:
        answer = f"no profile: {one.reason}"
    else:
        answer = f"cheapest: {one.cheapest}"
        if one.not_distinguishable:
            answer += f"; not distinguishable from it in cost: {', '.join(one.not_distinguishable)}"
    above = [answer]
    if one.deadline_s is not None:
        above.append(f"deadline {duration(one.deadline_s)}, from the start of the worker to its last step of training")
    reasons = [(c.run.machine.name, part) for c in one.candidates for part in (c.run.memory, c.run.time, c.run.cost)]
    told = f"{INTERVAL}; evaluations are not in the time; cost in the currency of price_per_hour"
    below = [*_reasons(reasons, ", ".join), told]
    below += _records([c.run.time.records for c in one.candidates] + [c.run.memory.records for c in one.candidates])
    numeric = (False, True, True, True, True, True, True, False, False)
    return Sheet(f"size: {one.job.title}{_length(one.job)}", headers, rows, numeric, tuple(above), tuple(below))


def _candidate(one: Candidate) -> tuple[str, ...]:
    run, machine = one.run, one.run.machine
    worst = max((run.memory, run.time), key=lambda part: list(Basis).index(part.basis))
    cost = interval(run.cost) if machine.price_per_hour is not None else NONE
    return (
        machine.name,
        str(machine.workers),
        _limit(machine),
        interval(run.memory),
        interval(run.samples_per_s),
        interval(run.time),
        cost,
        one.standing,
        basis(worst),
    )


def _limit(machine: Machine) -> str:
    return "none" if machine.memory_bytes is None else format_bytes(machine.memory_bytes)


def _length(job: Any) -> str:
    if job.length is None:
        return ""
    value = getattr(job, job.length)
    return f" · to {value:g} %" if job.length == "accuracy" else f" · {value:g} {job.length}"


def _pack(one: PackAnswer) -> Sheet:
    headers = ("jobs", "memory MiB", "fits", "samples/s each", "samples/s together", "slowdown", "can run", "")
    rows = tuple(
        (
            str(row.jobs),
            interval(row.memory),
            "no limit" if row.fits is None else str(row.fits),
            interval(row.each),
            interval(row.together),
            interval(row.slowdown),
            str(row.verdict),
            basis(max((row.memory, row.each), key=lambda part: list(Basis).index(part.basis))),
        )
        for row in one.rows
    )
    answer = (
        f"{one.certain} for certain"
        if one.certain == one.possible
        else f"{one.certain} for certain, up to {one.possible} not ruled out"
    )
    above = [f"{one.machine.name}, {_limit(one.machine)} of memory, {one.cores} cores: {answer}"]
    if one.best is not None:
        above.append(f"most images a second together: with {one.best}")
    parts = [(row.jobs, part) for row in one.rows for part in (row.memory, row.each)]
    below = [
        *_reasons(parts, lambda jobs: f"{runs(jobs)} jobs"),
        *one.notes,
        f"{INTERVAL}; memory: each job as much as one alone",
    ]
    below += _records([part.records for _, part in parts])
    numeric = (True, True, False, True, True, True, False, False)
    return Sheet(f"pack: {one.job.title}", headers, rows, numeric, tuple(above), tuple(below))


def _fleet(one: FleetAnswer) -> Sheet:
    headers = ("machines", "type", "work of each, one after the other", "busy", "cost")
    rows = tuple(
        (
            str(row.machines),
            row.machine,
            "; ".join(f"{times} x {_beside(jobs)}{name}" for name, jobs, times in row.work),
            percent(row.busy_fraction),
            number(row.cost),
        )
        for row in one.machines
    )
    jobs = ", ".join(f"{job.count} x {job.title}{_length(job)}" for job in one.jobs)
    if one.cost is None:
        above = ["no plan:", *one.reasons]
    else:
        total = sum(row.machines for row in one.machines)
        extra = " (extrapolation)" if one.basis is Basis.EXTRAPOLATION else ""
        above = [f"least cost {number(one.cost)} for {total} machines over {duration(one.horizon_s)}{extra}"]
    planned = "the upper ends of the 95 % intervals" if one.plan_on == "high" else "the estimates"
    below = [f"jobs: {jobs}", f"planned on {planned} of time and memory; machines are rented for the whole horizon"]
    below += [_option(option) for option in one.options]
    below += _records([option.run.time.records for option in one.options])
    return Sheet("fleet", headers, rows, (True, False, False, True, True), tuple(above), tuple(below))


def _beside(jobs: int) -> str:
    return "" if jobs == 1 else f"{jobs} side by side of "


def _option(one: Option) -> str:
    time = interval(one.run.time)
    told = f"{_beside(one.side_by_side)}{one.job} on {one.machine}: {time}"
    why = one.why_not or "; ".join(dict.fromkeys((*one.run.time.reasons, *one.run.memory.reasons)))
    return f"{told}{': ' if why else ''}{why}"


def _reasons(parts: Iterable[tuple[Name, Prediction]], shown: Callable[[Sequence[Name]], str]) -> list[str]:
    """Why answers are extrapolations or refused, each said once with whom it concerns."""
    found: dict[str, dict[Name, None]] = {}
    for name, part in parts:
        for reason in part.reasons:
            found.setdefault(reason, {})[name] = None
    return [f"{shown(list(names))}: {reason}" for reason, names in found.items()]


def _records(groups: Iterable[tuple[str, ...]]) -> list[str]:
    every = tuple(dict.fromkeys(record for group in groups for record in group))
    return [f"rests on {len(every)} records: {ids(every)}"] if every else ["rests on no record"]
