"""What the sampler listens to: its standard input, the phase socket, the end of the target, SIGTERM."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from typing import Any

from frameworks.worker.protocol import END, PHASES
from harness.sampling.schema import SOCKET_FILE

_STDIN = 0
_MOST_POKES = 1024
_PHASES = (*PHASES, END)


class Control:
    """Waits for a deadline or an event. The working directory must be the trial folder (short socket path)."""

    def __init__(self) -> None:
        self._waiting = b""
        self._ended = False
        self._target: int | None = None
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the harness's to handle: it stops us in good order
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write)
        signal.signal(signal.SIGTERM, lambda *_: None)
        if os.path.lexists(SOCKET_FILE):  # noqa: PTH110
            os.unlink(SOCKET_FILE)  # noqa: PTH108 (no pathlib in the sampler: memory)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(SOCKET_FILE)
        os.chmod(SOCKET_FILE, 0o666)  # noqa: PTH101 (a worker in a container may have another uid)

    def wait(self, timeout_s: float) -> list[tuple[str, Any]]:
        """Events within the time, in the order in which they should be handled.

        They are `("target", message)`, `("phase", names)`, `("exit", None)`, `("stop", by)` and `("bad", line)`. The
        names are those of the phases that begin, in order; None for a mark that does not tell.
        """
        waiting: list[Any] = [_STDIN, self._socket, self._wake_read]
        if self._target is not None:
            waiting.append(self._target)
        readable, _, _ = select.select(waiting, [], [], max(0.0, timeout_s))
        events: list[tuple[str, Any]] = []
        if _STDIN in readable:
            events += self._read_stdin()
        if self._socket in readable and (phases := self._drain_socket()):
            events.insert(0, ("phase", phases))  # the mark came before whatever ends the trial
        if self._target is not None and self._target in readable:
            self._forget_target()
            events.append(("exit", None))
        if self._wake_read in readable:
            os.read(self._wake_read, 64)
            events.append(("stop", "terminated"))
        return events

    def watch(self, pid: int) -> str | None:
        """Report `exit` when this process ends. Returns why not, if that cannot be had."""
        self._forget_target()
        try:
            self._target = os.pidfd_open(pid)
        except (OSError, AttributeError) as error:
            return f"pidfd_open: {error}"
        return None

    def close(self) -> None:
        """Remove the socket."""
        self._socket.close()
        self._forget_target()
        if os.path.lexists(SOCKET_FILE):  # noqa: PTH110
            os.unlink(SOCKET_FILE)  # noqa: PTH108

    def _forget_target(self) -> None:
        if self._target is not None:
            os.close(self._target)
            self._target = None

    def _read_stdin(self) -> list[tuple[str, Any]]:
        part = os.read(_STDIN, 65536)
        if not part:
            return [("stop", "harness_gone")]
        *lines, self._waiting = (self._waiting + part).split(b"\n")
        return [_event(line) for line in lines if line.strip()]

    def _drain_socket(self) -> list[str | None]:
        """Take all waiting bytes: several marks at once are served by one sample."""
        phases: list[str | None] = []
        for _ in range(_MOST_POKES):
            try:
                content = self._socket.recv(64)
            except BlockingIOError:
                break
            code = content[0] if content else len(_PHASES)
            phases.append(_PHASES[code] if code < len(_PHASES) else None)
        return phases


def _event(line: bytes) -> tuple[str, Any]:
    try:
        message = json.loads(line)
        if message.get("stop"):
            return "stop", "stop"
        target = message["target"]
        return "target", {
            "pid": int(target["pid"]),
            "cgroup": dict(target.get("cgroup") or {}),
            "exclude_root": bool(target.get("exclude_root", True)),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return "bad", f"{error!r} in {line[:200]!r}"
