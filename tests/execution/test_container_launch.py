"""What is known of a container's worker, with a real process for the worker and a stand-in for the engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.execution.container_launch import LABEL, ContainerLaunch, remove_stale_containers
from harness.owner import describe_owner


class Container:
    """A container whose first process is the given one."""

    def __init__(self, pid: int) -> None:
        self.attrs = {"State": {"Pid": pid, "ExitCode": 0, "Running": False}}

    def start(self) -> None:
        """Nothing: it runs."""

    def reload(self) -> None:
        """Nothing: its state is set."""

    def remove(self, **_: Any) -> None:
        """Nothing: the test ends the process."""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_the_peak_is_the_largest_that_was_seen_although_it_is_set_back_and_goes_away(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container(sleeper.pid)
    client = SimpleNamespace(containers=SimpleNamespace(create=lambda **_: container), close=lambda: None)
    launch = ContainerLaunch(client, tmp_path, {})
    peaks = iter([None, 300, 900, 200, None])
    monkeypatch.setattr("harness.execution.container_launch.peak_memory_bytes", lambda _: next(peaks))
    assert not any(launch.wait(0.01) for _ in range(4))
    sleeper.kill()
    assert launch.wait(30.0)
    assert launch.finish().peak_memory_bytes == 900


def test_a_job_that_starts_leaves_the_containers_beside_it_alone() -> None:
    """Jobs side by side have one owner; of that owner's containers only those that nobody waits for are left over."""
    removed: list[str] = []

    def container(name: str, owner: object) -> SimpleNamespace:
        labels = {LABEL: json.dumps(owner)}
        return SimpleNamespace(id=name, labels=labels, remove=lambda **_: removed.append(name))

    own = describe_owner()
    there = [container("beside", own), container("left over", own), container("another's", {"pid": 1})]
    client = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: there))
    assert remove_stale_containers(client, ["beside"]) >= 1
    assert "beside" not in removed and "left over" in removed
