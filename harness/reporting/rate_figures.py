"""Figures of learning-rate policies as files: PNG, SVG and PDF by Matplotlib, HTML by Plotly."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError
from harness.reporting.files import write_bytes
from harness.reporting.palette import line_styles
from harness.reporting.rate_curves import RateCurve, drawn_points, grid, shared_top

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf", ".html")
STEP_AXIS = "step (mini-batches, from 0)"
RATE_AXIS = "learning rate (no unit)"

_DOTS_PER_INCH = 150
_MATPLOTLIB_DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (10, 3)),
}
# The same curves give the same bytes: no date, and no random names inside an SVG.
_SETTINGS = {"svg.hashsalt": "dlgauge", "pdf.fonttype": 42, "font.size": 9}
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def check_suffix(path: Path) -> str:
    """The form of figure that a file's suffix asks for.

    Raises:
        DlgaugeError: none of `SUFFIXES`.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DlgaugeError(
            f"a figure is written as {', '.join(SUFFIXES)}, not {path.suffix or 'a file without a suffix'!r}",
            where=str(path),
            hint="name a file that ends in one of them: --out rates.png",
        )
    return suffix


def write_figure(curves: Sequence[RateCurve], path: Path, *, panels: bool | None = None, log: bool = False) -> None:
    """Draw learning rates over the step into a file; its suffix says in which form.

    Args:
        curves: at least one.
        path: ends in `.png`, `.svg`, `.pdf` or `.html`.
        panels: each curve in axes of its own; None: where they are more than six.
        log: logarithmic axis of rates, on which a rate of 0 is not drawn.

    Raises:
        DlgaugeError: another suffix, or the file cannot be written.
    """
    suffix = check_suffix(path)
    if suffix == ".html":
        write_bytes(path, _html(curves, panels, log).encode())
        return
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        buffer = io.BytesIO()
        figure = _figure(curves, panels, log)
        figure.savefig(buffer, format=suffix[1:], dpi=_DOTS_PER_INCH, metadata=_METADATA[suffix])
    write_bytes(path, buffer.getvalue())


def _figure(curves: Sequence[RateCurve], panels: bool | None, log: bool) -> Figure:
    from matplotlib.figure import Figure

    rows, columns = grid(len(curves), panels)
    together = rows * columns == 1
    size = (7.5, 4.2) if together else (2.9 * columns + 0.4, 2.1 * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).flatten()
    top = None if together or log else shared_top(curves)
    for index, (curve, (ink, dash)) in enumerate(zip(curves, line_styles(len(curves)), strict=True)):
        axes = cells[0 if together else index]
        style = _MATPLOTLIB_DASHES[dash] if together else "-"
        axes.plot(
            *drawn_points(curve.rates), color=ink.light, ls=style, lw=1.4, drawstyle="steps-post", label=curve.label
        )
        if not together:
            axes.set_title(textwrap.fill(curve.label, 34), fontsize=8)
    for index, axes in enumerate(cells):
        if together or index < len(curves):
            _finish(axes, top, log)
        else:
            axes.set_axis_off()
    if together and len(curves) > 1:
        cells[0].legend(fontsize=8)
    elif together:
        cells[0].set_title(curves[0].label, fontsize=9)
    figure.supxlabel(STEP_AXIS, fontsize=9)
    figure.supylabel(RATE_AXIS, fontsize=9)
    return figure


def _finish(axes: Axes, top: float | None, log: bool) -> None:
    axes.grid(True, color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.02)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, top)


def _html(curves: Sequence[RateCurve], panels: bool | None, log: bool) -> str:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    rows, columns = grid(len(curves), panels)
    together = rows * columns == 1
    titles = None if together else ["<br>".join(textwrap.wrap(curve.label, 34)) for curve in curves]
    figure = make_subplots(rows, columns, subplot_titles=titles, x_title=STEP_AXIS, y_title=RATE_AXIS)
    for index, (curve, (ink, dash)) in enumerate(zip(curves, line_styles(len(curves)), strict=True)):
        steps, rates = drawn_points(curve.rates)
        line = {"color": ink.light, "dash": dash if together else "solid", "width": 1.8, "shape": "hv"}
        place = (0, 0) if together else divmod(index, columns)
        figure.add_trace(
            go.Scatter(x=steps.tolist(), y=rates.tolist(), mode="lines", name=curve.label, line=line),
            row=place[0] + 1,
            col=place[1] + 1,
        )
    top = None if together or log else shared_top(curves)
    if log:
        figure.update_yaxes(type="log")
    else:
        figure.update_yaxes(rangemode="tozero", range=[0, top] if top else None)
    figure.update_annotations(font_size=12)
    figure.update_layout(
        template="plotly_white", title="Learning rates", showlegend=together, height=520 if together else 240 * rows
    )
    html: str = figure.to_html(include_plotlyjs=True, div_id="learning-rates")
    return html
