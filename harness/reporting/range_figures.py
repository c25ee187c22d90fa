"""The figure of a range test: training loss and accuracy against the rate, the usable range shaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.reporting.files import write_bytes
from harness.reporting.palette import framework_inks
from harness.reporting.rate_figures import check_suffix, write_drawn
from harness.tuning.outcomes import Outcome
from harness.tuning.range_test import RatePoint, UsableRange

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE = "learning rate, constant during a run (no unit)"
LOSS = "training loss, mean of the last fifth of the steps"
TOP1 = "top-1 on the validation images, %"
_MARKERS = {
    "square": "s",
    "triangle-up": "^",
    "circle": "o",
    "diamond": "D",
    "cross": "X",
    "star": "*",
    "hexagon": "h",
    "triangle-down": "v",
    "pentagon": "p",
}


def write_range_figure(ranges: Sequence[UsableRange], path: Path, title: str) -> None:
    """Draw range tests of one workload, one a framework, into a file; its suffix says in which form.

    Raises:
        DlgaugeError: an unknown suffix, or the file cannot be written.
    """
    if check_suffix(path) == ".html":
        write_bytes(path, _html(ranges, title).encode())
    else:
        write_drawn(lambda: _figure(ranges, title), path)


def _loss(point: RatePoint | Outcome) -> float | None:
    return point.loss if isinstance(point, RatePoint) else point.final_loss


def _top1(point: RatePoint | Outcome) -> float | None:
    return None if point.top1 is None else 100 * point.top1


def _curve(found: UsableRange, value: Callable[[Any], float | None]) -> tuple[list[float], list[float]]:
    """Rates and mean values; rates at which a seed has none are left out."""
    pairs = [(point.rate, mean) for point in found.points if (mean := value(point)) is not None]
    return [rate for rate, _ in pairs], [mean for _, mean in pairs]


def _single(found: UsableRange, value: Callable[[Any], float | None]) -> tuple[list[float], list[float]]:
    """Rates and values of the single seeds."""
    pairs = [(point.rate, own) for point in found.points for one in point.outcomes if (own := value(one)) is not None]
    return [rate for rate, _ in pairs], [own for _, own in pairs]


def _broken(found: UsableRange) -> list[float]:
    """Rates at which at least one run diverged or failed."""
    return [point.rate for point in found.points if point.ended]


def _figure(ranges: Sequence[UsableRange], title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 6.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, value, name in ((upper, _loss, LOSS), (lower, _top1, TOP1)):
        _draw(axes, ranges, value)
        axes.set_ylabel("\n".join(name.split(", ")))
    upper.set_title(title, fontsize=9)
    lower.set_xlabel(RATE)
    upper.legend(fontsize=8)
    return figure


def _draw(axes: Axes, ranges: Sequence[UsableRange], value: Callable[[Any], float | None]) -> None:
    inks = framework_inks(one.framework for one in ranges)
    axes.set_xscale("log")
    for found in ranges:
        ink = inks[found.framework]
        marker = _MARKERS.get(ink.symbol, "o")
        axes.plot(*_curve(found, value), color=ink.light, marker=marker, ms=4, lw=1.4, label=found.framework)
        axes.plot(*_single(found, value), color=ink.light, marker=marker, ms=2.5, ls="", alpha=0.5)
        if found.low is not None and found.high is not None:
            shade = f"{found.framework}: usable range"
            axes.axvspan(found.low, found.high, color=ink.light, alpha=0.12, lw=0, label=shade)
        if broken := _broken(found):
            top = axes.get_xaxis_transform()
            label = f"{found.framework}: a run diverged or failed"
            axes.plot(broken, [0.97] * len(broken), color=ink.light, marker="x", ls="", transform=top, label=label)
    axes.grid(True, color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _html(ranges: Sequence[UsableRange], title: str) -> str:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    inks = framework_inks(one.framework for one in ranges)
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (value, name) in enumerate(((_loss, LOSS), (_top1, TOP1)), start=1):
        for found in ranges:
            ink = inks[found.framework]
            shared = {"legendgroup": found.framework, "name": found.framework}
            rates, means = _curve(found, value)
            line = {"color": ink.light, "width": 1.8}
            curve = go.Scatter(x=rates, y=means, mode="lines+markers", line=line, showlegend=row == 1, **shared)
            curve.marker.symbol = ink.symbol
            rates, own = _single(found, value)
            seeds = go.Scatter(x=rates, y=own, mode="markers", showlegend=False, opacity=0.5, **shared)
            seeds.marker.update(color=ink.light, size=4)
            figure.add_traces([curve, seeds], rows=row, cols=1)
            if found.low is not None and found.high is not None:
                figure.add_vrect(found.low, found.high, fillcolor=ink.light, opacity=0.12, line_width=0, row=row, col=1)
            for rate in _broken(found):
                figure.add_vline(rate, line_color=ink.light, line_dash="dot", row=row, col=1)
        figure.update_yaxes(title_text=name.replace(", ", "<br>", 1), row=row, col=1)
    figure.update_xaxes(type="log")
    figure.update_xaxes(title_text=RATE, row=2, col=1)
    figure.update_layout(template="plotly_white", title=title, height=720)
    html: str = figure.to_html(include_plotlyjs=True, div_id="range-test")
    return html
