"""A chart of rows: cells from top to bottom, bars from zero or points with intervals to the right."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.analysis import Column
from harness.reporting.paper.inks import PrintInk
from harness.reporting.paper.limits import FROM_ZERO, axis_limits, half_widths
from harness.reporting.paper.model import Mark
from harness.reporting.paper.quantities import quantity_axis
from harness.reporting.paper.style import (
    CAP_POINTS,
    DARK,
    DOT_POINTS,
    GREY,
    MARKER_POINTS,
    WHISKER_POINTS,
    finish,
    plain_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_MM = 3.4
"""Height of one row."""

GROUP_GAP = 0.6
"""Empty space between two groups, in rows."""

HEAD_MM = 13.0
"""Height of a panel beside its rows: title, ticks and label of its axis."""


@dataclass(frozen=True)
class Rows:
    """Where the rows of one panel stand.

    Attributes:
        places: (group, series) -> height, in rows from the top.
        groups: group -> heights of its rows.
        height: of all of them, in rows.
    """

    places: dict[tuple[str, str], float]
    groups: dict[str, list[float]]
    height: float

    @property
    def height_mm(self) -> float:
        """Of a panel with its axis."""
        return HEAD_MM + ROW_MM * self.height


def arrange(pairs: Sequence[tuple[str, str]]) -> Rows:
    """Rows for (group, series) in their order, groups together."""
    groups: dict[str, list[str]] = {}
    for group, series in pairs:
        members = groups.setdefault(group, [])
        if series not in members:
            members.append(series)
    places: dict[tuple[str, str], float] = {}
    heights: dict[str, list[float]] = {}
    y = 0.0
    for group, members in groups.items():
        for series in members:
            places[(group, series)] = y
            heights.setdefault(group, []).append(y)
            y += 1.0
        y += GROUP_GAP
    return Rows(places, heights, y - GROUP_GAP if groups else 1.0)


def name_rows(axes: Axes, rows: Rows, axis_name: str, *, wrap: int = 30, always_groups: bool = False) -> bool:
    """Tick labels: series where there is one group (unless `always_groups`), else groups at their middle.

    Returns:
        Whether a legend has to name the series.
    """
    axes.set_ylim(rows.height - 0.5, -0.5)
    single = len(rows.groups) == 1 and not always_groups
    if single:
        axes.set_yticks(list(rows.places.values()), [textwrap.fill(series, wrap) for _, series in rows.places])
    else:
        middles = [sum(heights) / len(heights) for heights in rows.groups.values()]
        axes.set_yticks(middles, [textwrap.fill(group, wrap) for group in rows.groups])
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel(axis_name)
    return not single


def draw_values(
    axes: Axes, rows: Rows, marks: Sequence[tuple[str, Mark]], column: Column, inks: dict[str, PrintInk], *, log: bool
) -> tuple[float, float]:
    """Draw one quantity: bars from zero where its zero means something and the axis is linear, else points.

    Args:
        axes: of one panel.
        rows: where the rows stand.
        marks: group and mark of each; a mark without a value gets the words `not measured`.
        column: the quantity.
        inks: by series.
        log: logarithmic axis.

    Returns:
        The ends of the axis.
    """
    bars = column.unit in FROM_ZERO and not log
    measured = [mark for _, mark in marks if mark.value is not None]
    limits = axis_limits(measured, column, zero=bars, log=log) if measured else (0.1, 1.0)
    if log:
        axes.set_xscale("log")
    for group, mark in marks:
        y = rows.places[(group, mark.series)]
        if mark.value is None:
            axes.text(
                0.01, y, "not measured", transform=axes.get_yaxis_transform(), va="center", fontsize=5.5, color=DARK
            )
            continue
        _draw_one(axes, y, mark, column.scale, inks[mark.series], bars)
    axes.set_xlim(*limits)
    if log:
        log_ticks(axes, limits)
    plain_numbers(axes.xaxis)
    axes.set_xlabel(quantity_axis(column))
    finish(axes, grid="x")
    return limits


def log_ticks(axes: Any, limits: tuple[float, float], axis: str = "x") -> None:
    """Ticks at 1, 2 and 5 of each decade where they are few, else at the decades."""
    from matplotlib.ticker import LogLocator, NullLocator

    decades = limits[1] / limits[0]
    subs = (1.0, 2.0, 5.0) if decades < 50 else (1.0, 3.0) if decades < 500 else (1.0,)
    own = axes.xaxis if axis == "x" else axes.yaxis
    own.set_major_locator(LogLocator(base=10.0, subs=subs, numticks=20))
    own.set_minor_locator(NullLocator())


def _draw_one(axes: Axes, y: float, mark: Mark, scale: float, ink: PrintInk, bars: bool) -> None:
    value = (mark.value or 0.0) / scale
    below, above = half_widths(mark, scale)
    if bars:
        axes.barh(y, value, height=0.8, color=ink.colour, hatch=ink.hatch, edgecolor=DARK, lw=0.4, zorder=2)
    singles = [one / scale for one in mark.by_seed.values()] if mark.n > 1 else []
    axes.plot(
        singles,
        [y + 0.22] * len(singles),
        ls="",
        marker="o",
        ms=DOT_POINTS,
        mfc="white" if bars else ink.colour,
        mec=DARK,
        mew=0.3,
        zorder=4,
        gid="trial",
    )
    axes.errorbar(
        [value],
        [y],
        xerr=[[below], [above]],
        fmt="none" if bars else ink.marker,
        color=ink.colour,
        ms=MARKER_POINTS,
        mec=DARK,
        mew=0.4,
        ecolor="black",
        elinewidth=WHISKER_POINTS,
        capsize=CAP_POINTS,
        capthick=WHISKER_POINTS,
        zorder=5,
    )


def legend_of(figure: Figure, inks: dict[str, PrintInk], *, bars: bool, points: bool, columns: int) -> None:
    """A legend above the panels: names of series with hatch and marker."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for name, ink in inks.items():
        parts: list[Any] = []
        if bars:
            parts.append(Patch(facecolor=ink.colour, hatch=ink.hatch, edgecolor=DARK, lw=0.4))
        if points:
            parts.append(
                Line2D([], [], ls="", marker=ink.marker, ms=MARKER_POINTS, color=ink.colour, mec=DARK, mew=0.4)
            )
        handles.append((name, parts[0] if len(parts) == 1 else tuple(parts)))
    from matplotlib.legend_handler import HandlerTuple

    figure.legend(
        [handle for _, handle in handles],
        [name for name, _ in handles],
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="outside upper center",
        ncols=max(1, min(columns, len(handles))),
        edgecolor=GREY,
    )
