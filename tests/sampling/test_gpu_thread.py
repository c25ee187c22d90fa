"""The thread that talks to the GPUs, with a driver that answers when the test says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.sampling import gpu, gpu_thread
from harness.sampling.gpu_thread import GpuThread
from harness.sampling.gpu_watch import CallWatch, Notes
from harness.sampling.schema import TIER_FAST
from harness.sampling.troubles import Troubles

NOBODY: frozenset[int] = frozenset()


class Driver:
    """Stands for the reader of the devices: each request waits until `answer` lets it go."""

    def __init__(self) -> None:
        self.watch = CallWatch()
        self.may_answer = threading.Semaphore(0)
        self.opening = threading.Event()
        self.closed = False
        self.asked: list[int] = []

    def open(self, uuids: list[str] | None, watch: CallWatch, notes: Notes) -> Driver:
        self.watch = watch
        watch.begin("nvmlInit")
        assert self.opening.wait(10)
        watch.end()
        return self

    def read(self, seq: int, tiers: int, tree_pids: frozenset[int], boundary: bool) -> bytes:
        self.asked.append(seq)
        self.watch.begin("energy_mj", 0)
        assert self.may_answer.acquire(timeout=10)
        self.watch.end()
        if seq < 0:
            raise ValueError("a defect")
        return bytes([seq])

    def describe(self) -> list[dict[str, Any]]:
        return [{"uuid": "GPU-fake"}]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    driver = Driver()
    driver.opening.set()
    monkeypatch.setattr(gpu, "open_gpus", driver.open)
    yield driver
    driver.opening.set()
    driver.may_answer.release(100)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def start(troubles: Troubles | None = None) -> GpuThread:
    thread = GpuThread(None, troubles or Troubles())
    assert thread.wait_open(10) is None
    return thread


def post(thread: GpuThread, seq: int, *, boundary: bool = False) -> None:
    thread.post(seq, TIER_FAST, NOBODY, boundary=boundary)


def test_a_tick_is_skipped_while_one_is_answered_and_a_boundary_waits(driver: Driver) -> None:
    thread = start()
    post(thread, 0)
    for seq in (1, 2):
        post(thread, seq)
    post(thread, 3, boundary=True)
    assert thread.collect() == b""
    driver.may_answer.release(2)
    assert thread.finish() == bytes([0, 3])
    assert thread.report()["gpu_ticks_skipped"] == 2
    assert driver.closed


def test_waiting_boundaries_are_bounded(driver: Driver) -> None:
    thread = start()
    for seq in range(20):
        post(thread, seq, boundary=True)
    driver.may_answer.release(20)
    taken = thread.finish()
    assert taken == bytes(range(8))
    assert thread.report()["gpu_ticks_skipped"] == 12


def test_a_hang_is_noted_once_and_its_return_too(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_thread, "HUNG_NS", 20_000_000)
    troubles = Troubles()
    thread = start(troubles)
    post(thread, 0)
    until(lambda: driver.watch.began_ns > 0)
    time.sleep(0.03)
    for seq in (1, 2, 3):
        post(thread, seq)
    assert troubles.summary()["gpu"]["count"] == 1
    assert thread.report()["gpus"][0]["hung"] == "the driver has not answered for 0.02 s: energy_mj"
    assert thread.report()["gpu_hangs"][0]["returned_at_ns"] is None
    driver.may_answer.release(2)
    until(lambda: thread.collect() == bytes([0]))
    post(thread, 4)
    assert thread.finish() == bytes([4])
    assert thread.report()["gpu_hangs"][0]["returned_at_ns"] > 0
    assert len(thread.report()["gpu_hangs"]) == 1


def test_the_end_does_not_wait_for_a_call_that_hangs(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_thread, "_FINISH_LIMIT_S", 0.05)
    troubles = Troubles()
    thread = start(troubles)
    post(thread, 0)
    until(lambda: driver.watch.began_ns > 0)
    assert thread.finish() == b""
    assert troubles.summary()["gpu"]["first"] == "no answer at the end: energy_mj"
    assert not driver.closed


def test_a_driver_that_does_not_open_in_time(driver: Driver) -> None:
    driver.opening.clear()
    thread = GpuThread(None, Troubles())
    assert thread.wait_open(0.05) == "the NVIDIA driver did not answer within 0.05 s (nvmlInit)"
    driver.opening.set()
    until(lambda: driver.closed)  # it answers after all: the driver is closed, nothing is read
    assert driver.asked == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_the_thread_is_noted(driver: Driver) -> None:
    troubles = Troubles()
    thread = start(troubles)
    driver.may_answer.release()
    post(thread, -1)
    until(lambda: not thread._thread.is_alive())
    post(thread, 1)
    post(thread, 2)
    assert troubles.summary()["gpu"] == {"count": 1, "first": "the GPU thread ended: see sampler.log"}
    thread.finish()
