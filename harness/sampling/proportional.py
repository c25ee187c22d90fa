"""PSS, USS and SwapPss of the tree: what the job's memory is worth when shared pages count once.

Reading `smaps_rollup` walks all page tables of a process under its memory lock: 10 to 20 ms for each GiB in pages of
4 KiB, in which the process cannot map memory. So it is read rarely: the time it takes may be at most `DUTY` of the
wall time, never more often than every `SHORTEST_NS`, and not in `TIMED_PHASES`, nor at their first mark: the read would
lie in the phase that begins.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.sampling.procfs import parse_pairs, read_bytes
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

COLUMNS = ("tree_proportional_bytes", "tree_unique_bytes", "tree_swap_proportional_bytes", "proportional_cost_ns")
_PROPORTIONAL, _UNIQUE, _SWAP, _COST = (SAMPLE_INDEX[name] for name in COLUMNS)

DUTY = 0.005
SHORTEST_NS = 5_000_000_000
TIMED_PHASES = frozenset({"warm_up", "train"})
"""Phases in which nothing is read, however long they last."""
READ_AT = frozenset({"build", "teardown"})
"""Phases that begin with a read: what the import and the data left, and what the job holds at its end."""


class SlowTier:
    """When the slow tier is read: by the duty-cycle cap, and at two marks whatever the cap says."""

    def __init__(self, now_ns: int) -> None:
        self._due_ns = now_ns
        self._phase: str | None = None

    def mark(self, phases: Iterable[str | None]) -> bool:
        """Take the phases that begin, several when marks came in quick succession. Returns whether to read now."""
        begun = list(phases)
        self._phase = begun[-1] if begun else self._phase
        return not READ_AT.isdisjoint(begun) and self._phase not in TIMED_PHASES

    def is_due(self, now_ns: int) -> bool:
        """Whether a tick is to read it."""
        return now_ns >= self._due_ns and self._phase not in TIMED_PHASES

    def done(self, now_ns: int, cost_ns: int) -> None:
        """It was read and took so long."""
        self._due_ns = now_ns + max(SHORTEST_NS, int(cost_ns / DUTY))


class ProportionalReader:
    """Sums `smaps_rollup` over processes into a sample record."""

    def __init__(self, proc_root: str, troubles: Troubles) -> None:
        self._proc_root = proc_root
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}

    def read(self, values: list[int], pids: Iterable[int], clock: object) -> int:
        """Sums over the live processes; null as soon as one may not be read. Returns what it took, in ns.

        Args:
            pids: the processes of the job.
            clock: a callable that gives the time in ns.
        """
        assert callable(clock)
        begin_ns: int = clock()
        sums = [0, 0, 0]
        found = 0
        for pid in () if self.not_measured else pids:
            path = f"{self._proc_root}/{pid}/smaps_rollup"
            try:
                sizes = parse_rollup(read_bytes(path))
            except PermissionError as error:
                self._give_up(f"{path}: {error.strerror} (a process of another user)")
                break
            except (OSError, ValueError) as error:
                if not (isinstance(error, OSError) and error.errno in GONE):
                    self._troubles.note("process_memory", error)
                    found = 0
                    break
                continue  # it has ended, or is a zombie
            found += 1
            sums = [have + more for have, more in zip(sums, sizes, strict=True)]
        cost_ns: int = clock() - begin_ns
        if found and not self.not_measured:
            values[_PROPORTIONAL], values[_UNIQUE], values[_SWAP] = sums
            values[_COST] = cost_ns
        return cost_ns

    def _give_up(self, reason: str) -> None:
        self.not_measured = dict.fromkeys(COLUMNS, reason)


def parse_rollup(content: bytes) -> tuple[int, int, int]:
    """PSS, USS and SwapPss in bytes, from `smaps_rollup`. ValueError where one of them is missing or cut."""
    _, _, body = content.partition(b"[rollup]\n")
    pairs = parse_pairs(body.replace(b":", b": ").replace(b" kB\n", b"\n"))
    try:
        proportional = int(pairs[b"Pss:"])
        unique = int(pairs[b"Private_Clean:"]) + int(pairs[b"Private_Dirty:"]) + int(pairs[b"Private_Hugetlb:"])
        swap = int(pairs[b"SwapPss:"])
    except KeyError as error:
        raise ValueError(f"smaps_rollup without {error}: {content[-80:]!r}") from None
    return proportional * 1024, unique * 1024, swap * 1024
