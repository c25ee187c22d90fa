"""One run of a study at a time: who holds it, who waits, and what is left of a killed holder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.run import StoreKeeper
from harness.errors import StoreError
from harness.paths import PROJECT_ROOT
from harness.records import Store, locking, study_lock
from tests.execution import fake_study
from tests.execution.fake_study import write_study
from tests.records.test_salvage import left_behind

HOLD = """
import sys, time
from harness.records import study_lock
with study_lock(sys.argv[1], "mine", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the study `mine` of a store until its standard input is closed."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=pipe, stdout=pipe, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_says_who_holds_the_study_and_waits(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    told = []

    def on_wait(line: str) -> None:
        told.append(line)
        assert holder.poll() is None
        assert holder.stdin is not None
        holder.stdin.close()  # it ends in good order, and removes the file that is waited for

    with study_lock(tmp_path, "mine", on_wait):
        assert holder.wait(10) == 0
        assert (tmp_path / ".running" / "mine.lock").exists()
    who = f"another dlgauge (process {holder.pid} on {socket.gethostname()})"
    assert told == [f"{who} runs study 'mine' in this store; waiting for its end"]
    assert list((tmp_path / ".running").iterdir()) == []


def test_a_killed_holder_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    assert holder.wait(10) == -signal.SIGKILL
    assert (tmp_path / ".running" / "mine.lock").exists()
    with study_lock(tmp_path, "mine", pytest.fail):
        pass
    Store(tmp_path)  # what is left is a store still


def test_what_the_awaited_run_left_behind_becomes_records(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    keeper, told = StoreKeeper(tmp_path), list[str]()

    def on_wait(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            left_behind(tmp_path)
            holder.kill()

    with keeper.alone("mine", on_wait):
        (record,) = Store(tmp_path).records()
        assert record.termination == "killed"
    waiting, kept = told
    assert "waiting for its end" in waiting
    assert kept == f"kept what an earlier run left behind: {record.label}: killed ({record.path})"


def test_another_study_is_not_held(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with study_lock(tmp_path, "other", pytest.fail):
        assert holder.poll() is None


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_descriptor: int, _how: int) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locking.fcntl, "flock", flock)
    told: list[str] = []
    with study_lock(tmp_path, "mine", told.append):
        assert "no lock on" in told[0]
    assert list((tmp_path / ".running").iterdir()) == []


def test_a_terminal_that_has_gone_is_no_error_of_the_store(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    def gone(_line: str) -> None:
        holder.kill()
        raise BrokenPipeError("gone")

    with study_lock(tmp_path, "mine", gone):
        assert holder.wait(10) == -signal.SIGKILL


def test_another_file_at_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / ".running" / "mine.lock"
    with study_lock(tmp_path, "mine", pytest.fail):
        path.unlink()
        path.write_text("of somebody else")
    assert path.read_text() == "of somebody else"


def test_the_mode_of_the_lock_is_for_the_umask_to_say(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        with study_lock(tmp_path, "mine", pytest.fail):
            mode = (tmp_path / ".running" / "mine.lock").stat().st_mode & 0o777
    finally:
        os.umask(before)
    assert mode == 0o664


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".running").write_text("")
    with pytest.raises(StoreError, match="the store cannot be written"), study_lock(tmp_path, "mine", pytest.fail):
        pass


def test_two_runs_at_once_run_every_trial_once(tmp_path: Path) -> None:
    study, store = write_study(tmp_path, seeds=2), tmp_path / "store"
    command = [sys.executable, "-m", fake_study.__name__, str(study), str(store)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) for _ in range(2)]
    texts = sorted(run.communicate(timeout=120)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert len(Store(store).records(latest=False)) == 2
    waited = [text for text in texts if "waiting for its end" in text]
    assert len(waited) == 1
    assert "[1/" not in waited[0]
