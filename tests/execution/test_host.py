"""The moment on three clocks that ties a record to calendar time."""

from __future__ import annotations

import time

import pytest

from harness.execution import host

LEAD_NS = {time.CLOCK_REALTIME: 1_700_000_000_000_000_000, time.CLOCK_MONOTONIC: 0, time.CLOCK_BOOTTIME: 60_000_000_000}


@pytest.mark.parametrize("preempted", [(), (0,), (1, 4), (2, 3, 5, 7, 9)])
def test_an_anchor_is_one_moment_although_the_process_is_preempted(
    monkeypatch: pytest.MonkeyPatch, preempted: tuple[int, ...]
) -> None:
    """Reading a clock takes 100 ns; before some readings the process waits 4 ms for its turn."""
    now_ns, readings = 5_000_000_000, 0

    def read(clock: int) -> int:
        nonlocal now_ns, readings
        now_ns += 100 + (4_000_000 if readings in preempted else 0)
        readings += 1
        return now_ns + LEAD_NS[clock]

    monkeypatch.setattr(host.time, "clock_gettime_ns", read)
    monkeypatch.setattr(host.time, "monotonic_ns", lambda: read(time.CLOCK_MONOTONIC))
    anchor = host.clock_anchor()
    for name, clock in (("realtime_ns", time.CLOCK_REALTIME), ("boottime_ns", time.CLOCK_BOOTTIME)):
        assert abs(anchor[name] - LEAD_NS[clock] - anchor["monotonic_ns"]) <= 300


def test_of_the_real_clocks_too() -> None:
    before_ns = time.monotonic_ns()
    anchor = host.clock_anchor()
    assert before_ns <= anchor["monotonic_ns"] <= time.monotonic_ns()
    assert anchor["realtime_ns"] == pytest.approx(time.time_ns(), abs=5_000_000_000)
