"""Read what a trial left behind, whatever state it is in: nothing here raises for bad content, it leaves a note."""

from __future__ import annotations

import json
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frameworks.worker.protocol import (
    DATA_NS_UNKNOWN,
    EVENTS_FILE,
    LAUNCHER_FILE,
    STEP_FIELDS,
    STEP_RECORD,
    STEPS_FILE,
    ProtocolError,
    parse_event,
)
from harness.sampling import decoding
from harness.sampling import schema as sampled

if TYPE_CHECKING:
    import numpy as np

Table = dict[str, Any]
"""Column -> sequence of values (a list, or a NumPy array where nothing is null); None for null."""
_INT64 = 2**63
_MOST_NOTES = 20


@dataclass
class TrialFiles:
    """A trial folder, read.

    Attributes:
        events: the valid lines of events.jsonl, in order.
        steps: column -> NumPy array, whole and plausible records only.
        samples, gpus, processes: the sampler's tables; None where there is none.
        launcher: the valid lines of launcher.jsonl.
        sampler_report, sampler_settings: the sampler's JSON files; empty where missing.
        notes: what was found damaged, in sentences.
        missing: file -> why it could not be used.
        damaged: names of the files that have a note; their raw form is kept in the record.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    steps: Table = field(default_factory=dict)
    samples: Table | None = None
    gpus: Table | None = None
    processes: Table | None = None
    launcher: list[dict[str, Any]] = field(default_factory=list)
    sampler_report: dict[str, Any] = field(default_factory=dict)
    sampler_settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)

    @property
    def sampler_reasons(self) -> dict[str, str]:
        """Column of `samples` (or `gpu`) -> why the sampler could not measure it."""
        told = self.sampler_report.get("not_measured")
        return {str(key): str(reason) for key, reason in told.items()} if isinstance(told, dict) else {}

    def note(self, file: str, text: str) -> None:
        """Remember that a file is damaged."""
        self.damaged.add(file)
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(f"{file}: {text}")
        elif len(self.notes) == _MOST_NOTES:
            self.notes.append("more damage was found than is listed here")


def read_trial_folder(folder: Path) -> TrialFiles:
    """Read a trial folder; files that are missing, cut or garbled leave a note, never an error."""
    files = TrialFiles()
    files.events = _read_events(files, _content(files, folder, EVENTS_FILE))
    files.steps = _read_steps(files, _content(files, folder, STEPS_FILE))
    files.launcher = _read_launcher(files, _content(files, folder, LAUNCHER_FILE))
    files.sampler_report = _read_json(files, folder, sampled.REPORT_FILE)
    files.sampler_settings = _read_json(files, folder, sampled.CONFIGURATION_FILE)
    _read_sampled(files, folder)
    return files


def is_regular(path: Path) -> bool:
    """Whether `path` is a file itself: no link, which could lead out of the trial folder, and no socket."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def integer(value: Any) -> int | None:
    """`value` if it is a whole number that fits 64 bits, else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_INT64 <= value < _INT64 else None


def number(value: Any) -> float | None:
    """`value` as a float if it is a number (it may be NaN: a loss that diverged is measured), else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def text(value: Any) -> str | None:
    """`value` if it is text, with what UTF-8 cannot hold replaced, else None."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else None


def _content(files: TrialFiles, folder: Path, name: str) -> bytes:
    path = folder / name
    if not is_regular(path):
        files.missing[name] = "the file is missing"
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        files.missing[name] = f"the file cannot be read: {error.strerror}"
        files.note(name, files.missing[name])
        return b""
    if not content:
        files.missing[name] = "the file is empty"
    return content


def _lines(content: bytes) -> list[tuple[int, bytes, bool]]:
    """(number, line, whether it has its newline) of every line that is not blank."""
    parts = content.split(b"\n")
    last = len(parts)
    return [(number, line, number < last) for number, line in enumerate(parts, start=1) if line.strip()]


def _read_events(files: TrialFiles, content: bytes) -> list[dict[str, Any]]:
    events = []
    for line_number, line, whole in _lines(content):
        try:
            event = parse_event(line, line_number)
        except (ProtocolError, RecursionError) as error:
            what = "is cut" if not whole else f"is not an event ({str(error)[:160]})"
            files.note(EVENTS_FILE, f"line {line_number} {what}")
            continue
        if integer(event["t_ns"]) is None:
            files.note(EVENTS_FILE, f"line {line_number} has a t_ns beyond 64 bits")
            continue
        events.append(event)
    return events


def _read_steps(files: TrialFiles, content: bytes) -> Table:
    import numpy as np

    size = STEP_RECORD.size
    whole = len(content) // size
    if len(content) % size:
        files.note(STEPS_FILE, f"cut in the middle of record {whole + 1}")
    types = np.dtype([(name, f"<{code}8") for name, code in zip(STEP_FIELDS, "iiiff", strict=True)])
    records = np.frombuffer(content[: whole * size], dtype=types)
    count = _plausible(records["step"], records["t_end_ns"], records["data_ns"])
    if count < whole:
        files.note(STEPS_FILE, f"record {count + 1} does not follow the one before it; {whole - count} dropped")
    return {name: records[name][:count] for name in STEP_FIELDS}


def _plausible(step: np.ndarray, t_end_ns: np.ndarray, data_ns: np.ndarray) -> int:
    """How many records from the first on are in order: steps counted by one, time never going back."""
    import numpy as np

    before_ns = np.concatenate([[0], t_end_ns[:-1]])[: len(t_end_ns)]
    wrong = (step != np.arange(1, len(step) + 1)) | (t_end_ns < before_ns) | (data_ns < DATA_NS_UNKNOWN)
    return int(np.argmax(wrong)) if wrong.any() else len(step)


def _read_launcher(files: TrialFiles, content: bytes) -> list[dict[str, Any]]:
    found = []
    for line_number, line, _ in _lines(content):
        value = _json_object(line)
        if value is None or not isinstance(value.get("event"), str):
            files.note(LAUNCHER_FILE, f"line {line_number} is not an event")
        else:
            found.append(value)
    return found


def _read_json(files: TrialFiles, folder: Path, name: str) -> dict[str, Any]:
    content = _content(files, folder, name)
    value = _json_object(content) if content else {}
    if value is None:
        files.missing[name] = "the file is not JSON"
        files.note(name, "not a JSON object")
    return value or {}


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_sampled(files: TrialFiles, folder: Path) -> None:
    files.samples = _sampled(files, folder / sampled.SAMPLES_FILE, decoding.read_samples, sampled.SAMPLE_RECORD)
    files.gpus = _sampled(files, folder / sampled.GPUS_FILE, decoding.read_gpus, sampled.GPU_RECORD)
    files.processes = _sampled(files, folder / sampled.PROCESSES_FILE, decoding.read_processes, sampled.PROCESS_RECORD)
    if files.samples is not None:
        files.samples = _in_order(files, files.samples)


def _sampled(files: TrialFiles, path: Path, decode: Callable[..., Any], record: struct.Struct) -> Table | None:
    from numpy.ma import MAError

    if not is_regular(path):
        files.missing[path.name] = "the sampler wrote no such file"
        return None
    try:
        size = decoding.record_bytes(path) or record.size  # an older sampler's records may be shorter
        if (path.stat().st_size - sampled.HEADER.size) % size:
            files.note(path.name, "cut in the middle of a record")
        table = {column: _plain(values) for column, values in decode(path).items()}
    # Whatever a decoder makes of garbage, the record is worth more than the type of its complaint.
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, struct.error, MAError) as error:
        files.missing[path.name] = f"the file cannot be decoded: {error}"
        files.note(path.name, files.missing[path.name])
        return None
    if not any(len(values) for values in table.values()):
        files.missing[path.name] = "the sampler wrote no rows"
        return None
    return table


def _plain(values: Any) -> list[Any]:
    """A masked array as a list with None, anything else as a list."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _in_order(files: TrialFiles, samples: Table) -> Table | None:
    """The samples up to the first that has no time or goes back in time: what follows it is garbage."""
    last_ns, count = -1, 0
    for t_ns in samples["t_start_ns"]:
        if t_ns is None or t_ns < last_ns:
            files.note(sampled.SAMPLES_FILE, f"row {count + 1} goes back in time; it and what follows are dropped")
            break
        last_ns, count = t_ns, count + 1
    if not count:
        files.missing[sampled.SAMPLES_FILE] = "no row of the file has a time"
        return None
    return {column: values[:count] for column, values in samples.items()}
