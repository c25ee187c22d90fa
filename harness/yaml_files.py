"""YAML files with errors that name file, line, key and offending value.

`load_yaml` reads a file and remembers the line of every key; `validate` holds its content to a pydantic model and
reports everything that is wrong in one `FileFormatError`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import FileFormatError
from harness.validation import KeyPath, Problem, nearest, problems_of

Model = TypeVar("Model", bound=BaseModel)

_MAX_NODES = 100_000
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Loader(yaml.SafeLoader):
    """The safe loader, with `1e-4` a number as in YAML 1.2 (PyYAML reads it as text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


@dataclass(frozen=True)
class YamlDocument:
    """A YAML file's content and the line of each of its keys.

    Attributes:
        path: the file.
        value: plain Python values.
        lines: key path (`("overrides", "steps")`, list items by index) -> line, counted from 1.
    """

    path: Path
    value: Any
    lines: dict[KeyPath, int]

    def where(self, key_path: Sequence[str | int] = ()) -> str:
        """`file:line` of a key, or of the nearest enclosing key that is in the file."""
        return f"{display_path(self.path)}:{self.line(key_path)}"

    def line(self, key_path: Sequence[str | int] = ()) -> int:
        """The line of a key, or of the nearest enclosing key that is in the file."""
        path = tuple(key_path)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def get(self, key_path: Sequence[str | int]) -> Any:
        """The value at a key path, None where there is none."""
        value = self.value
        for key in key_path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def display_path(path: Path) -> str:
    """The path relative to the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def load_yaml(path: Path) -> YamlDocument:
    """Read a YAML file.

    Raises:
        FileFormatError: the file is missing or unreadable, is not YAML, holds no mapping, or repeats keys.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        others = sorted(other.name for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        there = f"in {display_path(path.parent)} there are: {', '.join(others)}" if others else None
        raise FileFormatError("no such file", where=display_path(path), hint=there) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot be read: {error}", where=display_path(path)) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlDocument:
    """Parse YAML text; `path` is only named in errors. Errors as `load_yaml`."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:  # a character that YAML has not
        raise _syntax_error(error, path) from None
    try:
        node = loader.get_single_node()
        reader = _NodeReader(path, loader)
        value = reader.read(node, ()) if node is not None else {}
        if reader.problems:
            raise combined_error(reader.problems)
    except yaml.YAMLError as error:
        raise _syntax_error(error, path) from None
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise FileFormatError(f"should hold keys and values, not {_short(value)}", where=f"{display_path(path)}:1")
    return YamlDocument(path, value, reader.lines if node is not None else {})


class _NodeReader:
    """Turns YAML nodes into values and collects the line of each key, and what is wrong with any of them."""

    def __init__(self, path: Path, loader: _Loader) -> None:
        self._path = path
        self._loader = loader
        self._count = 0
        self._open: list[int] = []
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[tuple[str, str]] = []

    def read(self, node: yaml.Node, key_path: KeyPath) -> Any:
        self._count += 1
        if self._count > _MAX_NODES or id(node) in self._open:
            raise FileFormatError("is too large or refers to itself", where=self._where(node))
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
            self._note(node, f"has the tag {node.tag!r}; only plain values are read")
            return None
        self.lines.setdefault(key_path, node.start_mark.line + 1)
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._read_mapping(node, key_path)
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*key_path, index)) for index, item in enumerate(node.value)]
            return self._read_scalar(node)
        finally:
            self._open.pop()

    def _read_scalar(self, node: yaml.Node) -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            self._note(node, f"not a valid value: {node.value!r} ({error})")
            return None

    def _read_mapping(self, node: yaml.MappingNode, key_path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._read_key(key_node)
            if key is None:
                continue
            if key in mapping:
                first = self.lines[(*key_path, key)]
                self._note(key_node, f"key {key!r} stands here twice (first in line {first})")
                continue
            self.lines[(*key_path, key)] = key_node.start_mark.line + 1
            mapping[key] = self.read(value_node, (*key_path, key))
        return mapping

    def _read_key(self, node: yaml.Node) -> str | None:
        noted = len(self.problems)
        key = self._read_scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(key, str) and key != "<<":
            return key
        if len(self.problems) > noted:  # it is no valid scalar either, which has been said
            return None
        self._note(node, f"a key should be text, not {getattr(node, 'value', node)!r} (quote it if it is meant)")
        return None

    def _note(self, node: yaml.Node, what: str) -> None:
        self.problems.append((self._where(node), what))

    def _where(self, node: yaml.Node) -> str:
        return f"{display_path(self._path)}:{node.start_mark.line + 1}"


def _syntax_error(error: yaml.YAMLError, path: Path) -> FileFormatError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else 1
    return FileFormatError(f"not valid YAML: {problem}", where=f"{display_path(path)}:{line}")


def validate(document: YamlDocument, model: type[Model]) -> Model:
    """The document's content as an instance of `model`.

    Raises:
        FileFormatError: every problem of the file, one a line, each with file, line, key and value.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise file_error(document, problems_of(error, model)) from None


def file_error(document: YamlDocument, problems: Iterable[Problem]) -> FileFormatError:
    """One error for all problems of a file, in the order of their lines."""
    return combined_error(by_line(document, ((document.where(one.key_path), one.message) for one in problems)))


def by_line(document: YamlDocument, located: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(place, message) in the order of the document's lines; those of other files follow as they came."""
    prefix = document.where().rsplit(":", 1)[0] + ":"

    def line(one: tuple[str, str]) -> float:
        rest = one[0].removeprefix(prefix)
        return int(rest) if rest != one[0] and rest.isdecimal() else math.inf

    return sorted(located, key=line)


def combined_error(located: Iterable[tuple[str, str]]) -> FileFormatError:
    """One error of several (place, message); the same message at the same place is said once."""
    (where, message), *others = dict.fromkeys(located)
    return FileFormatError("\n".join([message, *(f"{place}: {text}" for place, text in others)]), where=where)


class UnknownName(FileFormatError):
    """A name stands for no file."""


def names_in(folder: Path) -> list[str]:
    """Names of the YAML files in a folder, without suffix, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_named(name: str, folder: Path, kind: str, *, relative_to: Path | None = None) -> Path:
    """The YAML file that a name stands for: `<folder>/<name>.yaml`, or a path where the name ends in `.yaml`.

    Args:
        kind: what is looked for (`setting`), for the error.
        relative_to: folder that a relative path starts from.

    Raises:
        UnknownName: no such file; the message has the nearest known name or all of them.
    """
    if name.endswith((".yaml", ".yml")):
        path = (relative_to or Path()) / name
        if path.is_file():
            return path
        raise UnknownName(f"no such {kind} file: {display_path(path)}")
    path = folder / f"{name}.yaml"
    if name in names_in(folder):
        return path
    raise UnknownName(f"unknown {kind} {name!r}{nearest(name, names_in(folder))}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
