"""One process of the tree: its kept `/proc/PID/stat`, its latest values."""

from __future__ import annotations

import os
import time

from harness.sampling.procfs import (
    STAT_BYTES,
    KeptFile,
    ProcessIo,
    ProcessStat,
    parse_keyed,
    parse_process_io,
    parse_stat,
    read_bytes,
)
from harness.sampling.schema import MISSING, PROCESS_RECORD

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

LAUNCHER, WORKER, CHILD = 0, 1, 2
_FORKED_WITHOUT_EXEC = 0x40
"""PF_FORKNOEXEC of the kernel."""


def cpu_clock_ns(pid: int) -> int:
    """CPU time of a process and its ended threads in ns, from its POSIX CPU clock: exact, and no file is read."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class Process:
    """A process that was seen in the tree. Opening it raises OSError when it has ended meanwhile."""

    __slots__ = (
        "cpu_ns",
        "children",
        "first_seen_ns",
        "folder",
        "last_seen_ns",
        "io",
        "pid",
        "resident_peak_bytes",
        "role",
        "stat",
        "stat_file",
        "_clock_at_walk",
        "_clock_at_peak",
        "_clock_at_stat",
        "use_clock",
        "written",
    )

    def __init__(self, pid: int, proc_root: str, role: int, now_ns: int, *, use_clock: bool) -> None:
        self.pid = pid
        self.folder = f"{proc_root}/{pid}"
        self.role = role
        self.use_clock = use_clock
        self.first_seen_ns = self.last_seen_ns = now_ns
        self.children: list[int] = []
        """Its children when it was last walked."""
        self._clock_at_walk = self._clock_at_peak = -1
        self._clock_at_stat: int | None = None
        self.cpu_ns = 0
        self.stat: ProcessStat
        self.written = False
        """Whether it stands in the process table."""
        self.resident_peak_bytes = MISSING
        self.io: ProcessIo | None = None
        self.stat_file = KeptFile(f"{self.folder}/stat")
        try:
            self.refresh(now_ns)
        except BaseException:
            self.stat_file.close()
            raise

    def refresh(self, now_ns: int, *, thorough: bool = True, clock_only: bool = False) -> ProcessStat:
        """Its stat, and CPU time. Raises OSError (ESRCH) when it has been reaped.

        Not thorough, the stat of last time stands when the CPU clock has not moved since (a process that has not run
        has neither allocated nor reaped), or when only the clock is asked for. A number that is used again shows an
        earlier clock or none; then stat is read, and knows.
        """
        clock_ns = self._clock_ns()  # before stat: what it does in between is then seen next time
        trusted = clock_ns == self._clock_at_stat or (clock_only and clock_ns is not None and clock_ns >= self.cpu_ns)
        if thorough or clock_ns is None or not trusted:
            self.stat = parse_stat(os.pread(self.stat_file.descriptor, STAT_BYTES, 0))
            self._clock_at_stat = clock_ns
        self.cpu_ns = self.stat.own_ticks * TICK_NS if clock_ns is None else clock_ns
        self.last_seen_ns = now_ns
        return self.stat

    @property
    def is_still_its_launcher(self) -> bool:
        """Whether this is the worker between fork and exec, when all its memory is the launcher's, shared."""
        return self.role == WORKER and bool(self.stat.flags & _FORKED_WITHOUT_EXEC)

    def may_have_forked(self) -> bool:
        """Whether it has run since this was last asked."""
        clock_ns = self._clock_ns()
        moved = clock_ns is None or clock_ns != self._clock_at_walk
        self._clock_at_walk = -1 if clock_ns is None else clock_ns
        return moved

    def may_have_grown(self) -> bool:
        """Whether it has run since this was last asked."""
        clock_ns = self._clock_ns()
        moved = clock_ns is None or clock_ns != self._clock_at_peak
        self._clock_at_peak = -1 if clock_ns is None else clock_ns
        return moved

    def read_resident_peak(self) -> int:
        """Its VmHWM in bytes; a process that has given up its memory (zombie) keeps the value read last."""
        peak_kib = parse_keyed(read_bytes(f"{self.folder}/status"), b"VmHWM:")
        if peak_kib is not None:
            # An exec starts a new address space with a new mark: keep the larger.
            self.resident_peak_bytes = max(self.resident_peak_bytes, peak_kib * 1024)
        return self.resident_peak_bytes

    def read_io(self) -> ProcessIo:
        """Its I/O, reaped children included. Raises PermissionError for another user's process."""
        self.io = parse_process_io(read_bytes(f"{self.folder}/io"))
        return self.io

    def record(self) -> bytes:
        """Its row in `processes.bin`."""
        stat = self.stat
        return PROCESS_RECORD.pack(
            self.pid,
            stat.start_time_ticks,
            stat.ppid,
            stat.name[:16],
            self.role,
            self.first_seen_ns,
            self.last_seen_ns,
            self.cpu_ns,
            stat.children_ticks * TICK_NS,
            self.resident_peak_bytes,
            MISSING if self.io is None else self.io.read,
            MISSING if self.io is None else self.io.write,
        )

    def _clock_ns(self) -> int | None:
        if self.use_clock:
            try:
                return cpu_clock_ns(self.pid)
            except OSError:
                pass
        return None
