"""A load that tree walkers lose: 25 children of 0.1 s of CPU time each, and an orphan that nobody waits for.

dlgauge sample -- python docs/examples/loads/short_children.py
It prints what it knows to have used; `cpu_seconds` of the summary should agree within 2 %.
"""

from __future__ import annotations

import os
import time

CHILDREN = 25
CHILD_S = 0.1
ORPHAN_S = 0.5


def burn(cpu_s: float) -> None:
    """Use this much CPU time of this process."""
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        pass


def child(cpu_s: float) -> int:
    """Fork a child that burns and ends; returns its process number."""
    pid = os.fork()
    if pid == 0:
        burn(cpu_s)
        os._exit(0)
    return pid


for _ in range(CHILDREN):
    os.waitpid(child(CHILD_S), 0)
if (parent := os.fork()) == 0:
    child(ORPHAN_S)
    os._exit(0)
os.waitpid(parent, 0)
own_s = sum(os.times()[:4])
print(f"used {own_s + ORPHAN_S:.2f} s of CPU time, {ORPHAN_S} s of it in an orphan that outlives this program")
