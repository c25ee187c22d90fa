"""The keys of `overrides` and `vary`: dotted paths into the setting and the profile, with short names."""

from __future__ import annotations

import copy
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.schedules import PolicyError, plain_values
from harness.study.profile import ProfileFile
from harness.validation import member_models, nearest
from harness.workloads.settings import Setting

Part = Literal["setting", "profile"]
Path = tuple[str, ...]

SHORT_NAMES = {
    "momentum": "optimizer.momentum",
    "momentum_form": "optimizer.momentum_form",
    "weight_decay": "optimizer.weight_decay",
    "rate": "learning_rate.k0",
}
SCALAR_MEANS = {"learning_rate": "learning_rate.k0", "threads": "threads.intra_op"}
"""Sections that may also be given as one number, and which of their keys that is."""

LENGTHS = frozenset({"steps", "epochs", "samples"})
"""Keys that each give the length of a training, one of them at a time."""

_POLICY = ("learning_rate",)
"""The section that may also be given as text: a policy in LRBench's string form."""

_FREE_SECTIONS = ("environment",)
"""Sections whose keys are the user's own."""


class UnknownKey(ValueError):
    """A key that is neither a hyper-parameter nor part of a profile."""


@dataclass(frozen=True)
class Assignment:
    """One value for one key, and where it stands.

    Attributes:
        key: as the user wrote it.
        path: into the setting or profile.
        where: `file:line`.
        key_path: into the study file.
    """

    key: str
    value: Any
    part: Part
    path: Path
    where: str
    key_path: tuple[str | int, ...] = ()

    def touches(self, path: tuple[str | int, ...]) -> bool:
        """Whether a problem at `path` of the setting or profile comes from this value."""
        shared = min(len(path), len(self.path))
        return shared > 0 and path[:shared] == self.path[:shared]


def resolve_key(key: str, value: Any) -> tuple[Part, Path]:
    """The part and the path that a key stands for.

    Raises:
        UnknownKey: with the nearest known key.
    """
    name = SHORT_NAMES.get(key, key)
    is_section = isinstance(value, dict) or (isinstance(value, str) and (name,) == _POLICY)
    if not is_section:
        name = SCALAR_MEANS.get(name, name)
    path = tuple(name.split("."))
    if name in known_paths(Setting):
        return "setting", path
    if name in known_paths(ProfileFile) or (path[0] in _FREE_SECTIONS and len(path) == 2):
        return "profile", path
    raise UnknownKey(nearest(key, known_keys()))


def known_keys() -> list[str]:
    """Every key that `overrides` and `vary` understand, short names first."""
    return [*SHORT_NAMES, *known_paths(Setting), *known_paths(ProfileFile)]


def known_paths(model: type[BaseModel]) -> list[str]:
    """Dotted paths of all keys of a model but its name; a union of models gives the keys of all its members."""
    paths: dict[str, None] = {}
    for name, field in model.model_fields.items():
        if name == "name":
            continue
        name = _key(name, field)
        paths[name] = None
        for member in member_models(field.annotation):
            paths.update(dict.fromkeys(f"{name}.{inner}" for inner in known_paths(member)))
    return list(paths)


def apply(values: dict[str, Any], assignments: Iterable[Assignment]) -> dict[str, Any]:
    """A copy of a setting's or profile's plain values with the assignments in it.

    A mapping replaces its whole section (`learning_rate: {policy: FIX, k0: 0.1}`), and so does a policy as text
    (`learning_rate: lrPolicy_FIX+k0_0.1`); keys inside a section come after it.
    Giving one of `steps`, `epochs` and `samples` drops the others of the setting.
    """
    result = copy.deepcopy(values)
    ordered = sorted(assignments, key=lambda assignment: len(assignment.path))
    lengths = {assignment.path[0] for assignment in ordered} & LENGTHS
    if lengths:
        for name in LENGTHS - lengths:
            result.pop(name, None)
    for assignment in ordered:
        section: Any = result
        for name in assignment.path[:-1]:
            section = section.setdefault(name, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):  # else the section is no mapping, which the validation tells
            section[assignment.path[-1]] = _plain(assignment)
    return result


def _plain(assignment: Assignment) -> Any:
    """A copy of the value; a policy as text becomes a mapping, so that keys inside it can follow."""
    if assignment.path == _POLICY and isinstance(assignment.value, str):
        try:
            return plain_values(assignment.value)
        except PolicyError:
            return assignment.value  # the validation tells what is wrong with it
    return copy.deepcopy(assignment.value)


NumberKind = Literal["whole", "number", "amount"]
"""What the values of a key are: whole numbers, numbers, or amounts of memory in bytes."""

_AMOUNTS = (("profile", ("memory",)),)


def number_kind(part: Part, path: Path) -> NumberKind | None:
    """Which numbers a key takes; None for a key that takes none, such as `blas`."""
    if (part, path) in _AMOUNTS:
        return "amount"
    found: set[Any] = set()
    models: list[type[BaseModel]] = [Setting if part == "setting" else ProfileFile]
    for name in path:
        fields = [item for model in models for item in model.model_fields.items()]
        annotations = [field.annotation for own, field in fields if _key(own, field) == name]
        models = [model for annotation in annotations for model in member_models(annotation)]
        found = {kind for annotation in annotations for kind in _plain_types(annotation)}
    return "number" if float in found else "whole" if int in found else None


def _key(name: str, field: FieldInfo) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def _plain_types(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, without what stands inside lists and mappings."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain_types(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _plain_types(member)
    else:
        yield annotation
