"""A correlation drawn: a heat map of the coefficients, and the outcome over each factor (partial dependence)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.correlation.analysis import Correlation
from harness.analysis.correlation.associations import SPEARMAN
from harness.analysis.correlation.dependence import Dependence
from harness.analysis.correlation.factors import Factor
from harness.analysis.correlation.outcomes import outcome_title, shown_scale
from harness.errors import DlgaugeError
from harness.reporting.files import write_bytes
from harness.reporting.palette import Ink, framework_inks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".pdf", ".png")
DPI = 150
COLOURS = "PuOr"
"""Diverging, told apart with every kind of colour vision (ColorBrewer, 2013)."""
DARK = 0.6
"""From this coefficient on a colour is so dark that the number stands in white."""
MARKERS = {
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
PANEL_INCHES = (3.0, 2.2)
COLUMNS_OF_ONE_FACTOR = 3


def write_figure(content: bytes, path: Path) -> None:
    """Write a figure made for this suffix.

    Raises:
        DlgaugeError: the file cannot be written.
    """
    write_bytes(path, content)


def check_suffix(path: Path) -> str:
    """The form that the file's suffix names.

    Raises:
        DlgaugeError: another suffix than .svg, .pdf or .png.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DlgaugeError(f"the figure {str(path)!r} has none of the suffixes {', '.join(SUFFIXES)}")
    return suffix


def heat_map(found: Correlation, suffix: str = ".svg") -> bytes | None:
    """Spearman's coefficients, a panel a scope: outcomes down, factors across; None without an ordered factor.

    A star marks what is distinguishable from none at a false discovery rate of 5 %; an empty field has no coefficient.
    """
    rows = [one for one in found.associations if one.kind == SPEARMAN and one.value is not None]
    if not rows:
        return None
    scopes = list(dict.fromkeys(one.scope for one in rows))
    factors = [f for f in found.factors if any(one.factor == f.name for one in rows)]
    outcomes = [key for key in found.outcomes if any(one.outcome == key for one in rows)]
    with _style():
        width, height = 2.4 + len(scopes) * (0.7 * len(factors) + 0.5), 1.6 + 0.3 * len(outcomes)
        figure = _figure(width, height)
        axes = figure.subplots(1, len(scopes), squeeze=False, sharey=True)[0]
        image = None
        for panel, scope in zip(axes, scopes, strict=True):
            values = {(one.outcome, one.factor): one for one in rows if one.scope == scope}
            numbers = [[_value(values, key, f.name) for f in factors] for key in outcomes]
            image = panel.imshow(numbers, cmap=COLOURS, vmin=-1, vmax=1, aspect="auto")
            panel.set_title(scope, fontsize=9)
            panel.set_xticks(range(len(factors)), [f.title for f in factors], rotation=40, ha="right")
            panel.set_yticks(range(len(outcomes)), [outcome_title(key) for key in outcomes])
            for i, key in enumerate(outcomes):
                for j, factor in enumerate(factors):
                    if one := values.get((key, factor.name)):
                        text = f"{one.value:.2f}{'*' if one.found else ''}"
                        ink = "white" if abs(one.value or 0.0) > DARK else "black"
                        panel.text(j, i, text, ha="center", va="center", fontsize=7, color=ink)
        if image is not None:
            figure.colorbar(image, ax=list(axes), label="Spearman's rank correlation (no unit)", shrink=0.9)
        return _bytes(figure, suffix)


def dependence_figure(found: Correlation, suffix: str = ".svg") -> bytes | None:
    """Each outcome over each factor, a line a framework, with 95 % intervals over blocks; None without a curve."""
    drawn = [one for one in found.dependences if any(mean is not None for mean in one.means)]
    if not drawn:
        return None
    factors = [f for f in found.factors if any(one.factor == f.name for one in drawn)]
    outcomes = [key for key in found.outcomes if any(one.outcome == key for one in drawn)]
    inks = framework_inks(one.scope for one in drawn)
    # A row an outcome and a column a factor; of one factor the outcomes stand side by side.
    pairs = [(key, factor) for key in outcomes for factor in factors]
    columns = len(factors) if len(factors) > 1 else min(COLUMNS_OF_ONE_FACTOR, len(pairs))
    rows = -(-len(pairs) // columns)
    with _style():
        figure = _figure(0.8 + PANEL_INCHES[0] * columns, 0.6 + PANEL_INCHES[1] * rows)
        axes = figure.subplots(rows, columns, squeeze=False)
        for panel in axes.flat[len(pairs) :]:
            panel.set_axis_off()
        for panel, (key, factor) in zip(axes.flat, pairs, strict=False):
            own = [one for one in drawn if (one.outcome, one.factor) == (key, factor.name)]
            _panel(panel, own, key, factor, inks)
        handles: dict[str, Any] = {}
        for panel in axes.flat:
            for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(
            list(handles.values()), list(handles), loc="outside upper center", ncols=max(1, len(handles)), frameon=False
        )
        return _bytes(figure, suffix)


def _panel(panel: Axes, own: Sequence[Dependence], outcome: str, factor: Factor, inks: Mapping[str, Ink]) -> None:
    for one in own:
        _draw(panel, one, inks[one.scope], factor.ordered)
    if factor.doubles and own:
        panel.set_xscale("log", base=2)
        panel.set_xticks([float(level) for level in factor.levels], [f"{level:g}" for level in factor.levels])
        panel.minorticks_off()
    panel.set_xlabel(factor.title)
    panel.set_ylabel(outcome_title(outcome))
    panel.grid(alpha=0.3)
    if not own:
        panel.text(0.5, 0.5, "no curve", transform=panel.transAxes, ha="center")


def _draw(panel: Axes, one: Dependence, ink: Ink, ordered: bool) -> None:
    scale = shown_scale(one.outcome)
    told = [i for i, mean in enumerate(one.means) if mean is not None]
    means = [float(one.means[i] or 0.0) / scale for i in told]
    below = [mean - float(_or(one.lows[i], one.means[i])) / scale for mean, i in zip(means, told, strict=True)]
    above = [float(_or(one.highs[i], one.means[i])) / scale - mean for mean, i in zip(means, told, strict=True)]
    places = [one.levels[i] if ordered else str(one.levels[i]) for i in told]
    panel.errorbar(
        places,
        means,
        yerr=[[max(0.0, one) for one in below], [max(0.0, one) for one in above]],
        fmt=f"{MARKERS.get(ink.symbol, 'o')}-" if ordered else MARKERS.get(ink.symbol, "o"),
        color=ink.light,
        markersize=4,
        linewidth=1.0,
        capsize=2,
        label=one.scope,
    )
    if not ordered and len(one.levels) > 4:
        panel.tick_params(axis="x", rotation=60)


def _or(value: float | None, instead: float | None) -> float:
    return (instead or 0.0) if value is None else value


def _value(values: dict[tuple[str, str], Any], outcome: str, factor: str) -> float:
    one = values.get((outcome, factor))
    return float("nan") if one is None else float(one.value)


def _style() -> Any:
    import matplotlib

    # Text stays text, and the same numbers give the same file.
    return matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dlgauge", "font.size": 8})


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _bytes(figure: Figure, suffix: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, Any] = {"format": suffix.removeprefix("."), "dpi": DPI}
    if suffix in (".svg", ".pdf"):
        options["metadata"] = {"Date": None} if suffix == ".svg" else {"CreationDate": None}
    figure.savefig(buffer, **options)
    return buffer.getvalue()
