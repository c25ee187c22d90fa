"""How frameworks and phases stand in print: colours for every kind of colour vision, and signs beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LineStyle = str | tuple[int, tuple[int, ...]]
"""A line style of Matplotlib: a name, or an offset with lengths of dashes and gaps in points."""


@dataclass(frozen=True)
class PrintInk:
    """A colour, and Matplotlib's marker, hatch and line style for a reader or a printer without colour."""

    colour: str
    marker: str
    hatch: str
    line: LineStyle


# Source: M. Okabe and K. Ito, Color Universal Design (2008), as published. Yellow is left out: white paper swallows it.
# The hues are those of `harness.reporting.palette`, so that a framework looks alike in a report and in a paper.
FRAMEWORK_INKS = {
    "caffe": PrintInk("#009e73", "s", "////", "-"),
    "jax": PrintInk("#e69f00", "^", "..", ":"),
    "tensorflow": PrintInk("#0072b2", "o", "", "--"),
    "theano": PrintInk("#cc79a7", "D", "xxxx", "-."),
    "torch": PrintInk("#d55e00", "X", "\\\\\\\\", (0, (7, 2))),
}
OTHER_INKS = (
    PrintInk("#000000", "v", "||||", (0, (1, 1))),
    PrintInk("#56b4e9", "P", "----", (0, (3, 1, 1, 1, 1, 1))),
    PrintInk("#6f6f6f", "*", "++++", (0, (9, 2, 2, 2))),
)

# Source of the colours: Paul Tol, Colour Schemes (2021), muted scheme, as in the report.
PHASE_INKS = {
    "import": PrintInk("#88ccee", "o", "", "-"),
    "prepare": PrintInk("#ddcc77", "v", "..", "-"),
    "build": PrintInk("#cc6677", "^", "////", "-"),
    "warm_up": PrintInk("#aa4499", "D", "xxxx", "-"),
    "train": PrintInk("#44aa99", "s", "\\\\\\\\", "-"),
    "evaluate": PrintInk("#7b6fd0", "X", "----", "-"),
    "teardown": PrintInk("#999999", "P", "||||", "-"),
}
OTHER_PHASE = PrintInk("#dddddd", "*", "oooo", "-")


def print_inks(names: Iterable[str]) -> dict[str, PrintInk]:
    """An ink for each name; a framework that the project ships always has the same one.

    More than three names beside those share inks: a legend still tells which is meant, their order in it as well.
    """
    distinct = sorted(set(names))
    others = [name for name in distinct if name not in FRAMEWORK_INKS]
    inks = {name: FRAMEWORK_INKS[name] for name in distinct if name in FRAMEWORK_INKS}
    inks.update({name: OTHER_INKS[index % len(OTHER_INKS)] for index, name in enumerate(others)})
    return inks


def phase_ink(phase: str) -> PrintInk:
    """The ink of a phase; one that this version does not know has the last of all."""
    return PHASE_INKS.get(phase, OTHER_PHASE)
