"""A fixed amount of work, timed: the canary of a measurement. Run as a file, standard library only.

`canary_kernel.py CPUS ROUNDS`: CPUS a comma list to be pinned to. Prints `{"compute_s": [...], "memory_s": [...]}`, the
seconds of every part: SHA-256 (the processor's clock, and who shares the core) and copying blocks larger than a cache
(memory bandwidth, and who shares that).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable

PARTS = 5
HASHED_BYTES = 20 << 20
"""Of one part: about 20 ms."""

BLOCK_BYTES = 32 << 20
COPIES = 4
"""Blocks copied in one part: about 20 ms at 6 GB/s."""


def main(arguments: list[str]) -> int:
    """Pin, warm up, time all parts in turn."""
    os.sched_setaffinity(0, [int(cpu) for cpu in arguments[0].split(",")])
    source, target = bytearray(os.urandom(1 << 20) * (BLOCK_BYTES >> 20)), bytearray(BLOCK_BYTES)
    hashed = memoryview(source)[:HASHED_BYTES]

    def compute() -> None:
        hashlib.sha256(hashed).digest()

    def memory() -> None:
        for _ in range(COPIES):
            target[:] = source

    memory()  # every page is there, every cache and clock awake
    found: dict[str, list[float]] = {"compute_s": [], "memory_s": []}
    for _ in range(PARTS * int(arguments[1])):
        found["compute_s"].append(timed_s(compute))
        found["memory_s"].append(timed_s(memory))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def timed_s(work: Callable[[], None]) -> float:
    """Seconds that a part takes on the wall's clock: what another program takes away is what it is to show."""
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
