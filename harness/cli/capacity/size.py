"""`dlgauge capacity size`: the cheapest profile on which a job is done in time."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import (
    ACCURACY,
    BATCH_SIZE,
    EPOCHS,
    FORMAT,
    FRAMEWORK,
    JOB_KEYS,
    OUTPUT,
    STEPS,
    STORE,
    STUDY,
    WORKLOAD,
    Format,
)


def size(
    store: Path | None = STORE,
    framework: str = FRAMEWORK,
    workload: str = WORKLOAD,
    batch_size: int = BATCH_SIZE,
    steps: int | None = STEPS,
    epochs: float | None = EPOCHS,
    accuracy: float | None = ACCURACY,
    job: list[str] | None = JOB_KEYS,
    profile: list[str] = typer.Option(
        ..., "--profile", help=f"A profile to choose from, given again for more: {options.MACHINE_HELP}"
    ),
    deadline: str | None = typer.Option(None, "--deadline", help="Time in which it must be done, such as '30 min'."),
    study: list[str] | None = STUDY,
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Find the cheapest profile on which a job of a given length, or to an accuracy, is done in time."""
    question = {
        "ask": "size",
        "job": options.job_of(framework, workload, batch_size, job, steps, epochs, accuracy),
        "profiles": [options.machine_of(one, "--profile") for one in profile],
        **({} if deadline is None else {"deadline": deadline}),
    }
    found, folder = options.answer_question(store, study, question)
    options.write_answers([found], folder, format_, output)
