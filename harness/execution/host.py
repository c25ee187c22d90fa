"""Facts of the machine that every record carries."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import psutil

GOVERNOR_FILE = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
ANCHOR_TRIES = 4


def describe_host() -> dict[str, Any]:
    """CPU, memory, kernel and load of this machine; a fact that cannot be read is None."""
    return {
        "machine": machine_facts(),
        "load_average_1min": os.getloadavg()[0],
        "memory_available_bytes": psutil.virtual_memory().available,
    }


def machine_facts() -> dict[str, Any]:
    """What does not change while a study runs; two records with equal facts came from the same kind of machine."""
    return {
        "hostname": platform.node() or None,
        "cpu_model": cpu_model(Path("/proc/cpuinfo")),
        "logical_cpus": psutil.cpu_count(logical=True),
        "physical_cores": psutil.cpu_count(logical=False),
        "memory_bytes": psutil.virtual_memory().total,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "operating_system": operating_system(),
        "frequency_governor": first_line(GOVERNOR_FILE),
        "swap_bytes": psutil.swap_memory().total,
    }


def cpu_model(cpuinfo: Path) -> str | None:
    """The `model name` of the first processor."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def operating_system() -> str | None:
    """The distribution's own name for itself."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def first_line(path: Path) -> str | None:
    """The first line of a small file; None when it cannot be read."""
    try:
        return path.read_text().splitlines()[0]
    except (OSError, IndexError):
        return None


def clock_anchor() -> dict[str, int]:
    """One moment on three clocks, ns: it ties CLOCK_MONOTONIC to calendar time.

    The other two are read between two readings of CLOCK_MONOTONIC, whose middle is taken; of several tries the one in
    which least time passed, so that a process that was preempted in between is not seen as a step of the clock.
    """
    tries = []
    for _ in range(ANCHOR_TRIES):
        begin_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        others_ns = time.clock_gettime_ns(time.CLOCK_REALTIME), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        tries.append((time.clock_gettime_ns(time.CLOCK_MONOTONIC) - begin_ns, begin_ns, *others_ns))
    width_ns, begin_ns, realtime_ns, boottime_ns = min(tries)
    return {"realtime_ns": realtime_ns, "monotonic_ns": begin_ns + width_ns // 2, "boottime_ns": boottime_ns}
