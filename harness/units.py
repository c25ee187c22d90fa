"""Quantities as people write them (`4 GiB`, `30 min`) to SI numbers, and back to text."""

from __future__ import annotations

import math
import re

from harness.errors import DlgaugeError

BYTES_PER_UNIT = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]+)\s*")


class UnitError(DlgaugeError, ValueError):
    """A quantity that cannot be understood."""


def parse_bytes(value: object) -> int:
    """Bytes of `4 GiB`, `512 MiB`, `1.5 GB` or a plain whole number of bytes.

    Raises:
        UnitError: an unknown unit, no number, a negative number, or not a whole number of bytes.
    """
    total = _parse(value, BYTES_PER_UNIT, "an amount of memory such as '4 GiB'")
    if total != int(total):
        raise UnitError(f"{value!r} is not a whole number of bytes")
    return int(total)


def parse_seconds(value: object) -> float:
    """Seconds of `30 min`, `2 h`, `1 h 30 min`, `250 ms` or a plain number of seconds.

    Raises:
        UnitError: an unknown unit, no number, or a negative number.
    """
    return float(_parse(value, SECONDS_PER_UNIT, "a duration such as '30 min'"))


def parse_share(value: object) -> float:
    """The share of `3%`, `0.5 %` or a plain number such as 0.03.

    Raises:
        UnitError: no number, or a negative number.
    """
    share: object = value
    if isinstance(value, str) and value.endswith("%"):
        try:
            share = float(value[:-1]) / 100
        except ValueError:
            share = None
    if isinstance(share, bool) or not isinstance(share, int | float) or not math.isfinite(share) or share < 0:
        raise UnitError(f"{value!r} is not a share such as '3%' or 0.03")
    return float(share)


def _parse(value: object, units: dict[str, int] | dict[str, float], wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UnitError(f"{value!r} is not {wanted}")
    if not isinstance(value, str):
        if not math.isfinite(value) or value < 0:
            raise UnitError(f"{value!r} is not {wanted}")
        return value
    return _parse_text(value, units, wanted)


def _parse_text(text: str, units: dict[str, int] | dict[str, float], wanted: str) -> float:
    total: float = 0
    position = 0
    while match := _QUANTITY.match(text, position):
        number, unit = match.groups()
        if unit not in units:
            raise UnitError(f"{text!r} has the unknown unit {unit!r}; known units: {', '.join(units)}")
        total += (float(number) if "." in number else int(number)) * units[unit]
        position = match.end()
    if position == 0 or position != len(text):
        raise UnitError(f"{text!r} is not {wanted}; known units: {', '.join(units)}")
    return total


def format_bytes(size_bytes: int) -> str:
    """The amount in the largest binary unit that keeps it exact, such as `4 GiB`; `parse_bytes` gives it back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % BYTES_PER_UNIT[unit] == 0:
            return f"{size_bytes // BYTES_PER_UNIT[unit]} {unit}"
    return f"{size_bytes} B"


def format_mebibytes(size_bytes: float, decimals: int = 1) -> str:
    """The amount in MiB for tables, such as `512.0`."""
    return f"{size_bytes / BYTES_PER_UNIT['MiB']:.{decimals}f}"


def format_seconds(duration_s: float) -> str:
    """A duration for people: `0.25 s`, `12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    if duration_s < 10:
        return f"{duration_s:.2f} s"
    if round(duration_s, 1) < 60:
        return f"{duration_s:.1f} s"
    whole_s = round(duration_s)
    if whole_s < 3600:
        return f"{whole_s // 60} min {whole_s % 60:02d} s"
    whole_min = round(duration_s / 60)
    return f"{whole_min // 60} h {whole_min % 60:02d} min"
