"""Parsers of /proc files, on bytes: pure functions, ValueError for what cannot be parsed.

The hot path uses them on files kept open: `pread` on a kept descriptor costs a fraction of open + read, and a kept
`/proc/PID/stat` answers ESRCH once its process is gone, so it never speaks of another process with the same number.
"""

from __future__ import annotations

import os
from typing import NamedTuple

STAT_BYTES = 1024
"""More than the longest `/proc/PID/stat`: 52 numbers of up to 20 digits, mostly short."""


class KeptFile:
    """A file kept open and read from its start again and again."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size: int = 4096) -> bytes:
        """Up to `size` bytes from the start."""
        return os.pread(self.descriptor, size, 0)

    def read_integer(self) -> int:
        """The file's one number."""
        return int(os.pread(self.descriptor, 64, 0))

    def close(self) -> None:
        """Close it; harmless when closed."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def read_bytes(path: str, size: int = 65536) -> bytes:
    """The first `size` bytes of a file, opened for this one read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


class ProcessStat(NamedTuple):
    """The fields of `/proc/PID/stat` that the sampler uses; times in clock ticks, `resident_pages` in pages."""

    name: bytes
    state: bytes
    ppid: int
    minor_faults: int
    children_minor_faults: int
    major_faults: int
    children_major_faults: int
    own_ticks: int
    children_ticks: int
    threads: int
    start_time_ticks: int
    resident_pages: int


def parse_stat(content: bytes) -> ProcessStat:
    """Parse `/proc/PID/stat`. The name may hold any bytes: it ends at the *last* parenthesis."""
    begin = content.find(b"(")
    end = content.rfind(b")")
    fields = content[end + 2 :].split(None, 22)
    if begin < 0 or end < begin or len(fields) < 23:
        raise ValueError(f"truncated stat: {content[:80]!r}")
    return ProcessStat(
        content[begin + 1 : end],
        fields[0],
        int(fields[1]),
        int(fields[7]),
        int(fields[8]),
        int(fields[9]),
        int(fields[10]),
        int(fields[11]) + int(fields[12]),
        int(fields[13]) + int(fields[14]),
        int(fields[17]),
        int(fields[19]),
        int(fields[21]),
    )


def parse_keyed(content: bytes, key: bytes) -> int | None:
    """The first number after `key` at the start of a line (`VmHWM:  123 kB`, `usage_usec 5`), or None."""
    if content.startswith(key):
        begin = len(key)
    else:
        found = content.find(b"\n" + key)
        if found < 0:
            return None
        begin = found + 1 + len(key)
    end = content.find(b"\n", begin)
    if end < 0:
        return None  # a truncated line may hold a truncated number
    words = content[begin:end].split(None, 1)
    return int(words[0]) if words else None


def parse_process_io(content: bytes) -> tuple[int, int]:
    """`read_bytes` and `write_bytes` of `/proc/PID/io`."""
    read, written = parse_keyed(content, b"read_bytes: "), parse_keyed(content, b"write_bytes: ")
    if read is None or written is None:
        raise ValueError(f"truncated io: {content[-80:]!r}")
    return read, written


def parse_cpu_line(content: bytes) -> list[int]:
    """The eight tick counters (user ... steal) of the first line of `/proc/stat`."""
    line, separator, _ = content.partition(b"\n")
    fields = line.split()
    if not separator or len(fields) < 9 or fields[0] != b"cpu":
        raise ValueError(f"unexpected /proc/stat: {content[:80]!r}")
    return [int(field) for field in fields[1:9]]


def parse_diskstats(content: bytes, disks: frozenset[bytes]) -> tuple[int, int]:
    """Bytes read and written by the named disks since boot, from `/proc/diskstats` (sectors of 512 bytes)."""
    read = written = 0
    for line in content.splitlines():
        fields = line.split(None, 10)
        if len(fields) > 9 and fields[2] in disks:
            read += int(fields[5])
            written += int(fields[9])
    return read * 512, written * 512
