"""Learning rates over the step as lines of text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH = 64
"""Characters of the plot, without the axis."""

HEIGHT = 10
"""Lines of the plot."""

# Dots of a braille character, by line from the top and column: Unicode 15, section 21.1.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800


def plot_lines(rates: NDArray[np.float64], *, width: int = WIDTH, height: int = HEIGHT, ascii_: bool = False) -> list[str]:
    """A plot of the rates, from 0 to the highest, with its two axes.

    Every column of dots holds all rates of its steps, from the lowest to the highest, so that no peak is lost.

    Args:
        rates: float64, shape `(steps,)`, at least one.
        width: characters of the plot.
        height: lines of the plot.
        ascii_: with `*`, for a terminal without Unicode.
    """
    dots_across, dots_down = (1, 1) if ascii_ else (2, 4)
    picture = _picture(rates, width * dots_across, height * dots_down)
    if ascii_:
        rows = ["".join("*" if dot else " " for dot in row) for row in picture]
    else:
        cells = picture.reshape(height, 4, width, 2).transpose(0, 2, 1, 3)
        rows = ["".join(chr(_BRAILLE + code) if code else " " for code in row) for row in (cells * _DOTS).sum(axis=(2, 3))]
    top = f"{rates.max():.4g}"
    labels = [top, *[""] * (height - 2), "0"]
    edge, corner, floor = ("|", "+", "-") if ascii_ else ("│", "└", "─")
    lines = [f"{label:>{len(top)}} {edge}{row}".rstrip() for label, row in zip(labels, rows, strict=True)]
    last = f"{len(rates) - 1}"
    lines.append(f"{'':>{len(top)}} {corner}{floor * width}")
    lines.append(f"{'':>{len(top)}}  0{'step':^{width - 1 - len(last)}}{last}")
    return lines


def _picture(rates: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Dots, row 0 at the top: every column from the lowest to the highest rate of its steps, joined to the one before."""
    positions = np.linspace(0, len(rates), width + 1)
    begins = np.minimum(positions[:-1].astype(int), len(rates) - 1)
    ends = np.maximum(np.ceil(positions[1:]).astype(int), begins + 1)
    highest = rates.max() or 1.0
    picture = np.zeros((height, width), dtype=bool)
    drawn = 0  # the last step of the column before
    for column, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        part = rates[min(drawn, begin) : end]
        drawn = end - 1
        low, high = (round(value / highest * (height - 1)) for value in (part.min(), part.max()))
        picture[height - 1 - high : height - low, column] = True
    return picture
