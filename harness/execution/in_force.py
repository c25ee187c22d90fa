"""What the harness itself checks of a launched trial: the memory limit in force, the code that is measured."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.paths import PROJECT_ROOT

LIMIT_FILES = ("memory.max", "memory.limit_in_bytes")
WORKER_FOLDER = PROJECT_ROOT / "frameworks" / "worker"


def memory_limit_mismatch(
    cgroup_paths: Mapping[str, str | None] | None, profile: Mapping[str, Any]
) -> dict[str, Any] | None:
    """An event `profile_not_in_force` when the memory limit asked for is not the one that the kernel keeps.

    An engine on a kernel without memory control starts the container all the same, without the limit.
    """
    asked = profile.get("memory_bytes")
    if not asked:
        return None
    found = memory_limit_bytes(cgroup_paths)
    if found is not None and found <= asked:
        return None
    return {
        "event": "profile_not_in_force",
        "t_ns": time.monotonic_ns(),
        "key": "memory",
        "asked": asked,
        "found": found if found is not None else "no limit that the kernel tells",
    }


def memory_limit_bytes(cgroup_paths: Mapping[str, str | None] | None) -> int | None:
    """The memory limit of a job's cgroup; None where there is none or it cannot be read."""
    folder = (cgroup_paths or {}).get("memory")
    for name in LIMIT_FILES if folder else ():
        try:
            return int((Path(str(folder)) / name).read_text())
        except (OSError, ValueError):  # no such file, or the word "max"
            continue
    return None


def code_hash(adapter_folder: Path) -> str:
    """SHA-256 over names and contents of the adapter's and the worker's Python files: the code behind a number."""
    digest = hashlib.sha256()
    for folder in (adapter_folder, WORKER_FOLDER):
        for path in sorted(folder.glob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()
