"""Threads that a computation really uses, counted by the kernel. Standard library only; Python 3.7 or newer."""

from __future__ import annotations

import os
import threading
import time

TASKS = "/proc/self/task"
WATCH_PERIOD_S = 0.0005
SHARE_OF_BUSIEST, ENOUGH_NS = 0.1, 1000000
"""A thread took part in a computation when it ran for this share of what the busiest one ran, or for so long.

Where processors are short, one thread may spin for long while the other waits for its turn to do its half.
"""
ATTEMPTS = 5
QUIET_S, QUIET_NS, QUIET_PATIENCE_S = 0.005, 500000, 1.0
"""Threads of a pool spin for a while after their work; it has come to rest when none ran for so long in so long."""
NAME_PATIENCE_S = 1.0


def threads_used(work, wanted: int) -> "int | None":
    """How many threads share the work of one call that takes some 30 ms; None where the kernel does not tell.

    A watcher reads every thread's time on a CPU while the call runs, so that threads which live for that call alone (as
    BLIS's do) are seen too. A count that is not `wanted` is repeated. One that is too low may come from a busy machine:
    there the largest of several counts. Where any is too high, too few is no proof either: then what most of them are.

    Args:
        work: the call; it has to give up Python's lock while it computes.
    """
    if _times_ns() is None:
        return None
    counts: "list[int]" = []
    for _ in range(ATTEMPTS):
        _wait_for_rest()
        counts.append(_count(work))
        if counts[-1] == wanted == max(counts):
            return wanted
    return verdict(counts, wanted)


def verdict(counts: "list[int]", wanted: int) -> int:
    """What several counts of the same work say: the largest, or, where some exceed `wanted`, the most frequent."""
    if max(counts) <= wanted:
        return max(counts)
    return max(counts, key=lambda count: (counts.count(count), count))


def _wait_for_rest() -> None:
    """Wait until no thread but this one runs, for a second at most."""
    deadline, own = time.monotonic() + QUIET_PATIENCE_S, _own_task()
    before = _times_ns() or {}
    while time.monotonic() < deadline:
        time.sleep(QUIET_S)
        now = _times_ns() or {}
        if all(time_ns - before.get(task, 0) < QUIET_NS for task, time_ns in now.items() if task != own):
            return
        before = now


def _own_task() -> str:
    return os.path.basename(os.readlink("/proc/thread-self"))


def _count(work) -> int:
    watcher = _Watcher()
    before = _times_ns() or {}
    watcher.start()
    work()
    watcher.stop()
    ran = {task: time_ns - before.get(task, 0) for task, time_ns in watcher.seen.items() if task != watcher.task}
    busiest = max(ran.values(), default=0)
    enough = min(SHARE_OF_BUSIEST * busiest, ENOUGH_NS)
    return sum(time_ns >= enough for time_ns in ran.values()) if busiest > 0 else 1


class _Watcher:
    """Reads the CPU time of all threads again and again; `seen` has the last reading of each, `task` is its own."""

    def __init__(self) -> None:
        self.seen: "dict[str, int]" = {}
        self.task = ""
        self._ready, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="dlgauge-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        self.task = _own_task()
        self._ready.set()
        while True:
            last = self._end.is_set()
            self.seen.update(_times_ns() or {})
            if last:
                return
            time.sleep(WATCH_PERIOD_S)


def _times_ns() -> "dict[str, int] | None":
    """Nanoseconds that every thread of this process has been on a CPU; None where the kernel keeps no such account."""
    found = {}
    for task in tasks():
        try:
            with open("%s/%s/schedstat" % (TASKS, task)) as file:
                found[task] = int(file.read().split()[0])
        except ProcessLookupError:
            continue  # it ended meanwhile
        except (OSError, ValueError, IndexError):
            if os.path.exists("%s/%s" % (TASKS, task)):
                return None
    return found


def tasks() -> "frozenset[str]":
    """Numbers of this process's threads, as the names of their folders."""
    try:
        return frozenset(os.listdir(TASKS))
    except OSError:
        return frozenset()


def task_names(only=None) -> "list[str]":
    """Names of this process's threads (of `only` those numbers), as the kernel has them."""
    names = []
    for task in tasks() if only is None else only:
        try:
            with open("%s/%s/comm" % (TASKS, task)) as file:
                names.append(file.read().strip())
        except OSError:
            continue  # it ended meanwhile
    return names


def named_threads(name: str, expected: int) -> "int | None":
    """How many threads a pool really has: those of this process that carry its name; None for none.

    A thread gives itself its name, so there may be a moment in which not all have theirs.
    """
    deadline = time.monotonic() + NAME_PATIENCE_S
    while True:
        found = sum(task_name == name for task_name in task_names())
        if found == expected or time.monotonic() > deadline:
            return found or None
        time.sleep(0.01)
