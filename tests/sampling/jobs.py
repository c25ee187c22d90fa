"""Jobs with known resource use, run below the launcher in the sampler's tests: `jobs.py NAME ARGUMENT`."""

from __future__ import annotations

import mmap
import os
import socket
import sys
import threading
import time
from pathlib import Path

MIB = 1 << 20
PREPARE, BUILD, WARM_UP, TRAIN, EVALUATE, TEARDOWN = range(1, 7)
"""Indexes into `frameworks.worker.protocol.PHASES`."""


def burn(cpu_s: float) -> None:
    """Use this much CPU time of this process."""
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        sum(range(2000))


def child(cpu_s: float) -> int:
    """Fork a child that burns; returns its pid."""
    pid = os.fork()
    if pid == 0:
        burn(cpu_s)
        os._exit(0)
    return pid


def one_thread(cpu_s: float) -> None:
    burn(cpu_s)


def threads(cpu_s: float) -> None:
    workers = [threading.Thread(target=burn, args=(cpu_s,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def short_children(cpu_s: float) -> None:
    for _ in range(50):
        os.waitpid(child(cpu_s / 50), 0)


def children_of_a_tenth(cpu_s: float) -> None:
    """25 children, one after the other, of 0.1 s each (the argument says how much together)."""
    for _ in range(25):
        os.waitpid(child(cpu_s / 25), 0)


def four_processes(cpu_s: float) -> None:
    pids = [child(cpu_s / 4) for _ in range(4)]
    for pid in pids:
        os.waitpid(pid, 0)


def double_fork(cpu_s: float) -> None:
    """A daemon: it outlives its parent and the worker itself, which have both ended when it burns."""
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.3)
            burn(cpu_s)
        os._exit(0)


def orphan(cpu_s: float) -> None:
    """The grandchild outlives its parent and is adopted by the launcher."""
    pid = os.fork()
    if pid == 0:
        child(cpu_s)
        os._exit(0)
    os.waitpid(pid, 0)


def forked_by_thread(cpu_s: float) -> None:
    """A child that only its forking thread's `children` file lists, for as long as that thread lives."""

    def run() -> None:
        pid = os.fork()
        if pid == 0:
            burn(cpu_s)
            mark()
            time.sleep(0.1)
            os._exit(0)
        os.waitpid(pid, 0)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def hold_memory(mib: float) -> None:
    block = bytearray(int(mib) * MIB)  # zeroed by the kernel: not resident before it is touched
    block[::4096] = b"x" * len(block[::4096])
    mark()
    time.sleep(0.5)
    del block


def spike(mib: float) -> None:
    """Memory held for 30 ms between two samples, freed long before the mark."""
    mark(TRAIN)
    time.sleep(0.15)
    block = bytearray(int(mib) * MIB)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.03)
    del block
    time.sleep(0.15)
    mark(EVALUATE)
    time.sleep(0.3)
    mark(TEARDOWN)


def shared_by_fork(mib: float) -> None:
    """Memory of the parent that four children only read."""
    block = bytearray(int(mib) * MIB)
    block[::4096] = b"x" * len(block[::4096])
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            assert block.count(b"x") == len(block) // 4096
            time.sleep(1.5)
            os._exit(0)
        pids.append(pid)
    time.sleep(1.2)
    mark(TEARDOWN)
    for pid in pids:
        os.waitpid(pid, 0)


def shared_memory(mib: float) -> None:
    """A file in a tmpfs, mapped and touched, as data loaders pass batches."""
    with Path(f"/dev/shm/dlgauge-test-{os.getpid()}").open("w+b") as stream:
        Path(stream.name).unlink()
        stream.truncate(int(mib) * MIB)
        with mmap.mmap(stream.fileno(), 0) as block:
            block[::4096] = b"x" * len(block[::4096])
            mark(TEARDOWN)
            time.sleep(0.3)


def mapped_file(mib: float) -> None:
    """A file on storage, written and then mapped and read."""
    content = os.urandom(MIB)
    with Path("mapped.tmp").open("w+b", buffering=0) as stream:
        for _ in range(int(mib)):
            stream.write(content)
        os.fsync(stream.fileno())
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as block:
            assert len(block[::4096]) == int(mib) * 256
            mark(TEARDOWN)
            time.sleep(0.3)


def read_cold(mib: float) -> None:
    """Bytes that must come from storage: written out, dropped from the page cache, read."""
    write_file(mib)
    with Path("written.tmp").open("rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        mark(TRAIN)
        time.sleep(0.3)
        while stream.read(MIB):
            pass
    mark(TEARDOWN)
    time.sleep(0.3)


def write_file(mib: float) -> None:
    mark(PREPARE)
    time.sleep(0.3)
    with Path("written.tmp").open("wb", buffering=0) as stream:
        for _ in range(int(mib)):
            stream.write(os.urandom(MIB))
        os.fsync(stream.fileno())
    mark(BUILD)
    time.sleep(0.3)


def sleepers(count: float) -> None:
    pids = []
    for _ in range(int(count)):
        pid = os.fork()
        if pid == 0:
            time.sleep(1.5)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


def mark(phase: int = ord("p")) -> None:
    """Ask for a boundary sample, as a worker does at the mark of a phase."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(bytes([phase]), "sampler.sock")


if __name__ == "__main__":
    globals()[sys.argv[1]](float(sys.argv[2]))
