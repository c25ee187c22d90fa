"""Sums over the processes of a tree, and totals that never go back."""

from __future__ import annotations

from harness.sampling.process import TICK_NS
from harness.sampling.procfs import ProcessStat


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


class Sums:
    """What one sweep adds up. User and system time of the launcher's own are left out with the rest of it."""

    __slots__ = (
        *("cpu_ns", "user_ticks", "system_ticks", "minor", "major"),
        *("resident_pages", "processes", "threads"),
    )

    def __init__(self) -> None:
        self.cpu_ns = self.user_ticks = self.system_ticks = self.minor = self.major = 0
        self.resident_pages = self.processes = self.threads = 0

    def add(self, stat: ProcessStat, cpu_ns: int, *, children_only: bool) -> None:
        """A process and the children it has reaped, or these alone."""
        self.cpu_ns += stat.children_ticks * TICK_NS
        self.minor += stat.children_minor_faults
        self.major += stat.children_major_faults
        self.user_ticks += stat.children_user_ticks
        self.system_ticks += stat.children_ticks - stat.children_user_ticks
        if children_only:
            return
        self.cpu_ns += cpu_ns
        self.minor += stat.minor_faults
        self.major += stat.major_faults
        self.user_ticks += stat.own_user_ticks
        self.system_ticks += stat.own_ticks - stat.own_user_ticks
        self.resident_pages += stat.resident_pages
        self.threads += stat.threads
        self.processes += 1
