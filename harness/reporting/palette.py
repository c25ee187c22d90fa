"""Colours that do not depend on full colour vision: one a framework, one a phase, for light and dark backgrounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ink:
    """How a framework is drawn: a colour for each background, and a marker so that colour is never alone."""

    light: str
    dark: str
    symbol: str


# Source: Okabe and Ito, Color Universal Design (2008), lightened for dark backgrounds, darkened for light ones.
FRAMEWORK_INKS = {
    "caffe": Ink("#00805d", "#2fc79a", "square"),
    "jax": Ink("#b57700", "#f0b13c", "triangle-up"),
    "tensorflow": Ink("#0068b0", "#5bb4f0", "circle"),
    "theano": Ink("#b0568a", "#e59ac4", "diamond"),
    "torch": Ink("#cc4e00", "#ff8a47", "cross"),
}
OTHER_INKS = (
    Ink("#5b6770", "#b3bec7", "star"),
    Ink("#6a51a3", "#b7a4ea", "hexagon"),
    Ink("#7a6a00", "#e6d84a", "triangle-down"),
    Ink("#1f7a8c", "#7fd4e3", "pentagon"),
)

# Source: Paul Tol, Colour Schemes (2021), muted scheme.
PHASE_COLOURS = {
    "import": "#88ccee",
    "prepare": "#ddcc77",
    "build": "#cc6677",
    "warm_up": "#aa4499",
    "train": "#44aa99",
    "evaluate": "#7b6fd0",
    "teardown": "#999999",
}
OTHER_PHASE = "#bbbbbb"

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
"""Lines of further cells of one framework."""


def framework_inks(names: Iterable[str]) -> dict[str, Ink]:
    """An ink for each name; a framework that the project ships always has the same one."""
    distinct = sorted(set(names))
    others = [name for name in distinct if name not in FRAMEWORK_INKS]
    inks = {name: FRAMEWORK_INKS[name] for name in distinct if name in FRAMEWORK_INKS}
    inks.update({name: OTHER_INKS[index % len(OTHER_INKS)] for index, name in enumerate(others)})
    return inks


def line_styles(count: int) -> list[tuple[Ink, str]]:
    """An ink and a dash for each of `count` lines: both change from line to line, 45 of them are distinct."""
    inks = (*FRAMEWORK_INKS.values(), *OTHER_INKS)
    return [(inks[index % len(inks)], DASHES[index % len(DASHES)]) for index in range(count)]
