"""The keys of `overrides` and `vary`: dotted paths into the setting and the profile, with short names."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

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
        name = field.validation_alias if isinstance(field.validation_alias, str) else name
        paths[name] = None
        for member in member_models(field.annotation):
            paths.update(dict.fromkeys(f"{name}.{inner}" for inner in known_paths(member)))
    return list(paths)


def apply(values: dict[str, Any], assignments: Iterable[Assignment]) -> dict[str, Any]:
    """A copy of a setting's or profile's plain values with the assignments in it.

    A mapping replaces its whole section (`learning_rate: {policy: FIX, k0: 0.1}`), and so does a policy as text
    (`learning_rate: lrPolicy_FIX+k0_0.1`); keys inside a section come after it.
    Giving `steps` drops the `epochs` of the setting, and the other way round.
    """
    result = copy.deepcopy(values)
    ordered = sorted(assignments, key=lambda assignment: len(assignment.path))
    lengths = {assignment.path[0] for assignment in ordered} & {"steps", "epochs"}
    if lengths:
        for name in {"steps", "epochs"} - lengths:
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
