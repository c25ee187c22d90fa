"""An outcome over batch size, learning rate, epochs or another factor: one line a framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis import Cell, Column
from harness.errors import DlgaugeError
from harness.reporting.paper.captions import INTERVAL, facts_of
from harness.reporting.paper.factors import Factor, choose_factor, factor_hint, level_of, not_in_a_panel
from harness.reporting.paper.inks import PrintInk, print_inks
from harness.reporting.paper.limits import FROM_ZERO, axis_limits, cut_intervals, half_widths
from harness.reporting.paper.measuring import mark_of_column, refuse_unmeasured, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.naming import SEPARATOR, group_names, panels_of_conditions, refuse_equals
from harness.reporting.paper.quantities import quantity_axis, quantity_title
from harness.reporting.paper.rows import log_ticks
from harness.reporting.paper.source import Source
from harness.reporting.paper.style import (
    CAP_POINTS,
    DARK,
    DOT_POINTS,
    LINE_POINTS,
    MARKER_POINTS,
    WHISKER_POINTS,
    finish,
    inches,
    is_geometric,
    plain_numbers,
    side_by_side,
    spans_decades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "sweep"
OUTCOMES = ("training_time_s", "top1_percent")
NARROWEST_MM = 58.0
PANEL_MM = 48.0
MOST_TICKS = 7
"""Levels that a horizontal axis names one by one."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes: a quantity in one group of cells."""

    title: str
    column: Column
    marks: tuple[Mark, ...]


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study that varies a numeric factor.

    Raises:
        DlgaugeError: no numeric factor, several and none chosen, one level alone, a quantity that no trial measured.
    """
    factor = choose_factor(source.cells, options.over)
    levels = {cell.key: level_of(cell, factor) for cell in source.cells}
    cells = [cell for cell in source.cells if levels[cell.key] is not None]
    numbers = sorted({level for level in levels.values() if level is not None})
    if len(numbers) < 2:
        told = f"one level, {numbers[0]:g}" if numbers else "no level that is a number"
        raise DlgaugeError(
            f"{factor.title} has {told} in the trials of {source.study}: a sweep takes two or more",
            hint=factor_hint(source.cells),
        )
    groups = group_names(cells, not_in_a_panel(factor))
    titles = panels_of_conditions(cells, source.comparison.conditions)
    refuse_equals(
        cells,
        [
            (cell.conditions, group, cell.key.framework, levels[cell.key])
            for cell, group in zip(cells, groups, strict=True)
        ],
    )
    panels = list(_panels(source, cells, groups, titles, factor, levels))
    marks = tuple(mark for panel in panels for mark in panel.marks)
    for column in source.comparison.columns:
        refuse_unmeasured(marks, quantity_title(column), column.key)
    panels = [panel for panel in panels if any(mark.value is not None for mark in panel.marks)]
    names = ", ".join(quantity_title(column) for column in source.comparison.columns)
    geometric = is_geometric(numbers)
    logs = {panel.column.key: options.log for panel in panels}
    for key, wanted in logs.items():
        values = [mark.value for mark in marks if mark.quantity == key]
        positive = all(value > 0 for value in values if value is not None)
        logs[key] = spans_decades(values) if wanted is None else wanted and positive
    return PaperFigure(
        name=NAME,
        title=f"{names} over {factor.title}, study {source.study}",
        draw=lambda: _figure(
            panels, factor, numbers, geometric, {k: bool(v) for k, v in logs.items()}, options.width_mm
        ),
        marks=marks,
        shown=tuple(_shown(source, cells, panels, factor, geometric, logs, names)),
        facts=facts_of(source, marks),
        trials=trials_of(marks),
    )


def _panels(
    source: Source,
    cells: Sequence[Cell],
    groups: Sequence[str],
    titles: Mapping[str, str],
    factor: Factor,
    levels: Mapping[object, float | None],
) -> list[Panel]:
    placed: dict[str, list[Cell]] = {}
    for cell, group in zip(cells, groups, strict=True):
        title = SEPARATOR.join(part for part in (titles[cell.conditions], group) if part)
        placed.setdefault(title, []).append(cell)
    return [
        Panel(
            title,
            column,
            tuple(
                mark_of_column(
                    source,
                    cell,
                    column,
                    panel=title,
                    series=cell.key.framework,
                    x_name=factor.name,
                    x_unit=factor.unit,
                    x=levels[cell.key] or 0.0,
                )
                for cell in members
            ),
        )
        for title, members in placed.items()
        for column in source.comparison.columns
    ]


def _shown(
    source: Source,
    cells: Sequence[Cell],
    panels: Sequence[Panel],
    factor: Factor,
    geometric: bool,
    logs: Mapping[str, bool | None],
    names: str,
) -> list[str]:
    sentences = [
        f"{names[0].upper()}{names[1:]} over {factor.title}, one line a framework: means over trials; "
        f"whiskers: {INTERVAL}; dots: single trials. Lines between the levels lead the eye, nothing was measured there."
    ]
    if geometric:
        sentences.append(f"The axis of {factor.title} is logarithmic, as its levels are.")
    if logged := sorted({quantity_title(panel.column) for panel in panels if logs[panel.column.key]}):
        sentences.append(f"Logarithmic axis of values: {', '.join(logged)}.")
    if without := len(source.cells) - len(cells):
        sentences.append(f"{without} cells without a number for {factor.title} are not drawn.")
    cut = sum(_cut(panel, bool(logs[panel.column.key])) for panel in panels)
    if cut:
        sentences.append(
            f"{cut} interval{'' if cut == 1 else 's'} of few trials reach beyond the axis; the CSV has the ends."
        )
    return sentences


def _limits(panel: Panel, log: bool) -> tuple[float, float]:
    measured = [mark for mark in panel.marks if mark.value is not None]
    return axis_limits(measured, panel.column, zero=panel.column.unit in FROM_ZERO and not log, log=log)


def _cut(panel: Panel, log: bool) -> int:
    return cut_intervals(panel.marks, panel.column, _limits(panel, log))


def _figure(
    panels: Sequence[Panel],
    factor: Factor,
    levels: Sequence[float],
    geometric: bool,
    logs: Mapping[str, bool],
    width_mm: float,
) -> Figure:
    from matplotlib.figure import Figure

    quantities = len({panel.column.key for panel in panels})
    across = side_by_side(len(panels), width_mm, NARROWEST_MM)
    across = across if across % quantities == 0 or len(panels) <= across else max(1, across // quantities * quantities)
    down = -(-len(panels) // across)
    inks = print_inks(mark.series for panel in panels for mark in panel.marks)
    figure = Figure(figsize=(inches(width_mm), inches(down * PANEL_MM + 8.0)), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, panel in zip(grid, panels, strict=False):
        _draw(axes, panel, inks, logs[panel.column.key])
        _name_levels(axes, factor, levels, geometric)
        if panel.title:
            axes.set_title(panel.title, loc="left")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    _legend(figure, inks, width_mm)
    return figure


def _draw(axes: Axes, panel: Panel, inks: Mapping[str, PrintInk], log: bool) -> None:
    scale = panel.column.scale
    for name, ink in inks.items():
        marks = sorted(
            (mark for mark in panel.marks if mark.series == name and mark.value is not None),
            key=lambda mark: float(mark.x),
        )
        if not marks:
            continue
        ends = [half_widths(mark, scale) for mark in marks]
        axes.errorbar(
            [float(mark.x) for mark in marks],
            [(mark.value or 0.0) / scale for mark in marks],
            yerr=[[below for below, _ in ends], [above for _, above in ends]],
            color=ink.colour,
            ls=ink.line,
            lw=LINE_POINTS,
            marker=ink.marker,
            ms=MARKER_POINTS,
            mec=DARK,
            mew=0.3,
            ecolor=ink.colour,
            elinewidth=WHISKER_POINTS,
            capsize=CAP_POINTS,
            capthick=WHISKER_POINTS,
            label=name,
        )
        singles = [(float(mark.x), one / scale) for mark in marks if mark.n > 1 for one in mark.by_seed.values()]
        axes.plot(
            [x for x, _ in singles],
            [y for _, y in singles],
            ls="",
            marker="o",
            ms=DOT_POINTS,
            mfc=ink.colour,
            mec=DARK,
            mew=0.2,
        )
    if log:
        axes.set_yscale("log")
    limits = _limits(panel, log)
    axes.set_ylim(*limits)
    if log:
        log_ticks(axes, limits, "y")
    plain_numbers(axes.yaxis)
    axes.set_ylabel(quantity_axis(panel.column))
    finish(axes)


def _name_levels(axes: Axes, factor: Factor, levels: Sequence[float], geometric: bool) -> None:
    from matplotlib.ticker import NullLocator

    if geometric:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    stride = -(-len(levels) // MOST_TICKS)
    axes.set_xticks(list(levels)[::stride])
    plain_numbers(axes.xaxis)
    axes.set_xlabel(factor.axis)
    axes.margins(x=0.06)


def _legend(figure: Figure, inks: Mapping[str, PrintInk], width_mm: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=ink.colour,
            ls=ink.line,
            lw=LINE_POINTS,
            marker=ink.marker,
            ms=MARKER_POINTS,
            mec=DARK,
            mew=0.3,
        )
        for ink in inks.values()
    ]
    across = 5 if width_mm > 120 else 3
    figure.legend(handles, list(inks), loc="outside upper center", ncols=min(across, len(handles)))
