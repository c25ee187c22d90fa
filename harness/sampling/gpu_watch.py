"""What the GPU thread tells the sampler's main loop while it works: the call being made, and what went wrong.

Both are written by one thread and read by another without a lock: each is a single store or a deque operation.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

HUNG_NS = 5_000_000_000
"""An NVML call that has not returned after this time is called hung, and is not made again should it return."""

NO_GPUS: dict[str, Any] = {"gpus": [], "gpu_ticks_skipped": 0, "gpu_hangs": []}
"""What the report says where no GPU is read."""


class CallWatch:
    """The NVML call being made: `began_ns` is 0 between calls."""

    __slots__ = ("began_ns", "gpu", "what")

    def __init__(self) -> None:
        self.what = "nothing yet"
        self.gpu: int | None = None
        self.began_ns = 0

    def begin(self, what: str, gpu: int | None = None) -> None:
        """A call starts: what it asks, and of which device (index in the report), if of one."""
        self.what, self.gpu = what, gpu
        self.began_ns = time.monotonic_ns()

    def end(self) -> int:
        """The call has returned. Returns how long it took, in ns."""
        took_ns = time.monotonic_ns() - self.began_ns
        self.began_ns = 0
        return took_ns


class Notes:
    """Troubles on their way to the main loop, which counts them in the sample it is taking."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()

    def note(self, message: str) -> None:
        """Leave a message."""
        self._waiting.append(message)

    def take(self) -> list[str]:
        """The messages since the last call."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
