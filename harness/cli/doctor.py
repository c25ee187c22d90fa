"""`dlgauge doctor`: the machine as a measuring place, and its noise floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.analysis.noise import NoiseFloor
    from harness.execution.machine import Check

RUNS, QUICK_RUNS = 20, 6
KERNELS = {"compute_s": "compute (SHA-256)", "memory_s": "memory (copying)"}


def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print everything as one JSON object."),
    quick: bool = typer.Option(False, "--quick", help=f"{QUICK_RUNS} calibration runs instead of {RUNS}."),
) -> None:
    """Check what of this machine disturbs a measurement, and how small a difference it can resolve."""
    import dataclasses
    import json
    import os

    from harness.execution.machine import check_machine

    checks = check_machine(steal_s=0.5 if quick else 2.0)
    cpu = min(os.sched_getaffinity(0))
    floors = noise_floors(QUICK_RUNS if quick else RUNS, cpu)
    if as_json:
        content = {
            "checks": [dataclasses.asdict(check) for check in checks],
            "noise_floor": {
                key: {**dataclasses.asdict(floor), "drifts": floor.drifts} for key, floor in floors.items()
            },
            "calibration_cpu": cpu,
        }
        print(json.dumps(content, indent=1))
        return
    _show(checks)
    _show_noise(floors, cpu)


def noise_floors(runs: int, cpu: int) -> dict[str, NoiseFloor]:
    """Run the calibration kernel in so many processes, one after the other, on one CPU."""
    from harness.analysis.noise import noise_floor
    from harness.execution.canary import run_canary

    found = [run_canary([cpu]) for _ in range(runs)]
    return {key: noise_floor([one[key] for one in found]) for key in KERNELS}


def _show(checks: Sequence[Check]) -> None:
    from rich.text import Text

    from harness.cli.tables import new_table, print_table

    colours = {"good": "green", "warning": "yellow", "unknown": "dim"}
    table = new_table("check", "found", "verdict", "effect", "mend")
    for check in checks:
        table.add_row(
            Text(check.name),
            Text(check.found),
            Text(check.verdict, style=colours[check.verdict]),
            Text(check.effect),
            Text(check.mend),
        )
    print_table(table)


def _show_noise(floors: dict[str, Any], cpu: int) -> None:
    from harness.analysis.noise import POWER

    runs = next(iter(floors.values())).runs
    print(f"\nnoise floor: {runs} processes of equal work on CPU {cpu}, one after the other")
    print(f"smallest difference found with probability {POWER:g} by a comparison of two groups of n runs:")
    for key, floor in floors.items():
        resolvable = ", ".join(f"n = {n}: {100 * share:.1f} %" for n, share in floor.resolvable.items())
        correlation = "n/a" if floor.autocorrelation is None else f"{floor.autocorrelation:+.2f}"
        print(f"  {KERNELS[key]}: {resolvable}")
        print(f"    varies by {100 * floor.log_sd:.1f} % (sd), autocorrelation {correlation}", end="")
        print(" (drifts: interleave what is compared)" if floor.drifts else "")
