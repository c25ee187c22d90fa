"""What a figure for a paper is made of: the numbers that are drawn, each with its trials, and what the caption says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from harness.reporting.paper.source import Source


WHERE_THE_IDS_ARE = "The trials' ids stand in the file's metadata, every drawn number in the CSV file beside it."


@dataclass(frozen=True)
class Mark:
    """One drawn point, bar or part of a bar, in the units of the record: a row of the figure's CSV.

    Attributes:
        panel: which axes it stands in; empty where there is one alone.
        series: framework, policy, library or phase: what its ink tells.
        x_name, x_unit, x: its place: name of a factor with its unit and level, or of the rows of a chart.
        quantity, unit: what is shown and its unit, `1` for a pure number.
        value: the mean; None where nothing was measured.
        low_95, high_95: ends of the 95 % interval; None where there is none (one value).
        n: trials in the mean.
        by_seed: the values of the single trials, by seed; empty for a point of a curve.
        trials: ids of the trials behind it.
        disturbed: how many of them were disturbed.
        reason: why there is no value, or no interval.
    """

    panel: str
    series: str
    x_name: str
    x_unit: str
    x: float | str
    quantity: str
    unit: str
    value: float | None
    low_95: float | None = None
    high_95: float | None = None
    n: int = 0
    by_seed: Mapping[int, float] = field(default_factory=dict)
    trials: tuple[str, ...] = ()
    disturbed: int = 0
    reason: str = ""


@dataclass(frozen=True)
class PaperFigure:
    """A figure ready to be written.

    Attributes:
        name: its kind, such as `sweep`.
        title: what it shows, for the file's metadata.
        draw: makes the Matplotlib figure; called under the settings of `harness.reporting.paper.style`.
        marks: every drawn number.
        shown: sentences on what is drawn and how.
        facts: sentences on n, machine, date, data, disturbed trials, what was left out and why.
        trials: ids of all trials behind it.
        dense: a figure of curves: its marks are too many for a table in print.
    """

    name: str
    title: str
    draw: Callable[[], Figure]
    marks: tuple[Mark, ...]
    shown: tuple[str, ...]
    facts: tuple[str, ...]
    trials: tuple[str, ...]
    dense: bool = False

    @property
    def caption(self) -> str:
        """The caption as one paragraph."""
        from harness.reporting.text import one_line

        return one_line(" ".join(sentence for sentence in (*self.shown, *self.facts, WHERE_THE_IDS_ARE) if sentence))


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes:
        width_mm: of the whole figure.
        outcomes: summary keys or costs to draw; empty for the kind's own.
        over: factor of the horizontal axis; None for the one that the study varies.
        log: logarithmic axis of values, or not; None for where the values span it.
    """

    width_mm: float
    outcomes: tuple[str, ...] = ()
    over: str | None = None
    log: bool | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: as the command line has it.
        shows: one line for the list of figures.
        make: from the records of one study to the figure.
        outcomes: summary keys that it draws unless others are asked for; empty where it takes none.
        takes: names of the options that mean something to it: `outcome`, `over`, `log`.
    """

    name: str
    shows: str
    make: Callable[[Source, Options], PaperFigure]
    outcomes: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
