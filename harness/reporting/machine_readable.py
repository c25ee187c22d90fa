"""A comparison for programs: JSON and CSV with unrounded values and the trials behind each of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import harness
from harness.analysis import Cell, Column, Comparison, TrialReference, Value
from harness.analysis.columns import column_for
from harness.analysis.inference import Judgement, Options, judge
from harness.analysis.sampling import QUALITY_KEYS, Sampling
from harness.reporting.statistics_json import statistics_json

FORMAT_VERSION = 2
"""Version of the JSON form. History: 1, the first form; 2, `statistics` and `failed_rows` came to it."""

CSV_FIELDS = (
    "study",
    "conditions",
    "framework",
    "version",
    "workload",
    "setting",
    "profile",
    "varied",
    "overrides",
    "quantity",
    "unit",
    "mean",
    "sd",
    "n",
    "minimum",
    "maximum",
    "half_width_95",
    "missing",
    "trials",
)


def to_json(comparisons: Sequence[Comparison], store: Path | str, options: Options | None = None) -> str:
    """All comparisons as one JSON object (docs/report.md describes it).

    Args:
        comparisons: one a study.
        store: the folder of records.
        options: reference and margin of the statistics; outcomes are always all that the comparison shows.
    """
    asked = replace(options or Options(), outcomes=None, fronts=True)
    content = {
        "format_version": FORMAT_VERSION,
        "dlgauge_version": harness.__version__,
        "store": str(store),
        "studies": [_comparison(one, judge(one, asked)) for one in comparisons],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """One line a cell and quantity, those of the sampling's quality always among them.

    `varied`, `overrides` and `missing` are JSON, `trials` are ids separated by spaces.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for comparison in comparisons:
        for cell in comparison.cells:
            for column in _with_quality(comparison.columns):
                writer.writerow(_csv_row(comparison, cell, column))
    return buffer.getvalue()


def _with_quality(columns: Sequence[Column]) -> Sequence[Column]:
    """The columns asked for, and behind them what every table says of the sampling."""
    shown = {column.key for column in columns}
    return [*columns, *(column_for(key) for key in QUALITY_KEYS if key not in shown)]


def _csv_row(comparison: Comparison, cell: Cell, column: Column) -> dict[str, Any]:
    value = cell.values.get(column.key)
    return {
        "study": comparison.study,
        "conditions": cell.conditions,
        "framework": cell.key.framework,
        "version": cell.key.version,
        "workload": cell.key.workload,
        "setting": cell.key.setting,
        "profile": cell.key.profile,
        "varied": json.dumps(dict(cell.key.varied)) if cell.key.varied else "",
        "overrides": _overrides(cell),
        "quantity": column.key,
        "unit": column.unit,
        **{name: "" if number is None else repr(number) for name, number in _numbers(value).items()},
        "missing": json.dumps(dict(value.missing)) if value and value.missing else "",
        "trials": " ".join(trial.id for trial in cell.trials),
    }


def _overrides(cell: Cell) -> str:
    """JSON of what the study set; empty where that is nothing, `null` where the records do not tell."""
    overrides = cell.key.overrides
    return "null" if overrides is None else json.dumps(dict(overrides)) if overrides else ""


def _numbers(value: Value | None) -> dict[str, float | int | None]:
    found = value.statistics if value else None
    if found is None:
        return {"mean": None, "sd": None, "n": 0, "minimum": None, "maximum": None, "half_width_95": None}
    return {
        "mean": found.mean,
        "sd": found.sd,
        "n": found.n,
        "minimum": found.minimum,
        "maximum": found.maximum,
        "half_width_95": found.half_width,
    }


def _comparison(comparison: Comparison, judgement: Judgement) -> dict[str, Any]:
    return {
        "study": comparison.study,
        "first_start": comparison.first,
        "last_start": comparison.last,
        "trials": comparison.trial_count,
        "columns": [
            {"key": column.key, "title": column.title, "unit": column.unit, "meaning": column.meaning}
            for column in comparison.columns
        ],
        "conditions": {letter: asdict(conditions) for letter, conditions in comparison.conditions.items()},
        "cells": [_cell(cell, comparison.columns) for cell in comparison.cells],
        "ratios": [
            {
                "quantity": ratio.key,
                "framework": ratio.cell.framework,
                "version": ratio.cell.version,
                "varied": dict(ratio.cell.varied),
                "reference": ratio.reference.framework,
                "reference_version": ratio.reference.version,
                **asdict(ratio.paired),
                "disturbed": list(ratio.disturbed),
            }
            for ratio in comparison.ratios
        ],
        "excluded": [
            {**_trial(one.trial), "label": one.label, "termination": one.termination, "reason": one.reason}
            for one in comparison.excluded
        ],
        "failed_rows": [
            {**asdict(one), "trials": [_trial(trial) for trial in one.trials]} for one in comparison.failed_rows
        ],
        "statistics": statistics_json(judgement),
        "superseded": [_trial(one) for one in comparison.superseded],
        "not_measured": {key: dict(reasons) for key, reasons in comparison.not_measured.items()},
        "sampling": _sampling(comparison.sampling),
        "notes": list(comparison.notes),
    }


def _cell(cell: Cell, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "conditions": cell.conditions,
        "framework": cell.key.framework,
        "version": cell.key.version,
        "environment": cell.key.environment,
        "workload": cell.key.workload,
        "setting": cell.key.setting,
        "profile": cell.key.profile,
        "varied": dict(cell.key.varied),
        "overrides": None if cell.key.overrides is None else dict(cell.key.overrides),
        "n": cell.n,
        "trials": [_trial(trial) for trial in cell.trials],
        "peak_memory_sources": dict(cell.memory_sources),
        "compile_caches": dict(cell.compile_caches),
        "code_sha256": dict(cell.codes),
        "values": {column.key: _value(cell.values.get(column.key), column.key) for column in columns},
        "sampling": _sampling(cell.sampling),
        "disturbances": [asdict(one) for one in cell.disturbances],
        "stability": {**asdict(cell.stability), "sentence": cell.stability.sentence},
    }


def _sampling(sampling: Sampling) -> dict[str, Any]:
    return {**asdict(sampling), "sentence": sampling.sentence}


def _value(value: Value | None, key: str) -> dict[str, Any]:
    by_seed = {str(seed): number for seed, number in value.by_seed.items()} if value else {}
    missing = dict(value.missing) if value else {}
    return {"unit": column_for(key).unit, **_numbers(value), "by_seed": by_seed, "missing": missing}


def _trial(trial: TrialReference) -> dict[str, Any]:
    return {"id": trial.id, "seed": trial.seed, "record": trial.path}
