"""A range test in words and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.tuning.range_test import RatePoint, UsableRange

RULE = (
    "rule: usable is a rate at which no seed diverged or failed and which has at least {share:.0f} % of the best\n"
    "      fall of the training loss (first mini-batch to the mean of the last fifth of the steps) and of the\n"
    "      best gain in validation top-1 over guessing; the range is the unbroken run of usable rates around the\n"
    "      largest fall"
)


def range_text(found: UsableRange, store: Path) -> str:
    """The table of one framework, the range, and what to know about it."""
    lines = [found.framework, *_table(found), *_conclusion(found)]
    lines += [f"  note: {remark}" for remark in found.remarks]
    if damaged := [one for point in found.points for one in point.outcomes if not one.completed]:
        lines += [f"  {_ending(one.learning_rate['k0'], one.seed, one.termination, one.reason)}" for one in damaged]
    lines.append(f"  records: {store}")
    return "\n".join(lines)


def _ending(rate: Any, seed: int, termination: str, reason: str | None) -> str:
    return f"rate {rate:g}, seed {seed}: {termination}" + (f": {reason}" if reason else "")


def _table(found: UsableRange) -> Iterator[str]:
    yield f"  {'rate':>10}  {'loss':>9}  {'top-1 %':>8}  {'runs':>4}  usable"
    for point in found.points:
        loss = "-" if point.loss is None else f"{point.loss:.4f}"
        top1 = "-" if point.top1 is None else f"{100 * point.top1:.2f}"
        usable = "yes" + (" (best)" if point.rate == found.best else "") if point.usable else f"no: {point.why_not}"
        yield f"  {point.rate:>10g}  {loss:>9}  {top1:>8}  {len(point.outcomes):>4}  {usable}"


def _conclusion(found: UsableRange) -> Iterator[str]:
    if found.low is None or found.high is None:
        yield "  usable range: none"
    elif found.low == found.high:
        yield f"  usable range: {found.low:g} alone"
    else:
        yield f"  usable range: {found.low:g} to {found.high:g}; for a cyclic policy k0={found.low:g} k1={found.high:g}"


def range_as_dict(found: UsableRange) -> dict[str, Any]:
    """The result of one framework as plain values; what was not measured is null."""
    cyclic = found.low is not None and found.low != found.high
    return {
        "framework": found.framework,
        "usable": None if found.low is None else {"from": found.low, "to": found.high},
        "best_rate": found.best,
        "suggested": {"k0": found.low, "k1": found.high} if cyclic else None,
        "tolerance": found.tolerance,
        "remarks": list(found.remarks),
        "points": [_point_as_dict(point) for point in found.points],
    }


def _point_as_dict(point: RatePoint) -> dict[str, Any]:
    return {
        "rate": point.rate,
        "training_loss": point.loss,
        "validation_top1_percent": None if point.top1 is None else 100 * point.top1,
        "usable": point.usable,
        "why_not": point.why_not,
        "runs": [
            {
                "seed": one.seed,
                "trial": one.trial,
                "record": str(one.record),
                "termination": one.termination,
                "reason": one.reason,
                "steps": one.steps,
                "first_training_loss": one.first_loss,
                "training_loss": one.final_loss,
                "validation_top1_percent": None if one.top1 is None else 100 * one.top1,
            }
            for one in point.outcomes
        ],
    }


def next_commands(ranges: Sequence[UsableRange], asked: str) -> list[str]:
    """What to do next: a search inside the range of each framework, or a grid that holds the range."""
    found = []
    for one in ranges:
        if one.low is None or one.low == one.high:
            continue
        found.append(
            f"dlgauge lr tune {asked} --framework {one.framework} --from {one.low:g} --to {one.high:g} --trials 20"
        )
    return found
