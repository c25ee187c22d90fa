"""A trial folder in any state is read without an error."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameworks.worker.protocol import STEP_RECORD
from harness.records.manifest import make_manifest, to_json
from harness.records.reading import read_trial_folder
from harness.records.tables import tables_of
from harness.sampling.schema import SAMPLE_RECORD
from tests import factories

TRIAL = factories.make_trial(steps=6, every_steps=3)
TIMELINE = factories.make_timeline(TRIAL)
EVENTS = factories.encode_events(TIMELINE)
STEPS = factories.encode_steps(TIMELINE)


def read_and_convert(folder: Path) -> dict:
    files = read_trial_folder(folder)
    tables_of(files)
    made = make_manifest(factories.make_outcome(folder, TRIAL, TIMELINE, "crashed"), files)
    to_json(made)
    return made


def test_an_empty_folder(tmp_path: Path) -> None:
    made = read_and_convert(tmp_path)
    assert made["phases"] == [] and made["notes"] == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    read_and_convert(tmp_path / "gone")


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(EVENTS)))
def test_events_cut_at_any_byte_keep_every_whole_line(cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "events.jsonl").write_bytes(EVENTS[:cut])
        files = read_trial_folder(folder)
        whole = EVENTS[:cut].count(b"\n")
        assert whole <= len(files.events) <= whole + 1
        read_and_convert(folder)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(STEPS)))
def test_steps_cut_at_any_byte_keep_every_whole_record(cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "steps.bin").write_bytes(STEPS[:cut])
        files = read_trial_folder(folder)
        assert len(files.steps["step"]) == cut // STEP_RECORD.size
        assert bool(files.notes) == bool(cut % STEP_RECORD.size)
        assert read_and_convert(folder)["summary"]["steps_done"] in (None, cut // STEP_RECORD.size)


JSON_FILES = ("events.jsonl", "launcher.jsonl", "sampler-report.json", "sampler.json")
BINARY_FILES = ("steps.bin", "samples.bin", "processes.bin", "gpus.bin")


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(JSON_FILES + BINARY_FILES), content=st.binary(max_size=800), after=st.booleans())
def test_garbage_never_raises(name: str, content: bytes, after: bool) -> None:
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        factories.write_trial_folder(folder, TRIAL, TIMELINE)
        before = (folder / name).read_bytes() if after else b""
        (folder / name).write_bytes(before + content)
        read_and_convert(folder)


@settings(max_examples=60, deadline=None)
@given(
    event=st.sampled_from(["phase", "evaluation", "first_step", "done", "describe", "strange"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda x: st.lists(x, max_size=2)
    ),
)
def test_values_of_the_wrong_type_become_null(event: str, value: object) -> None:
    line = {"t_ns": 1, "event": event, "phase": "train", "step": value, "steps": value, "top1": value, "loss": value}
    line |= {"duration_ns": value, "split": "test", "process_cpu_ns": value, "images": value}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "events.jsonl").write_text(json.dumps(line) + "\n")
        read_and_convert(Path(name))


@pytest.mark.parametrize(
    "line",
    [
        b'{"t_ns": 99999999999999999999999, "event": "phase", "phase": "train"}',
        b'{"t_ns": 5, "event": "phase", "phase": "lunch"}',
        b'{"t_ns": 5, "event": "warning", "message": "\\ud800"}\n{"t_ns": "5", "event": "warning"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_bad_line_is_noted_and_the_others_count(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(line + b"\n" + EVENTS)
    made = read_and_convert(tmp_path)
    assert any(note.startswith("events.jsonl: line") for note in made["notes"])
    assert len(made["phases"]) == len(TIMELINE.marks) - 1


def test_much_damage_does_not_make_an_endless_list(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"x\n" * 10_000)
    assert len(read_and_convert(tmp_path)["notes"]) == 21


def test_steps_stop_where_they_no_longer_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "steps.bin").write_bytes(STEPS + bytes(3 * STEP_RECORD.size))
    files = read_trial_folder(tmp_path)
    assert len(files.steps["step"]) == 6
    assert "3 dropped" in files.notes[0]


def test_samples_stop_where_they_go_back_in_time(tmp_path: Path) -> None:
    rows = factories.make_samples(TIMELINE, cgroup=False, resident_bytes=1000)
    (tmp_path / "samples.bin").write_bytes(factories.encode_samples(rows) + bytes(2 * SAMPLE_RECORD.size))
    files = read_trial_folder(tmp_path)
    assert files.samples is not None and len(files.samples["seq"]) == len(rows)
    assert "back in time" in " ".join(files.notes)


def test_links_and_sockets_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(EVENTS)
    (folder / "events.jsonl").symlink_to(tmp_path / "secret")
    here = Path.cwd()
    os.chdir(folder)  # a socket's path has little room
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind("steps.bin")
            files = read_trial_folder(folder)
    finally:
        os.chdir(here)
    assert files.events == [] and len(files.steps["step"]) == 0
