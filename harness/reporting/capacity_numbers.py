"""Predicted quantities as text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.capacity.prediction import Basis, Prediction
from harness.units import format_seconds

MIB = 2.0**20
NONE = "n/a"


def number(value: float | None, unit: str = "1") -> str:
    """A value in the unit that people read: bytes as MiB, seconds as a duration, others with four digits."""
    if value is None:
        return NONE
    if unit == "bytes":
        return f"{value / MIB:.4g}" if value < 1000 * MIB else f"{value / MIB:.0f}"
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def duration(value: float | None) -> str:
    """Seconds for people."""
    return NONE if value is None else format_seconds(value)


def interval(one: Prediction) -> str:
    """`412 [398, 431]`; without an interval the estimate and that."""
    show = duration if one.unit == "s" else lambda value: number(value, one.unit)
    if one.estimate is None:
        return "refused"
    if one.low is None or one.high is None:
        return f"{show(one.estimate)} [no interval]"
    if one.low == one.high:
        return show(one.estimate)
    return f"{show(one.estimate)} [{show(one.low)}, {show(one.high)}]"


def basis(one: Prediction) -> str:
    """Empty within the measured range."""
    return "" if one.basis is Basis.MEASURED else str(one.basis)


def percent(fraction: float | None) -> str:
    """A relative error."""
    return NONE if fraction is None else f"{100 * fraction:.1f} %"


def ids(records: tuple[str, ...], most: int = 4) -> str:
    """Records by id; of many the first and how many more (JSON has all)."""
    shown = ", ".join(records[:most])
    return shown if len(records) <= most else f"{shown} and {len(records) - most} more"


def runs(numbers: Sequence[int]) -> str:
    """`1-4, 7` for 1, 2, 3, 4, 7."""
    parts: list[list[int]] = []
    for one in numbers:
        if parts and one == parts[-1][-1] + 1:
            parts[-1].append(one)
        else:
            parts.append([one])
    return ", ".join(f"{part[0]}" if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
