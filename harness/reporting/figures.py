"""The data behind the figures of a page: plain lists that the page's script draws with Plotly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis import Comparison
from harness.analysis.cells import CellKey, group_into_cells, seed_of
from harness.analysis.columns import column_for
from harness.analysis.comparison import COMPLETED
from harness.analysis.curves import MAX_POINTS, Curve, accuracy_curve, loss_curve, mean_curve
from harness.analysis.host import logical_cpus
from harness.analysis.timelines import Line, timeline
from harness.errors import StoreError
from harness.records import Record
from harness.reporting.palette import DASHES, OTHER_PHASE, PHASE_COLOURS, framework_inks

GLANCE_KEYS = ("training_time_s", "build_time_s", "first_step_s", "cpu_seconds", "peak_memory_bytes")
"""Quantities of the figure at the top of a page."""

POINTS_OF_A_PAGE = 15_000
"""Points of all loss curves together; with many trials each gets fewer, so that a page stays small."""

MIN_POINTS = 200


def figure_data(comparison: Comparison, records: Sequence[Record]) -> dict[str, Any]:
    """Everything that the page's figures need, as JSON values.

    Keys: `frameworks` (inks), `phases` (colours), `cells` (curves of a row of the table), `glance`, `breakdown`,
    `timelines` (one a trial), `points` (the most of a loss curve), `problems` (tables that could not be read).
    """
    completed = [r for r in records if r.termination == COMPLETED and r.role is None]
    problems: list[str] = []
    most = points_of_a_curve(len(completed))
    cells = [
        _cell(key, members, index, most, problems) for key, members, index in _numbered(group_into_cells(completed))
    ]
    return {
        "frameworks": {name: asdict(ink) for name, ink in framework_inks(_names(records)).items()},
        "phases": {**PHASE_COLOURS, "": OTHER_PHASE},
        "cells": cells,
        "glance": _glance(comparison),
        "breakdown": _breakdown(completed),
        "timelines": [one for one in (_timeline(record, problems) for record in records) if one],
        "points": most,
        "problems": problems,
    }


def points_of_a_curve(trials: int) -> int:
    """The most points of one loss curve on a page of `trials` trials."""
    return max(MIN_POINTS, min(MAX_POINTS, POINTS_OF_A_PAGE // max(1, trials)))


def cell_name(key: CellKey) -> str:
    """A cell in a legend."""
    return " · ".join((key.framework, *(f"{name}={value}" for name, value in key.varied)))


def _names(records: Iterable[Record]) -> list[str]:
    return [str(record.specification["framework"]["name"]) for record in records]


def _numbered(cells: dict[CellKey, list[Record]]) -> Iterable[tuple[CellKey, list[Record], int]]:
    """Cells with their number within their framework, which decides how their line is dashed."""
    seen: dict[str, int] = {}
    for key, members in cells.items():
        index = seen.get(key.framework, 0)
        seen[key.framework] = index + 1
        yield key, members, index


def _cell(key: CellKey, records: Sequence[Record], index: int, most: int, problems: list[str]) -> dict[str, Any]:
    losses, accuracies = [], []
    for record in records:
        try:
            losses.append((seed_of(record), loss_curve(record, most)))
            accuracies.append((seed_of(record), accuracy_curve(record)))
        except StoreError as error:
            problems.append(str(error))
    found = [curve for _, curve in losses if curve]
    window = smoothing_window(min((len(curve.steps) for curve in found), default=0))
    return {
        "name": cell_name(key),
        "framework": key.framework,
        "dash": DASHES[index % len(DASHES)],
        "loss": [_curve(curve, seed) for seed, curve in losses if curve],
        "loss_mean": _curve(mean_curve(found, window)),
        "window": window,
        "accuracy": [_curve(curve, seed) for seed, curve in accuracies if curve],
        "accuracy_mean": _curve(mean_curve([curve for _, curve in accuracies if curve])),
    }


def smoothing_window(points: int) -> int:
    """Points that the mean loss is averaged over: a fiftieth of the curve, odd, at least one."""
    return max(1, points // 50) // 2 * 2 + 1


def _curve(curve: Curve | None, seed: int | None = None) -> dict[str, Any] | None:
    if curve is None:
        return None
    return {
        "seed": seed,
        "step": list(curve.steps),
        "time": _short(curve.training_time_s),
        "value": _short(curve.values),
    }


def _glance(comparison: Comparison) -> list[dict[str, Any]]:
    panels = []
    for key in GLANCE_KEYS:
        column = column_for(key)
        rows = []
        for cell in comparison.cells:
            value = cell.values.get(key)
            if value and value.statistics:
                rows.append(
                    {
                        "name": cell_name(cell.key),
                        "framework": cell.key.framework,
                        "mean": _digits(value.statistics.mean / column.scale),
                        "seeds": list(value.by_seed),
                        "values": _short([number / column.scale for number in value.by_seed.values()]),
                    }
                )
        if rows:
            panels.append({"title": column.title, "rows": rows})
    return panels


def _breakdown(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Mean seconds in each phase, by cell."""
    rows = []
    for key, members in group_into_cells(records).items():
        totals: dict[str, float] = {}
        for record in members:
            for phase in record.phases:
                name = str(phase["phase"])
                totals[name] = totals.get(name, 0.0) + (int(phase["end_ns"]) - int(phase["begin_ns"])) / 1e9
        if totals:
            mean = {name: _digits(total / len(members)) for name, total in totals.items()}
            rows.append({"name": cell_name(key), "framework": key.framework, "phases": mean})
    return rows


def _timeline(record: Record, problems: list[str]) -> dict[str, Any] | None:
    try:
        found = timeline(record)
    except StoreError as error:
        problems.append(str(error))
        return None
    if found is None:
        return None
    return {
        "id": record.id,
        "label": record.label,
        "termination": record.termination,
        "framework": str(record.specification["framework"]["name"]),
        "cpus": logical_cpus(record.manifest.get("host") or {}),
        "phases": [
            {"phase": span.phase, "begin": _digits(span.begin_s, 6), "end": _digits(span.end_s, 6)}
            for span in found.phases
        ],
        "window": _digits(found.window_s, 3),
        "source": found.cpu_source,
        "cores": [_line(line) for line in found.cores],
        "memory": [_line(line) for line in found.memory],
        "gpus": [_line(line) for line in found.gpus],
    }


def _line(line: Line) -> dict[str, Any]:
    return {"name": line.name, "time": _short(line.time_s, 6), "value": _short(line.values)}


def _short(values: Sequence[float | None], digits: int = 5) -> list[float | None]:
    return [None if value is None else _digits(value, digits) for value in values]


def _digits(value: float, digits: int = 5) -> float:
    """Enough digits for a picture; tables and files have the unrounded values."""
    return float(f"{value:.{digits}g}")
