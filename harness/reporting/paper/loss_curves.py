"""Loss and accuracy while training, over steps or training time: LRBench's curves of each policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis import Cell
from harness.analysis.curves import Curve, accuracy_curve, loss_curve
from harness.analysis.policies.intervals import interval
from harness.errors import DlgaugeError
from harness.reporting.figures import smoothing_window
from harness.reporting.paper.captions import INTERVAL, facts_of
from harness.reporting.paper.inks import PrintInk, print_inks
from harness.reporting.paper.measuring import ONE_TRIAL, grain_of, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.naming import SEPARATOR, group_names, panels_of_conditions, refuse_equals
from harness.reporting.paper.rows import log_ticks
from harness.reporting.paper.source import Source
from harness.reporting.paper.style import finish, inches, line_style, plain_numbers, side_by_side, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "loss-curves"
LOSS, ACCURACY = "loss", "accuracy"
QUANTITIES = {
    LOSS: ("loss", "1", "training loss (no unit)"),
    ACCURACY: ("top1_percent", "percent", "top-1 on the test images (%)"),
}
"""Name -> quantity, unit, axis."""

AXES = {"steps": ("step", "mini-batches", "step (mini-batches)"), "time": ("training_time_s", "s", "training time (s)")}
MOST_POINTS = 200
"""Points of one drawn curve: more than a panel has dots."""

MARKERS = 8
"""On a long line, about."""

GROUPS_WITH_BOTH = 2
"""Groups up to which loss and accuracy stand side by side; of more the accuracy alone, unless loss is asked for."""

NARROWEST_MM = 44.0
PANEL_MM = 36.0
EDGE_MM = 12.0
"""Of a panel, for the labels of its vertical axis."""


@dataclass(frozen=True)
class Panel:
    """One group of cells, one quantity."""

    title: str
    quantity: str
    marks: tuple[Mark, ...]


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study: one line a framework, panels by what else differs.

    Raises:
        DlgaugeError: an unknown axis or quantity, or nothing that was recorded.
        StoreError: a table of a record that cannot be read.
    """
    over = _over(options)
    groups = group_names(source.cells)
    quantities = _quantities(options, len(set(groups)))
    titles = panels_of_conditions(source.cells, source.comparison.conditions)
    refuse_equals(
        source.cells,
        [(cell.conditions, group, cell.key.framework) for cell, group in zip(source.cells, groups, strict=True)],
    )
    members: dict[str, list[Cell]] = {}
    for cell, group in zip(source.cells, groups, strict=True):
        title = SEPARATOR.join(part for part in (titles[cell.conditions], group) if part)
        members.setdefault(title, []).append(cell)
    panels = [
        Panel(title, quantity, tuple(mark for cell in cells for mark in _marks(source, cell, title, quantity, over)))
        for title, cells in members.items()
        for quantity in quantities
    ]
    marks = tuple(mark for panel in panels for mark in panel.marks)
    if not any(mark.value is not None for mark in marks):
        raise DlgaugeError(
            f"the trials of {source.study} recorded no {' and no '.join(quantities)}", hint="draw another figure"
        )
    return PaperFigure(
        name=NAME,
        title=f"{' and '.join(quantities)} over {over}, study {source.study}".capitalize(),
        draw=lambda: _figure(panels, over, bool(options.log), options.width_mm),
        marks=marks,
        shown=tuple(_shown(quantities, over, len(members), bool(options.log))),
        facts=facts_of(source, marks),
        trials=trials_of(marks),
        dense=True,
    )


def _over(options: Options) -> str:
    over = options.over or "steps"
    if over not in AXES:
        raise DlgaugeError(f"--over {over!r}: curves are drawn over {' or '.join(AXES)}", hint="--over steps")
    return over


def _quantities(options: Options, groups: int) -> tuple[str, ...]:
    for name in options.outcomes:
        if name not in QUANTITIES:
            raise DlgaugeError(f"--outcome {name!r}: a curve is of {' or '.join(QUANTITIES)}", hint="--outcome loss")
    if options.outcomes:
        return tuple(dict.fromkeys(options.outcomes))
    return (LOSS, ACCURACY) if groups <= GROUPS_WITH_BOTH else (ACCURACY,)


def _marks(source: Source, cell: Cell, panel: str, quantity: str, over: str) -> list[Mark]:
    """The mean over the trials at the steps that all have; the loss of a trial is a running mean before that."""
    key, unit, _ = QUANTITIES[quantity]
    x_name, x_unit, _ = AXES[over]
    curves = []
    for record in source.records_of(cell):
        curve = loss_curve(record, MOST_POINTS) if quantity == LOSS else accuracy_curve(record)
        if curve is not None:
            curves.append((record, _smooth(curve) if quantity == LOSS else curve))
    shared = set.intersection(*(set(curve.steps) for _, curve in curves)) if curves else set()
    if not shared:
        why = "the trials have no step in common" if curves else f"no trial recorded its {quantity}"
        return [Mark(panel, cell.key.framework, x_name, x_unit, "", key, unit, None, reason=why)]
    trials = tuple(record.id for record, _ in curves)
    disturbed = sum(source.disturbed(str(record.path)) for record, _ in curves)
    rows = [dict(zip(c.steps, zip(c.training_time_s, c.values, strict=True), strict=True)) for _, c in curves]
    grain, marks = grain_of(cell, key), []
    for step in sorted(shared):
        values = [row[step][1] for row in rows]
        known = [value for value in values if value is not None]
        found = interval(known, grain) if len(known) == len(values) else None
        half = found.half_width if found else None
        time_s = float(np.mean([row[step][0] for row in rows]))
        marks.append(
            Mark(
                panel=panel,
                series=cell.key.framework,
                x_name=x_name,
                x_unit=x_unit,
                x=float(step) if over == "steps" else time_s,
                quantity=key,
                unit=unit,
                value=found.mean if found else None,
                low_95=found.mean - half if found and half is not None else None,
                high_95=found.mean + half if found and half is not None else None,
                n=len(values),
                trials=trials,
                disturbed=disturbed,
                reason="a trial has no finite value there" if found is None else (ONE_TRIAL if half is None else ""),
            )
        )
    return marks


def _smooth(curve: Curve) -> Curve:
    """A centred running mean over a fiftieth of the points, narrower at the ends (`mean_curve`)."""
    from harness.analysis.curves import mean_curve

    return mean_curve([curve], smoothing_window(len(curve.steps))) or curve


def _shown(quantities: Sequence[str], over: str, panels: int, log: bool) -> list[str]:
    names = " and ".join(QUANTITIES[one][2].partition(" (")[0] for one in quantities)
    sentences = [
        f"{names[0].upper()}{names[1:]} over the {AXES[over][2].partition(' (')[0]}, one line a framework: means "
        f"over trials; bands: pointwise {INTERVAL}."
    ]
    if LOSS in quantities:
        sentences.append(
            f"Of the loss of the mini-batches at most {MOST_POINTS} points a trial are drawn, each a centred running "
            "mean of a fiftieth of them."
        )
    if over == "time":
        sentences.append("Training time is that of the `train` phases; a point stands at the mean time of its trials.")
    if panels > GROUPS_WITH_BOTH:
        sentences.append(
            "All panels have the same axes; an interval of few trials may reach beyond them (the CSV has its ends)."
        )
    if log and LOSS in quantities:
        sentences.append("Logarithmic axis of losses.")
    return sentences


def _figure(panels: Sequence[Panel], over: str, log: bool, width_mm: float) -> Figure:
    from matplotlib.figure import Figure

    quantities = list(dict.fromkeys(panel.quantity for panel in panels))
    wide = NARROWEST_MM if len(panels) > 2 * GROUPS_WITH_BOTH else 58.0
    across = side_by_side(len(panels), width_mm, wide)
    if len(quantities) == 2 and len(panels) > across:
        across = max(1, across // 2 * 2)
    down = -(-len(panels) // across)
    height = PANEL_MM if down > 1 else 52.0
    figure = Figure(figsize=(inches(width_mm), inches(down * height + 10.0)), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    inks = print_inks(mark.series for panel in panels for mark in panel.marks)
    limits = {
        quantity: _limits(
            [panel for panel in panels if panel.quantity == quantity], log and quantity == LOSS, quantity == ACCURACY
        )
        for quantity in quantities
    }
    for axes, panel in zip(grid, panels, strict=False):
        _draw(axes, panel, inks)
        if log and panel.quantity == LOSS:
            axes.set_yscale("log")
            log_ticks(axes, limits[LOSS], "y")
        axes.set_ylim(*limits[panel.quantity])
        if panel.title:
            axes.set_title(wrapped(panel.title, width_mm / across - EDGE_MM))
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        axes.margins(x=0.03)
        finish(axes)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    if len(quantities) == 1 and len(panels) > 1:
        figure.supylabel(QUANTITIES[quantities[0]][2], fontsize=7.0)
        figure.supxlabel(AXES[over][2], fontsize=7.0)
    else:
        for axes, panel in zip(grid, panels, strict=False):
            axes.set_ylabel(QUANTITIES[panel.quantity][2])
            axes.set_xlabel(AXES[over][2])
    _legend(figure, inks, width_mm)
    return figure


def _limits(panels: Sequence[Panel], log: bool, percent: bool) -> tuple[float, float]:
    """Ends that hold every mean, and intervals as far as they reach no further than a tenth of the span beyond."""
    marks = [mark for panel in panels for mark in panel.marks if mark.value is not None]
    values = [mark.value for mark in marks if mark.value is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    reach = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    ends = [end for mark in marks for end in (mark.low_95, mark.high_95) if end is not None]
    low_end, high_end = max(min([low, *ends]), low - reach), min(max([high, *ends]), high + reach)
    if log:
        return (low_end if low_end > 0 else low / 1.2 if low > 0 else 1e-6), high_end * 1.1
    margin = 0.06 * (high_end - low_end)
    top = min(high_end + margin, 100.5) if percent else high_end + margin
    return max(0.0, low_end - margin), top


def _draw(axes: Axes, panel: Panel, inks: Mapping[str, PrintInk]) -> None:
    for place, (name, ink) in enumerate(inks.items()):
        marks = [mark for mark in panel.marks if mark.series == name and mark.value is not None]
        if not marks:
            continue
        x = [float(mark.x) for mark in marks]
        axes.plot(
            x,
            [mark.value or 0.0 for mark in marks],
            **line_style(ink, place, len(inks)),
            markevery=_marked(len(marks), place, len(inks)),
            label=name,
        )
        banded = [mark for mark in marks if mark.low_95 is not None and mark.high_95 is not None]
        if banded:
            axes.fill_between(
                [float(mark.x) for mark in banded],
                [float(mark.low_95 or 0.0) for mark in banded],
                [float(mark.high_95 or 0.0) for mark in banded],
                color=ink.colour,
                alpha=0.18,
                lw=0,
            )


def _marked(points: int, place: int, of: int) -> tuple[int, int]:
    """First point with a marker and the distance to the next: on long lines those of the names stand apart."""
    every = max(1, points // MARKERS)
    return (every * place // of, every)


def _legend(figure: Figure, inks: Mapping[str, PrintInk], width_mm: float) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **line_style(ink, place, len(inks))) for place, ink in enumerate(inks.values())]
    figure.legend(handles, list(inks), loc="outside upper center", ncols=min(len(handles), 5 if width_mm > 120 else 3))
