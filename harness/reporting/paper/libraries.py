"""Throughput by numerical library and number of threads, one panel a framework (docs/libraries.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis import Cell, Column
from harness.errors import DlgaugeError
from harness.reporting.paper.captions import INTERVAL, facts_of
from harness.reporting.paper.inks import PrintInk
from harness.reporting.paper.limits import FROM_ZERO, axis_limits, cut_intervals
from harness.reporting.paper.measuring import mark_of_column, refuse_unmeasured, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.naming import SEPARATOR, group_names, panels_of_conditions, refuse_equals
from harness.reporting.paper.quantities import quantity_title
from harness.reporting.paper.rows import arrange, draw_values, legend_of, name_rows
from harness.reporting.paper.source import Source
from harness.reporting.paper.style import inches, side_by_side, spans_decades, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "libraries"
OUTCOMES = ("samples_per_s",)
NARROWEST_MM = 58.0
EDGE_MM = 16.0
"""Of a panel, for the names of libraries."""

MOST_NAMED = 5
"""Cells that an error names one by one."""

NOT_TOLD = "library not told"
ON_AN_AXIS = {"profile", "blas", "threads", "threads.intra_op"}

# Dark to light, so that they differ without hue as well. Source: ColorBrewer, Blues, and Okabe and Ito's blue.
THREAD_INKS = (
    PrintInk("#0072b2", "o", "", "-"),
    PrintInk("#9ecae1", "s", "////", "--"),
    PrintInk("#e69f00", "^", "..", "-."),
    PrintInk("#d9d9d9", "D", "xxxx", ":"),
)


@dataclass(frozen=True)
class Panel:
    """One framework, under one set of conditions and of whatever else varies."""

    title: str
    column: Column
    placed: tuple[tuple[str, Mark], ...]


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study over libraries or threads.

    Raises:
        DlgaugeError: one library and one number of threads alone, a quantity that was not measured, or cells that would
            stand at one place.
    """
    facts = [library_of(source, cell) for cell in source.cells]
    groups = group_names(source.cells, ON_AN_AXIS, frameworks=True)
    _refuse_one_library(source, facts, groups)
    titles = panels_of_conditions(source.cells, source.comparison.conditions)
    refuse_equals(
        source.cells,
        [(cell.conditions, group, *fact) for cell, group, fact in zip(source.cells, groups, facts, strict=True)],
    )
    panels = [panel for column in source.comparison.columns for panel in _panels(source, facts, groups, titles, column)]
    marks = tuple(mark for panel in panels for _, mark in panel.placed)
    for column in source.comparison.columns:
        refuse_unmeasured(marks, quantity_title(column), column.key)
    logs = {
        column.key: bool(options.log)
        if options.log is not None
        else spans_decades(mark.value for mark in marks if mark.quantity == column.key)
        for column in source.comparison.columns
    }
    names = ", ".join(quantity_title(column) for column in source.comparison.columns)
    return PaperFigure(
        name=NAME,
        title=f"{names} by numerical library and threads, study {source.study}",
        draw=lambda: _figure(panels, logs, options.width_mm),
        marks=marks,
        shown=tuple(_shown(source, panels, logs, names)),
        facts=facts_of(source, marks),
        trials=trials_of(marks),
    )


def _refuse_one_library(source: Source, facts: Sequence[tuple[str, str]], groups: Sequence[str]) -> None:
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for cell, fact, group in zip(source.cells, facts, groups, strict=True):
        found.setdefault((cell.conditions, group), set()).add(fact)
    if all(len(own) < 2 for own in found.values()):
        told = [f"{group}: {library}, {threads}" for (_, group), own in found.items() for library, threads in own]
        more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
        raise DlgaugeError(
            f"no framework of {source.study} ran on two libraries or numbers of threads: "
            f"{'; '.join(told[:MOST_NAMED])}{more}",
            hint="run a study that varies them: dlgauge run blas; then: dlgauge figure libraries STORE --study blas",
        )


def library_of(source: Source, cell: Cell) -> tuple[str, str]:
    """The library of a cell as its profile asks for it or, without a choice, as the worker found it; its threads.

    What was asked for was in force, or the trial would not have completed.
    """
    profile: dict[str, Any] = json.loads(cell.key.specification).get("profile") or {}
    threads = (profile.get("threads") or {}).get("intra_op")
    library = profile.get("blas")
    if not library:
        described = [record.manifest.get("framework") or {} for record in source.records_of(cell)]
        found = {str((one.get("library") or {}).get("name") or NOT_TOLD) for one in described}
        library = " / ".join(sorted(found))
    told = "threads not told" if threads is None else f"{threads} thread{'' if threads == 1 else 's'}"
    return str(library), told


def _panels(
    source: Source, facts: Sequence[tuple[str, str]], groups: Sequence[str], titles: dict[str, str], column: Column
) -> list[Panel]:
    placed: dict[str, list[tuple[str, Mark]]] = {}
    for cell, (library, threads), group in zip(source.cells, facts, groups, strict=True):
        title = SEPARATOR.join(part for part in (titles[cell.conditions], group) if part)
        mark = mark_of_column(source, cell, column, panel=title, series=threads, x_name="library", x_unit="", x=library)
        placed.setdefault(title, []).append((library, mark))
    return [
        Panel(title, column, tuple(sorted(members, key=lambda pair: (pair[0], pair[1].series))))
        for title, members in placed.items()
    ]


def _shown(source: Source, panels: Sequence[Panel], logs: dict[str, bool], names: str) -> list[str]:
    sentences = [
        f"{names[0].upper()}{names[1:]} by numerical library and number of threads, one panel a framework: means "
        f"over trials; whiskers: {INTERVAL}; dots: single trials. Panels have axes of their own.",
        _versions(source),
    ]
    if any(logs.values()):
        sentences.append("Logarithmic axis, therefore points and no bars.")
    cut = 0
    for panel in panels:
        measured = [mark for _, mark in panel.placed if mark.value is not None]
        if measured:
            log = logs[panel.column.key]
            limits = axis_limits(measured, panel.column, zero=panel.column.unit in FROM_ZERO and not log, log=log)
            cut += cut_intervals(measured, panel.column, limits)
    if cut:
        sentences.append(
            f"{cut} interval{'' if cut == 1 else 's'} of few trials reach beyond the axis; the CSV has the ends."
        )
    return sentences


def _versions(source: Source) -> str:
    """Versions and kernels of the libraries as the workers found them."""
    found: dict[str, dict[str, None]] = {}
    for cell in source.cells:
        for record in source.records_of(cell):
            library = (record.manifest.get("framework") or {}).get("library") or {}
            told = " ".join(str(library[key]) for key in ("version", "kernel") if library.get(key))
            if library.get("name") and told:
                found.setdefault(str(library["name"]), {})[told] = None
    listed = "; ".join(f"{name} {' / '.join(versions)}" for name, versions in sorted(found.items()))
    return f"Versions and kernels as found in the runs: {listed}." if listed else ""


def _figure(panels: Sequence[Panel], logs: dict[str, bool], width_mm: float) -> Figure:
    from matplotlib.figure import Figure

    across = side_by_side(len(panels), width_mm, NARROWEST_MM)
    lines = [list(panels[start : start + across]) for start in range(0, len(panels), across)]
    rows = {id(panel): arrange([(library, mark.series) for library, mark in panel.placed]) for panel in panels}
    heights = [max(rows[id(panel)].height_mm for panel in line) + 5.0 for line in lines]
    figure = Figure(figsize=(inches(width_mm), inches(sum(heights) + 7.0)), layout="constrained")
    grid = figure.subplots(len(lines), across, squeeze=False, gridspec_kw={"height_ratios": heights})
    names = sorted({mark.series for panel in panels for _, mark in panel.placed}, key=_by_number)
    inks = {name: THREAD_INKS[index % len(THREAD_INKS)] for index, name in enumerate(names)}
    for line, row_axes in zip(lines, grid, strict=True):
        for axes, panel in zip(row_axes, line, strict=False):
            draw_values(axes, rows[id(panel)], panel.placed, panel.column, inks, log=logs[panel.column.key])
            name_rows(axes, rows[id(panel)], "library", always_groups=True)
            axes.set_ylim(max(rows[id(one)].height for one in line) - 0.5, -0.5)  # bars of one thickness
            axes.set_title(wrapped(panel.title, width_mm / across - EDGE_MM), loc="left")
        for axes in row_axes[len(line) :]:
            axes.set_axis_off()
    log = any(logs.values())
    legend_of(figure, inks, bars=not all(logs.values()), points=log, columns=4)
    return figure


def _by_number(name: str) -> tuple[float, str]:
    first = name.partition(" ")[0]
    return (float(first) if first.isdigit() else float("inf"), name)
