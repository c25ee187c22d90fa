"""What every benchmark prints: the machine, the date, each figure beside its target."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime

from harness.execution.host import machine_facts


def print_machine() -> None:
    """One line about where and when."""
    facts = machine_facts()
    memory = facts["memory_bytes"] / 2**30
    where = f"{facts['cpu_model']}, {facts['logical_cpus']} CPUs, {memory:.0f} GiB, Linux {facts['kernel']}"
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {where}")


def print_figure(name: str, figure: str, target: str) -> None:
    """One figure beside its target."""
    print(f"{name}: {figure} (target {target})")


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Median, range and n."""
    return (
        f"median {statistics.median(values):.{digits}f}, range {min(values):.{digits}f} to {max(values):.{digits}f}, "
        f"n = {len(values)}"
    )


def verdict(name: str, figure: str, target: str, met: bool) -> bool:
    """One figure beside its target, and whether it is met; returns that."""
    print(f"{name}: {figure} (target {target}: {'met' if met else 'MISSED'})", flush=True)
    return met
