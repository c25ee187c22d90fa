"""What the harness itself checks of a launched trial: the memory limit in force, the code that is measured."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frameworks.worker.limits import limits_of
from harness.paths import PROJECT_ROOT

PEAK_FILES = ("memory.peak", "memory.max_usage_in_bytes")
WORKER_FOLDER = PROJECT_ROOT / "frameworks" / "worker"


def memory_mismatches(
    cgroup_paths: Mapping[str, str | None] | None, profile: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Events `profile_not_in_force` where the memory limit asked for is not the one that the kernel keeps.

    An engine on a kernel without memory control starts the container all the same, without the limit; a cgroup further
    up may have a smaller one. The worker looks for itself as well, but not before it has started: this is seen at once.
    """
    asked = profile.get("memory_bytes")
    if not asked:
        return []
    found, why_not = memory_limit_bytes(cgroup_paths)
    if found is not None and abs(found - asked) < os.sysconf("SC_PAGE_SIZE"):
        return []
    return [
        {
            "event": "profile_not_in_force",
            "t_ns": time.monotonic_ns(),
            "key": "memory",
            "wanted": asked,
            "found": found if found is not None else why_not,
        }
    ]


def memory_limit_bytes(cgroup_paths: Mapping[str, str | None] | None) -> tuple[int | None, str]:
    """The smallest memory limit of a job's cgroup and those above it, or None; and why there is none."""
    folder = (cgroup_paths or {}).get("memory")
    if not folder:
        return None, "no memory cgroup of its own"
    try:
        return limits_of(folder)["memory_bytes"], "no limit"
    except (OSError, ValueError) as error:
        return None, str(error)


def peak_memory_bytes(cgroup_paths: Mapping[str, str | None] | None) -> int | None:
    """The largest memory use of a job's cgroup so far, as the kernel keeps it; None where it does not."""
    folder = (cgroup_paths or {}).get("memory")
    for name in PEAK_FILES if folder else ():
        with contextlib.suppress(OSError, ValueError):
            return int((Path(str(folder)) / name).read_text())
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
