"""The quantities of a comparison: the record's summary keys as columns, with title, shown unit and meaning."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import DlgaugeError
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


@dataclass(frozen=True)
class Column:
    """One quantity.

    Attributes:
        key: the summary key (docs/architecture.md section 5).
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
    if known is None:
        return Column(key, key, "", "a summary value that this version of dlgauge does not describe")
    return Column(key, _heading(known), known.unit, known.description, known.scale, known.better, known.digits)


def select_columns(keys: Sequence[str], recorded: Sequence[str] = ()) -> tuple[Column, ...]:
    """The columns named by `keys`, in that order.

    Args:
        keys: summary keys.
        recorded: further keys that the records at hand hold, allowed as well.

    Raises:
        DlgaugeError: a key that is neither known nor recorded; the message names the nearest known one.
    """
    allowed = dict.fromkeys((*SUMMARY_KEYS, *recorded))
    for key in keys:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DlgaugeError(f"unknown column {key!r}", hint=f"{hint}columns are: {', '.join(allowed)}")
    return tuple(column_for(key) for key in dict.fromkeys(keys))


def _heading(known: SummaryKey) -> str:
    title = known.title or known.name
    if known.unit == "cores":
        title = title.replace("cores m", "cores used m", 1)  # "cores mean", "cores max"
    unit = _HEADING_UNITS.get(known.shown_unit or known.unit, "")
    return f"{title} {unit}".strip()
