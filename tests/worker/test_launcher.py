"""The launcher: nothing leaves its tree, every exit is written down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from frameworks.worker import launcher


def start(folder: Path, code: str, *, deadline_s: float = 60, cpus: list[int] | None = None) -> subprocess.Popen[bytes]:
    launch = {
        "argv": [sys.executable, "-c", code],
        "environment": {"PATH": os.environ["PATH"]},
        "cpus": cpus or [],
        "join": [],
        "parent": None,
        "deadline_s": deadline_s,
    }
    (folder / "launch.json").write_text(json.dumps(launch))
    return subprocess.Popen([sys.executable, "-I", "-S", launcher.__file__, str(folder)], start_new_session=True)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "launcher.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("code", "status"),
    [("pass", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 11)", 128 + 11)],
)
def test_the_worker_s_end_is_the_launcher_s(tmp_path: Path, code: str, status: int) -> None:
    assert start(tmp_path, code).wait(30) == status
    finished = log(tmp_path)[-1]
    assert finished["event"] == "finished"
    assert finished["children_user_s"] + finished["children_system_s"] > 0


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    process = start(tmp_path, "pass")
    process.wait(30)
    launch = json.loads((tmp_path / "launch.json").read_text())
    launch["argv"] = ["/no/such/program"]
    (tmp_path / "launch.json").write_text(json.dumps(launch))
    command = [sys.executable, "-I", "-S", launcher.__file__, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 127
    assert "cannot start ['/no/such/program']" in (tmp_path / "stderr.log").read_text()


def test_orphans_are_adopted_and_ended_with_the_worker(tmp_path: Path) -> None:
    nap = f"987.{os.getpid()}"  # no other run of this test has processes of that name
    code = f"import subprocess; subprocess.run(['sh', '-c', 'setsid sleep {nap} & setsid sleep {nap} & exit 0'])"
    assert start(tmp_path, code).wait(30) == 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", nap]]
    left = [line for line in log(tmp_path) if line.get("left_behind")]
    assert len(left) == 2 and {line["signal"] for line in left} == {signal.SIGKILL}


@pytest.mark.parametrize("how", ["SIGTERM", "deadline"])
def test_a_stop_ends_the_whole_tree(tmp_path: Path, how: str) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '986'], start_new_session=True); time.sleep(986)"
    process = start(tmp_path, code, deadline_s=1 if how == "deadline" else 60)
    while not (tmp_path / "launcher.jsonl").exists():
        time.sleep(0.01)
    if how == "SIGTERM":
        time.sleep(0.3)
        process.terminate()
    assert process.wait(30) == 128 + signal.SIGKILL
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "986"]]
    assert log(tmp_path)[-1]["stopped_by"] == how


def test_a_killed_launcher_takes_its_worker_along(tmp_path: Path) -> None:
    process = start(tmp_path, "import time; time.sleep(985)")
    while not (tmp_path / "launcher.jsonl").exists() or not log(tmp_path):
        time.sleep(0.01)
    worker = psutil.Process(log(tmp_path)[0]["pid"])
    process.kill()
    process.wait()
    worker.wait(10)


def test_the_worker_runs_on_its_cpus_from_its_first_instruction(tmp_path: Path) -> None:
    cpu = max(os.sched_getaffinity(0))
    start(tmp_path, "import os; print(sorted(os.sched_getaffinity(0)))", cpus=[cpu]).wait(30)
    assert (tmp_path / "stdout.log").read_text() == f"[{cpu}]\n"
