"""`dlgauge figure`: figures and tables for papers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.reporting.paper.model import Options
    from harness.reporting.paper.source import Source

PAGE_HEIGHT_MM = 235.0
"""Text height of a page of a two-column journal; a higher figure does not fit one."""


class Format(StrEnum):
    """Forms of a figure."""

    FIGURE = "figure"
    LATEX = "latex"


def figure(
    name: str | None = typer.Argument(None, help="What to draw; --list shows what there is.", show_default=False),
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    study: str | None = typer.Option(None, help="The study; needed where the store holds several."),
    output: Path | None = typer.Option(
        None, "--output", "-o", help="The file: .pdf, .svg or .png; default NAME.pdf. A table: the terminal by default."
    ),
    format_: Format = typer.Option(Format.FIGURE, "--format", "-f", help="A picture, or its numbers as a LaTeX table."),
    width: str = typer.Option("column", help="column, page, or millimetres."),
    font: str | None = typer.Option(None, help="Font family, such as serif or 'Times New Roman'."),
    outcome: list[str] = typer.Option([], help="What to draw: a summary key or a cost (steps_to:99); repeatable."),
    over: str | None = typer.Option(None, help="The horizontal axis of sweep and loss-curves."),
    where: list[str] = typer.Option([], help="Only trials with KEY=VALUE, such as framework=torch; repeatable."),
    log: bool | None = typer.Option(None, "--log/--linear", help="Axis of values; by default what they span decides."),
    list_: bool = typer.Option(False, "--list", help="Show the figures, tables and factors that there are."),
) -> None:
    """Draw a figure for a paper from the records of a study, with its numbers and its caption beside it."""
    if list_:
        _print_list()
        return
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting.paper import catalogue
    from harness.reporting.paper.model import Options
    from harness.reporting.paper.source import read_source
    from harness.reporting.paper.style import width_of

    if name is None:
        raise DlgaugeError("which figure?", hint="`dlgauge figure --list` shows what there is")
    catalogue.check_name(name)
    options = Options(width_of(width), tuple(outcome), over, log)
    catalogue.check_options(name, options.outcomes, over, log)
    is_table = name in catalogue.TABLES or format_ is Format.LATEX
    path = output or (None if is_table else Path(f"{name}.pdf"))
    if path is not None and not is_table:
        from harness.reporting.paper.saving import check_path

        check_path(path)
    wanted = catalogue.columns_wanted(name, options.outcomes)
    source = read_source(store or default_store(), study, wanted, where)
    if is_table:
        _write_table(_table(name, source, options), path)
    elif path is not None:
        _write_figure(name, source, options, path, font)


def _table(name: str, source: Source, options: Options) -> str:
    from harness.reporting.paper import catalogue
    from harness.reporting.paper.tables import marks_table

    if name in catalogue.TABLES:
        return catalogue.TABLES[name][1](source)
    return marks_table(catalogue.make_figure(name, source, options), source.study)


def _write_table(text: str, path: Path | None) -> None:
    if path is None:
        typer.echo(text, nl=False)
        return
    from harness.reporting.files import write_text

    write_text(path, text)
    typer.echo(f"written: {path}", err=True)


def _write_figure(name: str, source: Source, options: Options, path: Path, font: str | None) -> None:
    from harness.reporting.paper import catalogue
    from harness.reporting.paper.saving import write_figure

    written = write_figure(catalogue.make_figure(name, source, options), path, font)
    for one in (written.picture, written.numbers, written.caption, written.caption_latex):
        typer.echo(f"written: {one}", err=True)
    if written.height_mm > PAGE_HEIGHT_MM:
        typer.echo(
            f"note: the figure is {written.height_mm:.0f} mm high, more than a page: draw a part with --where "
            "KEY=VALUE, or wider",
            err=True,
        )


def _print_list() -> None:
    from harness.reporting.paper.catalogue import FIGURES, TABLE_OUTCOMES, TABLES
    from harness.reporting.paper.factors import FACTORS

    typer.echo("figures:")
    for kind in FIGURES.values():
        own = f" [{', '.join(kind.outcomes)}]" if kind.outcomes else ""
        typer.echo(f"  {kind.name:<15} {kind.shows}{own}")
    typer.echo("tables:")
    for name, (shows, _) in TABLES.items():
        own = f" [{', '.join(TABLE_OUTCOMES[name])}]" if name in TABLE_OUTCOMES else ""
        typer.echo(f"  {name:<15} {shows}{own}")
    typer.echo(
        "in brackets what is drawn unless --outcome says otherwise: summary keys (docs/records.md), or steps_to:99"
    )
    typer.echo("factors of sweep (--over):")
    for factor in FACTORS.values():
        typer.echo(f"  {factor.name:<15} {factor.axis}")
    typer.echo(
        "  or any other number that the study varies; loss-curves: --over steps or time, --outcome loss or accuracy"
    )
