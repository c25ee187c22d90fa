"""A fixed amount of work, timed: the canary of a measurement. Run as a file, standard library only.

`canary_kernel.py CPUS ROUNDS`: CPUS a comma list to be pinned to. Prints `{"compute_s": [...], "memory_s": [...]}`, the
seconds of every part: SHA-256 (the processor's clock, and who shares the core) and copying blocks larger than a cache
(memory bandwidth, and who shares that). The parts are many and short: one that was preempted is then one of many.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

PARTS = 64
"""Of each kind: two quantiles of them, and the distance between those, are what is wanted."""

HASHED_BYTES = 1 << 20
"""Of one part: about 1 ms."""

BLOCK_BYTES = 32 << 20
COPIED_BYTES = 4 << 20
"""Of one part, which goes on where the one before it ended: about 1 ms at 6 GB/s."""


def main(arguments: list[str]) -> int:
    """Pin, warm up, time all parts in turn."""
    os.sched_setaffinity(0, [int(cpu) for cpu in arguments[0].split(",")])
    source, target = block(), block()
    source[:] = os.urandom(1 << 20) * (BLOCK_BYTES >> 20)
    target[:] = source  # every page is there, every cache and clock awake
    hashed = source[:HASHED_BYTES]

    def compute() -> None:
        hashlib.sha256(hashed).digest()

    def memory(begin: int) -> None:
        target[begin : begin + COPIED_BYTES] = source[begin : begin + COPIED_BYTES]

    found: dict[str, list[float]] = {"compute_s": [], "memory_s": []}
    for part in range(PARTS * int(arguments[1])):
        found["compute_s"].append(timed_s(compute))
        found["memory_s"].append(timed_s(partial(memory, part * COPIED_BYTES % BLOCK_BYTES)))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def block() -> memoryview:
    """Memory of huge pages where there are any: which small pages a process gets differs from run to run."""
    memory = mmap.mmap(-1, BLOCK_BYTES)
    with suppress(AttributeError, OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def timed_s(work: Callable[[], None]) -> float:
    """Seconds that a part takes on the wall's clock: what another program takes away is what it is to show."""
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
