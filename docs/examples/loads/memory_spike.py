"""A load that sampling alone cannot see: 300 MB for 30 ms.

dlgauge sample -- python docs/examples/loads/memory_spike.py
`peak_memory_bytes` of the summary should be the printed sum within 3 %.
"""

from __future__ import annotations

import time
from pathlib import Path

SPIKE_BYTES = 300_000_000
PAGE_BYTES = 4096


def own_bytes() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


time.sleep(0.55)
before_bytes = own_bytes()
block = bytearray(SPIKE_BYTES)  # zeroed by the kernel: not resident before it is touched
block[::PAGE_BYTES] = b"x" * len(block[::PAGE_BYTES])
time.sleep(0.03)
del block
time.sleep(0.55)
print(f"held {before_bytes / 1e6:.1f} MB, and {SPIKE_BYTES / 1e6:.0f} MB more for 30 ms")
