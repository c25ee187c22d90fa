"""The worker's two channels to the harness: events as JSON lines and steps as binary records."""

from __future__ import annotations

import json
import os
import socket
import time

from frameworks.worker.protocol import END, PHASES, STEP_RECORD

FLUSH_PERIOD_NS = 1000000000
STEPS_HELD = 8192

POKES = {phase: bytes([code]) for code, phase in enumerate(PHASES + (END,))}
"""What the sampler is sent at the mark of a phase: one byte, the phase's index."""

_PHASE_LINE = b'{"t_ns": %d, "event": "phase", "phase": "%b", "step": %d, "process_cpu_ns": %d}\n'


class EventLog:
    """Appends events, one `write` each, and pokes the sampler (which runs already) at every phase mark."""

    def __init__(self, path: str, sampler_socket: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._sampled = True
        try:
            # Once: looking the socket up by name would take longer than all else that a mark does.
            self._socket.connect(sampler_socket)
        except OSError:
            self._sampled = False
        self._step = 0

    def write(self, event: str, **fields) -> int:
        """Append one event; returns its `t_ns`."""
        t_ns = time.monotonic_ns()
        self._append(dict(fields, t_ns=t_ns, event=event))
        return t_ns

    def phase(self, phase: str, step: "int | None" = None) -> int:
        """Mark that a phase begins, and the one before it ends; returns its `t_ns`.

        Args:
            step: number of finished training steps; by default as at the last mark.
        """
        self._step = self._step if step is None else step
        t_ns = time.monotonic_ns()
        # The clock before the poke: asking for it makes the kernel charge what this thread has used so far. Without
        # that, the cgroup's account and this clock as others see it lag behind by up to a scheduler tick (1 to 10 ms).
        cpu_ns = time.process_time_ns()
        self._poke_sampler(phase)
        os.write(self._descriptor, _PHASE_LINE % (t_ns, phase.encode("ascii"), self._step, cpu_ns))
        return t_ns

    def _append(self, fields: dict) -> None:
        os.write(self._descriptor, json.dumps(fields).encode("utf-8") + b"\n")

    def _poke_sampler(self, phase: str) -> None:
        if self._sampled:
            try:
                self._socket.send(POKES[phase])
            except OSError:
                # The sampler died, or its queue is full: the mark in the event log still stands, only the boundary
                # sample is lost.
                pass


class StepLog:
    """Collects steps in a buffer made beforehand and writes it out once a second, so the loop never waits for it."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._buffer = bytearray(STEP_RECORD.size * STEPS_HELD)
        self._view = memoryview(self._buffer)
        self._used = 0
        self._flushed_ns = 0

    def add(self, step: int, t_end_ns: int, data_ns: int, loss: float, learning_rate: float) -> None:
        """Keep one step; write out when a second has passed or the buffer is full."""
        STEP_RECORD.pack_into(self._buffer, self._used, step, t_end_ns, data_ns, loss, learning_rate)
        self._used += STEP_RECORD.size
        if t_end_ns - self._flushed_ns >= FLUSH_PERIOD_NS or self._used == len(self._buffer):
            self.flush(t_end_ns)

    def flush(self, now_ns: int) -> None:
        """Write out what is held."""
        if self._used:
            os.write(self._descriptor, self._view[: self._used])
            self._used = 0
        self._flushed_ns = now_ns
