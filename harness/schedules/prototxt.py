"""Reading the learning-rate policy of a Caffe solver (`solver.prototxt`).

Formulas of Caffe 1.0, `SGDSolver::GetLearningRate` in `src/caffe/solvers/sgd_solver.cpp`, `iter` counted from 0:

| lr_policy | rate | here |
|---|---|---|
| fixed | base_lr | FIX |
| step | base_lr gamma ^ floor(iter / stepsize) | STEP |
| exp | base_lr gamma ^ iter | EXP |
| inv | base_lr (1 + gamma iter) ^ -power | INV |
| multistep | base_lr gamma ^ (how many stepvalue are passed) | NSTEP |
| poly | base_lr (1 - iter / max_iter) ^ power | POLY |
| sigmoid | base_lr / (1 + exp(-gamma (iter - stepsize))) | SIG |

Caffe computes with 32-bit numbers, these policies with 64-bit ones. A value that Caffe would take as 0 because it is
not in the file is asked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import FileFormatError
from harness.fields import FileModel
from harness.schedules.policies import Policy
from harness.validation import nearest, problems_of

_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<mark>[{}:\[\]<>])|(?P<word>[^\s,;\#{}:\[\]<>"']+)"""
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?")

_FROM = {
    "fixed": ("FIX", {"k0": "base_lr"}),
    "step": ("STEP", {"k0": "base_lr", "gamma": "gamma", "l": "stepsize"}),
    "exp": ("EXP", {"k0": "base_lr", "gamma": "gamma"}),
    "inv": ("INV", {"k0": "base_lr", "gamma": "gamma", "p": "power"}),
    "multistep": ("NSTEP", {"k0": "base_lr", "gamma": "gamma", "l": "stepvalue"}),
    "poly": ("POLY", {"k0": "base_lr", "p": "power", "l": "max_iter"}),
    "sigmoid": ("SIG", {"k0": "base_lr", "gamma": "gamma", "l": "stepsize"}),
}
"""lr_policy of Caffe -> policy, and the field of the solver that each parameter is."""

_WHOLE = ("stepsize", "stepvalue", "max_iter")
_READ = ("base_lr", "lr_policy", "gamma", "power", *_WHOLE)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class _Field:
    """A field of the solver that the policy is made of."""

    name: str
    value: str
    line: int


class _Holder(FileModel):
    policy: Policy


def load_solver_policy(path: Path) -> Policy:
    """The learning-rate policy of a Caffe solver file. Errors as `read_solver_policy`, and where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot be read: {error}", where=str(path)) from None
    return read_solver_policy(text, str(path))


def read_solver_policy(text: str, source: str = "solver.prototxt") -> Policy:
    """The learning-rate policy of a Caffe solver.

    Args:
        text: the solver in protobuf's text format; fields that do not concern the learning rate are passed over.
        source: the file's name, for errors.

    Raises:
        FileFormatError: with file and line: it is no such text, a field is missing, or a value is outside its range.
    """
    fields = _collect(_fields(list(_tokens(text, source)), source), source)
    named = _one(fields, "lr_policy", f"{source}:1", "a learning-rate policy")
    kind = _unquoted(named, source)
    if kind not in _FROM:
        raise FileFormatError(
            f"unknown lr_policy {kind!r}{nearest(kind, _FROM)}",
            where=f"{source}:{named.line}",
            hint=f"read are: {', '.join(_FROM)}",
        )
    name, parameters = _FROM[kind]
    values: dict[str, Any] = {"policy": name}
    lines: dict[str, list[int]] = {}
    for parameter, field_name in parameters.items():
        _one(fields, field_name, f"{source}:{named.line}", f"lr_policy {kind!r}")
        given = fields[field_name]
        numbers = [_number(field, source) for field in given]
        values[parameter] = numbers if field_name == "stepvalue" else numbers[0]
        lines[parameter] = [field.line for field in given]
    return _validated(values, parameters, lines, source)


def _validated(values: dict[str, Any], parameters: dict[str, str], lines: dict[str, list[int]], source: str) -> Policy:
    try:
        return _Holder.model_validate({"policy": values}).policy
    except ValidationError as error:
        problem = problems_of(error, _Holder)[0]
        keys = problem.key_path[1:]
        parameter = str(keys[0]) if keys else "l"
        own = lines.get(parameter, [1])
        line = own[int(keys[1])] if len(keys) > 1 else own[-1]
        what = problem.message.replace("policy.", "").removeprefix("policy: ").removeprefix("policy ")
        field = parameters.get(parameter, parameter)
        if keys:
            what = f"{field} {what.split(' ', 1)[1]}"
        elif field == "stepvalue":
            what = f"stepvalue should rise, not be {values['l']}"
        raise FileFormatError(what, where=f"{source}:{line}") from None


def _collect(fields: Iterator[_Field], source: str) -> dict[str, list[_Field]]:
    """The fields that are read, by name; only `stepvalue` may stand there several times."""
    found: dict[str, list[_Field]] = {}
    for field in fields:
        if field.name not in _READ:
            continue
        before = found.setdefault(field.name, [])
        if before and field.name != "stepvalue":
            raise FileFormatError(
                f"{field.name} is already given in line {before[0].line}", where=f"{source}:{field.line}"
            )
        before.append(field)
    return found


def _fields(tokens: list[_Token], source: str) -> Iterator[_Field]:
    """The scalar fields of the outermost message; `name: [a, b]` gives one for each item."""
    place = 0
    while place < len(tokens):
        name = tokens[place]
        if name.kind != "word":
            raise _unexpected(name, "the name of a field", source)
        place += 1
        colon = place < len(tokens) and tokens[place].text == ":"
        place += colon
        if place == len(tokens):
            raise FileFormatError(f"{name.text} has no value", where=f"{source}:{name.line}")
        value = tokens[place]
        if value.kind == "mark" and value.text in "{<":
            place = _end_of_message(tokens, place, source)
        elif not colon:
            raise _unexpected(value, f"':' after {name.text}", source)
        elif value.text == "[" and value.kind == "mark":
            place += 1
            while place < len(tokens) and tokens[place].text != "]":
                yield _Field(name.text, _scalar(tokens[place], name.text, source), tokens[place].line)
                place += 1
            if place == len(tokens):
                raise FileFormatError(f"the list of {name.text} has no end", where=f"{source}:{value.line}")
            place += 1
        else:
            yield _Field(name.text, _scalar(value, name.text, source), value.line)
            place += 1


def _end_of_message(tokens: list[_Token], place: int, source: str) -> int:
    begin, depth = tokens[place], 0
    for index in range(place, len(tokens)):
        if tokens[index].kind == "mark":
            depth += (tokens[index].text in "{<") - (tokens[index].text in "}>")
        if depth == 0:
            return index + 1
    raise FileFormatError(f"{begin.text!r} is never closed", where=f"{source}:{begin.line}")


def _scalar(token: _Token, name: str, source: str) -> str:
    if token.kind == "mark":
        raise _unexpected(token, f"the value of {name}", source)
    return token.text


def _tokens(text: str, source: str) -> Iterator[_Token]:
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FileFormatError(f"a text that begins with {text[place]} has no end", where=f"{source}:{line}")
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group(), line)
        line += match.group().count("\n")
        place = match.end()


def _unexpected(token: _Token, expected: str, source: str) -> FileFormatError:
    return FileFormatError(f"there should be {expected}, not {token.text!r}", where=f"{source}:{token.line}")


def _one(fields: dict[str, list[_Field]], name: str, where: str, reader: str) -> _Field:
    if name not in fields:
        raise FileFormatError(f"{name} is missing: {reader} needs it", where=where)
    return fields[name][0]


def _unquoted(field: _Field, source: str) -> str:
    if field.value[0] not in "\"'":
        raise FileFormatError(
            f"{field.name} should be a text in quotes, not {field.value}", where=f"{source}:{field.line}"
        )
    return field.value[1:-1]


def _number(field: _Field, source: str) -> float:
    whole = field.name in _WHOLE
    if whole and re.fullmatch(r"[+-]?[0-9]+", field.value):
        return int(field.value)
    if whole or not _NUMBER.fullmatch(field.value):
        expected = "a whole number" if whole else "a number"
        raise FileFormatError(f"{field.name} should be {expected}, not {field.value}", where=f"{source}:{field.line}")
    return float(field.value.rstrip("fF"))
