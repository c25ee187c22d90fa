"""The look of a printed figure: widths, type, axes; settings under which the same numbers give the same bytes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError
from harness.reporting.paper.inks import PrintInk
from harness.validation import nearest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

MM_PER_INCH = 25.4
# Source: IEEE Author Center, "Resolution and size": one column 3.5 inches, two columns 7.16 inches.
WIDTHS_MM = {"column": 3.5 * MM_PER_INCH, "page": 7.16 * MM_PER_INCH}
NARROWEST_MM, WIDEST_MM = 50.0, 420.0
SIZE_POINTS = 7.0
"""Type of axes and legends: at most a point below that of a caption in a two-column journal."""

LINE_POINTS = 1.1
WHISKER_POINTS = 0.8
CAP_POINTS = 1.8
MARKER_POINTS = 3.6
DOT_POINTS = 1.6
"""Size of the points of single trials."""

SPAN_OF_A_LOG_AXIS = 30.0
"""Values whose largest is so many times their smallest are drawn on a logarithmic axis."""

THICKER = 0.3
"""Line and marker of each name before the last are so much wider, in points: equal curves show one inside the other."""

GREY = "#d9d9d9"
DARK = "#333333"


def width_of(text: str) -> float:
    """Millimetres of `column`, `page` or a number.

    Raises:
        DlgaugeError: none of them, or a width that no page has.
    """
    if text in WIDTHS_MM:
        return WIDTHS_MM[text]
    try:
        width_mm = float(text.removesuffix("mm"))
    except ValueError:
        width_mm = math.nan
    if not NARROWEST_MM <= width_mm <= WIDEST_MM:
        raise DlgaugeError(
            f"--width {text!r} is neither column, page nor {NARROWEST_MM:g} to {WIDEST_MM:g} millimetres",
            hint=f"column is {WIDTHS_MM['column']:.1f} mm, page {WIDTHS_MM['page']:.1f} mm (IEEE); or --width 120",
        )
    return width_mm


def settings(font: str | None) -> dict[Any, Any]:
    """Matplotlib's settings for a figure in a font family.

    Raises:
        DlgaugeError: Matplotlib finds no font of that family.
    """
    return {
        "font.family": [font] if font and _found(font) else ["DejaVu Sans"],
        "font.size": SIZE_POINTS,
        "axes.titlesize": SIZE_POINTS,
        "axes.labelsize": SIZE_POINTS,
        "xtick.labelsize": SIZE_POINTS - 0.5,
        "ytick.labelsize": SIZE_POINTS - 0.5,
        "legend.fontsize": SIZE_POINTS - 0.5,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "hatch.linewidth": 0.4,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        # A name from a study file is text, also where it holds a dollar sign.
        "text.parse_math": False,
        "text.usetex": False,
        "axes.formatter.use_mathtext": False,
        # The same numbers give the same bytes.
        "svg.hashsalt": "dlgauge",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
    }


def _found(font: str) -> bool:
    from matplotlib import font_manager

    generic = ("serif", "sans-serif", "monospace")
    if font in generic:
        return True
    known = sorted({entry.name for entry in font_manager.fontManager.ttflist})
    if font not in known:
        raise DlgaugeError(
            f"no font of the family {font!r} is installed{nearest(font, [*known, *generic])}",
            hint=f"`serif` and `sans-serif` are always there; found: {', '.join(known[:12])}",
        )
    return True


def finish(axes: Axes, *, grid: str = "both") -> None:
    """Grid behind, no frame above and to the right."""
    axes.grid(True, axis=grid, color=GREY, lw=0.4)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def plain_numbers(axis: Axis) -> None:
    """Tick labels as plain numbers: no offset, no powers; on a linear axis all have the same decimals."""
    from matplotlib.ticker import FuncFormatter, NullFormatter, ScalarFormatter

    if axis.get_scale() == "log":
        axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    else:
        formatter = ScalarFormatter(useOffset=False, useMathText=False)
        formatter.set_scientific(False)
        axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())


def number_text(value: float) -> str:
    """`0.01`, `64`, `12 000`: a tick's number, thousands apart by a thin space from 10,000 on."""
    if value == 0:
        return "0"
    if abs(value) >= 1e4 and float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}".replace(",", "\u2009")
    return f"{value:.6g}"


def is_geometric(levels: Sequence[float]) -> bool:
    """Whether levels are spaced by factors rather than by differences: their logarithms lie more evenly than they do.

    Two levels are, where the larger is ten times the smaller or more.
    """
    ordered = sorted(set(levels))
    if len(ordered) < 2 or ordered[0] <= 0:
        return False
    if len(ordered) == 2:
        return ordered[1] >= 10 * ordered[0]
    return _unevenness([math.log(level) for level in ordered]) < _unevenness(ordered)


def _unevenness(values: Sequence[float]) -> float:
    """Standard deviation of the gaps over their mean."""
    gaps = [after - before for before, after in zip(values[:-1], values[1:], strict=True)]
    mean = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean


def spans_decades(values: Iterable[float | None]) -> bool:
    """Whether positive values span so much that a linear axis would hide the small ones."""
    known = [value for value in values if value is not None]
    return bool(known) and min(known) > 0 and max(known) > SPAN_OF_A_LOG_AXIS * min(known)


def side_by_side(panels: int, width_mm: float, narrowest_mm: float) -> int:
    """How many panels of at least that width stand beside each other, at least one."""
    return max(1, min(panels, int(width_mm // narrowest_mm)))


def inches(millimetres: float) -> float:
    """For Matplotlib, which has no other unit."""
    return millimetres / MM_PER_INCH


def line_style(ink: PrintInk, place: int, of: int) -> dict[str, Any]:
    """Arguments of `Axes.plot` for the line of one name among several, drawn in their order.

    Args:
        ink: of the name.
        place: its place among the names, from 0.
        of: how many there are.
    """
    more = THICKER * (of - 1 - place)
    return {
        "color": ink.colour,
        "ls": ink.line,
        "lw": LINE_POINTS + more,
        "marker": ink.marker,
        "ms": MARKER_POINTS + more,
        "mec": DARK,
        "mew": 0.3,
    }


def wrapped(text: str, width_mm: float, points: float = SIZE_POINTS) -> str:
    """Text in lines that fit a width; a character is about 0.6 of the type's size wide."""
    return textwrap.fill(text, max(12, int(width_mm * 72 / MM_PER_INCH / (0.6 * points))))
