"""The report of a study: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import harness
from harness.analysis import Comparison, compare
from harness.analysis.comparison import RATIO_KEYS
from harness.analysis.inference import Options, judge
from harness.records import Record
from harness.reporting import remarks, verdicts
from harness.reporting.figures import figure_data
from harness.reporting.files import write_text
from harness.reporting.grid import comparison_grid
from harness.reporting.page_tables import quality_rows, software_rows, trial_rows
from harness.reporting.palette import PHASE_COLOURS, framework_inks
from harness.reporting.statistics_tables import statistics_tables
from harness.reporting.studies import records_by_study
from harness.study.roles import CANARY

PAGE_OUTCOMES = (*RATIO_KEYS, "top1_percent")
"""Quantities in which a page compares rows pair by pair."""

TEMPLATES = Path(__file__).parent / "templates"


def write_report(store: Path | str, study: str, output: Path | None = None) -> Path:
    """Write the report of a study and return its path.

    Args:
        store: the folder of records.
        study: the study's name.
        output: the file; default `<store>/<study>.html`, beside the folder of records, which stays untouched.

    Raises:
        StoreError: there is no record of the study.
        DlgaugeError: the file cannot be written.
    """
    records = records_by_study(store, study)[study]
    path = output or Path(store) / f"{study}.html"
    write_text(path, render(records, store))
    return path


def render(records: Sequence[Record], store: Path | str) -> str:
    """The page of the records of one study, completed or not."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    comparison = compare(records)
    figures = figure_data(comparison, records)
    return environment.get_template("report.html").render(
        **_words(comparison, records, store),
        figures=figures,
        data=script_json(figures),
        style=_source("report.css"),
        script=_source("report.js"),
        plotly=get_plotlyjs(),
    )


def script_json(value: Mapping[str, Any]) -> str:
    """JSON that may stand inside a `script` element whatever its texts hold."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _words(comparison: Comparison, records: Sequence[Record], store: Path | str) -> dict[str, Any]:
    return {
        "version": harness.__version__,
        "comparison": comparison,
        "study": comparison.study,
        "completed": comparison.completed_count,
        "period": remarks.period(comparison),
        "conditions": comparison.conditions or compare_conditions(records),
        "names": _names(comparison, records),
        "grid": comparison_grid(comparison) if comparison.cells else None,
        "framework_column": _framework_column(comparison),
        "inks": framework_inks(_framework(record) for record in records),
        "phases": PHASE_COLOURS,
        "footnotes": list(remarks.footnotes(comparison)),
        "definitions": remarks.definitions(comparison),
        **_inference(comparison, store),
        "stability": [(cell, cell.stability) for cell in comparison.cells],
        "not_measured": comparison.not_measured,
        "missing": remarks.missing_values(comparison),
        "software": software_rows(records),
        "trials": trial_rows(records),
        "quality": quality_rows(records),
        "commands": remarks.next_commands(comparison, store),
        "store": str(store),
    }


def _inference(comparison: Comparison, store: Path | str) -> dict[str, Any]:
    """Verdicts, their tables, Pareto fronts, and the command that would decide what is open."""
    judgement = judge(comparison, Options(outcomes=PAGE_OUTCOMES, fronts=True))
    verdict_lines = verdicts.verdict_lines(judgement)
    stable = verdicts.stable_line(judgement)
    return {
        "verdicts": [*verdict_lines, *([stable] if stable else [])],
        "deciding": verdicts.deciding_lines(judgement, comparison, store),
        "statistics": statistics_tables(judgement),
        "fronts": [verdicts.front_lines(front) for front in judgement.fronts],
    }


def compare_conditions(records: Sequence[Record]) -> Mapping[str, Any]:
    """Conditions of a study without a completed trial: of the trials that there are."""
    from harness.analysis.cells import conditions_of

    found = {one.key: one for one in (conditions_of(record) for record in records)}
    return {chr(ord("A") + index): replace(one) for index, one in enumerate(found.values())}


def _names(comparison: Comparison, records: Sequence[Record]) -> dict[str, str]:
    """Workload, setting and profile of the study, each with all its names, and what it overrides in all of them."""
    parts = ("workload", "setting", "profile")
    matrix = [record for record in records if record.role != CANARY]
    names = {part: ", ".join(sorted({str(r.specification[part]["name"]) for r in matrix})) for part in parts}
    overrides = remarks.override_words(comparison)
    return {**names, **({"overrides": overrides} if overrides else {})}


def _framework(record: Record) -> str:
    return str(record.specification["framework"]["name"])


def _framework_column(comparison: Comparison) -> int:
    return 1 if len(comparison.conditions) > 1 else 0


def _source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
