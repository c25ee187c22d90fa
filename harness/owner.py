"""Who made a folder or a container, so that a later process can tell whether its maker is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def describe_owner() -> dict[str, Any]:
    """This process: `pid`, `start_ticks` (since boot), `boot_id`, `host`; together they are unique."""
    pid = os.getpid()
    return {"pid": pid, "start_ticks": _start_ticks(pid), "boot_id": _boot_id(), "host": socket.gethostname()}


def owner_is_gone(owner: Mapping[str, Any]) -> bool:
    """True only when it is certain: the processes of another machine on the same disk or engine cannot be seen.

    Raises:
        KeyError, ValueError, TypeError: this describes no owner.
    """
    pid, host, boot_id, start_ticks = int(owner["pid"]), owner["host"], owner["boot_id"], owner["start_ticks"]
    if host != socket.gethostname():
        return False
    return bool(boot_id != _boot_id() or start_ticks is None or start_ticks != _start_ticks(pid))


def _start_ticks(pid: int) -> int | None:
    """Start of a process since boot, in ticks: with the pid it is unique. None when there is no such process."""
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets too; the start is field 22.
    return int(content[content.rindex(b")") + 2 :].split()[19])


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
