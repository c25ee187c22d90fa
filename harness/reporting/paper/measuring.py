"""From cells and records to marks: means over the trials with their 95 % interval."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.analysis import Cell, Column, TrialReference
from harness.analysis.policies.intervals import interval
from harness.errors import DlgaugeError
from harness.reporting.paper.model import Mark
from harness.reporting.paper.source import Source

ONE_TRIAL = "one trial: no interval"


def mark_of_column(
    source: Source, cell: Cell, column: Column, *, panel: str, series: str, x_name: str, x_unit: str, x: float | str
) -> Mark:
    """The mark of one quantity of one cell; without a value it has the reasons."""
    value = cell.values.get(column.key)
    by_seed = dict(value.by_seed) if value else {}
    reason = reasons_text(value.missing) if value and value.missing else ""
    return make_mark(
        by_seed,
        [trial for trial in cell.trials if trial.seed in by_seed],
        source,
        reason,
        panel=panel,
        series=series,
        x_name=x_name,
        x_unit=x_unit,
        x=x,
        quantity=column.key,
        unit=column.unit,
        grain=grain_of(cell, column.key),
    )


def grain_of(cell: Cell, key: str) -> float:
    """The step in which a quantity moves: of an accuracy in percent one of the images; 0 of what has none."""
    specification = json.loads(cell.key.specification)
    images: float | None = None
    if key in ("top1_percent", "top5_percent", "top1_at_best_validation_percent"):
        images = ((specification.get("workload") or {}).get("dataset") or {}).get("test")
    elif key == "best_validation_top1_percent":
        images = ((specification.get("setting") or {}).get("validation") or {}).get("images")
    return 100.0 / images if images else 0.0


def make_mark(
    by_seed: Mapping[int, float],
    trials: Sequence[TrialReference],
    source: Source,
    reason: str = "",
    *,
    panel: str,
    series: str,
    x_name: str,
    x_unit: str,
    x: float | str,
    quantity: str,
    unit: str,
    grain: float = 0.0,
) -> Mark:
    """A mark from the values of single trials: mean and 95 % t interval of the mean.

    A value known to a `grain` has an interval no narrower than that leaves (`harness.analysis.policies.intervals`).
    """
    found = interval(list(by_seed.values()), grain)
    half = found.half_width if found else None
    told = [reason] if reason else []
    if found is not None and half is None:
        told.append(ONE_TRIAL)
    return Mark(
        panel=panel,
        series=series,
        x_name=x_name,
        x_unit=x_unit,
        x=x,
        quantity=quantity,
        unit=unit,
        value=None if found is None else found.mean,
        low_95=None if found is None or half is None else found.mean - half,
        high_95=None if found is None or half is None else found.mean + half,
        n=found.n if found else 0,
        by_seed=dict(by_seed),
        trials=tuple(trial.id for trial in trials),
        disturbed=sum(source.disturbed(trial.path) for trial in trials),
        reason="; ".join(told) or ("" if found else "no reason recorded"),
    )


def reasons_text(missing: Mapping[str, int]) -> str:
    """`why (in 2 trials); other why (in 1 trial)`."""
    return "; ".join(f"{why} (in {count} trial{'' if count == 1 else 's'})" for why, count in missing.items())


def refuse_unmeasured(marks: Iterable[Mark], title: str, key: str) -> None:
    """A quantity that no trial measured makes no picture.

    Raises:
        DlgaugeError: with the reasons that the records have.
    """
    of_key = [mark for mark in marks if mark.quantity == key]
    if any(mark.value is not None for mark in of_key):
        return
    reasons = Counter(mark.reason or "no reason recorded" for mark in of_key)
    listed = "; ".join(f"{why} ({count} cells)" if count > 1 else why for why, count in reasons.items())
    raise DlgaugeError(
        f"{title} ({key}) was measured in none of the trials: {listed}",
        hint="draw another: --outcome KEY; `dlgauge compare --all` shows which are measured",
    )


def trials_of(marks: Iterable[Mark]) -> tuple[str, ...]:
    """The ids of all trials behind some marks, each once, sorted."""
    return tuple(sorted({trial for mark in marks for trial in mark.trials}))
