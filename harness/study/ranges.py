"""A range as the values of a varied key: so many on a linear or logarithmic scale, or each a factor times the last.

    {from: 0.001, to: 0.1, count: 5, scale: log}   five values, each the same factor times the one before
    {from: 16, to: 1024, scale: log2}              the powers of two from 16 to 1024
    {from: 16, to: 1024, factor: 2}                the same

Both ends are among the values, exactly. In between, values of keys that take whole numbers are rounded to the nearest
one; other numbers to as few significant digits, 4 at least, as move none by more than a thousandth of its distance to
the next. In a Latin hypercube (`harness.study.hypercube`) a range without `count` and `factor` stands for all values
from end to end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.errors import DlgaugeError
from harness.fields import FileModel
from harness.study.keys import NumberKind
from harness.units import BYTES_PER_UNIT, format_bytes, parse_bytes

MOST_VALUES = 1000
"""Most values that a range may have."""
FEWEST_DIGITS = 4
MOST_DIGITS = 17
SHARE_OF_A_STEP = 1e-3
"""How far rounding may move a value, as a share of its distance to the next."""
SAME = 1e-9
"""Relative difference up to which two numbers that went through products are the same."""
MIB = BYTES_PER_UNIT["MiB"]


class RangeError(ValueError):
    """A range that has no values for its key; the message is what follows the name of the key."""


def _check_end(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"should be a number, not {value!r}")
    return value


class Range(FileModel):
    """A range as it stands in a study file.

    Attributes:
        first, last: the ends, `from` and `to` in the file; of a key that is an amount of memory also `256 MiB`.
        count: how many values.
        scale: `linear` (default), `log`, or `log2`: all powers of two, without a count.
        factor: each value is so many times the one before; in place of count and scale.
    """

    first: Annotated[Any, AfterValidator(_check_end)] = Field(validation_alias="from")
    last: Annotated[Any, AfterValidator(_check_end)] = Field(validation_alias="to")
    count: Annotated[int, Field(strict=True, ge=2, le=MOST_VALUES)] | None = None
    scale: Literal["linear", "log", "log2"] | None = None
    factor: Annotated[float, Field(strict=True, gt=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Range:
        if self.factor is not None and (self.count is not None or self.scale is not None):
            other = f"count {self.count}" if self.count is not None else f"scale {self.scale}"
            raise ValueError(f"factor {self.factor:g} says all values already: leave out {other}")
        if self.scale == "log2" and self.count is not None:
            raise ValueError(f"scale log2 says all values already: leave out count {self.count}, or give a factor")
        return self

    @property
    def says_its_values(self) -> bool:
        """Whether the range is a list of values, and not only two ends and what lies between."""
        return self.count is not None or self.factor is not None or self.scale == "log2"


def values_of(given: Range, kind: NumberKind | None) -> list[Any]:
    """All values of a range, rising.

    Args:
        kind: which numbers the key takes; None for a key that takes none.

    Raises:
        RangeError: the ends do not fit the key or the scale, or there are not so many different values.
    """
    if not given.says_its_values:
        raise RangeError(f"should have a count, a factor or scale: log2, not {_shown(given)}")
    low, high, unit = _ends(given, kind)
    if given.factor is not None or given.scale == "log2":
        found = _by_factor(given, low, high, 2.0 if given.factor is None else given.factor, whole=kind != "number")
    else:
        assert given.count is not None
        shares = [index / (given.count - 1) for index in range(given.count)]
        between = [_between(low, high, share, given.scale) for share in shares]
        exact = [low, *between[1:-1], high]
        found = [low, *_rounded(exact)[1:-1], high] if kind == "number" else [round(value) for value in exact]
    if len(set(found)) < len(found):
        different = len(set(found))
        raise RangeError(f"has only {different} different whole numbers for a count of {given.count}: {_shown(given)}")
    return _in_units(found, kind, unit)


def values_at(given: Range, kind: NumberKind | None, shares: Sequence[float]) -> list[Any]:
    """Values of a range at shares in [0, 1) of it, for a Latin hypercube.

    A range that says its values is cut into as many equal parts; whole numbers have equal parts of their scale, so that
    both ends have their full share: of `{from: 1, to: 4}` each of the four numbers is a quarter.

    Raises:
        RangeError: the ends do not fit the key or the scale.
    """
    if given.says_its_values:
        values = values_of(given, kind)
        return [values[int(share * len(values))] for share in shares]
    low, high, unit = _ends(given, kind)
    if kind == "number":
        found = _rounded([_between(low, high, share, given.scale) for share in shares])
        return [min(max(value, low), high) for value in found]
    whole = [min(math.floor(_between(low, high + 1, share, given.scale)), high) for share in shares]
    return _in_units(whole, kind, unit)


def _ends(given: Range, kind: NumberKind | None) -> tuple[Any, Any, int]:
    """Both ends as numbers of one unit, and that unit: 1, or the bytes of a MiB."""
    if kind is None:
        raise RangeError("is of a key that takes no numbers: give a list of values")
    unit = 1
    low: Any
    high: Any
    if kind == "amount":
        low, high = _amount(given, "from"), _amount(given, "to")
        if low % MIB == high % MIB == 0:
            low, high, unit = low // MIB, high // MIB, MIB
    else:
        low, high = _number(given, "from", kind), _number(given, "to", kind)
    if not low < high:
        raise RangeError(f"should go from a smaller to a larger number, not {_shown(given)}")
    if given.scale in ("log", "log2") or given.factor is not None:
        if low <= 0:
            raise RangeError(f"should begin above 0 on a scale of equal factors, not {_shown(given)}")
        if given.scale == "log2" and (wrong := [end for end in (low, high) if math.frexp(end)[0] != 0.5]):
            raise RangeError(f"should begin and end with a power of two for scale log2, not with {_text(wrong[0])}")
    return low, high, unit


def _end(given: Range, name: str) -> Any:
    return given.first if name == "from" else given.last


def _number(given: Range, name: str, kind: NumberKind) -> int | float:
    value = _end(given, name)
    if isinstance(value, str) or not math.isfinite(value):
        raise RangeError(f"should have a number for {name}, not {value!r}")
    if kind == "number":
        return float(value)
    if not isinstance(value, int):
        raise RangeError(f"is of a key that takes whole numbers, so {name} should be one, not {value!r}")
    return value


def _amount(given: Range, name: str) -> int:
    try:
        return parse_bytes(_end(given, name))
    except DlgaugeError as error:
        raise RangeError(f"should have an amount of memory for {name}: {error.what}") from None


def _between(low: float, high: float, share: float, scale: str | None) -> float:
    """The value at a share of the way from `low` to `high`, on the scale."""
    if scale == "log":
        return float(low * (high / low) ** share)
    return low + (high - low) * share


def _by_factor(given: Range, low: float, high: float, factor: float, *, whole: bool) -> list[Any]:
    """`low`, `low * factor`, … to `high`, which has to be one of them."""
    found: list[Any] = [low]
    while found[-1] < high * (1 - SAME):
        if len(found) == MOST_VALUES:
            raise RangeError(f"has more than {MOST_VALUES} values: {_shown(given)}")
        exact = low * factor ** len(found)
        if whole and abs(exact - round(exact)) > SAME * exact:
            raise RangeError(f"gives {exact:g}, which is no whole number: {_shown(given)}")
        found.append(round(exact) if whole else exact)
    if found[-1] > high * (1 + SAME):
        *_, before, beyond = found
        raise RangeError(
            f"passes over {_text(high)}, from {_text(before)} to {_text(beyond)}: end it with one of them, "
            f"not {_shown(given)}"
        )
    found[-1] = high
    return found if whole else [low, *_rounded(found)[1:-1], high]


def _rounded(values: Sequence[float]) -> list[float]:
    """The values with as few digits as move none by more than a thousandth of the distance to its neighbours."""
    ordered = sorted(set(values))
    gaps = [math.inf, *(after - before for before, after in zip(ordered, ordered[1:], strict=False)), math.inf]
    allowed = {value: SHARE_OF_A_STEP * min(gaps[at : at + 2]) for at, value in enumerate(ordered)}
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        found = [float(f"{value:.{digits - 1}e}") for value in values]
        if all(abs(one - value) <= allowed[value] for one, value in zip(found, values, strict=True)):
            return found
    return list(values)


def _in_units(values: Sequence[Any], kind: NumberKind | None, unit: int) -> list[Any]:
    return [format_bytes(value * unit) for value in values] if kind == "amount" else list(values)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(given: Range) -> str:
    """The range as it stands in the file."""
    named = {"from": given.first, "to": given.last, "count": given.count, "scale": given.scale, "factor": given.factor}
    words = (f"{name}: {_text(value)}" for name, value in named.items() if value is not None)
    return "{" + ", ".join(words) + "}"
