"""The process tree of a job: discovery, and totals that lose no ended process.

The CPU time of a reaped process lives on in its parent's `cutime` and `cstime`, its I/O in its parent's `io`. So the
sum over live processes of own *and* reaped children's time is conserved, whatever comes and goes between two samples:
provided every orphan has a reaper in the tree, which the launcher (a subreaper, the root of the tree) sees to.

Processes are read parents first. A child that ends in between is then counted by neither, never by both: the sum can
fall short for one sample, and is not shown: the totals are a monotone envelope, and the shortfall stands beside them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from harness.sampling.process import CHILD, LAUNCHER, PAGE_BYTES, TICK_NS, WORKER, Process
from harness.sampling.procfs import parse_stat, read_bytes
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

_PROCESSES = SAMPLE_INDEX["tree_processes"]
_THREADS = SAMPLE_INDEX["tree_threads"]
_CPU = SAMPLE_INDEX["tree_cpu_ns"]
_CPU_REGRESS = SAMPLE_INDEX["tree_cpu_regress_ns"]
_RESIDENT = SAMPLE_INDEX["tree_resident_bytes"]
_RESIDENT_PEAK = SAMPLE_INDEX["tree_resident_peak_bytes"]
_READ = SAMPLE_INDEX["tree_read_bytes"]
_WRITE = SAMPLE_INDEX["tree_write_bytes"]
_IO_REGRESS = SAMPLE_INDEX["tree_io_regress_bytes"]
_MINOR = SAMPLE_INDEX["tree_minor_faults"]
_MAJOR = SAMPLE_INDEX["tree_major_faults"]

_SWEEPS = 3
"""How often a sample reads the tree when processes end meanwhile: the next sweep finds them in their parents."""

_STATS_A_TICK = 16
"""How many processes a tick reads in full; reading 51 busy ones at 10 Hz would cost the sampler its CPU budget."""


class Envelope:
    """A monotone total: never below what was seen, its shortfall known."""

    __slots__ = ("_offset", "regress", "value")

    def __init__(self) -> None:
        self.value = 0
        self.regress = 0
        self._offset = 0

    def update(self, raw: int) -> None:
        """Take the next raw sum."""
        raw += self._offset
        self.value = max(self.value, raw)
        self.regress = self.value - raw

    def rebase(self, raw: int) -> None:
        """Go on from the present value although the raw sum restarts at `raw`: the root took its counters with it."""
        self._offset = self.value - raw
        self.regress = 0


class Tree:
    """The tree below one root process.

    Args:
        root_pid: the launcher or the container's init.
        exclude_root: leave the root's own time, memory and I/O out: it is the harness's launcher.
        proc_root: "/proc", or a tree of files that looks like it (tests); the CPU clocks serve only the real one.
    """

    def __init__(self, root_pid: int, exclude_root: bool, proc_root: str, troubles: Troubles, now_ns: int) -> None:
        self.root_pid = root_pid
        self.not_measured: dict[str, str] = {}
        self.gone: list[Process] = []
        """Processes that were reaped since this list was last emptied."""
        self._exclude_root = exclude_root
        self._proc_root = proc_root
        self._troubles = troubles
        self._use_clock = proc_root == "/proc"
        self._cpu, self._minor, self._major = Envelope(), Envelope(), Envelope()
        self._read, self._write = Envelope(), Envelope()
        self._resident_peak = -1
        self._turn = 0
        self._root_io = (0, 0)
        self._io_readable = True
        self.root_cpu_ns = 0
        """The root's own CPU time, for the audit: it is in the cgroup's total though not in the tree's."""
        self._children_files = os.path.exists(f"{proc_root}/{root_pid}/task/{root_pid}/children")  # noqa: PTH110
        role = LAUNCHER if exclude_root else WORKER
        self._processes: dict[int, Process] = {}
        self._root_alive = self._add(root_pid, role, now_ns)
        if not self._root_alive:
            reason = f"process {root_pid} was not found when it was named as target"
            names = [name for name in SAMPLE_INDEX if name.startswith("tree_")]
            self.not_measured.update(dict.fromkeys(names, reason))
        elif exclude_root and self._processes[root_pid].stat.children_ticks == 0:
            # What the launcher read and wrote to start up is not the job's; nothing of a child is in it yet.
            self._root_io = self._io_of(self._processes[root_pid]) or (0, 0)

    @property
    def found(self) -> bool:
        """Whether the root was there when it was named."""
        return not self.not_measured.get("tree_cpu_ns")

    @property
    def is_childless(self) -> bool:
        """Whether only the root is known."""
        return len(self._processes) == 1

    def pids(self) -> frozenset[int]:
        """The numbers of the live processes."""
        return frozenset(self._processes)

    def processes(self) -> list[Process]:
        """The live processes, parents first."""
        return list(self._processes.values())

    def discover(self, now_ns: int) -> None:
        """Find new processes: walk the children of *every* thread, since any thread may fork."""
        if not self._children_files:
            self._discover_by_parents(now_ns)
        else:
            self._walk(self._children_of, now_ns)

    def read_fast(self, values: list[int], now_ns: int, *, thorough: bool = True) -> None:
        """CPU time, resident memory, faults, processes and threads into a sample record.

        Not thorough, processes that have not run since the last sample are not read again, and of a large tree only
        16 in turn: of the others the CPU clock alone. When a process has ended, everything is read.
        """
        root_was_alive = self._root_alive
        for _ in range(_SWEEPS):
            cpu_ns, resident_pages, minor, major, processes, threads, vanished = self._sweep(now_ns, thorough)
            if not vanished:
                break
            thorough = True  # its time is in its parent's stat now
        root_went = root_was_alive and not self._root_alive
        for envelope, raw in ((self._cpu, cpu_ns), (self._minor, minor), (self._major, major)):
            if root_went:
                envelope.rebase(raw)
            else:
                envelope.update(raw)
        values[_PROCESSES], values[_THREADS] = processes, threads
        values[_CPU], values[_CPU_REGRESS] = self._cpu.value, self._cpu.regress
        values[_RESIDENT] = resident_pages * PAGE_BYTES
        values[_MINOR], values[_MAJOR] = self._minor.value, self._major.value

    def read_medium(self, values: list[int]) -> None:
        """Peaks and I/O into a sample record."""
        read = written = 0
        for process in self._processes.values():
            excluded = self._exclude_root and process.pid == self.root_pid
            grown = process.may_have_grown()
            try:
                if grown:
                    process.read_resident_peak()
            except (OSError, ValueError) as error:
                self._note("process_status", error)
            if not excluded:
                self._resident_peak = max(self._resident_peak, process.resident_peak_bytes)
            if (io := self._io_of(process, grown)) is not None:
                read, written = read + io[0], written + io[1]
        if self._resident_peak >= 0:
            values[_RESIDENT_PEAK] = self._resident_peak
        if self._io_readable:
            if self._root_alive:
                self._read.update(read - self._root_io[0])
                self._write.update(written - self._root_io[1])
            values[_READ], values[_WRITE] = self._read.value, self._write.value
            values[_IO_REGRESS] = self._read.regress + self._write.regress

    def close(self) -> None:
        """Close all files."""
        for process in self._processes.values():
            process.stat_file.close()

    def _sweep(self, now_ns: int, thorough: bool) -> tuple[int, int, int, int, int, int, bool]:
        cpu_ns = resident_pages = minor = major = processes = threads = 0
        vanished: list[int] = []
        self._turn += 1
        turns = 1 + len(self._processes) // _STATS_A_TICK
        place = self._turn
        for pid, process in self._processes.items():
            place += 1
            try:
                stat = process.refresh(now_ns, thorough=thorough, clock_only=place % turns != 0)
            except OSError as error:
                vanished.append(pid)
                self._note("process_stat", error)
                continue
            except ValueError as error:
                self._troubles.note("process_stat", error)
                continue
            cpu_ns += stat.children_ticks * TICK_NS
            minor += stat.children_minor_faults
            major += stat.children_major_faults
            if pid == self.root_pid:
                self.root_cpu_ns = process.cpu_ns
                if self._exclude_root:
                    continue
            cpu_ns += process.cpu_ns
            minor += stat.minor_faults
            major += stat.major_faults
            resident_pages += stat.resident_pages
            threads += stat.threads
            processes += 1
        for pid in vanished:
            self._remove(pid)
        return cpu_ns, resident_pages, minor, major, processes, threads, bool(vanished)

    def _io_of(self, process: Process, grown: bool = True) -> tuple[int, int] | None:
        if not self._io_readable:
            return None
        if not grown and process.read_bytes >= 0:
            return process.read_bytes, process.write_bytes
        try:
            return process.read_io()
        except PermissionError as error:
            self._io_readable = False
            reason = f"/proc/{process.pid}/io: {error.strerror} (a process of another user)"
            self.not_measured.update(
                dict.fromkeys(("tree_read_bytes", "tree_write_bytes", "tree_io_regress_bytes"), reason)
            )
        except (OSError, ValueError) as error:
            self._note("process_io", error)
        return None

    def _add(self, pid: int, role: int, now_ns: int) -> bool:
        try:
            self._processes[pid] = Process(pid, self._proc_root, role, now_ns, use_clock=self._use_clock)
        except OSError as error:
            if error.errno not in GONE:
                self._troubles.note("open_files", error)
            return False
        except ValueError as error:
            self._troubles.note("process_stat", error)
            return False
        self._next_role = WORKER if role == LAUNCHER else CHILD  # the launcher's first child is the worker
        return True

    def _remove(self, pid: int) -> None:
        process = self._processes.pop(pid)
        process.stat_file.close()
        self.gone.append(process)
        if pid == self.root_pid:
            self._root_alive = False

    def _discover_by_parents(self, now_ns: int) -> None:
        """As `discover` where the kernel has no `children` files: one look at every process of the machine."""
        children: dict[int, list[int]] = {}
        for name in os.listdir(self._proc_root):  # noqa: PTH208 (no pathlib in the sampler: memory)
            if name.isdigit():
                try:
                    parent = parse_stat(read_bytes(f"{self._proc_root}/{name}/stat")).ppid
                except (OSError, ValueError) as error:
                    self._note("tree_walk", error)
                else:
                    children.setdefault(parent, []).append(int(name))
        self._walk(lambda pid: children.get(pid, []), now_ns)

    def _walk(self, children_of: Callable[[int], list[int]], now_ns: int) -> None:
        order: dict[int, None] = {}
        waiting = [self.root_pid] if self._root_alive else list(self._processes)
        for pid in waiting:  # grows while it is walked
            if pid not in order and (pid in self._processes or self._add(pid, self._next_role, now_ns)):
                order[pid] = None
                waiting.extend(children_of(pid))
        # Parents first; a process that has left the tree (its parents ended with the root) is still the job's.
        rest = {pid: process for pid, process in self._processes.items() if pid not in order}
        self._processes = {**{pid: self._processes[pid] for pid in order}, **rest}

    def _children_of(self, pid: int) -> list[int]:
        """Its children. Only the root (which adopts orphans) gets new ones without running itself."""
        process = self._processes[pid]
        if process.may_have_forked() or pid == self.root_pid:
            process.children = self._read_children(pid)
        return process.children

    def _read_children(self, pid: int) -> list[int]:
        folder = f"{self._proc_root}/{pid}/task"
        children: list[int] = []
        try:
            threads = os.listdir(folder)  # noqa: PTH208 (no pathlib in the sampler: memory)
        except OSError as error:
            self._note("tree_walk", error)
            return children
        for thread in threads:
            try:
                children.extend(int(word) for word in read_bytes(f"{folder}/{thread}/children").split())
            except (OSError, ValueError) as error:
                self._note("tree_walk", error)
        return children

    def _note(self, kind: str, error: OSError | ValueError) -> None:
        """Count an error, unless it only says that the process has ended."""
        if not (isinstance(error, OSError) and error.errno in GONE):
            self._troubles.note(kind, error)
