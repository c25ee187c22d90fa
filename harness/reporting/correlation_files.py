"""A correlation for programs: JSON and CSV, unrounded, with the trials behind every number."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import harness
from harness.analysis.correlation.analysis import Correlation
from harness.analysis.correlation.outcomes import outcome_title
from harness.reporting.correlation_sentences import sentences

FORMAT_VERSION = 1
"""Version of the JSON form. History: 1, the first form."""

CSV_FIELDS = (
    "study",
    "conditions",
    "table",
    "id",
    "scope",
    "outcome",
    "factor",
    "statistic",
    "value",
    "low",
    "high",
    "p",
    "q",
    "trials",
    "blocks",
    "reason",
)


def to_json(found: Sequence[Correlation], store: Path | str) -> str:
    """All correlations as one JSON object: the fields of the classes in `harness.analysis.correlation`, in their units.

    `scopes` holds the ids and folders of the trials; a row's `scope` (or `framework`) names the entry that it is of.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "dlgauge_version": harness.__version__,
        "store": str(store),
        "correlations": [
            {
                **asdict(one),
                "outcomes": [{"key": key, "title": outcome_title(key)} for key in one.outcomes],
                "sentences": [
                    {"heading": title, **asdict(sentence)} for title, lines in sentences(one) for sentence in lines
                ],
            }
            for one in found
        ],
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(found: Sequence[Correlation]) -> str:
    """One line a number with its interval. The trials of a scope stand in the JSON form."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for one in found:
        for row in _rows(one):
            writer.writerow({"study": one.study, "conditions": one.conditions, **row})
    return buffer.getvalue()


def _rows(found: Correlation) -> Iterable[dict[str, Any]]:
    for association in found.associations:
        yield _row("associations", association, association.kind, association.value, association.low, association.high)
    for effect in found.effects:
        ends = (effect.difference, effect.difference_low, effect.difference_high)
        yield _row("effects", effect, f"difference, {effect.change}", *ends)
        yield _row("effects", effect, f"ratio, {effect.change}", effect.ratio, effect.ratio_low, effect.ratio_high)
    for model in found.models:
        common = {"outcome": model.outcome, "trials": model.trials, "blocks": model.blocks}
        scale = "log" if model.logarithmic else "outcome"
        for slope in model.slopes:
            row = _row("slopes", slope, f"slope of {scale}, {slope.change}", slope.value, slope.low, slope.high)
            yield {**row, **common, "scope": slope.framework}
        for one in model.interactions:
            yield {**_row("interactions", one, "Wald F", one.f, None, None), **common, "scope": "pooled"}
        if model.reason:
            yield {"table": "models", "id": model.id, "scope": "pooled", "reason": model.reason, **common}
    for share in found.shares:
        yield {**_row("shares", share, "omega squared", share.value, share.low, share.high), "factor": share.term}
    for knee in found.knees:
        yield _row("knees", knee, "knee", knee.knee, knee.knee_low, knee.knee_high)
        ends = (knee.saturation, knee.saturation_low, knee.saturation_high)
        yield _row("knees", knee, "90 % of the plateau", *ends)
        yield _row("knees", knee, "curvature", knee.curvature, knee.curvature_low, knee.curvature_high)
    for curve in found.dependences:
        for level, mean, low, high in zip(curve.levels, curve.means, curve.lows, curve.highs, strict=True):
            yield _row(
                "dependences", curve, f"at {level:g}" if isinstance(level, float) else f"at {level}", mean, low, high
            )
    for lag in found.lags:
        activity = {"scope": lag.framework, "outcome": lag.use, "factor": lag.activity}
        yield {**_row("lags", lag, "correlation", lag.at_zero, lag.at_zero_low, lag.at_zero_high), **activity}
        yield {**_row("lags", lag, "lag s", lag.lag_s, lag.lag_low_s, lag.lag_high_s), **activity}


def _row(
    table: str, one: Any, statistic: str, value: float | None, low: float | None, high: float | None
) -> dict[str, Any]:
    shared = {
        name: getattr(one, name, None)
        for name in ("id", "scope", "outcome", "factor", "p", "q", "trials", "blocks", "reason")
    }
    return {"table": table, **shared, "statistic": statistic, "value": value, "low": low, "high": high}


def _finite(value: Any) -> Any:
    """Numbers that are not finite as null: JSON has no NaN."""
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
