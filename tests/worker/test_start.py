"""The start of jobs side by side: nobody trains before the word, and a harness that has gone is told."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from frameworks.worker.events import EventLog
from frameworks.worker.start import wait_for_start


def events_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def pipe_in(folder: Path) -> tuple[str, int]:
    path = folder / "start.pipe"
    os.mkfifo(path)
    return str(path), os.open(path, os.O_RDWR | os.O_NONBLOCK)


def test_it_says_that_it_is_ready_and_waits_for_the_word(tmp_path: Path) -> None:
    path, descriptor = pipe_in(tmp_path)
    events = EventLog(str(tmp_path / "events.jsonl"), str(tmp_path / "none.sock"))
    waiting = threading.Thread(target=wait_for_start, args=(path, events))
    waiting.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "events.jsonl").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    waiting.join(0.2)
    assert waiting.is_alive()
    assert [event["event"] for event in events_of(tmp_path)] == ["ready"]
    os.write(descriptor, b"!")
    waiting.join(30)
    os.close(descriptor)
    ready, start = events_of(tmp_path)
    assert start["event"] == "start"
    assert 0.2e9 <= start["waited_ns"] <= start["t_ns"] - ready["t_ns"]


def test_a_word_given_before_it_listens_is_not_lost(tmp_path: Path) -> None:
    path, descriptor = pipe_in(tmp_path)
    os.write(descriptor, b"!")
    wait_for_start(path, EventLog(str(tmp_path / "events.jsonl"), str(tmp_path / "none.sock")))
    os.close(descriptor)
    assert [event["event"] for event in events_of(tmp_path)] == ["ready", "start"]


def test_a_harness_that_has_gone_is_an_error(tmp_path: Path) -> None:
    path, descriptor = pipe_in(tmp_path)
    threading.Timer(0.3, os.close, [descriptor]).start()
    for _ in range(2):  # while it waits, and before
        with pytest.raises(RuntimeError, match="the harness has gone"):
            wait_for_start(path, EventLog(str(tmp_path / "events.jsonl"), str(tmp_path / "none.sock")))
