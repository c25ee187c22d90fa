"""A small launcher for the sampler's tests: adopts orphans, joins cgroups, sums the resource use of all it reaps.

`subreaper.py RESULT_FILE JOIN_FILES(comma list) BALLAST_MIB ARGV...` makes itself as large as asked, and writes the CPU
seconds of all descendants to RESULT_FILE.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    result_file, join_files, ballast_mib, *argv = sys.argv[1:]
    ballast = bytearray(int(ballast_mib) << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return 3
    if sys.stdin.readline() != "go\n":  # the test names the target to the sampler first
        return 4
    child = os.fork()
    if child == 0:
        for name in filter(None, join_files.split(",")):
            Path(name).write_text(str(os.getpid()))
        os.execv(argv[0], argv)
    cpu_s = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu_s += usage.ru_utime + usage.ru_stime
    Path(result_file).write_text(str(cpu_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
