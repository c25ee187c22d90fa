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
    """The fields of `/proc/PID/stat` that the sampler uses; times in clock ticks, `resident_pages` in pages.

    `own_ticks` and `children_ticks` (reaped ones) are user and kernel mode together.
    """

    name: bytes
    state: bytes
    ppid: int
    minor_faults: int
    children_minor_faults: int
    major_faults: int
    children_major_faults: int
    own_ticks: int
    own_user_ticks: int
    children_ticks: int
    children_user_ticks: int
    threads: int
    start_time_ticks: int
    resident_pages: int
    flags: int


def parse_stat(content: bytes) -> ProcessStat:
    """Parse `/proc/PID/stat`. The name may hold any bytes: it ends at the *last* parenthesis."""
    begin = content.find(b"(")
    end = content.rfind(b")")
    fields = content[end + 2 :].split(None, 22)
    if begin < 0 or end < begin or len(fields) < 23:
        raise ValueError(f"truncated stat: {content[:80]!r}")
    user, system, children_user, children_system = (int(field) for field in fields[11:15])
    return ProcessStat(
        content[begin + 1 : end],
        fields[0],
        int(fields[1]),
        int(fields[7]),
        int(fields[8]),
        int(fields[9]),
        int(fields[10]),
        user + system,
        user,
        children_user + children_system,
        children_user,
        int(fields[17]),
        int(fields[19]),
        int(fields[21]),
        int(fields[6]),
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


def parse_pairs(content: bytes) -> dict[bytes, bytes]:
    """Key -> value of a file with one key and one value a line (`memory.stat`, `cpu.stat`); whole lines only."""
    words = content[: content.rfind(b"\n") + 1].split()
    return dict(zip(words[::2], words[1::2], strict=False))


class ProcessIo(NamedTuple):
    """Bytes of `/proc/PID/io`: through `read` and `write` calls, cached or not, and from and to storage."""

    read_characters: int
    write_characters: int
    read: int
    write: int


def parse_process_io(content: bytes) -> ProcessIo:
    """Parse `/proc/PID/io`. ValueError where one of the four is missing or cut."""
    pairs = parse_pairs(content)
    try:
        return ProcessIo(*(int(pairs[key]) for key in (b"rchar:", b"wchar:", b"read_bytes:", b"write_bytes:")))
    except KeyError as error:
        raise ValueError(f"io without {error}: {content[-80:]!r}") from None


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
