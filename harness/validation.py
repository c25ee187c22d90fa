"""What pydantic found wrong, in words for the person who wrote the file."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where in its keys, and a sentence that holds the offending value."""

    key_path: KeyPath
    message: str


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every problem of a failed validation against `model`."""
    return [_problem(details, model) for details in error.errors(include_url=False) if not _follows(details)]


def nearest(name: str, known: Iterable[str]) -> str:
    """` … did you mean 'x'?` where a known name is near, else the list of the known names."""
    names = sorted(set(known))
    close = [other for other in names if other.lower() == name.lower()]
    if close := close or difflib.get_close_matches(name, names, n=5, cutoff=0.6):
        return f" … did you mean {max(close, key=lambda other: _likeness(name, other))!r}?"
    return f"; known: {', '.join(names)}" if names else "; there are none"


def _likeness(name: str, other: str) -> tuple[float, int, int]:
    """The share of letters in common; where that is the same, the nearer length, then the letters in the same place."""
    in_place = sum(one == another for one, another in zip(name, other, strict=False))
    return difflib.SequenceMatcher(None, other, name).ratio(), -abs(len(other) - len(name)), in_place


def dotted(key_path: KeyPath) -> str:
    """`("layers", 0, "kernel")` as `layers[0].kernel`."""
    text = ""
    for key in key_path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys that a model reads from a file."""
    return [_file_key(name, field) for name, field in model.model_fields.items()]


def member_models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation (optional, union, annotated) may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        arguments = get_args(annotation)
        members = arguments[:1] if get_origin(annotation) is Annotated else arguments
        return [model for member in members for model in member_models(member)]
    return []


def _follows(details: ErrorDetails) -> bool:
    """Whether this only follows from other problems: pydantic counts items that are wrong in themselves as missing."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    key_path, owners = _locate(details["loc"], model)
    kind, value = details["type"], details.get("input")
    name, parent = dotted(key_path), dotted(key_path[:-1])
    place = f" in {parent}" if parent else ""
    if kind == "extra_forbidden":
        known = sorted({key for owner in owners for key in known_keys(owner)})
        return Problem(key_path, f"unknown key {str(key_path[-1])!r}{place}{nearest(str(key_path[-1]), known)}")
    if kind == "missing":
        return Problem(key_path, f"key {str(key_path[-1])!r} is missing{place}")
    if kind == "union_tag_not_found":
        return Problem(key_path, f"key {_tag_key(details)!r} is missing in {name or 'the file'}")
    if kind == "union_tag_invalid":
        key, context = _tag_key(details), details.get("ctx", {})
        expected = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",")]
        tag = str(context.get("tag"))
        return Problem((*key_path, key), f"unknown {key} {tag!r} in {name}{nearest(tag, expected)}")
    if kind in ("too_short", "too_long"):
        which, bound_key = ("least", "min_length") if kind == "too_short" else ("most", "max_length")
        bound = details["ctx"][bound_key]
        return Problem(key_path, f"{name} should have at {which} {bound} item{'s' * (bound != 1)}, not {value!r}")
    return Problem(key_path, _value_message(details["msg"], name, value))


_LISTS = {
    "l": " such as [1000, 1500]",
    "at": " such as [1000, 1500]",
    "parts": " of policies such as [{policy: FIX, k0: 0.01}, {policy: FIX, k0: 0.001}]",
}
"""Examples of the lists of a policy, by key."""


def _value_message(message: str, name: str, value: object) -> str:
    own = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if own != message:
        separator = " " if own.startswith("should ") else ": "
        return f"{name}{separator}{own}" if name else own
    text = repr(value)
    shown = text if len(text) <= 60 else text[:57] + "..."
    if message == "Input should be a valid tuple":
        return f"{name} should be a list{_LISTS.get(name.rpartition('.')[2], '')}, not {shown}"
    if message.startswith("Input should "):
        return f"{name} {message.removeprefix('Input ')}, not {shown}"
    return f"{name}: {message[0].lower()}{message[1:]}, not {shown}"


def _tag_key(details: ErrorDetails) -> str:
    return str(details.get("ctx", {}).get("discriminator", "'kind'")).strip("'")


def _locate(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[KeyPath, list[type[BaseModel]]]:
    """The key path in the file of a pydantic location, and the models that own its last key.

    Pydantic puts the tag of a discriminated union into the location (`layers, 0, dense, units`); a file has none.
    """
    key_path: list[str | int] = []
    annotation: Any = model
    owners: list[type[BaseModel]] = [model]
    for element in loc:
        models = member_models(annotation)
        if len(models) > 1 and (tagged := [member for member in models if _has_tag(member, element)]):
            annotation = tagged[0]
            continue
        owners = models
        key_path.append(element)
        annotation = _step(annotation, models, element)
    return tuple(key_path), owners


def _step(annotation: Any, models: list[type[BaseModel]], element: int | str) -> Any:
    for member in models:
        for name, field in member.model_fields.items():
            if element in (name, _file_key(name, field)):
                return field.annotation
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if isinstance(element, int) and arguments else None


def _has_tag(model: type[BaseModel], tag: int | str) -> bool:
    return any(
        get_origin(field.annotation) is Literal and tag in get_args(field.annotation)
        for field in model.model_fields.values()
    )


def _file_key(name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return str(field.validation_alias or field.alias or name)
