"""The canary: the same small work before and after a trial, to tell whether the machine stayed the same.

Foreign load, steal and clock are sampled, but a neighbour on the same host shows in none of them: on a virtual machine
identical work has varied by 13 % with a cumulative steal of 0.04 %.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from harness.errors import DlgaugeError
from harness.execution import canary_kernel

TIMEOUT_S = 60.0
KEYS = ("compute_s", "memory_s")


class CanaryError(DlgaugeError):
    """The canary could not be run."""


def run_canary(cpus: Sequence[int], *, rounds: int = 1) -> dict[str, Any]:
    """Run the work once, in a process of its own on the given CPUs: about 0.2 s.

    Returns:
        `compute_s` and `memory_s`, each the median of its parts in seconds, and the `cpus`.

    Raises:
        CanaryError: it could not be run, or took more than a minute.
    """
    argv = [sys.executable, "-I", "-S", canary_kernel.__file__, ",".join(map(str, cpus)), str(rounds)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
        parts = json.loads(done.stdout)
        medians = {key: statistics.median(parts[key]) for key in KEYS}
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        raise CanaryError(f"the canary on CPUs {list(cpus)} failed: {error}") from error
    return {**medians, "cpus": list(cpus)}
