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
from harness.sampling.procfs import ProcessIo, parse_stat, read_bytes
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.totals import Envelope, Sums
from harness.sampling.troubles import GONE, Troubles

_PROCESSES = SAMPLE_INDEX["tree_processes"]
_THREADS = SAMPLE_INDEX["tree_threads"]
_CPU = SAMPLE_INDEX["tree_cpu_ns"]
_CPU_REGRESS = SAMPLE_INDEX["tree_cpu_regress_ns"]
_RESIDENT = SAMPLE_INDEX["tree_resident_bytes"]
_RESIDENT_PEAK = SAMPLE_INDEX["tree_resident_peak_bytes"]
_IO_REGRESS = SAMPLE_INDEX["tree_io_regress_bytes"]
_IO = tuple(
    SAMPLE_INDEX[name]
    for name in ("tree_read_characters_bytes", "tree_write_characters_bytes", "tree_read_bytes", "tree_write_bytes")
)
"""In the order of `ProcessIo`."""
_USER = SAMPLE_INDEX["tree_cpu_user_ns"]
_SYSTEM = SAMPLE_INDEX["tree_cpu_system_ns"]
_MINOR = SAMPLE_INDEX["tree_minor_faults"]
_MAJOR = SAMPLE_INDEX["tree_major_faults"]

_SWEEPS = 3
"""How often a sample reads the tree when processes end meanwhile: the next sweep finds them in their parents."""

_STATS_A_TICK = 8
"""How many processes a tick reads in full; reading 51 busy ones at 10 Hz would cost the sampler its CPU budget."""


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
        self._user, self._system = Envelope(), Envelope()
        self._io = tuple(Envelope() for _ in _IO)
        self._resident_peak = -1
        self._turn = 0
        self._root_io = ProcessIo(0, 0, 0, 0)
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
            self._root_io = self._io_of(self._processes[root_pid]) or self._root_io

    @property
    def found(self) -> bool:
        """Whether the root was there when it was named."""
        return not self.not_measured.get("tree_cpu_ns")

    @property
    def is_whole(self) -> bool:
        """Whether the root lives or waits to be reaped: what it has reaped is lost with it."""
        return self._root_alive

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
        8 in turn: of the others the CPU clock alone. When a process has ended, everything is read.
        """
        root_was_alive = self._root_alive
        for _ in range(_SWEEPS):
            sums, vanished = self._sweep(now_ns, thorough)
            if not vanished:
                break
            thorough = True  # its time is in its parent's stat now
        root_went = root_was_alive and not self._root_alive
        totals = (
            (self._cpu, sums.cpu_ns),
            (self._minor, sums.minor),
            (self._major, sums.major),
            (self._user, sums.user_ticks * TICK_NS),
            (self._system, sums.system_ticks * TICK_NS),
        )
        for envelope, raw in totals:
            if root_went:
                envelope.rebase(raw)
            else:
                envelope.update(raw)
        values[_PROCESSES], values[_THREADS] = sums.processes, sums.threads
        values[_CPU], values[_CPU_REGRESS] = self._cpu.value, self._cpu.regress
        values[_RESIDENT] = sums.resident_pages * PAGE_BYTES
        values[_MINOR], values[_MAJOR] = self._minor.value, self._major.value

    def read_medium(self, values: list[int]) -> None:
        """User and system time, peaks and I/O into a sample record; to be called after a thorough `read_fast`."""
        values[_USER], values[_SYSTEM] = self._user.value, self._system.value
        sums = [0] * len(_IO)
        for process in self._processes.values():
            excluded = self._exclude_root and process.pid == self.root_pid
            grown = process.may_have_grown()
            try:
                if grown and not (self._exclude_root and process.is_still_its_launcher):
                    process.read_resident_peak()
            except (OSError, ValueError) as error:
                self._note("process_status", error)
            if not excluded and not (self._exclude_root and process.is_still_its_launcher):
                self._resident_peak = max(self._resident_peak, process.resident_peak_bytes)
            if (io := self._io_of(process, grown)) is not None:
                sums = [have + more for have, more in zip(sums, io, strict=True)]
        if self._resident_peak >= 0:
            values[_RESIDENT_PEAK] = self._resident_peak
        if self._io_readable:
            for index, envelope, raw, at_start in zip(_IO, self._io, sums, self._root_io, strict=True):
                if self._root_alive:
                    envelope.update(raw - at_start)
                values[index] = envelope.value
            values[_IO_REGRESS] = self._io[2].regress + self._io[3].regress

    def job_pids(self) -> list[int]:
        """The live processes without an excluded root."""
        return [pid for pid in self._processes if not (self._exclude_root and pid == self.root_pid)]

    def allowed_cpus(self) -> set[int] | None:
        """The CPUs that the worker (the first process but an excluded root) may run on; None where unknown."""
        pids = self.job_pids()
        if not pids or not self._use_clock:
            return None
        try:
            return os.sched_getaffinity(pids[0])
        except OSError:
            return None  # it has just ended

    def close(self) -> None:
        """Close all files."""
        for process in self._processes.values():
            process.stat_file.close()

    def _sweep(self, now_ns: int, thorough: bool) -> tuple[Sums, bool]:
        """Read every process once. Returns the sums, and whether one has ended meanwhile."""
        sums = Sums()
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
            if pid == self.root_pid:
                self.root_cpu_ns = process.cpu_ns
            sums.add(stat, process.cpu_ns, children_only=self._exclude_root and pid == self.root_pid)
        for pid in vanished:
            self._remove(pid)
        return sums, bool(vanished)

    def _io_of(self, process: Process, grown: bool = True) -> ProcessIo | None:
        if not self._io_readable:
            return None
        if not grown and process.io is not None:
            return process.io
        try:
            return process.read_io()
        except PermissionError as error:
            self._io_readable = False
            reason = f"/proc/{process.pid}/io: {error.strerror} (a process of another user)"
            self.not_measured.update({name: reason for name, at in SAMPLE_INDEX.items() if at in (*_IO, _IO_REGRESS)})
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
