"""The quantities of a comparison: the record's summary keys as columns, with title, shown unit and meaning.

Beside the keys there is the cost to an accuracy: `steps_to:99`, `seconds_to:99`, `cpu_seconds_to:99`, `joules_to:99`;
and what training used up: `training_joules`, `training_price`, `trial_price` (`harness.analysis.costs`).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.costs import DERIVED
from harness.errors import DlgaugeError
from harness.records.cost import check_threshold
from harness.records.summary_keys import SUMMARY_KEYS, SummaryKey

DEFAULT_KEYS: tuple[str, ...] = (
    "training_time_s",
    "test_time_s",
    "top1_percent",
    "samples_per_s",
    "achieved_flops_per_s",
    "cores_used_mean",
    "cores_used_max",
    "peak_memory_bytes",
    "build_time_s",
    "first_step_s",
    "cpu_seconds",
)
"""The quantities that a comparison shows unless others are asked for."""

_HEADING_UNITS = {"s": "s", "cpu_s": "s", "percent": "%", "MiB": "MiB", "ms": "ms"}
"""Units that stand in a heading; of the others the title already tells."""


COST_TITLES = {
    "steps": ("1", "steps to {} %", 9),
    "seconds": ("s", "training time to {} % s", 4),
    "cpu_seconds": ("cpu_s", "CPU to {} % s", 4),
    "joules": ("J", "energy to {} % J", 4),
}
"""Numbers of `harness.records.cost.CostToThreshold`: unit, heading, digits."""
COST_SEPARATOR = "_to:"


@dataclass(frozen=True)
class Column:
    """One quantity.

    Attributes:
        key: the summary key (docs/architecture.md section 5), or the name of a cost.
        title: heading of its column, with the unit it is shown in.
        unit: unit of the stored value.
        meaning: its definition.
        scale: the stored value is divided by this before it is shown (bytes become MiB).
        better: `lower`, `higher`, or None where neither direction is an advantage.
        digits: significant digits of a value shown without a standard deviation.
    """

    key: str
    title: str
    unit: str
    meaning: str
    scale: float = 1.0
    better: str | None = None
    digits: int = 4


def all_keys() -> tuple[str, ...]:
    """Every key that a comparison knows, in the order in which they are shown."""
    return tuple(SUMMARY_KEYS)


def column_for(key: str) -> Column:
    """The column of a summary key; a key that a newer record brought along is shown under its own name."""
    known = SUMMARY_KEYS.get(key)
    if cost := cost_column(key):
        name, percent = cost
        unit, title, digits = COST_TITLES[name]
        meaning = f"{name} until the first evaluation of the test images with a top-1 of {percent:g} % or more"
        return Column(key, title.format(f"{percent:g}"), unit, meaning, better="lower", digits=digits)
    if key in DERIVED:
        unit, title, meaning = DERIVED[key]
        return Column(key, title, unit, meaning, better="lower", digits=4)
    if known is None:
        return Column(key, key, "", "a summary value that this version of dlgauge does not describe")
    return Column(key, _heading(known), known.unit, known.description, known.scale, known.better, known.digits)


def cost_column(key: str) -> tuple[str, float] | None:
    """What a column such as `steps_to:99` asks for: (`steps`, 99.0); None for a key of another form.

    Raises:
        DlgaugeError: what stands behind the colon is no accuracy in percent.
    """
    name, separator, text = key.partition(COST_SEPARATOR)
    if not separator or name not in COST_TITLES:
        return None
    try:
        percent = float(text)
    except ValueError:
        hint = f"such as {name}{COST_SEPARATOR}99"
        raise DlgaugeError(f"{key!r} should name an accuracy in percent behind the colon", hint=hint) from None
    check_threshold(percent)
    return name, percent


def select_columns(keys: Sequence[str], recorded: Sequence[str] = ()) -> tuple[Column, ...]:
    """The columns named by `keys`, in that order.

    Args:
        keys: summary keys, and costs such as `steps_to:99`.
        recorded: further keys that the records at hand hold, allowed as well.

    Raises:
        DlgaugeError: a key that is neither known nor recorded; the message names the nearest known one.
    """
    allowed = dict.fromkeys((*SUMMARY_KEYS, *DERIVED, *recorded))
    costs = ", ".join(f"{name}{COST_SEPARATOR}PERCENT" for name in COST_TITLES)
    for key in keys:
        if key not in allowed and cost_column(key) is None:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DlgaugeError(f"unknown column {key!r}", hint=f"{hint}columns are: {', '.join(allowed)}; {costs}")
    return tuple(column_for(key) for key in dict.fromkeys(keys))


def _heading(known: SummaryKey) -> str:
    title = known.title or known.name
    if known.unit == "cores":
        title = title.replace("cores m", "cores used m", 1)  # "cores mean", "cores max"
    unit = _HEADING_UNITS.get(known.shown_unit or known.unit, "")
    return f"{title} {unit}".strip()
