"""Counters of the job's cgroup, v1 or v2, from files kept open."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.sampling.procfs import KeptFile, parse_keyed
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

_CPU = SAMPLE_INDEX["cgroup_cpu_ns"]
_MEMORY = SAMPLE_INDEX["cgroup_memory_bytes"]
_PEAK = SAMPLE_INDEX["cgroup_memory_peak_bytes"]
_INACTIVE = SAMPLE_INDEX["cgroup_memory_inactive_file_bytes"]
_READ = SAMPLE_INDEX["cgroup_read_bytes"]
_WRITE = SAMPLE_INDEX["cgroup_write_bytes"]

COLUMNS_OF = {
    "cpu": ("cgroup_cpu_ns",),
    "memory": ("cgroup_memory_bytes", "cgroup_memory_peak_bytes", "cgroup_memory_inactive_file_bytes"),
    "io": ("cgroup_read_bytes", "cgroup_write_bytes"),
}
_LARGE = 65536


def parse_io_stat(content: bytes) -> tuple[int, int]:
    """Bytes read and written, from v2 `io.stat` (`8:0 rbytes=1 wbytes=2 ...`), over all devices."""
    read = written = 0
    for word in content.split():
        if word.startswith(b"rbytes="):
            read += int(word[7:])
        elif word.startswith(b"wbytes="):
            written += int(word[7:])
    return read, written


def parse_blkio(content: bytes) -> tuple[int, int]:
    """Bytes read and written, from v1 `blkio.throttle.io_service_bytes` (`8:0 Read 1`), over all devices."""
    read = written = 0
    for line in content.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] == b"Read":
            read += int(fields[2])
        elif len(fields) == 3 and fields[1] == b"Write":
            written += int(fields[2])
    return read, written


class CgroupReader:
    """Reads one cgroup into sample records; what its files cannot give is in `not_measured`."""

    def __init__(self, paths: Mapping[str, str] | None, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self.gone = False
        """Whether the cgroup was removed while it was sampled; its columns are null from then on."""
        self._fast: list[tuple[str, int, KeptFile, Callable[[KeptFile], int]]] = []
        self._inactive: tuple[KeptFile, bytes] | None = None
        self._io: tuple[KeptFile, Callable[[bytes], tuple[int, int]]] | None = None
        paths = paths or {}
        for controller, columns in COLUMNS_OF.items():
            if controller not in paths:
                reason = f"no cgroup of its own for the job ({controller})"
                self.not_measured.update(dict.fromkeys(columns, reason))
        if "cpu" in paths:
            self._open_cpu(paths["cpu"])
        if "memory" in paths:
            self._open_memory(paths["memory"])
        if "io" in paths:
            self._open_io(paths["io"])

    def read_fast(self, values: list[int]) -> None:
        """CPU time, memory and its peak."""
        if self.gone:
            return
        for kind, index, file, read in self._fast:
            try:
                values[index] = read(file)
            except (OSError, ValueError) as error:
                self._note(kind, error)

    def read_medium(self, values: list[int]) -> None:
        """Inactive page cache and I/O."""
        if self.gone:
            return
        try:
            if self._inactive is not None:
                number = parse_keyed(self._inactive[0].read(_LARGE), self._inactive[1])
                if number is not None:
                    values[_INACTIVE] = number
        except (OSError, ValueError) as error:
            self._note("cgroup_memory", error)
        try:
            if self._io is not None:
                values[_READ], values[_WRITE] = self._io[1](self._io[0].read(_LARGE))
        except (OSError, ValueError) as error:
            self._note("cgroup_io", error)

    def close(self) -> None:
        """Close all files: a cgroup with open files can be removed, but they would be leaked."""
        for _, _, file, _ in self._fast:
            file.close()
        for pair in (self._inactive, self._io):
            if pair is not None:
                pair[0].close()
        self._fast, self._inactive, self._io = [], None, None

    def _note(self, kind: str, error: Exception) -> None:
        """Count an error, unless it says that the cgroup was removed: a container's goes with its last process."""
        if isinstance(error, OSError) and error.errno in GONE:
            self.gone = True
        else:
            self._troubles.note(kind, error)

    def _open_cpu(self, folder: str) -> None:
        if file := _open_first(folder, "cpuacct.usage"):
            self._fast.append(("cgroup_cpu", _CPU, file, KeptFile.read_integer))
        elif (file := _open_first(folder, "cpu.stat")) and parse_keyed(file.read(), b"usage_usec ") is not None:
            self._fast.append(("cgroup_cpu", _CPU, file, _read_usage_ns))
        else:
            self.not_measured["cgroup_cpu_ns"] = f"{folder}: neither cpuacct.usage nor usage_usec in cpu.stat"

    def _open_memory(self, folder: str) -> None:
        choices = {
            _MEMORY: ("memory.current", "memory.usage_in_bytes"),
            _PEAK: ("memory.peak", "memory.max_usage_in_bytes"),
        }
        for (index, names), column in zip(choices.items(), COLUMNS_OF["memory"], strict=False):
            if file := _open_first(folder, *names):
                self._fast.append(("cgroup_memory", index, file, KeptFile.read_integer))
            else:
                self.not_measured[column] = f"{folder}: neither {' nor '.join(names)}"
        if file := _open_first(folder, "memory.stat"):
            content = file.read(_LARGE)
            # v1 counts its own pages alone in `inactive_file`, the whole subtree in `total_inactive_file`.
            key = b"total_inactive_file " if b"\ntotal_inactive_file " in content else b"inactive_file "
            self._inactive = (file, key)
        else:
            self.not_measured["cgroup_memory_inactive_file_bytes"] = f"{folder}: no memory.stat"

    def _open_io(self, folder: str) -> None:
        if file := _open_first(folder, "io.stat"):
            self._io = (file, parse_io_stat)
        elif file := _open_first(
            folder, "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"
        ):
            self._io = (file, parse_blkio)
        else:
            reason = f"{folder}: neither io.stat nor blkio.throttle.io_service_bytes"
            self.not_measured.update(dict.fromkeys(COLUMNS_OF["io"], reason))


def _open_first(folder: str, *names: str) -> KeptFile | None:
    for name in names:
        try:
            return KeptFile(f"{folder}/{name}")
        except OSError:
            continue
    return None


def _read_usage_ns(file: KeptFile) -> int:
    usage_us = parse_keyed(file.read(), b"usage_usec ")
    if usage_us is None:
        raise ValueError(f"{file.path}: no usage_usec")
    return usage_us * 1000
