"""Numbers of a correlation as people read them: a value with as many digits as its interval leaves it."""

from __future__ import annotations

import math

from harness.reporting.numbers import NOT_AVAILABLE

MOST_DECIMALS = 6


def significant(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without an exponent where that stays readable."""
    if value is None:
        return NOT_AVAILABLE
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}g}" if decimals > MOST_DECIMALS else fixed(value, max(0, decimals))


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; never `-0`."""
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and float(text) == 0 else text


def with_interval(
    value: float | None, low: float | None, high: float | None, unit: str = "", scale: float = 1.0
) -> str:
    """`value unit (95 % low to high)`; only the value where it has no interval."""
    if value is None:
        return NOT_AVAILABLE
    behind = f" {unit}" if unit else ""
    if low is None or high is None:
        return f"{significant(value / scale)}{behind}"
    middle, below, above = rounded_together(value / scale, low / scale, high / scale)
    return f"{middle}{behind} (95 % {below} to {above})"


def short_interval(value: float | None, low: float | None, high: float | None, scale: float = 1.0) -> str:
    """`value [low, high]` for a table."""
    if value is None:
        return NOT_AVAILABLE
    if low is None or high is None:
        return significant(value / scale)
    middle, below, above = rounded_together(value / scale, low / scale, high / scale)
    return f"{middle} [{below}, {above}]"


def rounded_together(value: float, low: float, high: float) -> tuple[str, str, str]:
    """The three with equal decimals: two significant digits of the half width, but no more than six of the value."""
    half = max(abs(high - value), abs(value - low))
    if half == 0 or not math.isfinite(half):
        return significant(value), significant(low), significant(high)
    decimals = 1 - math.floor(math.log10(half))
    if value:
        decimals = min(decimals, 5 - math.floor(math.log10(abs(value))))
    decimals = min(max(0, decimals), MOST_DECIMALS)
    if round(abs(value), decimals) == 0 and value:
        return significant(value), significant(low), significant(high)
    return fixed(value, decimals), fixed(low, decimals), fixed(high, decimals)


def show_p(p: float | None) -> str:
    """A p-value or q-value."""
    if p is None:
        return NOT_AVAILABLE
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def percent(share: float | None) -> str:
    """A share of 1 as percent."""
    return NOT_AVAILABLE if share is None else f"{fixed(100 * share, 1)} %"
