"""`dlgauge compare`: the frameworks of a study side by side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.analysis import Comparison


class Format(StrEnum):
    """Forms of a comparison."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def compare(
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    study: str | None = typer.Option(None, help="Only this study; default: every study of the store."),
    format_: Format = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output."),
    columns: str | None = typer.Option(None, help="Summary keys to show, separated by commas."),
    all_: bool = typer.Option(False, "--all", help="Show every summary key."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """Compare the frameworks of a study: mean ± standard deviation over the seeds."""
    from harness.analysis import DEFAULT_KEYS, all_keys
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting.studies import comparisons_of

    folder = store or default_store()
    keys = all_keys() if all_ else DEFAULT_KEYS
    if columns:
        keys = tuple(key.strip() for key in columns.split(",") if key.strip())
        if not keys:
            raise DlgaugeError(f"--columns {columns!r} names no column", hint="--columns training_time_s,top1_percent")
    found = comparisons_of(folder, study, keys)
    if output is None and format_ is Format.TABLE:
        _print_table(found, folder)
        return
    text = _text(found, folder, format_)
    if output is None:
        typer.echo(text, nl=False)
    else:
        from harness.reporting.files import write_text

        write_text(output, text)
        typer.echo(f"written: {output}", err=True)


def _print_table(comparisons: list[Comparison], store: Path) -> None:
    from rich.console import Console

    from harness.reporting.terminal import terminal

    console = Console()
    if not console.is_terminal:
        typer.echo(_text(comparisons, store, Format.TABLE), nl=False)
        return
    for one in comparisons:
        console.print(terminal(one, store, console.width))
        console.print()


def _text(comparisons: list[Comparison], store: Path, format_: Format) -> str:
    from harness.reporting import machine_readable, text

    if format_ is Format.JSON:
        return machine_readable.to_json(comparisons, store)
    if format_ is Format.CSV:
        return machine_readable.to_csv(comparisons)
    if format_ is Format.MARKDOWN:
        return "\n".join(text.markdown(one) for one in comparisons)
    if format_ is Format.LATEX:
        return "\n".join(text.latex(one) for one in comparisons)
    return "\n".join(text.plain(one, store) for one in comparisons)
