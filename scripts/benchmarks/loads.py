"""Programs with known resource use, run below the tools that are compared: `python loads.py NAME ARGUMENTS...`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

CHILDREN, CHILD_S = 25, 0.1
ORPHANS, ORPHAN_S = 2, 0.5
SPIKE_BYTES = 300_000_000
PAGE_BYTES = 4096


def argv(name: str, *arguments: object) -> list[str]:
    """The command that runs a load, in an interpreter without site packages."""
    return [sys.executable, "-S", "-E", __file__, name, *map(str, arguments)]


def burn(cpu_s: float) -> None:
    """Use this much CPU time of this process."""
    end_s = time.process_time() + cpu_s
    while time.process_time() < end_s:
        pass


def tell(truth: str) -> None:
    """Append this process's own CPU seconds, by its CPU clock, as its last act."""
    descriptor = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{time.process_time()}\n".encode())
    os.close(descriptor)


def forked(cpu_s: float, truth: str) -> int:
    """Fork a child that burns; returns its process number."""
    pid = os.fork()
    if pid == 0:
        burn(cpu_s)
        tell(truth)
        os._exit(0)
    return pid


def cpu(truth: str) -> None:
    """Short children one after the other, and orphans that outlive their parents and this program."""
    for _ in range(CHILDREN):
        os.waitpid(forked(CHILD_S, truth), 0)
    for _ in range(ORPHANS):
        parent = os.fork()
        if parent == 0:
            os.setsid()
            forked(ORPHAN_S, truth)
            os._exit(0)
        os.waitpid(parent, 0)
    tell(truth)


def spike(truth: str) -> None:
    """300 MB for 30 ms between two samples; the truth is what is resident before, and the block."""
    time.sleep(1.25)
    before_bytes = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    block = bytearray(SPIKE_BYTES)  # zeroed by the kernel: not resident before it is touched
    block[::PAGE_BYTES] = b"x" * len(block[::PAGE_BYTES])
    time.sleep(0.03)
    del block
    Path(truth).write_text(str(before_bytes + SPIKE_BYTES))
    time.sleep(1.25)


def tree(size: str, nap_s: str, *join: str) -> None:
    """A tree of so many processes that wake up every so often, in a cgroup if files to join are named."""
    for path in join:
        Path(path).write_text(str(os.getpid()))
    for _ in range(int(size) - 1):
        if os.fork() == 0:
            break
    while True:
        time.sleep(float(nap_s))


def burn_wall(seconds: str) -> None:
    """Keep a core busy for a while."""
    end_s = time.monotonic() + float(seconds)
    while time.monotonic() < end_s:
        pass


def phases(folder: str, seed: str) -> None:
    """24 phases of 50 to 250 ms, busy and idle in turn, marked as a worker marks them."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import random

    from frameworks.worker.events import EventLog

    log, draw = EventLog(f"{folder}/events.jsonl", f"{folder}/sampler.sock"), random.Random(int(seed))
    log.phase("import")
    for number in range(24):
        log.phase(("train", "evaluate")[number % 2])
        duration_s = draw.uniform(0.05, 0.25)
        if number % 2:
            time.sleep(duration_s)
        else:
            burn(duration_s)
    log.phase("end")


def training(seconds: str, folder: str) -> None:
    """Steps of matrix products and small NumPy work, as a framework mixes them; tells steps and seconds in a file.

    It says `ready` when it is warm, and begins when the file `go` is there, so that no start-up is in the figure.
    """
    import numpy

    draw = numpy.random.default_rng(0)
    weights, images = draw.random((512, 512), dtype=numpy.float32), draw.random((64, 512), dtype=numpy.float32)

    def step() -> None:
        hidden = numpy.maximum(images @ weights, 0)
        for _ in range(8):
            hidden = numpy.maximum(hidden @ weights * 0.004, 0)
        hidden.mean()

    for _ in range(50):
        step()
    Path(folder, "ready").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.01)
    steps, begin_s = 0, time.monotonic()
    while (now_s := time.monotonic()) - begin_s < float(seconds):
        step()
        steps += 1
    Path(folder, "steps").write_text(f"{steps} {now_s - begin_s}")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
