"""Reading what a worker writes while it writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from frameworks.worker.protocol import STEP_FIELDS, STEP_RECORD, ProtocolError, parse_event


class EventTail:
    """Events of `events.jsonl` in the order written, each given out once.

    After a line that is not the protocol, `protocol_error` says which, and the lines after it are still read: what a
    worker said before and after some garbage is evidence too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0
        self.protocol_error: str | None = None

    def read(self, *, at_end: bool = False) -> list[dict[str, Any]]:
        """New events; an unfinished last line is left for the next call, or is an error when `at_end`."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        complete, newline, rest = data.rpartition(b"\n")
        self._offset += len(complete) + len(newline)
        lines = complete.split(b"\n") if newline else []
        if at_end and rest:
            lines.append(rest)
        return [event for line in lines if (event := self._parse(line)) is not None]

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        self._line += 1
        try:
            return parse_event(line, self._line)
        except ProtocolError as error:
            self.protocol_error = self.protocol_error or str(error)
            return None


class Step(NamedTuple):
    """One finished training step."""

    step: int
    t_end_ns: int
    data_ns: int
    loss: float
    learning_rate: float


assert Step._fields == STEP_FIELDS


def last_step(path: Path) -> Step | None:
    """The newest whole record of `steps.bin`; None when there is none."""
    try:
        whole = path.stat().st_size // STEP_RECORD.size
        if not whole:
            return None
        with path.open("rb") as file:
            file.seek((whole - 1) * STEP_RECORD.size)
            return Step(*STEP_RECORD.unpack(file.read(STEP_RECORD.size)))
    except OSError:
        return None


def log_tail(folder: Path, names: tuple[str, ...], lines: int = 20, limit_bytes: int = 16384) -> tuple[str, ...]:
    """The last lines of the first of these logs that holds any text, control characters made visible."""
    for name in names:
        try:
            with (folder / name).open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - limit_bytes))
                text = file.read().decode("utf-8", "backslashreplace")
        except OSError:
            continue
        if text.strip():
            return tuple(_visible(line) for line in text.strip("\n").split("\n")[-lines:])
    return ()


def _visible(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in line)[:2000]
