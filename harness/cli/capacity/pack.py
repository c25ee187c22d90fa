"""`dlgauge capacity pack`: how many such jobs on one machine?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import (
    BATCH_SIZE,
    FORMAT,
    FRAMEWORK,
    JOB_KEYS,
    OUTPUT,
    STORE,
    STUDY,
    WORKLOAD,
    Format,
)


class Cores(StrEnum):
    """How jobs share the CPUs."""

    SHARED = "shared"
    SPLIT = "split"


CORES_HELP = "shared: all jobs on the same CPUs; split: each on its own part of them."


def pack(
    store: Path | None = STORE,
    framework: str = FRAMEWORK,
    workload: str = WORKLOAD,
    batch_size: int = BATCH_SIZE,
    job: list[str] | None = JOB_KEYS,
    profile: str = typer.Option(..., "--profile", help=f"The machine: {options.MACHINE_HELP}"),
    cores: Cores = typer.Option(Cores.SHARED, "--cores", help=CORES_HELP),
    slowest: float | None = typer.Option(
        None, "--slowest", min=1, help="How many times slower than alone on the whole machine a job may be."
    ),
    most: int = typer.Option(8, "--most", min=1, max=64, help="The largest number of jobs looked at."),
    study: list[str] | None = STUDY,
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Say how many jobs of one kind a machine runs at once, by memory and by the interference that was measured."""
    question: dict[str, Any] = {
        "ask": "pack",
        "job": options.job_of(framework, workload, batch_size, job),
        "profile": options.machine_of(profile, "--profile"),
        "cores": cores.value,
        "most": most,
        **({} if slowest is None else {"slowest": slowest}),
    }
    found, folder = options.answer_question(store, study, question)
    options.write_answers([found], folder, format_, output)
