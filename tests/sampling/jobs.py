"""Jobs with known resource use, run below the launcher in the sampler's tests: `jobs.py NAME ARGUMENT`."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from pathlib import Path

MIB = 1 << 20


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


def orphan(cpu_s: float) -> None:
    """The grandchild outlives its parent and is adopted by the launcher."""
    pid = os.fork()
    if pid == 0:
        child(cpu_s)
        os._exit(0)
    os.waitpid(pid, 0)


def forked_by_thread(cpu_s: float) -> None:
    """A child that only its forking thread's `children` file lists, for as long as that thread lives."""
    thread = threading.Thread(target=lambda: os.waitpid(child(cpu_s), 0))
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
    time.sleep(0.15)
    block = bytearray(int(mib) * MIB)
    block[::4096] = b"x" * len(block[::4096])
    time.sleep(0.03)
    del block
    time.sleep(0.15)
    mark()
    time.sleep(0.3)


def write_file(mib: float) -> None:
    with Path("written.tmp").open("wb", buffering=0) as stream:
        for _ in range(int(mib)):
            stream.write(os.urandom(MIB))
        os.fsync(stream.fileno())
    mark()
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


def mark() -> None:
    """Ask for a boundary sample, as a worker does at a phase mark."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"p", "sampler.sock")


if __name__ == "__main__":
    globals()[sys.argv[1]](float(sys.argv[2]))
