"""A load whose rate changes: one core for a second, nothing for a second, two cores for a second.

dlgauge sample -- python docs/examples/loads/busy_and_idle.py
`max_cores_used` of the summary should be near 2 where there are two CPUs, `mean_cores_used` near 1.
"""

from __future__ import annotations

import os
import time


def burn(wall_s: float) -> None:
    """Keep one core busy for a while."""
    end_s = time.monotonic() + wall_s
    while time.monotonic() < end_s:
        pass


burn(1.0)
time.sleep(1.0)
pid = os.fork()
burn(1.0)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
