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
        `compute_s` and `memory_s`, each the lower quartile of its parts in seconds; `compute_spread` and
        `memory_spread`, how far the parts lie apart; and the `cpus`.

    Raises:
        CanaryError: it could not be run, or took more than a minute.
    """
    argv = [sys.executable, "-I", "-S", canary_kernel.__file__, ",".join(map(str, cpus)), str(rounds)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
        parts = json.loads(done.stdout)
        found = [(key, *lower_quartile_and_spread(parts[key])) for key in KEYS]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise CanaryError(f"the canary on CPUs {list(cpus)} failed: {error}") from error
    values = {key: value_s for key, value_s, _ in found}
    spreads = {key.removesuffix("_s") + "_spread": spread for key, _, spread in found}
    return {**values, **spreads, "cpus": list(cpus)}


def lower_quartile_and_spread(parts_s: Sequence[float]) -> tuple[float, float]:
    """What stands for the parts, and how far the fastest twentieth of them lies below their median, as a share of it.

    A part that was preempted takes much longer than it should and none takes shorter: the slower half says nothing of
    the work, and the lower quartile is nearly what it takes alone. The spread of the faster half tells how far two such
    values may differ with nothing changed.
    """
    cuts_s = statistics.quantiles(parts_s, n=20, method="inclusive")
    fastest_s, lower_s, median_s = cuts_s[0], cuts_s[4], cuts_s[9]
    return lower_s, (median_s - fastest_s) / median_s
