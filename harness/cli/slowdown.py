"""`dlgauge slowdown`: what jobs side by side cost each other."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.analysis.slowdown import Slowdowns


class Format(StrEnum):
    """Forms of the table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def slowdown(
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    study: str | None = typer.Option(None, help="Only this study; default: every study of the store."),
    format_: Format = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """Compare jobs that ran side by side with the same job alone: the slowdown, block by block."""
    from harness.errors import DlgaugeError
    from harness.paths import default_store

    folder = store or default_store()
    found = slowdowns_of(folder, study)
    if not found:
        raise DlgaugeError(
            "no trial of several jobs side by side",
            where=str(folder),
            hint="a study with `co_location` runs them, such as: dlgauge run colocation",
        )
    text = slowdown_text(found, format_)
    if output is None:
        typer.echo(text, nl=False)
    else:
        from harness.reporting.files import write_text

        write_text(output, text)
        typer.echo(f"written: {output}", err=True)


def slowdowns_of(store: Path, study: str | None) -> list[Slowdowns]:
    """Of each study that has trials of several jobs, what co-location cost in it.

    Raises:
        StoreError: there is no store, it holds no record, or no record of `study`.
    """
    from harness.analysis.slowdown import slowdowns
    from harness.reporting.studies import records_by_study

    found = [slowdowns(name, records) for name, records in records_by_study(store, study).items()]
    return [one for one in found if one.rows or one.failed]


def slowdown_text(found: list[Slowdowns], format_: Format = Format.TABLE) -> str:
    """The table in one of its forms."""
    from harness.reporting import slowdowns as reporting

    forms = {
        Format.JSON: reporting.slowdowns_json,
        Format.CSV: reporting.slowdowns_csv,
        Format.MARKDOWN: reporting.slowdowns_markdown,
        Format.LATEX: reporting.slowdowns_latex,
        Format.TABLE: reporting.slowdowns_text,
    }
    return forms[format_](found)
