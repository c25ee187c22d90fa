"""Reading `overrides`, `vary` and `latin_hypercube` of a study: which value each key gets in which combination."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from harness.study.hypercube import LatinHypercube, unit_points, values_in
from harness.study.keys import Assignment, NumberKind, UnknownKey, number_kind, resolve_key
from harness.study.ranges import Range, RangeError, values_of
from harness.validation import KeyPath, dotted, problems_of
from harness.yaml_files import YamlDocument

ValuesOf = Callable[[Range, NumberKind | None], list[Any]]
Variant = list[tuple[Assignment, ...]]
"""The alternatives of what varies together: of one key of `vary`, or of all keys of a Latin hypercube."""


@dataclass(frozen=True)
class Choices:
    """What a study sets in all cells, and what it varies; all combinations of the variants' alternatives are run.

    Attributes:
        overrides: the same in all cells.
        variants: none of them empty.
        hypercube: None where the study has none.
    """

    overrides: list[Assignment]
    variants: list[Variant]
    hypercube: LatinHypercube | None = None


def read_choices(document: YamlDocument, problems: list[tuple[str, str]]) -> Choices:
    """The values of a study's keys, all that have the form of one; (place, message) of the others go to `problems`."""
    return _Reader(document, problems).read()


@dataclass
class _Reader:
    document: YamlDocument
    problems: list[tuple[str, str]] = field(default_factory=list)

    def read(self) -> Choices:
        overrides = [
            found
            for key, value in self._section(("overrides",))
            if (found := self._assign(("overrides", key), ("overrides", key), key, value))
        ]
        varied = [self._varied(key, values) for key, values in self._section(("vary",))]
        hypercube = self._hypercube()
        points = self._points(hypercube) if hypercube else []
        variants = [variant for variant in [*varied, points] if variant]
        self._refuse_repeated([*overrides, *(one for variant in variants for one in variant[0])])
        self._refuse_inside_varied(overrides, variants)
        return Choices(overrides, variants, hypercube)

    def _section(self, path: KeyPath) -> list[tuple[str, Any]]:
        section = self.document.get(path)
        return list(section.items()) if isinstance(section, dict) else []

    def _assign(self, key_path: KeyPath, place: KeyPath, key: str, value: Any) -> Assignment | None:
        """The value at `key_path`; `place` is where an unknown key is told."""
        try:
            part, path = resolve_key(key, value)
        except UnknownKey as error:
            self.problems.append((self.document.where(place), f"unknown key {key!r} in {dotted(place[:-1])}{error}"))
            return None
        return Assignment(key, value, part, path, self.document.where(key_path), key_path)

    def _varied(self, key: str, given: Any) -> Variant:
        place: KeyPath = ("vary", key)
        if isinstance(given, dict):
            values = self._of_range(place, key, given, values_of)
            assigned = [self._assign(place, place, key, value) for value in values]
        elif isinstance(given, list):
            assigned = [self._assign((*place, index), place, key, value) for index, value in enumerate(given)]
        else:
            assigned = []  # which the validation of the file tells
        return [(one,) for one in assigned if one]

    def _of_range(self, place: KeyPath, key: str, given: dict[str, Any], values: ValuesOf) -> list[Any]:
        """The values of a range, none where it is wrong."""
        try:
            part, path = resolve_key(key, 0)
            found = values(Range.model_validate(given), number_kind(part, path))
        except UnknownKey as error:
            self.problems.append((self.document.where(place), f"unknown key {key!r} in {dotted(place[:-1])}{error}"))
        except ValidationError as error:
            for problem in problems_of(error, Range):
                where = self.document.where((*place, *problem.key_path))
                self.problems.append((where, f"{dotted(place)}: {problem.message}"))
        except RangeError as error:
            self.problems.append((self.document.where(place), f"{dotted(place)} {error}"))
        else:
            return found
        return []

    def _hypercube(self) -> LatinHypercube | None:
        """The section as a whole; None where it is wrong in itself, which the validation of the file tells."""
        given = self.document.get(("latin_hypercube",))
        try:
            return None if given is None else LatinHypercube.model_validate(given)
        except ValidationError:
            return None

    def _points(self, hypercube: LatinHypercube) -> Variant:
        """The points, each with a value of every key; none where a key has no values."""
        columns: list[list[Assignment | None]] = []
        shares = unit_points(hypercube.points, len(hypercube.keys), hypercube.seed)
        for (key, given), own in zip(hypercube.keys.items(), shares, strict=True):
            place: KeyPath = ("latin_hypercube", "keys", key)
            if isinstance(given, dict):
                values = self._of_range(place, key, given, lambda one, kind, at=own: values_in(one, kind, at))
            else:
                values = values_in(given, None, own)
            columns.append([self._assign(place, place, key, value) for value in values])
        points = zip(*columns, strict=False)
        return [tuple(one for one in point if one) for point in points if all(point)]

    def _refuse_repeated(self, assignments: Sequence[Assignment]) -> None:
        first: dict[tuple[str, ...], Assignment] = {}
        for assignment in assignments:
            if other := first.get(assignment.path):
                what = f"{assignment.key!r} is already set as {other.key!r} ({other.where})"
                self.problems.append((assignment.where, what))
            first.setdefault(assignment.path, assignment)

    def _refuse_inside_varied(self, overrides: list[Assignment], variants: list[Variant]) -> None:
        """Refuse what would win over a part of a varied value: records and tables would tell a value that did not run.

        A key varied inside a section that is varied too is refused for the same reason.
        """
        columns = [column for variant in variants for column in zip(*variant, strict=True)]
        varied = [_of_each_path(column) for column in columns]
        for inner, outer in itertools.product([*([one] for one in overrides), *varied], varied):
            inside = (one for one in inner for section in outer if _lies_inside(one, section))
            if inner is not outer and (found := next(inside, None)):
                what = f"{found.key!r} lies inside {outer[0].key!r}, which is varied ({outer[0].where})"
                self.problems.append((found.where, f"{what}: give it in each of the varied values"))


def _of_each_path(column: Sequence[Assignment]) -> list[Assignment]:
    """The first value of each path among the alternatives of a key: thousands of points have one path."""
    first: dict[tuple[str, ...], Assignment] = {}
    for assignment in column:
        first.setdefault(assignment.path, assignment)
    return list(first.values())


def _lies_inside(assignment: Assignment, section: Assignment) -> bool:
    """Whether one key stands for a part of what another stands for."""
    length = len(section.path)
    return (
        assignment.part == section.part and len(assignment.path) > length and assignment.path[:length] == section.path
    )
