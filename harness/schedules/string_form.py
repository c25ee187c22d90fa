"""LRBench's string form of learning-rate policies, read and written.

LRBench writes a policy as its parameters, `name_value` joined by `+`, in any order, and several policies joined by `-`
with their boundaries after `-AT-` (`LR.toString`, `piecewiseLR.toString`, `parseLRStr` in its `utility.py`):

    lrPolicy_TRI+k0_0.001+k1_0.06+l_250
    lrPolicy_NSTEP+k0_0.001+gamma_0.1+l_8571+9286+10000
    lrPolicy_SINEXP+k0_1.0+k1_3.0+gamma_0.94+l_5-lrPolicy_FIX+k0_0.5-AT-11
    lrPolicy_FIX+k0_0.1-lrPolicy_FIX+k0_0.01-lrPolicy_FIX+k0_1e-05-AT-100+200

A `+` or `-` inside a number (`1e-05`, `-0.1`) belongs to the number: the text is read from left to right, and a number
as far as it goes. After `+`, a digit goes on with the list and a letter begins a name. What LRBench does not have is
written with more tokens, which its own parser would refuse:

    ...+compat_lrbench                                              in a policy, `compat: lrbench`
    ...-AT-100+200-TIME-continue                                    a composite with `time: continue`
    lrPolicy_WARM_UP+shape_linear+start_0.0+steps_5-THEN-<policy>   a warm-up; `+time_continue` where it is that
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.schedules.base import KEY_ORDER, PolicyError, PolicyModel, is_whole

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME = re.compile(r"lrPolicy|[A-Za-z][A-Za-z0-9]*")
MOST_CHARACTERS = 400
"""Of one number: the largest float64 has 309 digits before its point."""
_WHOLE = ("l", "steps")
_TEXTS = ("policy", "compat", "shape", "time")

Key = str | int


@dataclass(frozen=True)
class Reading:
    """What a text holds.

    Attributes:
        values: the plain values of the policy.
        positions: key path in them -> position in the text, counted from 1.
    """

    values: dict[str, Any]
    positions: dict[tuple[Key, ...], int]

    def position(self, key_path: Sequence[Key]) -> int:
        """Where a key stands, or the nearest that holds it."""
        path = tuple(key_path)
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path, 1)


def plain_values(value: Any) -> Any:
    """The plain values of a text in the string form; a policy or plain values as they are.

    Raises:
        PolicyError: the text is malformed, with the position; or it is something else.
    """
    if isinstance(value, str):
        return read(value)
    if isinstance(value, Mapping | PolicyModel):
        return value
    raise PolicyError(f"should be a policy such as {{policy: FIX, k0: 0.01}} or lrPolicy_FIX+k0_0.01, not {value!r}")


def read(text: str) -> dict[str, Any]:
    """The plain values (`{"policy": ..., "k0": ...}`) of a policy in the string form. Errors as `plain_values`."""
    return read_with_positions(text).values


def read_with_positions(text: str) -> Reading:
    """As `read`, with the place of every value."""
    reader = _Reader(text)
    values = reader.policy(())
    return Reading(values, reader.positions)


def string_form(policy: PolicyModel) -> str:
    """A policy in the string form, from which `parse_policy` makes the same policy."""
    return _write(policy.model_dump(mode="json"))


def _write(values: dict[str, Any]) -> str:
    kind = values["policy"]
    if kind == "COMPOSITE":
        time = "" if values["time"] == "restart" else f"-TIME-{values['time']}"
        parts = "-".join(_write(part) for part in values["parts"])
        return f"{parts}-AT-{'+'.join(str(step) for step in values['at'])}{time}"
    if kind == "WARM_UP":
        own = {key: value for key, value in values.items() if key != "then"}
        if own["time"] == "restart":
            own.pop("time")
        return f"{_tokens(own)}-THEN-{_write(values['then'])}"
    if unknown := set(values) - {*KEY_ORDER, "compat"}:
        raise PolicyError(f"policy {kind} has no string form: LRBench's has nothing for {', '.join(sorted(unknown))}")
    return _tokens(values)


def _tokens(values: dict[str, Any]) -> str:
    return "+".join(f"{'lrPolicy' if key == 'policy' else key}_{_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "+".join(str(item) for item in value)
    return value if isinstance(value, str) else repr(value)


@dataclass
class _Reader:
    """Reads a text from left to right."""

    text: str
    place: int = 0
    positions: dict[tuple[Key, ...], int] = field(default_factory=dict)

    def policy(self, path: tuple[Key, ...]) -> dict[str, Any]:
        """The whole rest of the text."""
        begin = self.place
        first: dict[str, Any] = {}
        self.part(first, (*path, "parts", 0))
        if self._take("-THEN-"):
            self._move(path, begin)
            return {**first, "then": self.policy((*path, "then"))}
        if self.place == len(self.text):
            self._move(path, begin)
            return first
        parts, times = [first], {}
        while not self._take("-AT-"):
            self._expect("-", "'+' and a parameter, '-' and another policy, '-AT-' and its boundaries, or the end")
            parts.append({})
            self.part(parts[-1], (*path, "parts", len(parts) - 1))
        self.positions[(*path, "at")] = self.place + 1
        at = self._numbers("at", (*path, "at"))
        if self._take("-TIME-"):
            self.positions[(*path, "time")] = self.place + 1
            times["time"] = self._match(_WORD, "restart or continue")
        if self.place != len(self.text):
            raise self._error("'+' and another boundary, '-TIME-', or the end")
        return {"policy": "COMPOSITE", "parts": parts, "at": at, **times}

    def part(self, values: dict[str, Any], path: tuple[Key, ...]) -> None:
        """The parameters of one policy, into `values`."""
        begin = self.place
        self.positions[path] = begin + 1
        while True:
            self._parameter(values, path)
            if not self._take("+"):
                break
        if "policy" not in values:
            self.place = begin
            raise self._error("a policy with its name, lrPolicy_NAME")
        if values["policy"] == "NSTEP" and isinstance(values.get("l"), int | float):
            values["l"] = [values["l"]]

    def _parameter(self, values: dict[str, Any], path: tuple[Key, ...]) -> None:
        begin = self.place
        name = self._match(_NAME, "a parameter such as k0_0.1, or lrPolicy_NAME")
        key = "policy" if name == "lrPolicy" else name
        if key in values:
            self.place = begin
            raise self._error(f"every parameter once, {name} is there already")
        self._expect("_", f"'_' and the value of {name}")
        self.positions[(*path, key)] = self.place + 1
        if self._take("None"):
            return
        if key in _TEXTS:
            values[key] = self._match(_WORD, f"the {name} as a word")
            return
        numbers = self._numbers(key, (*path, key))
        values[key] = numbers if len(numbers) > 1 else numbers[0]

    def _numbers(self, key: str, path: tuple[Key, ...]) -> list[float]:
        numbers: list[float] = []
        while True:
            self.positions[(*path, len(numbers))] = self.place + 1
            begin, text = self.place, self._match(_NUMBER, "a number")
            if len(text) > MOST_CHARACTERS:
                self.place = begin
                raise self._error(f"a number of at most {MOST_CHARACTERS} characters")
            numbers.append(_number(text, whole=key in (*_WHOLE, "at")))
            if not re.compile(r"\+[0-9.]").match(self.text, self.place):
                return numbers
            self.place += 1

    def _move(self, path: tuple[Key, ...], begin: int) -> None:
        """The positions of the first part of several to those of a policy that is alone."""
        prefix = (*path, "parts", 0)
        own = {place: self.positions.pop(place) for place in list(self.positions) if place[: len(prefix)] == prefix}
        self.positions.update({(*path, *place[len(prefix) :]): position for place, position in own.items()})
        self.positions[path] = begin + 1

    def _take(self, token: str) -> bool:
        if not self.text.startswith(token, self.place):
            return False
        self.place += len(token)
        return True

    def _expect(self, token: str, what: str) -> None:
        if not self._take(token):
            raise self._error(what)

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self.text, self.place)
        if match is None:
            raise self._error(what)
        self.place = match.end()
        return match.group()

    def _error(self, expected: str) -> PolicyError:
        found = repr(self.text[self.place : self.place + 12]) if self.place < len(self.text) else "the end"
        return PolicyError(
            f"{self.text!r} is no policy in LRBench's string form: "
            f"at position {self.place + 1} there should be {expected}, not {found}"
        )


def _number(text: str, *, whole: bool) -> float:
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    number = float(text)
    return int(number) if whole and is_whole(number) else number
