"""The three panels of CPU and memory: CPU time by phase, cores used in training, peak memory by phase."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.reporting.paper.inks import phase_ink
from harness.reporting.paper.limits import half_widths
from harness.reporting.paper.model import Mark
from harness.reporting.paper.rows import Rows, arrange, name_rows
from harness.reporting.paper.style import (
    CAP_POINTS,
    DARK,
    MARKER_POINTS,
    WHISKER_POINTS,
    finish,
    inches,
    plain_numbers,
    side_by_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROWEST_MM = 55.0
ROW_SCALE = 1.9
"""Rows of this figure hold a bar and the points of all phases: they are so many times as high."""

MIB = 1024.0 * 1024.0
USER_COLOUR, SYSTEM_COLOUR = "#0072b2", "#e69f00"


@dataclass(frozen=True)
class Row:
    """A cell: CPU seconds and peak memory of its phases, cores used in training."""

    group: str
    framework: str
    cpu: tuple[Mark, ...]
    total: Mark
    user: Mark
    system: Mark
    mean: Mark
    most: Mark
    peaks: tuple[Mark, ...]
    peak: Mark

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All of them."""
        return (*self.cpu, self.total, self.user, self.system, self.mean, self.most, *self.peaks, self.peak)


def draw_resources(
    rows: dict[str, list[Row]], titles: dict[str, str], phases: Sequence[str], title: str, width_mm: float
) -> Figure:
    """The figure: a line of panels for each set of conditions.

    Args:
        rows: by letter of conditions.
        titles: of the panels, by letter.
        phases: kinds of phases in their order.
        title: what tells groups of cells apart.
        width_mm: of the figure.
    """
    from matplotlib.figure import Figure

    places = {letter: arrange([(row.group, row.framework) for row in of_letter]) for letter, of_letter in rows.items()}
    across = side_by_side(3, width_mm, NARROWEST_MM)
    across = 1 if across == 2 else across
    lines = [(letter, start) for letter in rows for start in range(0, 3, across)]
    heights = [6.0 + places[letter].height_mm + (ROW_SCALE - 1) * 3.4 * places[letter].height for letter, _ in lines]
    figure = Figure(figsize=(inches(width_mm), inches(sum(heights) + 16.0)), layout="constrained")
    grid = figure.subplots(len(lines), across, squeeze=False, gridspec_kw={"height_ratios": heights})
    draw = (_draw_cpu, _draw_cores, _draw_memory)
    for (letter, start), row_axes in zip(lines, grid, strict=True):
        for offset, axes in enumerate(row_axes):
            draw[start + offset](axes, places[letter], rows[letter])
            _name(axes, places[letter], title, first=offset == 0)
            if titles[letter] and offset == 0:
                axes.set_title(titles[letter], loc="left")
    _legend(figure, phases, rows, width_mm)
    return figure


def _name(axes: Axes, places: Rows, title: str, *, first: bool) -> None:
    """Every row by its framework, and by its group where there are several: colours stand for phases here."""
    name_rows(axes, places, "framework" if len(places.groups) == 1 else f"framework · {title}")
    if len(places.groups) > 1:
        names = [
            textwrap.fill(" · ".join(part for part in (series, group) if part), 34) for group, series in places.places
        ]
        axes.set_yticks(list(places.places.values()), names)
    if not first:
        axes.set_yticklabels([])
        axes.set_ylabel("")


def _whisker(axes: Axes, y: float, mark: Mark, scale: float, **more: object) -> None:
    if mark.value is None:
        return
    below, above = half_widths(mark, scale)
    style = {
        "fmt": "none",
        "ecolor": "black",
        "elinewidth": WHISKER_POINTS,
        "capsize": CAP_POINTS,
        "capthick": WHISKER_POINTS,
        "zorder": 5,
        **more,
    }
    axes.errorbar([mark.value / scale], [y], xerr=[[below], [above]], **style)  # type: ignore[arg-type]


def _place(places: Rows, row: Row) -> float:
    return places.places[(row.group, row.framework)]


def _bar(axes: Axes, y: float, width: float, left: float, colour: str, hatch: str) -> None:
    axes.barh(y, width, left=left, height=0.66, color=colour, hatch=hatch, edgecolor=DARK, lw=0.4, zorder=2)


def _draw_cpu(axes: Axes, places: Rows, rows: Sequence[Row]) -> None:
    for row in rows:
        y, left = _place(places, row), 0.0
        for mark in row.cpu:
            if mark.value:
                ink = phase_ink(mark.series)
                _bar(axes, y, mark.value, left, ink.colour, ink.hatch)
                left += mark.value
        _whisker(axes, y, row.total, 1.0)
    axes.set_xlabel("CPU time by phase (CPU s)")
    _end(axes, [row.total for row in rows], 1.0)


def _draw_cores(axes: Axes, places: Rows, rows: Sequence[Row]) -> None:
    for row in rows:
        y = _place(places, row)
        if row.user.value is not None and row.system.value is not None:
            _bar(axes, y, row.user.value, 0.0, USER_COLOUR, "")
            _bar(axes, y, row.system.value, row.user.value, SYSTEM_COLOUR, "////")
        elif row.mean.value is not None:
            _bar(axes, y, row.mean.value, 0.0, "#bbbbbb", "")
        _whisker(axes, y, row.mean, 1.0)
        if row.most.value is not None:
            axes.plot(
                [row.most.value], [y], ls="", marker=">", ms=MARKER_POINTS, mfc="white", mec="black", mew=0.6, zorder=6
            )
    axes.set_xlabel("cores used in training (cores)")
    _end(axes, [mark for row in rows for mark in (row.mean, row.most)], 1.0)


def _draw_memory(axes: Axes, places: Rows, rows: Sequence[Row]) -> None:
    for row in rows:
        y = _place(places, row)
        if row.peak.value is not None:
            axes.plot([row.peak.value / MIB] * 2, [y - 0.42, y + 0.42], color="black", lw=1.2, zorder=3)
        measured = [mark for mark in row.peaks if mark.value is not None]
        for index, mark in enumerate(measured):
            ink = phase_ink(mark.series)
            offset = -0.36 + 0.72 * (index + 0.5) / len(measured)
            style = {
                "fmt": ink.marker,
                "color": ink.colour,
                "ms": MARKER_POINTS - 0.4,
                "mec": DARK,
                "mew": 0.3,
                "capsize": 1.0,
            }
            _whisker(axes, y + offset, mark, MIB, **style)
    axes.set_xlabel("peak memory by phase (MiB)")
    _end(axes, [mark for row in rows for mark in (row.peak, *row.peaks)], MIB)


def _end(axes: Axes, marks: Sequence[Mark], scale: float) -> None:
    """From zero to a little beyond the largest value; a longer interval is cut by the axis, and said in the CSV."""
    values = [mark.value / scale for mark in marks if mark.value is not None]
    ends = [mark.high_95 / scale for mark in marks if mark.high_95 is not None]
    top = max(values, default=1.0)
    axes.set_xlim(0, min(max([top, *ends]), 1.6 * top) * 1.06 or 1.0)
    plain_numbers(axes.xaxis)
    finish(axes, grid="x")


def _legend(figure: Figure, phases: Sequence[str], rows: dict[str, list[Row]], width_mm: float) -> None:
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    names: list[str] = []
    for phase in phases:
        ink = phase_ink(phase)
        handles.append(
            (
                Patch(facecolor=ink.colour, hatch=ink.hatch, edgecolor=DARK, lw=0.4),
                Line2D([], [], ls="", marker=ink.marker, ms=MARKER_POINTS - 0.4, color=ink.colour, mec=DARK, mew=0.3),
            )
        )
        names.append(phase.replace("_", " "))
    if any(row.user.value is not None for of_letter in rows.values() for row in of_letter):
        handles += [
            Patch(facecolor=USER_COLOUR, edgecolor=DARK, lw=0.4),
            Patch(facecolor=SYSTEM_COLOUR, hatch="////", edgecolor=DARK, lw=0.4),
        ]
        names += ["user mode", "system mode"]
    handles += [
        Line2D([], [], ls="", marker=">", ms=MARKER_POINTS, mfc="white", mec="black", mew=0.6),
        Line2D([], [], ls="", marker="|", ms=7, mec="black", mew=1.2),
    ]
    names += ["highest in 1 s", "peak of the trial"]
    figure.legend(
        handles,
        names,
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="outside upper center",
        ncols=6 if width_mm > 120 else 3,
    )
