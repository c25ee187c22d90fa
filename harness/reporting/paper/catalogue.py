"""The figures and tables that there are, by the names of the command line."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import DlgaugeError
from harness.reporting.paper import learning_rates, libraries, loss_curves, resources, sweep, tables, time_accuracy
from harness.reporting.paper.model import Kind, Options, PaperFigure
from harness.reporting.paper.source import Source
from harness.validation import nearest

FIGURES: dict[str, Kind] = {
    one.name: one
    for one in (
        Kind(
            time_accuracy.NAME,
            "training time, test time and accuracy by framework",
            time_accuracy.make,
            time_accuracy.OUTCOMES,
            ("outcome", "log"),
        ),
        Kind(
            sweep.NAME,
            "outcomes over batch size, learning rate, epochs or another factor, one line a framework",
            sweep.make,
            sweep.OUTCOMES,
            ("outcome", "over", "log"),
        ),
        Kind(resources.NAME, "CPU time and peak memory by framework and phase, cores used in training", resources.make),
        Kind(
            learning_rates.NAME,
            "the learning rates that the trials of each policy applied, over the step",
            learning_rates.make,
            takes=("log",),
        ),
        Kind(
            libraries.NAME,
            "throughput by numerical library and number of threads, one panel a framework",
            libraries.make,
            libraries.OUTCOMES,
            ("outcome", "log"),
        ),
        Kind(
            loss_curves.NAME,
            "training loss and test accuracy over steps or training time",
            loss_curves.make,
            takes=("outcome", "over", "log"),
        ),
    )
}

TABLES: dict[str, tuple[str, Callable[[Source], str]]] = {
    "table-outcomes": ("outcomes of every cell with n and 95 % interval, LaTeX", tables.outcomes_table),
    "table-policies": ("learning-rate policies in order of accuracy, LaTeX", tables.policies_table),
}
TABLE_OUTCOMES = {"table-outcomes": tables.OUTCOMES}


def check_name(name: str) -> None:
    """Whether there is a figure or table of that name.

    Raises:
        DlgaugeError: there is none.
    """
    if name not in FIGURES and name not in TABLES:
        raise DlgaugeError(
            f"there is no figure {name!r}{nearest(name, [*FIGURES, *TABLES])}",
            hint="`dlgauge figure --list` shows what there is",
        )


def check_options(name: str, outcomes: tuple[str, ...], over: str | None, log: bool | None) -> None:
    """An option that means nothing to a figure is an error, not ignored.

    Raises:
        DlgaugeError: naming the option.
    """
    takes: tuple[str, ...] = FIGURES[name].takes if name in FIGURES else ("outcome",) if name in TABLE_OUTCOMES else ()
    given = {"outcome": bool(outcomes), "over": over is not None, "log": log is not None}
    for option, is_given in given.items():
        if is_given and option not in takes:
            said = ", ".join(f"--{one}" for one in takes) or "neither --outcome, --over nor --log"
            raise DlgaugeError(f"--{option} means nothing to {name}", hint=f"it takes {said}")


def columns_wanted(name: str, outcomes: tuple[str, ...]) -> tuple[str, ...]:
    """The summary keys that a figure or table reads: those asked for, else its own; none where it reads curves."""
    own = FIGURES[name].outcomes if name in FIGURES else TABLE_OUTCOMES.get(name, ())
    return outcomes or own if own else ()


def make_figure(name: str, source: Source, options: Options) -> PaperFigure:
    """The figure of that name.

    Raises:
        DlgaugeError: it cannot be drawn from these records, with the reason.
    """
    return FIGURES[name].make(source, options)
