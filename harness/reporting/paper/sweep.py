"""An outcome over batch size, learning rate, epochs or another factor: one line a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis import Cell, Column
from harness.analysis.cells import CellKey
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
    WHISKER_POINTS,
    finish,
    inches,
    is_geometric,
    line_style,
    plain_numbers,
    side_by_side,
    spans_decades,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "sweep"
OUTCOMES = ("training_time_s", "top1_percent")
NARROWEST_MM = 58.0
PANEL_MM = 48.0
EDGE_MM = 14.0
"""Of a panel, for the labels of its vertical axis."""

BESIDE = 0.012
"""Distance of two names at one level, as a share of the axis."""

MOST_TICKS = 7
"""Levels that a horizontal axis names one by one."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes: a quantity in one group of cells."""

    title: str
    column: Column
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Sweep:
    """What a sweep draws.

    Attributes:
        factor, levels: the horizontal axis; `levels` in their order.
        panels: those with a line.
        logs: quantity -> whether its axis is logarithmic.
        without_level: cells without a number for the factor.
        single: groups of cells with one level alone.
    """

    factor: Factor
    levels: tuple[float, ...]
    panels: tuple[Panel, ...]
    logs: Mapping[str, bool]
    without_level: int
    single: int

    @property
    def geometric(self) -> bool:
        """Whether the horizontal axis is logarithmic."""
        return is_geometric(self.levels)


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study that varies a numeric factor.

    Raises:
        DlgaugeError: no numeric factor, several and none chosen, one level alone, a quantity that no trial measured.
    """
    sweep = _sweep(source, options)
    marks = tuple(mark for panel in sweep.panels for mark in panel.marks)
    names = ", ".join(quantity_title(column) for column in source.comparison.columns)
    return PaperFigure(
        name=NAME,
        title=f"{names} over {sweep.factor.title}, study {source.study}",
        draw=lambda: _figure(sweep, options.width_mm),
        marks=marks,
        shown=tuple(_shown(sweep, names)),
        facts=facts_of(source, marks),
        trials=trials_of(marks),
    )


def _sweep(source: Source, options: Options) -> Sweep:
    factor = choose_factor(source.cells, options.over)
    by_key = {cell.key: level for cell in source.cells if (level := level_of(cell, factor)) is not None}
    cells = [cell for cell in source.cells if cell.key in by_key]
    levels = tuple(sorted(set(by_key.values())))
    if len(levels) < 2:
        told = f"one level, {levels[0]:g}" if levels else "no level that is a number"
        raise DlgaugeError(
            f"{factor.title} has {told} in the trials of {source.study}: a sweep takes two or more",
            hint=factor_hint(source.cells, factor),
        )
    every = _panels(source, cells, factor, by_key)
    panels = [panel for panel in every if len({mark.x for mark in panel.marks}) > 1]
    single = len({panel.title for panel in every} - {panel.title for panel in panels})
    if not panels:
        raise DlgaugeError(
            f"{factor.title} has one level alone wherever nothing else differs ({single} such groups of cells): there "
            "is no line to draw",
            hint=factor_hint(source.cells, factor),
        )
    marks = [mark for panel in panels for mark in panel.marks]
    for column in source.comparison.columns:
        refuse_unmeasured(marks, quantity_title(column), column.key)
    measured = tuple(panel for panel in panels if any(mark.value is not None for mark in panel.marks))
    logs = {column.key: _is_log(marks, column.key, options.log) for column in source.comparison.columns}
    return Sweep(factor, levels, measured, logs, len(source.cells) - len(cells), single)


def _is_log(marks: Sequence[Mark], key: str, wanted: bool | None) -> bool:
    values = [mark.value for mark in marks if mark.quantity == key and mark.value is not None]
    return spans_decades(values) if wanted is None else wanted and all(value > 0 for value in values)


def _panels(source: Source, cells: Sequence[Cell], factor: Factor, levels: Mapping[CellKey, float]) -> list[Panel]:
    groups = group_names(cells, not_in_a_panel(factor))
    titles = panels_of_conditions(cells, source.comparison.conditions)
    places = [
        (cell.conditions, group, cell.key.framework, levels[cell.key])
        for cell, group in zip(cells, groups, strict=True)
    ]
    refuse_equals(cells, places)
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
                    x=levels[cell.key],
                )
                for cell in members
            ),
        )
        for title, members in placed.items()
        for column in source.comparison.columns
    ]


def _shown(sweep: Sweep, names: str) -> list[str]:
    factor = sweep.factor
    sentences = [
        f"{names[0].upper()}{names[1:]} over {factor.title}, one line a framework: means over trials; "
        f"whiskers: {INTERVAL}; dots: single trials. Points of one level stand a little beside each other; lines "
        "between the levels lead the eye, nothing was measured there."
    ]
    if sweep.geometric:
        sentences.append(f"The axis of {factor.title} is logarithmic, as its levels are.")
    logged = sorted({quantity_title(panel.column) for panel in sweep.panels if sweep.logs[panel.column.key]})
    if logged:
        sentences.append(f"Logarithmic axis of values: {', '.join(logged)}.")
    if sweep.single:
        what = "group of cells has" if sweep.single == 1 else "groups of cells have"
        sentences.append(f"{sweep.single} {what} one level of {factor.title} alone and no line.")
    if sweep.without_level:
        what = "cell has" if sweep.without_level == 1 else "cells have"
        sentences.append(f"{sweep.without_level} {what} no number for {factor.title} and no point.")
    cut = sum(_cut(panel, sweep.logs[panel.column.key]) for panel in sweep.panels)
    if cut:
        sentences.append(f"Intervals of few trials that reach beyond the axis: {cut}; the CSV has their ends.")
    return sentences


def _limits(panel: Panel, log: bool) -> tuple[float, float]:
    measured = [mark for mark in panel.marks if mark.value is not None]
    return axis_limits(measured, panel.column, zero=panel.column.unit in FROM_ZERO and not log, log=log)


def _cut(panel: Panel, log: bool) -> int:
    return cut_intervals(panel.marks, panel.column, _limits(panel, log))


def _figure(sweep: Sweep, width_mm: float) -> Figure:
    from matplotlib.figure import Figure

    panels = sweep.panels
    quantities = len({panel.column.key for panel in panels})
    across = side_by_side(len(panels), width_mm, NARROWEST_MM)
    across = across if across % quantities == 0 or len(panels) <= across else max(1, across // quantities * quantities)
    down = -(-len(panels) // across)
    inks = print_inks(mark.series for panel in panels for mark in panel.marks)
    figure = Figure(figsize=(inches(width_mm), inches(down * PANEL_MM + 8.0)), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, panel in zip(grid, panels, strict=False):
        _draw(axes, panel, inks, sweep)
        _name_levels(axes, sweep)
        if panel.title:
            axes.set_title(wrapped(panel.title, width_mm / across - EDGE_MM), loc="left")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    _legend(figure, inks, width_mm)
    return figure


def _draw(axes: Axes, panel: Panel, inks: Mapping[str, PrintInk], sweep: Sweep) -> None:
    log = sweep.logs[panel.column.key]
    scale = panel.column.scale
    for place, (name, ink) in enumerate(inks.items()):
        marks = sorted(
            (mark for mark in panel.marks if mark.series == name and mark.value is not None),
            key=lambda mark: float(mark.x),
        )
        if not marks:
            continue
        beside = _beside(sweep, place, len(inks))
        ends = [half_widths(mark, scale) for mark in marks]
        axes.errorbar(
            [beside(float(mark.x)) for mark in marks],
            [(mark.value or 0.0) / scale for mark in marks],
            yerr=[[below for below, _ in ends], [above for _, above in ends]],
            **line_style(ink, place, len(inks)),
            ecolor=ink.colour,
            elinewidth=WHISKER_POINTS,
            capsize=CAP_POINTS,
            capthick=WHISKER_POINTS,
            label=name,
        )
        singles = [
            (beside(float(mark.x)), one / scale) for mark in marks if mark.n > 1 for one in mark.by_seed.values()
        ]
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


def _beside(sweep: Sweep, place: int, of: int) -> Callable[[float], float]:
    """Where one name among several stands at a level: a little beside it, lest equal values hide each other."""
    share = BESIDE * (place - (of - 1) / 2)
    low, high = sweep.levels[0], sweep.levels[-1]
    if sweep.geometric:
        return lambda level: level * (high / low) ** share
    return lambda level: level + (high - low) * share


def _name_levels(axes: Axes, sweep: Sweep) -> None:
    from matplotlib.ticker import NullLocator

    if sweep.geometric:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    stride = -(-len(sweep.levels) // MOST_TICKS)
    axes.set_xticks(list(sweep.levels)[::stride])
    plain_numbers(axes.xaxis)
    axes.set_xlabel(sweep.factor.axis)
    axes.margins(x=0.06)


def _legend(figure: Figure, inks: Mapping[str, PrintInk], width_mm: float) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **line_style(ink, place, len(inks))) for place, ink in enumerate(inks.values())]
    across = 5 if width_mm > 120 else 3
    figure.legend(handles, list(inks), loc="outside upper center", ncols=min(across, len(handles)))
