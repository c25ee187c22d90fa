"""The space of a search: which functions, and where each of their parameters is looked for.

A space file names functions and, of each, the parameters whose range is not the default one:

```yaml
space: two-waves
policies:
  TRI:
    k0: {from: 0.001, to: 0.01}            # a range; rates, l and gamma on a log scale unless log: false
    k1: {from: 0.02, to: 0.2, points: 4}   # points: values of this parameter in a grid; default 3
    l: [50, 100, 200]                      # these values alone
  NSTEP: {gamma: 0.1, l_0: {from: 100, to: 150}, l_1: 250}   # one value; boundaries are l_0, l_1, ...
  FIX: {}                                  # all of its parameters by default
```
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field, ValidationError

from harness.errors import FileFormatError
from harness.fields import FileModel, Number, PositiveInt, Slug
from harness.schedules import FUNCTIONS, PolicyModel, parse_policy
from harness.tuning.defaults import GRID_POINTS, Dimension, Run, default_dimensions
from harness.validation import nearest, problems_of
from harness.yaml_files import YamlDocument, combined_error, load_yaml, validate

_BOUNDARY = re.compile(r"l_([0-9]|[1-9][0-9])")
SIGNIFICANT_DIGITS = 4
"""Of a sampled value: more would be noise in the string form of the policy."""


class _RangeInFile(FileModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    from_: Number = Field(alias="from")
    to: Number
    log: bool | None = None
    points: PositiveInt = GRID_POINTS


class _SpaceFile(FileModel):
    space: Slug
    policies: dict[str, dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True)
class Space:
    """Functions and the dimensions of each, in the order in which they were named."""

    functions: Mapping[str, tuple[Dimension, ...]]

    def as_dict(self) -> dict[str, Any]:
        """As plain values, to be kept beside a search and compared on its resumption."""
        return {name: {one.parameter: _plain(one) for one in dimensions} for name, dimensions in self.functions.items()}


def _plain(one: Dimension) -> dict[str, Any]:
    if one.choices:
        return {"values": list(one.choices)}
    return {"from": one.low, "to": one.high, "log": one.log, "whole": one.whole, "points": one.points}


def space_of_names(names: Sequence[str], run: Run) -> Space:
    """The default space of some functions; all 13 of the paper's table for none.

    Raises:
        FileFormatError: unknown names, all of them, with the nearest known ones.
    """
    chosen = list(dict.fromkeys(names)) or [name for name, function in FUNCTIONS.items() if function.in_table]
    if problems := unknown_functions(chosen):
        raise combined_error(problems)
    space = Space({name: default_dimensions(name, run) for name in chosen})
    _check_policies(space, None)
    return space


def load_space(path: Path, run: Run) -> Space:
    """The space of a file; what the file leaves out is looked for in the default range.

    Raises:
        FileFormatError: every problem of the file, with its line.
    """
    document = load_yaml(path)
    file = validate(document, _SpaceFile)
    problems: list[tuple[str, str]] = []
    functions: dict[str, tuple[Dimension, ...]] = {}
    for name, given in file.policies.items():
        if name not in FUNCTIONS:
            problems.append((document.where(("policies", name)), _unknown(name)))
            continue
        functions[name] = tuple(_dimensions(document, name, given, run, problems))
    if problems:
        raise combined_error(problems)
    space = Space(functions)
    _check_policies(space, document)
    return space


def unknown_functions(names: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong with names of functions given to `--policies`, as (option, message)."""
    return [("--policies", _unknown(name)) for name in names if name not in FUNCTIONS]


def _unknown(name: str) -> str:
    upper = name.upper()
    return f"unknown function {name!r}{nearest(upper, FUNCTIONS)}"


def _dimensions(
    document: YamlDocument, function: str, given: Mapping[str, Any], run: Run, problems: list[tuple[str, str]]
) -> Iterator[Dimension]:
    """Of a function in a file: its own dimensions where given, else the default ones."""
    defaults = {one.parameter: one for one in default_dimensions(function, run)}
    optional = set(FUNCTIONS[function].parameters) - ({"l"} if function == "NSTEP" else set())
    for name in given:
        if name not in defaults and name not in optional and not (function == "NSTEP" and _BOUNDARY.fullmatch(name)):
            what = f"{function} has no parameter {name!r}{nearest(name, {*defaults, *optional})}"
            problems.append((document.where(("policies", function, name)), what))
    if function == "NSTEP" and any(_BOUNDARY.fullmatch(name) for name in given):
        defaults = {name: one for name, one in defaults.items() if not _BOUNDARY.fullmatch(name)}
    known = [*defaults, *(name for name in given if name not in defaults)]
    for name in known:
        if name not in given:
            yield defaults[name]
            continue
        where = ("policies", function, name)
        try:
            yield _dimension(name, given[name])
        except ValueError as error:
            problems.append((document.where(where), f"{function}.{name} {error}"))


def _dimension(name: str, value: Any) -> Dimension:
    """ValueError, as the end of a sentence, where a value is neither a number, nor a list of them, nor a range."""
    whole = name == "l" or _BOUNDARY.fullmatch(name) is not None
    if isinstance(value, Mapping):
        try:
            found = _RangeInFile.model_validate(value)
        except ValidationError as error:
            messages = "; ".join(problem.message for problem in problems_of(error, _RangeInFile))
            raise ValueError(f"is not a range: {messages}") from None
        if found.from_ > found.to:
            raise ValueError(
                f"should go from the smaller value to the larger one, not from {found.from_} to {found.to}"
            )
        log = found.from_ > 0 if found.log is None else found.log
        if log and found.from_ <= 0:
            raise ValueError(f"should begin above 0 on a log scale, not at {found.from_}")
        if whole and not (found.from_.is_integer() and found.to.is_integer()):
            raise ValueError("should be a range of whole numbers of steps")
        return Dimension(name, found.from_, found.to, whole=whole, log=log, points=found.points)
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        raise ValueError(f"should be a number, a list of numbers, or {{from: …, to: …}}, not {value!r}")
    if whole and not all(float(one).is_integer() for one in values):
        raise ValueError(f"should be a whole number of steps, not {value!r}")
    return Dimension(name, choices=tuple(int(one) if whole else float(one) for one in values), whole=whole)


def _check_policies(space: Space, document: YamlDocument | None) -> None:
    """Every corner of the space must be a policy: a search should not find out after an hour that one is not."""
    problems: list[tuple[str, str]] = []
    for name, dimensions in space.functions.items():
        where = document.where(("policies", name)) if document else f"the default ranges of {name}"
        ends = [one.choices or tuple(dict.fromkeys((one.low, one.high))) for one in dimensions]
        named = dict(zip((one.parameter for one in dimensions), dimensions, strict=True))
        crossing = _crossing(named)
        if crossing and name == "POLY" and not _crossing(named, ("k1", "k0")):
            crossing = None  # it falls from the higher rate, which k0 is by its natural form
        if crossing:
            problems.append((where, f"{name}: {crossing}"))
            continue
        for corner in itertools.islice(itertools.product(*ends), 4096):
            values = {one.parameter: value for one, value in zip(dimensions, corner, strict=True)}
            try:
                policy_of(name, values)
            except (FileFormatError, ValueError) as error:
                text = str(error).splitlines()[0]
                if isinstance(error, ValidationError):
                    text = "; ".join(problem.message for problem in problems_of(error, FileModel))
                problems.append((where, f"{name} at {values}: {text}"))
                break
    if problems:
        raise combined_error(problems)


def _crossing(named: Mapping[str, Dimension], rates: tuple[str, str] = ("k0", "k1")) -> str | None:
    """What is wrong where ranges of rates or boundaries overlap: two names for one policy, or boundaries that fall."""
    boundaries = sorted((name for name in named if _BOUNDARY.fullmatch(name)), key=lambda name: int(name[2:]))
    pairs = [rates] if "k0" in named and "k1" in named else []
    for lower, upper in [*pairs, *itertools.pairwise(boundaries)]:
        top = max(named[lower].choices, default=named[lower].high)
        bottom = min(named[upper].choices, default=named[upper].low)
        assert top is not None and bottom is not None
        if top > bottom or (top == bottom and lower not in rates):
            return f"{lower} reaches up to {top:g} and {upper} down to {bottom:g}: keep all of {lower} below {upper}"
    return None


def tidy(parameter: str, value: Any) -> Any:
    """A sampled value with few digits; of a factor near 1 its distance from 1 keeps them."""
    if isinstance(value, int):
        return value
    if parameter == "gamma" and 0.9 < value < 1:
        return round(1.0 - float(f"{1.0 - value:.{SIGNIFICANT_DIGITS}g}"), 12)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def policy_of(function: str, values: Mapping[str, Any]) -> PolicyModel:
    """The policy of sampled parameters; `l_0`, `l_1`, … become the list `l`.

    Raises:
        ValueError: they make no policy.
    """
    plain: dict[str, Any] = {"policy": function}
    boundaries: dict[int, int] = {}
    for name, value in values.items():
        if match := _BOUNDARY.fullmatch(name):
            boundaries[int(match[1])] = int(value)
        else:
            plain[name] = int(value) if name == "l" else tidy(name, float(value))
    if boundaries:
        plain["l"] = [boundaries[index] for index in sorted(boundaries)]
    return parse_policy(plain)


def grid_of(space: Space) -> list[tuple[str, dict[str, Any]]]:
    """Every point of the grid: function and parameters, functions in order, the last parameter fastest."""
    return [
        (name, {one.parameter: value for one, value in zip(dimensions, point, strict=True)})
        for name, dimensions in space.functions.items()
        for point in itertools.product(*(_values(one) for one in dimensions))
    ]


def _values(one: Dimension) -> tuple[Any, ...]:
    """The grid's values of a dimension: with equal ratios on a log scale, else with equal steps."""
    if one.choices:
        return one.choices
    assert one.low is not None and one.high is not None
    if one.points == 1 or one.low == one.high:
        middle = (one.low * one.high) ** 0.5 if one.log else (one.low + one.high) / 2
        return (round(middle),) if one.whole else (middle,)
    spaced = (np.geomspace if one.log else np.linspace)(one.low, one.high, one.points)
    inside = np.clip(spaced, one.low, one.high)  # the ends are not exact
    found = [round(float(value)) if one.whole else float(value) for value in inside]
    return tuple(dict.fromkeys(found))
