"""Threads are counted by the CPU time that the kernel sees, also of threads that live for one call only."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path

import pytest

from frameworks.worker import threads

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel keeps no schedstat: nothing can be counted"
)
CHUNK = b"x" * (64 << 20)


def burn(count: int) -> None:
    """`count` threads, this one among them, that hash for some tens of milliseconds without Python's lock."""
    others = [threading.Thread(target=hashlib.sha256, args=(CHUNK,)) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    hashlib.sha256(CHUNK)
    for thread in others:
        thread.join()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_lived_threads_are_counted(count: int) -> None:
    assert threads.threads_used(lambda: burn(count), count) == count


def test_a_pool_that_still_spins_is_waited_for() -> None:
    """As OpenMP's threads do for a while after their work."""
    spinning = threading.Thread(target=lambda: [hashlib.sha256(CHUNK) for _ in range(3)])
    spinning.start()
    try:
        assert threads.threads_used(lambda: burn(2), 2) == 2
    finally:
        spinning.join()


def test_idle_threads_are_not_counted() -> None:
    end = threading.Event()
    idle = threading.Thread(target=end.wait)
    idle.start()
    try:
        assert threads.threads_used(lambda: burn(1), 2) == 1
    finally:
        end.set()
        idle.join()


def test_without_the_kernel_s_account_nobody_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    monkeypatch.setattr(threads, "TASKS", str(tmp_path))
    assert threads.threads_used(lambda: None, 1) is None


def test_a_pool_is_counted_by_its_name() -> None:
    assert threads.named_threads("no-such-pool", 0) is None
    end = threading.Event()

    def named() -> None:
        Path("/proc/thread-self/comm").write_text("dlgauge-test")
        end.wait()

    pool = [threading.Thread(target=named) for _ in range(2)]
    for thread in pool:
        thread.start()
    try:
        assert threads.named_threads("dlgauge-test", 2) == 2
        begin = time.monotonic()
        assert threads.named_threads("dlgauge-test", 3) == 2
        assert time.monotonic() - begin >= threads.NAME_PATIENCE_S
    finally:
        end.set()
        for thread in pool:
            thread.join()


@pytest.mark.parametrize(
    ("counts", "wanted", "found"),
    [
        ([1, 1, 1], 2, 1),
        ([1, 3, 2], 4, 3),
        ([2, 2, 1, 2, 2], 1, 2),
        ([3, 2, 2], 2, 2),
        ([3, 2], 2, 3),
    ],
)
def test_one_lucky_count_among_higher_ones_proves_nothing(counts: list[int], wanted: int, found: int) -> None:
    assert threads.verdict(counts, wanted) == found
