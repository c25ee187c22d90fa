"""`dlgauge capacity models`: the models, their parameters and their errors."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import FORMAT, OUTPUT, STORE, STUDY, Format


def models(
    store: Path | None = STORE,
    study: list[str] | None = STUDY,
    cells: bool = typer.Option(False, "--cells", help="Show every left-out cell, measured and predicted."),
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Show the models of memory, samples/s and interference with their parameters and held-out errors."""
    from harness.reporting import capacity_json, capacity_models

    folder, fitted = options.fitted_models(store, study)
    if format_ is Format.JSON:
        text = capacity_json.models_json(fitted, folder)
    elif format_ is Format.CSV:
        text = capacity_models.to_csv(fitted)
    else:
        text = options.sheets_text(capacity_models.sheets(fitted, cells=cells), format_)
    options.emit(text, output)
