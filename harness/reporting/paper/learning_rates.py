"""Learning rates over the step, one panel a policy: the curves of LRBench's functions, as the trials applied them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.analysis.policies.naming import canonical_policy, short_text
from harness.errors import DlgaugeError
from harness.records import Record
from harness.reporting.paper.captions import facts_of
from harness.reporting.paper.inks import FRAMEWORK_INKS
from harness.reporting.paper.measuring import ONE_TRIAL, trials_of
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.source import Source
from harness.reporting.paper.style import LINE_POINTS, finish, inches, plain_numbers, side_by_side, wrapped
from harness.reporting.rate_curves import RateCurve, drawn_points, shared_top
from harness.study.trial import canonical_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "learning-rates"
NARROWEST_MM = 42.0
MOST_STEPS_WITH_CORNERS = 100
"""Of a longer curve the corners of single steps are smaller than a dot."""

PANEL_MM = 30.0
TITLE_POINTS = 6.0
EDGE_MM = 12.0
"""Of a panel, for the labels of its vertical axis."""

STEP, RATE = "step (mini-batches, from 1)", "learning rate (no unit)"


@dataclass(frozen=True)
class Applied:
    """The rates of a policy as one trial applied them.

    Attributes:
        name: the policy in words.
        rates: float64, shape `(steps,)`; item `i` is the rate of step `i + 1`.
        trials: ids of all trials of the policy; the rates are those of the first.
        difference: the largest relative difference of another trial's rates from these; None with one trial alone.
        disturbed: how many of the trials were disturbed.
    """

    name: str
    rates: NDArray[np.float64]
    trials: tuple[str, ...]
    difference: float | None
    disturbed: int


def make(source: Source, options: Options) -> PaperFigure:
    """The figure of a study: one panel for each policy and length of training.

    Raises:
        DlgaugeError: no trial recorded its rates.
        StoreError: a table of steps that cannot be read.
    """
    applied = _applied(source)
    if not applied:
        raise DlgaugeError(
            "none of the trials recorded the learning rate of a step", hint="see docs/records.md, `steps`"
        )
    marks = tuple(mark for one in applied for mark in _marks(one))
    return PaperFigure(
        name=NAME,
        title=f"Learning rates of {len(applied)} policies, study {source.study}",
        draw=lambda: _figure(applied, options.width_mm, bool(options.log)),
        marks=marks,
        shown=tuple(_shown(applied, bool(options.log))),
        facts=facts_of(source, marks, means=False),
        trials=trials_of(marks),
        dense=True,
    )


def _applied(source: Source) -> list[Applied]:
    groups: dict[tuple[str, int], list[Record]] = {}
    names: dict[tuple[str, int], str] = {}
    for cell in source.cells:
        for record in source.records_of(cell):
            setting = record.specification.get("setting") or {}
            written = setting.get("learning_rate")
            if not written:
                continue
            key = (canonical_json(_canonical(written)), int(setting.get("steps") or 0))
            groups.setdefault(key, []).append(record)
            names[key] = short_text(_canonical(written))
    lengths = {steps for _, steps in groups}
    found = []
    for key, records in groups.items():
        rates = [(record, _rates(record)) for record in records]
        known = [(record, own) for record, own in rates if own is not None]
        if known:
            name = names[key] + (f", {key[1]} steps" if len(lengths) > 1 else "")
            found.append(_one(name, known))
    return found


def _canonical(written: object) -> dict[str, object]:
    try:
        return dict(canonical_policy(written))
    except (ValueError, TypeError, KeyError):
        return dict(written) if isinstance(written, dict) else {"policy": str(written)}


def _one(name: str, known: Sequence[tuple[Record, NDArray[np.float64]]]) -> Applied:
    first = known[0][1]
    differences = [_difference(first, other) for _, other in known[1:]]
    return Applied(
        name,
        first,
        tuple(record.id for record, _ in known),
        max(differences) if differences else None,
        sum(bool(record.manifest.get("disturbances")) for record, _ in known),
    )


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The largest |difference| over the larger of both, in the steps that both have."""
    shared = min(len(one), len(other))
    larger = np.maximum(np.abs(one[:shared]), np.abs(other[:shared]))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(larger > 0, np.abs(one[:shared] - other[:shared]) / larger, 0.0)
    return float(relative.max()) if shared else 0.0


def _rates(record: Record) -> NDArray[np.float64] | None:
    table = record.table("steps")
    if "learning_rate" not in table.column_names or table.num_rows == 0:
        return None
    values = [math.nan if value is None else float(value) for value in table.column("learning_rate").to_pylist()]
    rates = np.asarray(values, dtype=np.float64)
    return rates if np.isfinite(rates).all() else None


def _marks(one: Applied) -> list[Mark]:
    steps, rates = drawn_points(one.rates)
    return [
        Mark(
            panel=one.name,
            series=one.name,
            x_name="step",
            x_unit="mini-batches",
            x=float(step + 1),
            quantity="learning_rate",
            unit="1",
            value=float(rate),
            n=1,
            trials=one.trials[:1],
            disturbed=one.disturbed,
            reason=ONE_TRIAL,
        )
        for step, rate in zip(steps, rates, strict=True)
    ]


def _shown(applied: Sequence[Applied], log: bool) -> list[str]:
    sentences = ["Learning rate of every step as the trials applied it, one panel a policy."]
    differences = [one.difference for one in applied if one.difference is not None]
    if differences:
        most = max(differences)
        told = "have the same rates" if most == 0 else f"differ by at most {most:.2g} of the rate (precision)"
        sentences.append(f"Each curve is of one trial; the policy's other trials {told}, so there is no interval.")
    if log:
        sentences.append("Logarithmic axis of rates, on which a rate of 0 is not drawn.")
    return sentences


def _figure(applied: Sequence[Applied], width_mm: float, log: bool) -> Figure:
    from matplotlib.figure import Figure

    across = side_by_side(len(applied), width_mm, NARROWEST_MM)
    down = -(-len(applied) // across)
    height = 55.0 if len(applied) == 1 else down * PANEL_MM
    figure = Figure(figsize=(inches(width_mm), inches(height + 6.0)), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    top = None if log else shared_top([RateCurve(one.name, one.rates) for one in applied])
    for axes, one in zip(grid, applied, strict=False):
        steps, rates = drawn_points(one.rates)
        shape = "steps-mid" if len(steps) <= MOST_STEPS_WITH_CORNERS else "default"
        axes.plot(steps + 1, rates, color=FRAMEWORK_INKS["tensorflow"].colour, lw=LINE_POINTS, drawstyle=shape)
        axes.set_title(wrapped(one.name, width_mm / across - EDGE_MM, TITLE_POINTS), fontsize=TITLE_POINTS)
        if log:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, top or float(one.rates.max()) * 1.05 or 1.0)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        axes.margins(x=0.02)
        finish(axes)
    for axes in grid[len(applied) :]:
        axes.set_axis_off()
    figure.supxlabel(STEP, fontsize=7.0)
    figure.supylabel(RATE, fontsize=7.0)
    return figure
