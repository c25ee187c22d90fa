"""Rankings drawn: every policy with its interval, and accuracy against cost with the Pareto front."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.policies.entries import Entry, Ranking, Standing
from harness.analysis.policies.naming import short_text
from harness.errors import DlgaugeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
TIER_COLOURS = ("#0068b0", "#00805d", "#b57700", "#cc4e00", "#6a51a3", "#5b6770")
"""By tier, then the last for all further ones and for policies without a tier."""
DIVERGED = "#b2182b"
ROW_INCHES, HEAD_INCHES, WIDTH_INCHES, DPI = 0.28, 1.5, 12.0, 150


def write_ranking_figure(rankings: Sequence[Ranking], path: Path) -> None:
    """One row of two panels a ranking, in the form that the file's suffix names.

    Raises:
        DlgaugeError: another suffix than .png, .svg or .pdf, or the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DlgaugeError(f"the figure {str(path)!r} has none of the suffixes {', '.join(SUFFIXES)}")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [HEAD_INCHES + ROW_INCHES * len(one.entries) for one in rankings]
    # Text stays text, and the same ranking gives the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dlgauge", "font.size": 8}):
        figure = Figure(figsize=(WIDTH_INCHES, sum(heights)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(rankings), 2, squeeze=False, height_ratios=heights, width_ratios=(1.2, 1))
        for one, (left, right) in zip(rankings, axes, strict=True):
            _draw_values(left, one)
            _draw_front(right, one)
        _save(figure, path)


def _draw_values(axes: Axes, ranking: Ranking) -> None:
    entries = ranking.entries
    for position, entry in enumerate(entries):
        if entry.value is not None:
            axes.errorbar(
                entry.value.mean,
                position,
                xerr=entry.value.half_width,
                fmt="o",
                color=_colour(entry),
                capsize=2,
                markersize=4,
            )
        if entry.standing is Standing.DIVERGED:
            axes.annotate(
                f"diverged: {_first(entry)}",
                (0.02, position),
                xycoords=("axes fraction", "data"),
                va="center",
                color=DIVERGED,
                fontsize=7,
            )
    axes.set_yticks(range(len(entries)), [f"{entry.rank}  {_name(entry)}" for entry in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.set_title(ranking.group.title, fontsize=8, loc="left")
    by = ranking.criteria[0]
    unit = "" if ranking.unit == "1" else f", {ranking.unit}"
    axes.set_xlabel(f"{by.name}{unit}" if len(ranking.criteria) == 1 else "score")
    axes.grid(axis="x", alpha=0.3)


def _draw_front(axes: Axes, ranking: Ranking) -> None:
    shown = [
        (entry, entry.cost, entry.accuracy)
        for entry in ranking.entries
        if entry.cost is not None
        and entry.accuracy is not None
        and entry.cost_reached[0] == entry.cost_reached[1]
        and entry.standing is not Standing.DIVERGED
    ]
    axes.grid(alpha=0.3)
    axes.set_ylabel("test top-1, %")
    if ranking.threshold_percent is None or not shown:
        why = "no policy reached a threshold with every seed"
        if ranking.no_cost:
            why = f"no cost: {ranking.cost_unit} of several frameworks are not pooled"
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center")
        return
    axes.set_xlabel(f"{ranking.cost_unit} until {ranking.threshold_percent:g} % is reached")
    for entry, cost, accuracy in shown:
        axes.errorbar(
            cost.mean,
            accuracy.mean,
            xerr=cost.half_width,
            yerr=accuracy.half_width,
            fmt="o" if entry.pareto else ".",
            color=_colour(entry),
            elinewidth=0.6,
            alpha=1.0 if entry.pareto else 0.6,
        )
        axes.annotate(
            str(entry.rank), (cost.mean, accuracy.mean), xytext=(4, 4), textcoords="offset points", fontsize=7
        )
    front = sorted((cost.mean, accuracy.mean) for entry, cost, accuracy in shown if entry.pareto)
    axes.step(
        [x for x, _ in front], [y for _, y in front], where="post", color="#444444", linewidth=0.8, linestyle="--"
    )
    axes.set_title("numbers are ranks; the dashed line is the Pareto front", fontsize=7, loc="left")


def _colour(entry: Entry) -> str:
    if entry.standing is Standing.DIVERGED:
        return DIVERGED
    index = len(TIER_COLOURS) if entry.tier is None else entry.tier
    return TIER_COLOURS[min(index, len(TIER_COLOURS)) - 1]


def _name(entry: Entry) -> str:
    return short_text(json.loads(entry.policy_json))


def _first(entry: Entry) -> str:
    steps = [(one.step, one.learning_rate) for one in entry.diverged if one.step is not None]
    if not steps:
        return f"{len(entry.diverged)} of {len(entry.trials)}"
    step, rate = min(steps, key=lambda pair: pair[0])
    shown = "unknown" if rate is None else f"{rate:.4g}"
    return f"{len(entry.diverged)} of {len(entry.trials)}, step {step}, counted from 1, rate {shown}"


def _save(figure: Figure, path: Path) -> None:
    options: dict[str, Any] = {"dpi": DPI}
    if path.suffix.lower() == ".svg":
        options["metadata"] = {"Date": None}
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(temporary, **options)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DlgaugeError(f"the figure cannot be written: {error.strerror or error}", where=str(path)) from None
