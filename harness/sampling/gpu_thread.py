"""The thread that talks to the GPUs, so that a driver that hangs holds up neither the sampler's ticks nor its end.

ctypes lets go of the interpreter during a call, so a call that never returns stops this thread alone. The main loop
posts requests and takes finished records, which it alone writes to the file. A tick is not asked for while an earlier
one is still being answered: it is counted. Boundary samples wait for their turn.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from harness.sampling.gpu_watch import HUNG_NS, CallWatch, Notes

if TYPE_CHECKING:
    from harness.sampling.gpu import GpuReader
    from harness.sampling.troubles import Troubles

DRIVER_LIBRARY = "libnvidia-ml.so.1"
OPEN_LIMIT_S = 20.0
"""For the driver to start: about a second a device where no persistence daemon runs, and 2 s for calibration."""

_MOST_WAITING = 8
_FINISH_LIMIT_S = 2.0
_CLOSE_LIMIT_S = 1.0

_Request = tuple[int, int, frozenset[int], bool]


def start_gpus(uuids: list[str] | None, troubles: Troubles, open_limit_s: float = OPEN_LIMIT_S) -> GpuThread | str:
    """A thread that has opened all GPUs, or the reason why there is none.

    Args:
        uuids: the job's devices; None: all of them.
        troubles: where errors are counted.
        open_limit_s: how long to wait for the driver.
    """
    import ctypes  # here: 1 MiB that a machine without a driver need not spend

    try:
        ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return f"no NVIDIA driver: {DRIVER_LIBRARY} not found"
    thread = GpuThread(uuids, troubles)
    reason = thread.wait_open(open_limit_s)
    return thread if reason is None else reason


class GpuThread:
    """The main loop's side of the thread: every public method is the main loop's and returns at once or in set time."""

    def __init__(self, uuids: list[str] | None, troubles: Troubles) -> None:
        self._uuids = uuids
        self._troubles = troubles
        self._watch = CallWatch()
        self._notes = Notes()
        self._opened = threading.Event()
        self._abandoned = False
        self._reader: GpuReader | str = "the GPU thread ended while it opened the devices: see sampler.log"
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._records: deque[bytes] = deque()
        self._posted = self._answered = 0
        self._ticks_skipped = 0
        self._hangs: list[dict[str, Any]] = []
        self._ended_noted = False
        self._thread = threading.Thread(target=self._run, name="gpu", daemon=True)  # a hung one must not block the exit
        self._thread.start()

    def wait_open(self, limit_s: float) -> str | None:
        """Wait until the devices are open. Returns the reason if there are none, or not in time."""
        if not self._opened.wait(limit_s):
            self._abandoned = True
            return f"the NVIDIA driver did not answer within {limit_s:g} s ({self._watch.what})"
        self._take_notes()
        return self._reader if isinstance(self._reader, str) else None

    def post(self, seq: int, tiers: int, tree_pids: frozenset[int], *, boundary: bool) -> None:
        """Ask for the records of a sample."""
        self._look(time.monotonic_ns())
        waiting = self._posted - self._answered
        if waiting and (not boundary or waiting >= _MOST_WAITING):
            self._ticks_skipped += 1
            return
        self._posted += 1
        self._requests.put((seq, tiers, tree_pids, boundary))

    def collect(self) -> bytes:
        """The records finished since the last call."""
        self._take_notes()
        return b"".join([self._records.popleft() for _ in range(len(self._records))])

    def finish(self) -> bytes:
        """Wait a little for what has been asked for, close the driver, and return the last records."""
        deadline_ns = time.monotonic_ns() + int(_FINISH_LIMIT_S * 1e9)
        while self._posted > self._answered and time.monotonic_ns() < deadline_ns and self._thread.is_alive():
            if self._watch.began_ns and time.monotonic_ns() - self._watch.began_ns > HUNG_NS:
                break
            time.sleep(0.002)
        self._look(time.monotonic_ns())
        if self._posted == self._answered:
            self._requests.put(None)
            self._thread.join(_CLOSE_LIMIT_S)
        else:
            self._abandoned = True
            self._troubles.note("gpu", f"no answer at the end: {self._watch.what}")
        return self.collect()

    def report(self) -> dict[str, Any]:
        """`gpus`, `gpu_ticks_skipped`, `gpu_hangs` for the sampler's report."""
        gpus = [] if isinstance(self._reader, str) else self._reader.describe()
        for gpu in gpus:
            gpu["hung"] = None
        for hang in self._hangs:
            if hang["gpu"] is not None:
                gpus[hang["gpu"]]["hung"] = hang["reason"]
        return {"gpus": gpus, "gpu_ticks_skipped": self._ticks_skipped, "gpu_hangs": self._hangs}

    def _look(self, now_ns: int) -> None:
        """Note a call that hangs, once, and its return."""
        began_ns, what, gpu = self._watch.began_ns, self._watch.what, self._watch.gpu
        last = self._hangs[-1] if self._hangs else None
        if last is not None and last["returned_at_ns"] is None and began_ns != last["began_ns"]:
            last["returned_at_ns"] = now_ns
        if began_ns and now_ns - began_ns > HUNG_NS and (last is None or last["began_ns"] != began_ns):
            reason = f"the driver has not answered for {HUNG_NS / 1e9:g} s: {what}"
            self._hangs.append(
                {"gpu": gpu, "call": what, "began_ns": began_ns, "returned_at_ns": None, "reason": reason}
            )
            self._troubles.note("gpu", reason)
        if not self._thread.is_alive() and not self._ended_noted:
            self._ended_noted = True
            self._troubles.note("gpu", "the GPU thread ended: see sampler.log")

    def _take_notes(self) -> None:
        for message in self._notes.take():
            self._troubles.note("gpu", message)

    def _run(self) -> None:
        from harness.sampling.gpu import open_gpus

        try:
            self._reader = reader = open_gpus(self._uuids, self._watch, self._notes)
        finally:
            self._opened.set()
        if isinstance(reader, str):
            return
        while not self._abandoned and (request := self._requests.get()) is not None:
            self._records.append(reader.read(*request))
            self._answered += 1
        reader.close()
