"""A worker whose phases are busy and idle in turn, of 50 to 250 ms: `burner.py SEED PHASES`, below the launcher."""

from __future__ import annotations

import random
import sys
import time

from frameworks.worker.events import EventLog
from frameworks.worker.protocol import END, EVENTS_FILE, SAMPLER_SOCKET


def main(seed: int, phases: int) -> None:
    """Mark, then burn (`train`) or sleep (`evaluate`) for a length drawn from the seed."""
    draw = random.Random(seed)
    log = EventLog(EVENTS_FILE, SAMPLER_SOCKET)
    for index in range(phases):
        busy = index % 2 == 0
        log.phase("train" if busy else "evaluate", index)
        until_s = time.monotonic() + draw.uniform(0.05, 0.25)
        while busy and time.monotonic() < until_s:
            sum(range(500))
        time.sleep(max(0.0, until_s - time.monotonic()))
    log.phase(END, phases)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
