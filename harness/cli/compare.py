"""`dlgauge compare`: the frameworks of a study side by side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.analysis import Comparison
    from harness.analysis.inference import Judgement, Options


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
    reference: str | None = typer.Option(
        None, "--reference", help="Framework or row that the others are held against; default: the fastest."
    ),
    equivalence: str | None = typer.Option(
        None, "--equivalence", help="Margin within which a difference counts as none, such as 3%."
    ),
    statistics: bool = typer.Option(
        False,
        "--statistics",
        help="Show all pairs in every quantity with intervals, tests and ranks, and Pareto fronts.",
    ),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """Compare the frameworks of a study: mean ± standard deviation over the seeds, and what is certain of it."""
    from harness.analysis import DEFAULT_KEYS, all_keys
    from harness.analysis.inference import Options
    from harness.analysis.inference.equivalence import parse_margin
    from harness.analysis.inference.sets import check_reference
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting.studies import comparisons_of

    folder = store or default_store()
    keys = all_keys() if all_ else DEFAULT_KEYS
    if columns:
        keys = tuple(key.strip() for key in columns.split(",") if key.strip())
        if not keys:
            raise DlgaugeError(f"--columns {columns!r} names no column", hint="--columns training_time_s,top1_percent")
    if statistics and format_ is Format.CSV:
        raise DlgaugeError("--statistics has no CSV form", hint="--format json has all of it, unrounded")
    options = Options(
        outcomes=None,
        reference=reference,
        margin=None if equivalence is None else parse_margin(equivalence),
        fronts=statistics,
    )
    found = comparisons_of(folder, study, keys)
    if reference is not None:
        check_reference(found, reference)
    if output is None and format_ is Format.TABLE:
        _print_table(found, folder, options, statistics)
        return
    text = _text(found, folder, format_, options, statistics)
    if output is None:
        typer.echo(text, nl=False)
    else:
        from harness.reporting.files import write_text

        write_text(output, text)
        typer.echo(f"written: {output}", err=True)


def _print_table(comparisons: list[Comparison], store: Path, options: Options, statistics: bool) -> None:
    from rich.console import Console

    from harness.reporting.terminal import terminal

    console = Console()
    if not console.is_terminal:
        typer.echo(_text(comparisons, store, Format.TABLE, options, statistics), nl=False)
        return
    for one in comparisons:
        judgement = _judgement(one, options, statistics)
        console.print(terminal(one, store, console.width, judgement, statistics=statistics))
        console.print()


def _judgement(comparison: Comparison, options: Options, statistics: bool) -> Judgement:
    """Of every quantity shown, or only of the one whose verdicts stand below the table."""
    from dataclasses import replace

    from harness.analysis.inference import judge
    from harness.reporting.verdicts import main_outcome

    asked = options if statistics else replace(options, outcomes=(main_outcome(comparison),), bootstrap=False)
    return judge(comparison, asked)


def _text(comparisons: list[Comparison], store: Path, format_: Format, options: Options, statistics: bool) -> str:
    from harness.reporting import machine_readable, text

    if format_ is Format.JSON:
        return machine_readable.to_json(comparisons, store, options)
    if format_ is Format.CSV:
        return machine_readable.to_csv(comparisons)
    known = [(one, _judgement(one, options, statistics)) for one in comparisons]
    if format_ is Format.MARKDOWN:
        return "\n".join(text.markdown(one, judgement, statistics=statistics) for one, judgement in known)
    if format_ is Format.LATEX:
        return "\n".join(text.latex(one, judgement, statistics=statistics) for one, judgement in known)
    return "\n".join(text.plain(one, store, judgement, statistics=statistics) for one, judgement in known)
