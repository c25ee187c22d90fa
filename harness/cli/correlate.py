"""`dlgauge correlate`: how outcomes follow from hyper-parameters and profile."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.analysis.correlation.analysis import Correlation


class Format(StrEnum):
    """Forms of a correlation."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


def correlate(
    store: Path | None = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results."),
    study: list[str] | None = typer.Option(
        None, help="Only this study; default: every study of the store. Repeatable."
    ),
    outcomes: str | None = typer.Option(
        None, help="Outcomes, separated by commas; default: those of time, use, accuracy."
    ),
    factors: str | None = typer.Option(
        None, help="Factors, separated by commas; default: all that vary. Only these are held constant."
    ),
    format_: Format = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal."),
    page: Path | None = typer.Option(None, help="Write a page of sentences, figures and tables (HTML) to this file."),
    heat_map: Path | None = typer.Option(None, help="Draw the coefficients into this file: .svg, .pdf or .png."),
    dependence: Path | None = typer.Option(None, help="Draw outcomes over factors into this file: .svg, .pdf or .png."),
    no_lags: bool = typer.Option(False, "--no-lags", help="Do not read samples: no time lags inside runs."),
) -> None:
    """Explain use and time by hyper-parameters and profile: correlations, effects, models, shares, knees, lags."""
    from harness.paths import default_store
    from harness.reporting.correlation_figures import check_suffix, dependence_figure
    from harness.reporting.correlation_figures import heat_map as drawn_heat_map
    from harness.reporting.files import write_text

    folder = store or default_store()
    figures = [(heat_map, drawn_heat_map, "--heat-map"), (dependence, dependence_figure, "--dependence")]
    for path, _, _ in figures:
        if path is not None:
            check_suffix(path)  # before anything is computed
    found = _correlations(folder, study, _names(outcomes, "--outcomes"), _names(factors, "--factors"), not no_lags)
    if page is not None:
        from harness.reporting.correlation_page import write_correlation_page

        write_correlation_page(found, folder, page)
        typer.echo(f"written: {page}", err=True)
    if output is None:
        typer.echo(_text(found, folder, format_), nl=False)
    else:
        write_text(output, _text(found, folder, format_))
        typer.echo(f"written: {output}", err=True)
    for path, draw, option in figures:
        if path is not None:
            _draw(found, path, draw, option)


def _correlations(
    folder: Path, studies: list[str] | None, outcomes: list[str] | None, factors: list[str] | None, with_lags: bool
) -> list[Correlation]:
    from harness.analysis.correlation.analysis import correlate as correlate_study
    from harness.analysis.observations import observations
    from harness.errors import DlgaugeError, StoreError
    from harness.records import Record, Store

    opened = Store(folder)
    there = opened.studies()
    if not there:
        raise StoreError("the store holds no record", where=str(folder), hint="fill it: dlgauge run STUDY")
    found: list[Correlation] = []
    problems: list[DlgaugeError] = []
    for name in studies or there:
        observed = observations(opened, [name])
        try:
            found += correlate_study(observed, name, outcomes, factors, Record.read if with_lags else None)
        except DlgaugeError as error:
            if studies or len(there) == 1:
                raise
            problems.append(error)
    for problem in problems:
        typer.echo(f"left out: {problem.what}", err=True)
    if not found:
        raise problems[0]
    return found


def _draw(found: list[Correlation], path: Path, draw: Callable[[Correlation, str], bytes | None], option: str) -> None:
    from harness.errors import DlgaugeError
    from harness.reporting.correlation_figures import check_suffix, write_figure

    if len(found) > 1:
        raise DlgaugeError(
            f"{option} names one file, there are {len(found)} correlations: {', '.join(one.study for one in found)}",
            hint="add --study NAME; trials of several machines or contents of a dataset are looked at apart",
        )
    content = draw(found[0], check_suffix(path))
    if content is None:
        raise DlgaugeError(
            f"{option}: nothing to draw of study {found[0].study!r}: no factor, or none whose levels are numbers",
            hint="the output names what its trials vary",
        )
    write_figure(content, path)
    typer.echo(f"written: {path}", err=True)


def _names(text: str | None, option: str) -> list[str] | None:
    from harness.errors import DlgaugeError

    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise DlgaugeError(f"{option} {text!r} names nothing", hint=f"{option} training_time_s,samples_per_s")
    return names


def _text(found: list[Correlation], folder: Path, format_: Format) -> str:
    from harness.reporting import correlation_files, correlation_text

    if format_ is Format.JSON:
        return correlation_files.to_json(found, folder)
    if format_ is Format.CSV:
        return correlation_files.to_csv(found)
    if format_ is Format.MARKDOWN:
        return "\n".join(correlation_text.markdown(one) for one in found)
    if format_ is Format.LATEX:
        return "\n".join(correlation_text.latex(one) for one in found)
    return "\n".join(correlation_text.plain(one) for one in found)
