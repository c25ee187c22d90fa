"""The tools that the sampler is compared with: psrecord, and a loop with psutil as most scripts have it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PERIOD_S = 0.1

PSUTIL_LOOP = """
import sys, time, psutil
root, period_s, log = psutil.Process(int(sys.argv[1])), float(sys.argv[2]), open(sys.argv[3], "w", buffering=1)
begin_s, number, known = time.monotonic(), 0, {}
while True:
    try:
        found = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        break
    resident = 0
    for process in found:
        process = known.setdefault(process, process)
        try:
            with process.oneshot():
                used = process.cpu_times()
                resident += process.memory_info().rss
                process.io_counters(), process.num_threads()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        known[process].used_s = used.user + used.system
    total_s = sum(getattr(process, "used_s", 0.0) for process in known)
    log.write(f"{time.monotonic() - begin_s} {total_s} {resident}\\n")
    number += 1
    time.sleep(max(0.0, begin_s + number * period_s - time.monotonic()))
"""
"""Writes `seconds, CPU seconds of all processes seen so far, resident bytes`; a process keeps the last time seen."""


def add_option(parser: object) -> None:
    """`--psrecord PYTHON` for a parser."""
    parser.add_argument(  # type: ignore[attr-defined]
        "--psrecord", metavar="PYTHON", help="interpreter that has psrecord; default: a venv made for this run"
    )


@contextlib.contextmanager
def psrecord_interpreter(given: str | None) -> Iterator[str]:
    """An interpreter with psrecord: the one given, or a temporary venv filled from the package index."""
    if given is not None:
        if subprocess.run([given, "-c", "import psrecord"], capture_output=True, check=False).returncode:
            raise SystemExit(f"--psrecord {given}: that interpreter has no psrecord; pip install psrecord there")
        yield given
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        done = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "psrecord"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            raise SystemExit(f"psrecord could not be installed ({last}); install it and name it with --psrecord PYTHON")
        yield python


def psrecord_argv(python: str, target: int | Sequence[str], log: Path) -> list[str]:
    """psrecord on a process or a command at 10 Hz with all its children."""
    what = str(target) if isinstance(target, int) else " ".join(target)
    options = ["--interval", str(PERIOD_S), "--include-children", "--log", str(log)]
    return [python, "-c", "from psrecord import main; main()", what, *options]


def psutil_argv(pid: int, log: Path, period_s: float = PERIOD_S) -> list[str]:
    """The psutil loop on a process, until it ends."""
    return [sys.executable, "-c", PSUTIL_LOOP, str(pid), str(period_s), str(log)]


def psutil_rows(log: Path) -> list[tuple[float, float, int]]:
    """Seconds, CPU seconds and resident bytes of every whole line of the loop's log."""
    rows = [line.split() for line in log.read_text().splitlines()]
    return [(float(row[0]), float(row[1]), int(row[2])) for row in rows if len(row) == 3]


def psrecord_rows(log: Path) -> list[tuple[float, float, float]]:
    """Seconds, CPU percent and resident MB of every line of psrecord's log."""
    rows = [line.split() for line in log.read_text().splitlines() if line and not line.startswith("#")]
    return [(float(row[0]), float(row[1]), float(row[2])) for row in rows if len(row) >= 3]


def psrecord_cpu_s(log: Path) -> float:
    """CPU seconds by psrecord: each line's percentage over the time since the line before."""
    rows = psrecord_rows(log)
    return sum(percent / 100 * (now - before) for (before, *_), (now, percent, _) in zip(rows, rows[1:], strict=False))


def cpu_s(pid: int) -> float:
    """CPU seconds of another process, by its own clock."""
    return time.clock_gettime((~pid << 3) | 2)


def cpu_percent(process: subprocess.Popen[bytes], seconds: float, start_up_s: float = 2.0) -> float:
    """CPU time of a running tool in percent of a core, once it has started up."""
    time.sleep(start_up_s)
    begin_s, begin_cpu_s = time.monotonic(), cpu_s(process.pid)
    time.sleep(seconds)
    if process.poll() is not None:
        raise SystemExit(f"{process.args!r} has ended by itself")
    return 100 * (cpu_s(process.pid) - begin_cpu_s) / (time.monotonic() - begin_s)
