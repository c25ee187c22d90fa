"""Time and accuracy by framework: GTDLBench's bars of training time, testing time and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis import Cell, Column
from harness.reporting.paper.captions import INTERVAL, facts_of
from harness.reporting.paper.inks import print_inks
from harness.reporting.paper.limits import cut_intervals
from harness.reporting.paper.measuring import mark_of_column, refuse_unmeasured, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.naming import group_names, group_title, panels_of_conditions, refuse_equals
from harness.reporting.paper.quantities import quantity_title
from harness.reporting.paper.rows import Rows, arrange, draw_values, legend_of, name_rows
from harness.reporting.paper.source import Source
from harness.reporting.paper.style import inches, side_by_side, spans_decades

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "time-accuracy"
OUTCOMES = ("training_time_s", "test_time_s", "top1_percent")
NARROWEST_MM = 55.0
"""Panel beside which another may stand."""

Placed = list[tuple[str, Mark]]


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study: a panel for each quantity, rows of frameworks, in groups by what else differs.

    Raises:
        DlgaugeError: a quantity that no trial measured, or cells that would stand at one place.
    """
    cells, columns = source.cells, source.comparison.columns
    groups = group_names(cells)
    refuse_equals(
        cells, [(cell.conditions, group, cell.key.framework) for cell, group in zip(cells, groups, strict=True)]
    )
    titles = panels_of_conditions(cells, source.comparison.conditions)
    panels = {
        letter: {column.key: _marks(source, letter, titles[letter], groups, column) for column in columns}
        for letter in titles
    }
    every = [mark for of_letter in panels.values() for placed in of_letter.values() for _, mark in placed]
    logs: dict[str, bool] = {}
    for column in columns:
        refuse_unmeasured(every, quantity_title(column), column.key)
        values = [mark.value for mark in every if mark.quantity == column.key]
        logs[column.key] = spans_decades(values) if options.log is None else options.log and _positive(values)
    return PaperFigure(
        name=NAME,
        title=f"{', '.join(quantity_title(column) for column in columns)} by framework, study {source.study}",
        draw=lambda: _figure(panels, titles, columns, logs, group_title(cells), options.width_mm),
        marks=tuple(every),
        shown=tuple(_shown(cells, panels, columns, logs)),
        facts=facts_of(source, every, memory=_of_memory(columns)),
        trials=trials_of(every),
    )


def _positive(values: Sequence[float | None]) -> bool:
    return all(value > 0 for value in values if value is not None)


def _of_memory(columns: Sequence[Column]) -> bool:
    return any("memory" in column.key or "resident" in column.key for column in columns)


def _marks(source: Source, letter: str, title: str, groups: Sequence[str], column: Column) -> Placed:
    placed = []
    for cell, group in zip(source.cells, groups, strict=True):
        if cell.conditions == letter:
            mark = mark_of_column(
                source,
                cell,
                column,
                panel=title,
                series=cell.key.framework,
                x_name="cell",
                x_unit="",
                x=group or source.study,
            )
            placed.append((group, mark))
    return placed


def _shown(
    cells: Sequence[Cell], panels: dict[str, dict[str, Placed]], columns: Sequence[Column], logs: dict[str, bool]
) -> list[str]:
    names = ", ".join(quantity_title(column) for column in columns)
    sentences = [
        f"{names[0].upper()}{names[1:]} by framework: means over trials; whiskers: {INTERVAL}; dots: single trials."
    ]
    if len(cells) == 1:
        sentences.append("The study has one cell: there is nothing to compare it with.")
    if logged := [quantity_title(column) for column in columns if logs[column.key]]:
        sentences.append(f"Logarithmic axis, therefore points and no bars: {', '.join(logged)}.")
    cut = 0
    for of_letter in panels.values():
        for column in columns:
            cut += _cut(of_letter[column.key], column, logs[column.key])
    if cut:
        sentences.append(
            f"{cut} interval{'' if cut == 1 else 's'} of few trials reach beyond the axis; the CSV has the ends."
        )
    if any(column.unit == "percent" for column in columns):
        sentences.append("The axis of a percentage does not begin at 0.")
    return sentences


def _cut(placed: Placed, column: Column, log: bool) -> int:
    from harness.reporting.paper.limits import FROM_ZERO, axis_limits

    measured = [mark for _, mark in placed if mark.value is not None]
    if not measured:
        return 0
    limits = axis_limits(measured, column, zero=column.unit in FROM_ZERO and not log, log=log)
    return cut_intervals(measured, column, limits)


def _figure(
    panels: dict[str, dict[str, Placed]],
    titles: dict[str, str],
    columns: Sequence[Column],
    logs: dict[str, bool],
    title: str,
    width_mm: float,
) -> Figure:
    from matplotlib.figure import Figure

    rows = {
        letter: arrange([(group, mark.series) for group, mark in next(iter(of_letter.values()))])
        for letter, of_letter in panels.items()
    }
    across = side_by_side(len(columns), width_mm, NARROWEST_MM)
    lines = [(letter, start) for letter in panels for start in range(0, len(columns), across)]
    heights = [rows[letter].height_mm for letter, _ in lines]
    several = any(len(one.groups) > 1 for one in rows.values())
    figure = Figure(figsize=(inches(width_mm), inches(sum(heights) + (7.0 if several else 0.0))), layout="constrained")
    grid = figure.subplots(len(lines), across, squeeze=False, gridspec_kw={"height_ratios": heights})
    inks = print_inks(
        mark.series for of_letter in panels.values() for placed in of_letter.values() for _, mark in placed
    )
    for (letter, start), row_axes in zip(lines, grid, strict=True):
        for offset, axes in enumerate(row_axes):
            if start + offset >= len(columns):
                axes.set_axis_off()
                continue
            column = columns[start + offset]
            draw_values(axes, rows[letter], panels[letter][column.key], column, inks, log=logs[column.key])
            _name(axes, rows[letter], title, first=offset == 0)
            if titles[letter] and offset == 0:
                axes.set_title(titles[letter], loc="left")
    if several:
        bars = any(column.unit != "percent" and not logs[column.key] for column in columns)
        points = any(column.unit == "percent" or logs[column.key] for column in columns)
        legend_of(figure, inks, bars=bars, points=points, columns=5 if width_mm > 120 else 3)
    return figure


def _name(axes: Axes, rows: Rows, title: str, *, first: bool) -> None:
    """Names of the rows on the first panel of a line; the others share them."""
    axis = "framework" if len(rows.groups) == 1 else title
    name_rows(axes, rows, axis)
    if not first:
        axes.set_yticklabels([])
        axes.set_ylabel("")
