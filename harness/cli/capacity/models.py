"""`dlgauge capacity models`: the models, their parameters and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import FORMAT, OUTPUT, STORE, STUDY, Format

if TYPE_CHECKING:
    from harness.analysis.capacity.accuracies import AccuracyCell
    from harness.analysis.capacity.models import NoModel

    AccuracyCells = tuple[list[AccuracyCell], list[NoModel]]


def models(
    store: Path | None = STORE,
    study: list[str] | None = STUDY,
    cells: bool = typer.Option(False, "--cells", help="Show every left-out cell, measured and predicted."),
    accuracy: float | None = typer.Option(
        None, "--accuracy", help="Show steps and training time to this top-1 on the test images, in percent, too."
    ),
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Show the models of memory, samples/s and interference with their parameters and held-out errors."""
    from harness.reporting import capacity_json, capacity_models

    folder, fitted = options.fitted_models(store, study)
    reached: AccuracyCells | None = None
    if accuracy is not None:
        from harness.analysis.capacity.accuracies import accuracy_cells

        reached = accuracy_cells(fitted, accuracy)
    if format_ is Format.JSON:
        text = capacity_json.models_json(fitted, folder, reached)
    elif format_ is Format.CSV:
        text = capacity_models.to_csv(fitted)
    else:
        sheets = capacity_models.sheets(fitted, cells=cells)
        if reached is not None and accuracy is not None:
            from harness.reporting.capacity_accuracies import accuracy_sheet

            sheets.append(accuracy_sheet(*reached, accuracy))
        text = options.sheets_text(sheets, format_)
    options.emit(text, output)
