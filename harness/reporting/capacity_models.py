"""`dlgauge capacity models`: the fitted models, their parameters and their held-out errors."""

from __future__ import annotations

from typing import Any

from harness.analysis.capacity.heldout import HeldOut
from harness.analysis.capacity.interference import InterferenceModel
from harness.analysis.capacity.memory import MemoryModel
from harness.analysis.capacity.models import AnyModel, CapacityModels
from harness.analysis.capacity.prediction import CONFIDENCE, FARTHEST
from harness.analysis.capacity.throughput import PROFILE
from harness.reporting.capacity_numbers import NONE, ids, number, percent, runs
from harness.reporting.capacity_sheets import Sheet, comma_separated

TARGETS = {"peak_memory_bytes": 0.05, "samples_per_s": 0.10}
"""Held-out errors up to which a model is called good enough; above, the table says so."""
TITLES = {"peak_memory_bytes": "peak memory", "samples_per_s": "samples/s", "slowdown": "slowdown side by side"}


def every(models: CapacityModels) -> tuple[AnyModel, ...]:
    """All models in the order in which they are shown."""
    return (*models.memory, *models.throughput, *models.interference)


def sheets(models: CapacityModels, *, cells: bool = False) -> list[Sheet]:
    """A summary, the parameters of each model, and what was left out.

    Args:
        cells: show every left-out cell with what was measured and predicted.
    """
    found = [_summary(models), _parameters(models)]
    if cells:
        found.append(_cells(models))
    return [*found, _remarks(models)]


def _title(model: AnyModel) -> str:
    sharing = ""
    if isinstance(model, InterferenceModel):
        sharing = f" · {model.cpus} {'shared' if model.cores_shared else 'split'} CPUs"
    return f"{model.group.title}{sharing}"


def _summary(models: CapacityModels) -> Sheet:
    headers = (
        "model",
        "quantity",
        "group",
        "trials",
        "batch sizes",
        "workers",
        "95 % interval",
        "left-out batch sizes: mean, worst error",
        "one batch size under one profile left out",
        "left-out profiles",
    )
    rows = tuple((str(number_), *_summary_row(model)) for number_, model in enumerate(every(models), 1))
    below = (
        f"95 % interval: of a new trial within the measured range; outside it, up to {FARTHEST:g} times, an answer is "
        "called extrapolation, beyond it is refused",
        "errors are of exactly the cells left out, predicted by a model that was fitted without them",
        *_over_target(models),
    )
    return Sheet("models", headers, rows, (True, False, False, *(True,) * 7), below=below)


def _summary_row(model: AnyModel) -> tuple[str, ...]:
    spans = model.spans
    batches = spans["batch_size"].text
    if isinstance(model, InterferenceModel):
        batches += f", {spans['jobs'].text} jobs"
    factor = None if model.spread is None else model.spread.factor(CONFIDENCE)
    by = {held.by: held for held in model.held_out}
    return (
        TITLES[model.quantity],
        _title(model),
        str(len(model.records)),
        batches,
        spans["workers"].text if "workers" in spans else "",
        NONE if factor is None else f"-{100 * (1 - 1 / factor):.1f} +{100 * (factor - 1):.1f} %",
        _errors(by.get(("batch_size",)) or by.get(("side_by_side",))),
        _errors(by.get(("batch_size", *PROFILE))),
        _errors(by.get(PROFILE)),
    )


def _errors(held: HeldOut | None) -> str:
    if held is None or held.worst is None:
        return NONE
    return f"{percent(held.mean_error_fraction)}, {percent(abs(held.worst.error_fraction))}"


def _over_target(models: CapacityModels) -> list[str]:
    found = []
    for number_, model in enumerate(every(models), 1):
        target = TARGETS.get(model.quantity)
        for held in model.held_out:
            mean = held.mean_error_fraction
            if target is not None and mean is not None and mean > target:
                by = " and ".join(held.by)
                found.append(
                    f"model {number_}: the mean error of left-out {by}, {percent(mean)}, is above the "
                    f"{100 * target:g} % that a plan should rest on"
                )
    return found


def _parameters(models: CapacityModels) -> Sheet:
    headers = ("model", "quantity", "group", "parameter", "value", "95 % from", "to", "unit")
    rows = []
    for number_, model in enumerate(every(models), 1):
        for term in model.terms:
            unit = "MiB" if term.unit == "bytes" else term.unit
            values = [number(value, term.unit) for value in (term.value, term.low, term.high)]
            about = (str(number_), TITLES[model.quantity], _title(model))
            rows.append((*about, term.name, *values, "" if unit == "1" else unit))
    return Sheet("parameters", headers, tuple(rows), (True, False, False, False, True, True, True, False))


def _cells(models: CapacityModels) -> Sheet:
    headers = ("model", "quantity", "left out by", "cell", "trials", "measured", "predicted", "error", "")
    rows = []
    for number_, model in enumerate(every(models), 1):
        for held in model.held_out:
            for cell in held.cells:
                levels = ", ".join(f"{key} {value}" for key, value in cell.levels.items())
                rows.append(
                    (
                        str(number_),
                        TITLES[model.quantity],
                        " and ".join(held.by),
                        levels,
                        str(cell.trials),
                        number(cell.measured, model.unit),
                        number(cell.predicted, model.unit),
                        f"{100 * cell.error_fraction:+.1f} %",
                        "outside" if cell.outside else "",
                    )
                )
    below = ("memory in MiB; outside: the lowest or highest level was left out, the model extrapolates",)
    numeric = (True, False, False, False, True, True, True, True, False)
    return Sheet("left-out cells", headers, tuple(rows), numeric, below=below)


def _remarks(models: CapacityModels) -> Sheet:
    """What is said of several models is said once, with their numbers."""
    said: dict[str, list[int]] = {}
    for number_, model in enumerate(every(models), 1):
        for remark in _of_model(model):
            said.setdefault(remark, []).append(number_)
    lines = [f"model{'s' * (len(numbers) > 1)} {runs(numbers)}: {remark}" for remark, numbers in said.items()]
    lines += [f"model {number_} rests on {ids(model.records)}" for number_, model in enumerate(every(models), 1)]
    for missing in models.missing:
        about = f"no model of {TITLES[missing.quantity]} of {missing.group.title}: {missing.why}"
        lines.append(f"{about} ({ids(missing.records)})")
    for quantity, omitted in models.omitted.items():
        for one in omitted:
            lines.append(f"{TITLES[quantity]}: {len(one.records)} trials left out: {one.why} ({ids(one.records)})")
    lines += [
        f"did not complete: {one.label}: {one.termination}: {one.reason} ({one.trial.id})"
        for one in models.observations.excluded
    ]
    return Sheet("remarks", (), (), (), below=tuple(lines))


def _of_model(model: AnyModel) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for term, why in getattr(model, "left_out_terms", {}).items():
        by_reason.setdefault(why, []).append(term)
    found = [f"no term {', '.join(terms)}: {why}" for why, terms in by_reason.items()]
    found += [f"cannot be left out: {why}" for held in model.held_out for why in held.not_possible]
    found += model.notes
    spread = model.spread
    found.append("no interval: too few trials" if spread is None else f"interval from {spread.source}")
    return found


def to_csv(models: CapacityModels) -> str:
    """One line a parameter and one a left-out cell, unrounded."""
    headers = ("kind", "quantity", "group", "name", "value", "low", "high", "unit", "error_fraction", "trials")
    rows: list[tuple[Any, ...]] = []
    for model in every(models):
        about = (model.quantity, _title(model))
        rows += [("parameter", *about, t.name, t.value, t.low, t.high, t.unit, None, None) for t in model.terms]
        for held in model.held_out:
            for cell in held.cells:
                name = f"without {' and '.join(held.by)}: " + ", ".join(f"{k}={v}" for k, v in cell.levels.items())
                values = (cell.predicted, None, None, model.unit, cell.error_fraction, cell.trials)
                rows.append(("left-out cell", *about, name, *values))
    return comma_separated(headers, rows)


def as_values(model: AnyModel) -> dict[str, Any]:
    """A model as plain values, for JSON."""
    from dataclasses import asdict

    found: dict[str, Any] = {
        "quantity": model.quantity,
        "unit": model.unit,
        "group": asdict(model.group),
        "levels": {name: span.levels for name, span in model.spans.items()},
        "parameters": [asdict(term) for term in model.terms],
        "left_out_parameters": dict(getattr(model, "left_out_terms", {})),
        "spread": None if model.spread is None else asdict(model.spread),
        "held_out": [{**asdict(held), "mean_error_fraction": held.mean_error_fraction} for held in model.held_out],
        "records": list(model.records),
        "notes": list(model.notes),
    }
    if isinstance(model, InterferenceModel):
        found |= {"cores_shared": model.cores_shared, "cpus": model.cpus, "measured": model.measured}
    if isinstance(model, MemoryModel):
        found["datasets"] = list(model.datasets)
    return found
