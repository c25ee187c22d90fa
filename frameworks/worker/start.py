"""The start of training of jobs that run side by side: none begins before all of them could."""

from __future__ import annotations

import os
import time

from frameworks.worker.events import EventLog


def wait_for_start(path: str, events: EventLog) -> None:
    """Say that this job could train now, and wait for the harness's word that all of them could.

    The wait takes no CPU time: it is a blocking read of a named pipe, which the harness holds open.

    Raises:
        RuntimeError: the harness has gone, and with it the other end of the pipe.
    """
    begin_ns = events.write("ready")
    # Opened without waiting for a writer: where the harness has gone already, the read finds the end of the file.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(descriptor, True)
    word = os.read(descriptor, 1)
    os.close(descriptor)
    if not word:
        raise RuntimeError("the harness has gone before the start of the training")
    events.write("start", waited_ns=time.monotonic_ns() - begin_ns)
