"""Any command under the launcher and the sampler: what `dlgauge sample` measures."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from frameworks.worker import launcher
from harness.errors import DlgaugeError
from harness.sampling.cgroups import TrialCgroup, create_trial_cgroup
from harness.sampling.client import SamplerProcess

LAUNCH_FILE = "launch.json"
GRACE_S = 10.0
"""How long a command may take to end once it was asked to; then it is killed, with all it has started."""

NOT_EXECUTABLE_STATUS = 126
NOT_FOUND_STATUS = 127


class CommandError(DlgaugeError):
    """A command that cannot be started.

    Attributes:
        exit_status: as a shell's: 127 not found, 126 found but not a program.
    """

    def __init__(self, what: str, exit_status: int, hint: str) -> None:
        super().__init__(what, hint=hint)
        self.exit_status = exit_status


@dataclass(frozen=True)
class CommandRun:
    """A command that has ended, with the sampler's and the launcher's files in its folder.

    Attributes:
        argv: the command as it was given.
        folder: where the files are.
        exit_status: as a shell's: 128 + number where a signal ended it.
        t_begin_ns: CLOCK_MONOTONIC before the launcher was started.
        t_end_ns: when everything had ended.
        not_measured: key -> reason, for what could not be measured.
    """

    argv: tuple[str, ...]
    folder: Path
    exit_status: int
    t_begin_ns: int
    t_end_ns: int
    not_measured: dict[str, str] = field(default_factory=dict)


def run_command(
    argv: Sequence[str], folder: Path, *, period_ns: int = 100_000_000, stdout_to_stderr: bool = False
) -> CommandRun:
    """Run a command as a shell would, in this working directory with these streams, and sample all it starts.

    The command has ended when its last process has: what it leaves behind is waited for, so that it is counted. A
    signal to stop (Ctrl-C, SIGTERM, SIGHUP) is the command's to handle; what it leaves behind is then killed, and so
    is the command itself after 10 s or at the second signal.

    Args:
        argv: the program, found as a shell finds it, and its arguments.
        folder: where the files go; exists and is empty.
        period_ns: between two samples.
        stdout_to_stderr: join the command's standard output to its standard error.

    Raises:
        CommandError: there is no such program.
        SamplerError: the sampler did not start; the command was not started either.
    """
    program = find_program(argv[0])
    cgroup, why_none = create_trial_cgroup("sample")
    not_measured = dict(cgroup.not_measured) if cgroup else {"cgroup": why_none or "none can be had"}
    try:
        with SamplerProcess.start(folder, {"period_ns": period_ns}) as sampler:
            _write_launch_file(folder, [program, *argv[1:]], cgroup, stdout_to_stderr)
            t_begin_ns = time.monotonic_ns()
            process = _start_launcher(folder)
            with _ended_at_exit(process, cgroup):
                _sample_until_end(process, sampler, cgroup, not_measured)
    finally:
        if cgroup is not None:
            cgroup.kill_all()
            cgroup.remove()
    return CommandRun(
        argv=tuple(argv),
        folder=folder,
        exit_status=_exit_status(process.returncode),
        t_begin_ns=t_begin_ns,
        t_end_ns=time.monotonic_ns(),
        not_measured=not_measured,
    )


def find_program(name: str) -> str:
    """The path of a program, looked for as a shell does.

    Raises:
        CommandError: not found, or not executable.
    """
    if found := shutil.which(name):
        return os.path.abspath(found)  # noqa: PTH100 (resolve() would lose the name of a link, which may be its meaning)
    if os.sep in name and Path(name).exists():
        what = "is a folder" if Path(name).is_dir() else "is not executable"
        raise CommandError(f"{name!r} {what}", NOT_EXECUTABLE_STATUS, "name a program, or the interpreter before it")
    raise CommandError(
        f"command not found: {name!r}",
        NOT_FOUND_STATUS,
        "check its spelling or give its path; the shell's own words (aliases, cd) need `bash -c '...'`",
    )


def _write_launch_file(folder: Path, argv: list[str], cgroup: TrialCgroup | None, stdout_to_stderr: bool) -> None:
    """For `frameworks/worker/launcher.py`. The environment is inherited: it may hold secrets, and is never written."""
    launch: dict[str, Any] = {
        "argv": argv,
        "environment": None,
        "cpus": [],
        "join": [str(path) for path in cgroup.procs_files] if cgroup else [],
        "parent": os.getpid(),
        "deadline_s": None,
        "cwd": str(Path.cwd()),
        "inherit_streams": True,
        "stdout_to_stderr": stdout_to_stderr,
        "left_behind": "wait",
        "forward_signals": True,
    }
    (folder / LAUNCH_FILE).write_text(json.dumps(launch, indent=1) + "\n")


def _start_launcher(folder: Path) -> subprocess.Popen[bytes]:
    """In this session and process group: the command may read from the terminal."""
    return subprocess.Popen([sys.executable, "-I", "-S", launcher.__file__, str(folder.resolve())])


@contextmanager
def _ended_at_exit(process: subprocess.Popen[bytes], cgroup: TrialCgroup | None) -> Iterator[None]:
    """Whatever happens inside, nothing of the command runs on afterwards, and the launcher is reaped."""
    try:
        yield
    finally:
        if not _has_ended(process):
            _kill(process, cgroup)
        process.wait()


def _sample_until_end(
    process: subprocess.Popen[bytes],
    sampler: SamplerProcess,
    cgroup: TrialCgroup | None,
    not_measured: dict[str, str],
) -> None:
    """Wait for the launcher's end and stop the sampler before the launcher is reaped."""
    try:
        sampler.set_target(process.pid, cgroup.paths if cgroup else None)
    except DlgaugeError as error:
        not_measured["samples"] = str(error)
    with _passed_on(process, cgroup):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    try:
        sampler.stop()
    except DlgaugeError as error:
        not_measured["sampler_report"] = str(error)


@contextmanager
def _passed_on(process: subprocess.Popen[bytes], cgroup: TrialCgroup | None) -> Iterator[None]:
    """Signals to stop go to the launcher, which knows whether the command has had them already; then it is killed."""
    asked = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if number == signal.SIGALRM or asked:
            _kill(process, cgroup)
            return
        asked = True
        os.kill(process.pid, signal.SIGRTMIN + number)
        signal.setitimer(signal.ITIMER_REAL, GRACE_S)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in (*heard, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _kill(process: subprocess.Popen[bytes], cgroup: TrialCgroup | None) -> None:
    """Kill everything but the launcher, which tells what became of it."""
    os.kill(process.pid, launcher.KILL_SIGNAL)
    if cgroup is not None:
        cgroup.kill_all()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _exit_status(returncode: int) -> int:
    return launcher.SIGNAL_EXIT_BASE - returncode if returncode < 0 else returncode
