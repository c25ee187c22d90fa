"""Run the sampler beside a trial: start it, name its target, stop it, read its report."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError
from harness.paths import PROJECT_ROOT
from harness.sampling import schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
_LOG_TAIL_BYTES = 2000


class SamplerError(DlgaugeError):
    """The sampler process did not start, or did not answer."""


class SamplerProcess:
    """One running sampler. A context manager: leaving the block kills a sampler that was not stopped.

    The sampler reads the tree of a *root* process: give it with `set_target` once it runs. Stop the sampler before the
    root is reaped (`wait`) and before the trial's cgroup is removed: the last sample then still sees both.
    """

    def __init__(self, process: subprocess.Popen[bytes], trial_folder: Path, ready: dict[str, Any]) -> None:
        self._process = process
        self._trial_folder = trial_folder
        self.ready = ready
        """What the sampler said when it was ready: `pid`, `capabilities`, `not_measured`."""

    @classmethod
    def start(
        cls, trial_folder: Path, config: Mapping[str, Any] | None = None, *, timeout_s: float = READY_TIMEOUT_S
    ) -> SamplerProcess:
        """Write `sampler.json`, start the sampler and wait until it is ready to sample.

        Args:
            trial_folder: where the sampler writes; must exist.
            config: `period_ns` (100 ms), `medium_period_ns` (1 s), `gpu` (true), `gpu_uuids` (None: all GPUs are the
                trial's), `proc_root` ("/proc"), `sys_root` ("/sys").
            timeout_s: how long to wait.

        Raises:
            SamplerError: it ended or was not ready in time; the message ends with what it said.
        """
        folder = trial_folder.resolve()
        (folder / schema.CONFIGURATION_FILE).write_text(json.dumps(dict(config or {}), indent=1) + "\n")
        with (folder / schema.LOG_FILE).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-E", "-s", "-m", "harness.sampling", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=PROJECT_ROOT,
                start_new_session=True,
            )
        try:
            ready = json.loads(_read_line(process, time.monotonic() + timeout_s))
        except (ValueError, OSError) as error:
            _end(process)
            raise SamplerError(
                f"the sampler did not start: {error or 'no answer'} (exit status {process.returncode})",
                where=str(folder / schema.LOG_FILE),
                hint=_log_tail(folder) or "it said nothing",
            ) from error
        except BaseException:
            _end(process)
            raise
        return cls(process, folder, ready)

    @property
    def pid(self) -> int:
        """The sampler's process number."""
        return self._process.pid

    @property
    def socket_path(self) -> Path:
        """The datagram socket that takes one byte a phase mark."""
        return self._trial_folder / schema.SOCKET_FILE

    def set_target(
        self, pid: int, cgroup_paths: Mapping[str, str | None] | None = None, exclude_root: bool = True
    ) -> None:
        """Name the root of the tree to sample. May be called once the root runs; the sampler samples at once.

        Args:
            pid: the root: the launcher (venv) or the container's init.
            cgroup_paths: folders of the job's own cgroup (`cpu`, `memory`, `io`), see `harness.sampling.cgroups`.
            exclude_root: leave the root's own CPU time and memory out of the totals (it is our launcher).

        Raises:
            SamplerError: the sampler has ended.
        """
        paths = {key: value for key, value in (cgroup_paths or {}).items() if value}
        self._send({"target": {"pid": pid, "cgroup": paths or None, "exclude_root": exclude_root}})

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> dict[str, Any]:
        """Take the last sample, end the sampler, and return its report. May be called again.

        Raises:
            SamplerError: no end in time (it is killed then), or no report. The samples written so far remain readable.
        """
        with contextlib.suppress(SamplerError):  # already ended: its report tells
            self._send({"stop": True})
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SamplerError(
                f"the sampler did not stop within {timeout_s} s", hint=_log_tail(self._trial_folder)
            ) from None
        _end(self._process)
        try:
            report: dict[str, Any] = json.loads((self._trial_folder / schema.REPORT_FILE).read_text())
        except (OSError, ValueError) as error:
            raise SamplerError(
                f"the sampler ended with exit status {self._process.returncode} and without a report",
                where=str(self._trial_folder),
                hint=_log_tail(self._trial_folder),
            ) from error
        return report

    def kill(self) -> None:
        """End the sampler at once, without a last sample."""
        _end(self._process)

    def __enter__(self) -> SamplerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise SamplerError(
                "the sampler has ended", where=str(self._trial_folder), hint=_log_tail(self._trial_folder)
            ) from error


def _read_line(process: subprocess.Popen[bytes], deadline_s: float) -> bytes:
    """The first line of the process's standard output. Raises ValueError at its end or at the deadline."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    poll = select.poll()  # a harness with many open files may have a descriptor that select cannot take
    poll.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
            raise ValueError("it was not ready in time")
        if not (part := os.read(descriptor, 4096)):
            raise ValueError("it ended")
        line += part
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill and reap the process and close its pipes; harmless when it has ended."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # unsent bytes to a dead reader
                pipe.close()


def _log_tail(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return (folder / schema.LOG_FILE).read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "backslashreplace").strip()
    return ""
