"""Counters of the whole machine, from `/proc`: what ran beside the job, and the sampler itself."""

from __future__ import annotations

import os
import time

from harness.sampling.pressure import PressureReader
from harness.sampling.procfs import KeptFile, parse_cpu_line, parse_diskstats, parse_keyed
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import Troubles

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = SAMPLE_INDEX["host_user_ticks"]
_STEAL = SAMPLE_INDEX["host_steal_ticks"]
_CONTEXT_SWITCHES = SAMPLE_INDEX["host_context_switches"]
_AVAILABLE = SAMPLE_INDEX["host_memory_available_bytes"]
_DISK_READ = SAMPLE_INDEX["host_disk_read_bytes"]
_DISK_WRITE = SAMPLE_INDEX["host_disk_write_bytes"]
_SWAP_IN = SAMPLE_INDEX["host_swap_in_pages"]
_SWAP_OUT = SAMPLE_INDEX["host_swap_out_pages"]
_OWN_CPU = SAMPLE_INDEX["sampler_cpu_ns"]
_OWN_RESIDENT = SAMPLE_INDEX["sampler_resident_bytes"]

_LARGE = 1 << 18
"""`/proc/stat` holds a line of all interrupts: tens of kB on large machines."""

_COLUMNS_OF = {
    "stat": (
        *(name for name, index in SAMPLE_INDEX.items() if _TICKS <= index <= _STEAL),
        "host_context_switches",
    ),
    "meminfo": ("host_memory_available_bytes",),
    "diskstats": ("host_disk_read_bytes", "host_disk_write_bytes"),
    "vmstat": ("host_swap_in_pages", "host_swap_out_pages"),
}


class HostReader:
    """Reads the host's counters into sample records."""

    def __init__(self, proc_root: str, sys_root: str, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self._files: dict[str, KeptFile] = {}
        for name, columns in _COLUMNS_OF.items():
            try:
                self._files[name] = KeptFile(f"{proc_root}/{name}")
            except OSError as error:
                self._missing(columns, f"{proc_root}/{name}: {error.strerror}")
        self._disks = self._whole_disks(sys_root)
        self._pressure = PressureReader("host", f"{proc_root}/pressure/{{}}", troubles)
        self.not_measured.update(self._pressure.not_measured)
        self._statm = KeptFile("/proc/self/statm")

    def read_fast(self, values: list[int]) -> None:
        """CPU ticks of the machine and the sampler's own CPU time."""
        values[_OWN_CPU] = time.process_time_ns()
        if "stat" in self._files:
            try:
                values[_TICKS : _STEAL + 1] = parse_cpu_line(self._files["stat"].read(512))
            except (OSError, ValueError) as error:
                self._troubles.note("host", error)

    def read_medium(self, values: list[int]) -> None:
        """Context switches, available memory, disks, swap, pressure, and the sampler's own resident memory."""
        self._pressure.read(values)
        values[_OWN_RESIDENT] = int(self._statm.read(128).split()[1]) * _PAGE_BYTES
        self._keyed(values, "stat", _CONTEXT_SWITCHES, b"ctxt ")
        self._keyed(values, "meminfo", _AVAILABLE, b"MemAvailable: ", 1024)
        self._keyed(values, "vmstat", _SWAP_IN, b"pswpin ")
        self._keyed(values, "vmstat", _SWAP_OUT, b"pswpout ")
        if self._disks and "diskstats" in self._files:
            try:
                content = self._files["diskstats"].read(_LARGE)
                values[_DISK_READ], values[_DISK_WRITE] = parse_diskstats(content, self._disks)
            except (OSError, ValueError) as error:
                self._troubles.note("host", error)

    def _keyed(self, values: list[int], name: str, index: int, key: bytes, factor: int = 1) -> None:
        if name not in self._files:
            return
        try:
            number = parse_keyed(self._files[name].read(_LARGE), key)
        except (OSError, ValueError) as error:
            self._troubles.note("host", error)
            return
        if number is not None:
            values[index] = number * factor

    def _whole_disks(self, sys_root: str) -> frozenset[bytes]:
        """Disks that are not built upon another: with partitions and mappings, bytes would be counted twice."""
        try:
            names = os.listdir(f"{sys_root}/block")  # noqa: PTH208 (no pathlib in the sampler: memory)
        except OSError as error:
            self._missing(_COLUMNS_OF["diskstats"], f"{sys_root}/block: {error.strerror}")
            return frozenset()
        disks = [name for name in names if not name.startswith(("loop", "ram", "zram", "dm-", "md", "sr", "fd"))]
        if not disks:
            self._missing(_COLUMNS_OF["diskstats"], f"{sys_root}/block lists no physical disk")
        return frozenset(name.encode() for name in disks)

    def _missing(self, columns: tuple[str, ...], reason: str) -> None:
        for column in columns:
            self.not_measured.setdefault(column, reason)
