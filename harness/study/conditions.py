"""`leave_out` of a study: conditions on cells that are not to run, each with its reason.

    leave_out:
      - when: {profile: cpu1, batch_size: {at_least: 512}}
        reason: takes more than ten minutes on one core

A cell is left out where every line of one `when` holds. What a key is compared with is its value in the setting or the
profile with overrides and varied values in it; a key that has no value there (no `memory`) is null, which no comparison
of size holds for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from harness.errors import DlgaugeError
from harness.fields import FileModel
from harness.study.keys import Part, Path, UnknownKey, known_keys, resolve_key
from harness.study.profile import ONE_THREAD_BLAS
from harness.units import UnitError, parse_bytes
from harness.validation import KeyPath, nearest
from harness.yaml_files import YamlDocument

NAMES = ("framework", "workload", "setting", "profile")
"""Keys of a condition that stand for the name of a part of the cell."""
PLACES = ("jobs", "cores")
"""Keys of a condition for how many jobs run side by side, and on which cores; null where a study says neither."""

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "at_least": lambda found, bound: found >= bound,
    "at_most": lambda found, bound: found <= bound,
    "above": lambda found, bound: found > bound,
    "below": lambda found, bound: found < bound,
}
NOT = "not"
_AMOUNTS = (("memory",),)


class LeaveOut(FileModel):
    """One entry of `leave_out` as it stands in a study file."""

    when: Annotated[dict[str, Any], Field(min_length=1)]
    reason: Annotated[str, Field(strict=True, min_length=1)]


@dataclass(frozen=True)
class CellValues:
    """What conditions look at.

    Attributes:
        names: framework, workload, setting and profile by name, `jobs` and `cores` where the study varies them.
        setting, profile: plain values, with what the study sets in them.
        cpus: how many CPUs `all` stands for.
    """

    names: Mapping[str, Any]
    setting: Mapping[str, Any]
    profile: Mapping[str, Any]
    cpus: int

    def value(self, part: Part, path: Path) -> Any:
        """The value at a path, None where there is none; of `cpus` their number, of `threads` their default."""
        value: Any = self.setting if part == "setting" else self.profile
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if path == ("threads", "intra_op") and value is None:
            return 1 if self.profile.get("blas") in ONE_THREAD_BLAS else self.value("profile", ("cpus",))
        if path == ("cpus",):
            return self.cpus if value == "all" else len(value) if isinstance(value, list | tuple) else value
        return value


@dataclass(frozen=True)
class Line:
    """One line of a `when`: whether one value of a cell is as it says.

    Attributes:
        key: as the user wrote it.
        target: a key of `NAMES` or `PLACES`, or part and path of a key.
        equal: values of which the cell's has to be one; None where any will do.
        unequal: values of which it has to be none.
        bounds: comparisons that have to hold, by name.
    """

    key: str
    target: str | tuple[Part, Path]
    equal: tuple[Any, ...] | None
    unequal: tuple[Any, ...] = ()
    bounds: Mapping[str, float] = field(default_factory=dict)

    def holds(self, cell: CellValues) -> bool:
        """Whether the cell's value is as this line says."""
        found = cell.names.get(self.target) if isinstance(self.target, str) else cell.value(*self.target)
        if _is_amount(self.target) and found is not None:
            found = _parsed(found)
        if self.equal is not None and found not in self.equal:
            return False
        if self.unequal and found in self.unequal:
            return False
        if isinstance(found, int | float) and not isinstance(found, bool):
            return all(COMPARISONS[name](found, bound) for name, bound in self.bounds.items())
        return not self.bounds

    @property
    def words(self) -> str:
        """The line for people, such as `batch_size at least 512`."""
        parts = [] if self.equal is None else [" or ".join(map(_text, self.equal))]
        parts += [f"not {' or '.join(map(_text, self.unequal))}"] if self.unequal else []
        parts += [f"{name.replace('_', ' ')} {_text(bound)}" for name, bound in self.bounds.items()]
        return f"{self.key} {' and '.join(parts)}"


@dataclass(frozen=True)
class Condition:
    """One entry of `leave_out`: a cell for which all its lines hold is not run.

    Attributes:
        reason: why, in the study's words.
        where: `file:line`.
    """

    lines: tuple[Line, ...]
    reason: str
    where: str

    def holds(self, cell: CellValues) -> bool:
        """Whether the cell is left out."""
        return all(line.holds(cell) for line in self.lines)

    @property
    def words(self) -> str:
        """The condition for people."""
        return ", ".join(line.words for line in self.lines)


def read_conditions(
    document: YamlDocument, names: Mapping[str, Iterable[str]] | None, problems: list[tuple[str, str]]
) -> list[Condition]:
    """The conditions of a study; (place, message) of what is wrong with them goes to `problems`.

    Args:
        names: of each of `NAMES`, the names that the study has; None where not all of them could be loaded.
    """
    given = document.get(("leave_out",))
    conditions = []
    for index, entry in enumerate(given if isinstance(given, list) else []):
        when, reason = (entry.get("when"), entry.get("reason")) if isinstance(entry, dict) else (None, None)
        if not isinstance(when, dict):
            continue  # which the validation of the file tells, as it does a reason that is missing
        place: KeyPath = ("leave_out", index, "when")
        lines = [_read_line(document, (*place, key), key, value, names, problems) for key, value in when.items()]
        conditions.append(Condition(tuple(one for one in lines if one), str(reason), document.where(place)))
    return conditions


def _read_line(
    document: YamlDocument,
    place: KeyPath,
    key: str,
    given: Any,
    names: Mapping[str, Iterable[str]] | None,
    problems: list[tuple[str, str]],
) -> Line | None:
    def refuse(message: str) -> None:
        problems.append((document.where(place), message))

    if key in (*NAMES, *PLACES):
        target: str | tuple[Part, Path] = key
    else:
        try:
            target = resolve_key(key, 0)
        except UnknownKey:
            refuse(f"unknown key {key!r} in leave_out{nearest(key, [*NAMES, *PLACES, *known_keys()])}")
            return None
    try:
        line = _line(key, target, given)
    except ValueError as error:
        refuse(f"leave_out: {error}")
        return None
    if key in NAMES and names is not None:
        known = list(names[key])
        for name in (*(line.equal or ()), *line.unequal):
            if name not in known:
                refuse(f"leave_out: {key} {name!r} is not in the study{nearest(str(name), known)}")
    return line


def _line(key: str, target: str | tuple[Part, Path], given: Any) -> Line:
    """One line; raises ValueError with what is wrong."""
    amount = _is_amount(target)
    if not isinstance(given, dict):
        return Line(key, target, _listed(key, given, amount))
    allowed = (NOT,) if target in NAMES else (*COMPARISONS, NOT)
    if unknown := [name for name in given if name not in allowed]:
        raise ValueError(f"unknown comparison {unknown[0]!r} of {key}{nearest(unknown[0], allowed)}")
    if not given:
        raise ValueError(f"{key} should have a value, a list of values, or a comparison such as {{at_least: 512}}")
    bounds = {name: _bound(key, name, value, amount) for name, value in given.items() if name != NOT}
    return Line(key, target, None, _listed(key, given[NOT], amount) if NOT in given else (), bounds)


def _listed(key: str, given: Any, amount: bool) -> tuple[Any, ...]:
    values = given if isinstance(given, list) else [given]
    if not values or any(isinstance(value, list | dict) for value in values):
        raise ValueError(f"{key} should have a value or a list of values, not {given!r}")
    return tuple(_bytes(key, value) if amount and value is not None else value for value in values)


def _bound(key: str, name: str, given: Any, amount: bool) -> float:
    if amount:
        return _bytes(key, given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"{key} {name} should be a number, not {given!r}")
    return given


def _bytes(key: str, given: Any) -> int:
    try:
        return parse_bytes(given)
    except DlgaugeError as error:
        raise ValueError(f"{key}: {error.what}") from None


def _parsed(found: Any) -> int | None:
    try:
        return parse_bytes(found)
    except UnitError:
        return None  # no cell at all: the validation of its profile tells


def _is_amount(target: str | tuple[Part, Path]) -> bool:
    return not isinstance(target, str) and target[0] == "profile" and target[1] in _AMOUNTS


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


def first_that_holds(conditions: Sequence[Condition], cell: CellValues) -> Condition | None:
    """The first condition that leaves a cell out; None where it runs."""
    return next((condition for condition in conditions if condition.holds(cell)), None)
