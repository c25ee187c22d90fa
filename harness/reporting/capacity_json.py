"""Models and answers of `dlgauge capacity` for programs: JSON and CSV, unrounded, with all records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import harness
from harness.analysis.capacity.accuracies import AccuracyCell
from harness.analysis.capacity.asking import Answer
from harness.analysis.capacity.fits import FitAnswer
from harness.analysis.capacity.mixes import FleetAnswer
from harness.analysis.capacity.models import CapacityModels, NoModel
from harness.analysis.capacity.packing import PackAnswer
from harness.analysis.capacity.prediction import Prediction
from harness.reporting.capacity_accuracies import accuracy_values
from harness.reporting.capacity_models import as_values, every
from harness.reporting.capacity_sheets import comma_separated

FORMAT_VERSION = 1
"""Version of the JSON form. History: 1, the first form."""


def models_json(
    models: CapacityModels, store: Path | str, reached: tuple[list[AccuracyCell], list[NoModel]] | None = None
) -> str:
    """Every model with its parameters, errors and records, and what was left out.

    Args:
        reached: cells that reached an accuracy and those that did not, where one was asked for.
    """
    content = {
        "models": [as_values(model) for model in every(models)],
        "missing": [_plain(one) for one in models.missing],
        "omitted": {quantity: [_plain(one) for one in found] for quantity, found in models.omitted.items()},
        "excluded": [_plain(one) for one in models.observations.excluded],
    }
    if reached is not None:
        content["to_accuracy"] = {"cells": accuracy_values(reached[0]), "missing": [_plain(one) for one in reached[1]]}
    return _json(content, store)


def answers_json(answers: Sequence[Answer], store: Path | str) -> str:
    """Every answer, in the order of the questions."""
    return _json({"answers": [_plain(one) for one in answers]}, store)


def answers_csv(answers: Sequence[Answer]) -> str:
    """One line a predicted quantity: the number of the answer, what it is of, estimate, interval, basis."""
    headers = ("answer", "ask", "of", "quantity", "estimate", "low", "high", "confidence", "unit", "basis", "reasons")
    rows = []
    for index, answer in enumerate(answers, 1):
        for name, one in _predictions(answer):
            values = (one.estimate, one.low, one.high, one.confidence, one.unit, str(one.basis), "; ".join(one.reasons))
            rows.append((index, answer.ask, name, one.quantity, *values))
    return comma_separated(headers, rows)


def _predictions(answer: Answer) -> list[tuple[str, Prediction]]:
    if isinstance(answer, FitAnswer):
        return [(answer.machine.name, answer.memory)]
    if isinstance(answer, PackAnswer):
        return [(f"{r.jobs} jobs", p) for r in answer.rows for p in (r.memory, r.each, r.together, r.slowdown)]
    if isinstance(answer, FleetAnswer):
        runs = [(f"{one.side_by_side} x {one.job} on {one.machine}", one.run) for one in answer.options]
    else:
        runs = [(one.run.machine.name, one.run) for one in answer.candidates]
    return [(name, p) for name, r in runs for p in (r.memory, r.samples_per_s, r.start_up, r.steps, r.time, r.cost)]


def _json(content: dict[str, Any], store: Path | str) -> str:
    head = {"format_version": FORMAT_VERSION, "dlgauge_version": harness.__version__, "store": str(store)}
    return json.dumps({**head, **content}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Dataclasses, models, enumerations and tuples as JSON has them; keys of a job that are not given are left out."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
