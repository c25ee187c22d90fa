"""The files of cgroups: which key of which file is which column, and their parsers."""

from __future__ import annotations

from harness.sampling.procfs import KeptFile, parse_keyed

COLUMNS_OF = {
    "cpu": ("cgroup_cpu_ns", "cgroup_cpu_user_ns", "cgroup_cpu_system_ns"),
    "memory": (
        "cgroup_memory_bytes",
        "cgroup_memory_peak_bytes",
        "phase_memory_peak_bytes",
        "cgroup_memory_inactive_file_bytes",
        "cgroup_anonymous_bytes",
        "cgroup_file_bytes",
        "cgroup_shared_memory_bytes",
        "cgroup_swap_bytes",
        "cgroup_oom_kills",
    ),
    "io": ("cgroup_read_bytes", "cgroup_write_bytes", "cgroup_read_operations", "cgroup_write_operations"),
}
THROTTLED = ("cgroup_throttled_periods", "cgroup_throttled_ns")
LARGE = 65536

Keys = dict[bytes, tuple[str, int]]
"""Key in a file -> column, factor."""

V2_MEMORY: Keys = {
    b"inactive_file": ("cgroup_memory_inactive_file_bytes", 1),
    b"anon": ("cgroup_anonymous_bytes", 1),
    b"file": ("cgroup_file_bytes", 1),
    b"shmem": ("cgroup_shared_memory_bytes", 1),
}
V1_MEMORY: Keys = {
    # v1 counts its own pages alone in `rss`, those of the whole subtree in `total_rss`.
    b"total_inactive_file": ("cgroup_memory_inactive_file_bytes", 1),
    b"total_rss": ("cgroup_anonymous_bytes", 1),
    b"total_cache": ("cgroup_file_bytes", 1),
    b"total_shmem": ("cgroup_shared_memory_bytes", 1),
    b"total_swap": ("cgroup_swap_bytes", 1),
}
V2_CPU: Keys = {b"user_usec": ("cgroup_cpu_user_ns", 1000), b"system_usec": ("cgroup_cpu_system_ns", 1000)}
V2_THROTTLING: Keys = {b"nr_throttled": (THROTTLED[0], 1), b"throttled_usec": (THROTTLED[1], 1000)}
V1_THROTTLING: Keys = {b"nr_throttled": (THROTTLED[0], 1), b"throttled_time": (THROTTLED[1], 1)}
OOM_KILLS: Keys = {b"oom_kill": ("cgroup_oom_kills", 1)}


def parse_io_stat(content: bytes) -> tuple[int, int, int, int]:
    """Bytes read and written, operations read and written, over all devices, from v2 `io.stat`; whole lines only."""
    sums = {b"rbytes": 0, b"wbytes": 0, b"rios": 0, b"wios": 0}
    for word in content[: content.rfind(b"\n") + 1].split():
        key, _, value = word.partition(b"=")
        if key in sums:
            sums[key] += int(value)
    return sums[b"rbytes"], sums[b"wbytes"], sums[b"rios"], sums[b"wios"]


def parse_blkio(content: bytes) -> tuple[int, int]:
    """What was read and written, from a v1 `blkio.throttle.*` file (`8:0 Read 1`), over all devices; whole lines."""
    read = written = 0
    for line in content[: content.rfind(b"\n") + 1].split(b"\n"):
        fields = line.split()
        if len(fields) == 3 and fields[1] == b"Read":
            read += int(fields[2])
        elif len(fields) == 3 and fields[1] == b"Write":
            written += int(fields[2])
    return read, written


def is_v1_folder(folder: str) -> bool:
    """Whether the folder is of v1's `cpuacct` controller."""
    file = open_first(folder, "cpuacct.usage")
    if file is not None:
        file.close()
    return file is not None


def open_first(folder: str, *names: str) -> KeptFile | None:
    """The first of these files that can be opened."""
    for name in names:
        try:
            return KeptFile(f"{folder}/{name}")
        except OSError:
            continue
    return None


def read_usage_ns(file: KeptFile) -> int:
    """CPU time in ns of a v2 `cpu.stat`."""
    usage_us = parse_keyed(file.read(), b"usage_usec ")
    if usage_us is None:
        raise ValueError(f"{file.path}: no usage_usec")
    return usage_us * 1000
