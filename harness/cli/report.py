"""`dlgauge report`: a study as one HTML file."""

from __future__ import annotations

from pathlib import Path

import typer


def report(
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    study: str | None = typer.Option(None, help="Only this study; default: a file for every study of the store."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="The file; default: STUDY.html in the store. For one study only."
    ),
) -> None:
    """Write a study's report: one HTML file with table, curves and timelines that needs no network."""
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting.page import write_report
    from harness.reporting.studies import records_by_study

    folder = store or default_store()
    studies = list(records_by_study(folder, study))
    if output is not None and len(studies) > 1:
        raise DlgaugeError(
            f"--output names one file, the store holds {len(studies)} studies: {', '.join(studies)}",
            hint="add --study NAME",
        )
    for name in studies:
        typer.echo(f"written: {write_report(folder, name, output)}")
