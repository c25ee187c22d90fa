"""Starting a worker under its launcher, and ending everything that came of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from frameworks.worker import launcher
from frameworks.worker.protocol import LAUNCHER_FILE
from harness.execution.in_force import peak_memory_bytes
from harness.sampling.cgroups import TrialCgroup

LAUNCH_FILE = "launch.json"
KILL_GRACE_S = 5.0
DEADLINE_MARGIN_S = 30.0
"""The launcher ends the worker by itself this long after the time limit, should the harness be gone by then."""


@dataclass(frozen=True)
class LaunchEnd:
    """How the processes of a trial ended.

    Attributes:
        exit_status: of the worker, where it exited by itself.
        signal: that ended the worker.
        out_of_memory: the kernel's out-of-memory killer was at work in the trial's cgroup.
        peak_memory_bytes: the largest memory use of that cgroup; None when unknown.
        exits: every reaped process with its CPU time, from the launcher's log.
        children_cpu_seconds: CPU time of all reaped processes (the launcher's `RUSAGE_CHILDREN`); None when unknown.
    """

    exit_status: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    exits: tuple[dict[str, Any], ...] = ()
    children_cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


class Launch(Protocol):
    """A worker under its launcher."""

    root_pid: int
    cgroup_paths: Mapping[str, str | None] | None

    def wait(self, timeout_s: float) -> bool:
        """True when the launcher has ended; returns after at most `timeout_s`."""

    def kill(self) -> None:
        """End every process of the trial."""

    def finish(self) -> LaunchEnd:
        """Reap, remove cgroup or container, tell how it ended. Called once, after `wait` said True or after `kill`."""


def write_launch_file(
    folder: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    cpus: Sequence[int] = (),
    join: Sequence[str] = (),
    parent: int | None = None,
    time_limit_s: float,
) -> None:
    """Write `launch.json` for `frameworks/worker/launcher.py`."""
    launch = {
        "argv": list(argv),
        "environment": dict(environment),
        "cpus": list(cpus),
        "join": list(join),
        "parent": parent,
        "deadline_s": time_limit_s + DEADLINE_MARGIN_S,
    }
    (folder / LAUNCH_FILE).write_text(json.dumps(launch, indent=1) + "\n")


class ProcessWatch:
    """Waits for the end of a process that need not be a child, without polling."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """True when the process has ended."""
        return bool(self._poll.poll(timeout_s * 1000))

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class VenvLaunch:
    """A worker as a process of this machine, in a session of its own, in a cgroup of its own where one can be had."""

    def __init__(self, folder: Path, cgroup: TrialCgroup | None) -> None:
        self._folder = folder
        self._cgroup = cgroup
        self.cgroup_paths: Mapping[str, str | None] | None = dict(cgroup.paths) if cgroup else None
        with (folder / "launcher.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", launcher.__file__, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.root_pid = self._process.pid
        try:
            self._watch = ProcessWatch(self.root_pid)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def wait(self, timeout_s: float) -> bool:
        """See `Launch`."""
        return self._watch.wait(timeout_s)

    def kill(self) -> None:
        """See `Launch`: the launcher kills its tree; if it does not answer, session and cgroup are killed."""
        self._process.send_signal(signal.SIGTERM)
        if not self._watch.wait(KILL_GRACE_S):
            self._process.kill()
            self._watch.wait(KILL_GRACE_S)

    def finish(self) -> LaunchEnd:
        """See `Launch`."""
        try:
            self._process.wait(KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._watch.close()
        try:
            os.killpg(self.root_pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        oom, peak = False, None
        if self._cgroup:
            oom, peak = bool(self._cgroup.oom_kills()), peak_memory_bytes(self.cgroup_paths)
            self._cgroup.kill_all()
            self._cgroup.remove()
        return end_from_launcher_log(self._folder, self._process.returncode, oom, peak)


def end_from_launcher_log(
    folder: Path, launcher_status: int | None, out_of_memory: bool, peak_memory_bytes: int | None = None
) -> LaunchEnd:
    """How the worker ended, from the launcher's log and the launcher's own exit status."""
    lines = launcher_lines(folder)
    worker = next((line["pid"] for line in lines if line["event"] == "started"), None)
    exits = tuple(line for line in lines if line["event"] == "exit")
    finished = next((line for line in lines if line["event"] == "finished"), None)
    cpu = finished["children_user_s"] + finished["children_system_s"] if finished else None
    of_worker = next((line for line in exits if line["pid"] == worker), None)
    if of_worker is None:
        # The launcher itself was ended, or never came as far as a worker.
        status, ended_by = status_or_signal(launcher_status)
        return LaunchEnd(status, ended_by, out_of_memory, exits, cpu, peak_memory_bytes)
    return LaunchEnd(of_worker["status"], of_worker["signal"], out_of_memory, exits, cpu, peak_memory_bytes)


def status_or_signal(code: int | None) -> tuple[int | None, int | None]:
    """(exit status, signal) of a code: negative from `subprocess`, 128 + signal from an engine."""
    if code is None or 0 <= code <= launcher.SIGNAL_EXIT_BASE:
        return code, None
    return None, -code if code < 0 else code - launcher.SIGNAL_EXIT_BASE


def launcher_lines(folder: Path) -> list[dict[str, Any]]:
    """The launcher's log; a line cut off by a kill is left out."""
    lines: list[dict[str, Any]] = []
    try:
        text = (folder / LAUNCHER_FILE).read_text()
    except OSError:
        return lines
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines
