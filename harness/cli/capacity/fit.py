"""`dlgauge capacity fit`: does a job fit a profile?"""

from __future__ import annotations

from pathlib import Path

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


def fit(
    store: Path | None = STORE,
    framework: str = FRAMEWORK,
    workload: str = WORKLOAD,
    batch_size: int = BATCH_SIZE,
    job: list[str] | None = JOB_KEYS,
    profile: str = typer.Option(..., "--profile", help=f"Where it should fit: {options.MACHINE_HELP}"),
    study: list[str] | None = STUDY,
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Say whether a job's memory fits a profile: fits, does not fit, or cannot be told."""
    question = {
        "ask": "fit",
        "job": options.job_of(framework, workload, batch_size, job),
        "profile": options.machine_of(profile, "--profile"),
    }
    found, folder = options.answer_question(store, study, question)
    options.write_answers([found], folder, format_, output)
