"""`dlgauge capacity fleet`: a mix of jobs onto machine types at least cost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from harness.cli.capacity import options
from harness.cli.capacity.options import FORMAT, OUTPUT, STORE, STUDY, Format
from harness.cli.capacity.pack import CORES_HELP, Cores


class PlanOn(StrEnum):
    """Which number of a prediction a plan is made with."""

    HIGH = "high"
    ESTIMATE = "estimate"


def fleet(
    store: Path | None = STORE,
    job: list[str] = typer.Option(
        ...,
        "--job",
        help="A kind of job, again for more: 'count=20,framework=torch,workload=lenet-mnist,batch_size=64,epochs=2'.",
    ),
    machine: list[str] = typer.Option(
        ...,
        "--machine",
        help=f"A machine type with price_per_hour (and at_most), again for more: {options.MACHINE_HELP}",
    ),
    horizon: str = typer.Option(..., "--horizon", help="Time in which all jobs must be done, such as '8 h'."),
    plan_on: PlanOn = typer.Option(PlanOn.HIGH, "--plan-on", help="Upper ends of the predictions, or estimates."),
    cores: Cores | None = typer.Option(
        None, "--cores", help=f"Let jobs of a kind run side by side where that was measured. {CORES_HELP}"
    ),
    study: list[str] | None = STUDY,
    format_: Format = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    """Find the cheapest machines, rented for a time, that do a mix of jobs within it."""
    question: dict[str, Any] = {
        "ask": "fleet",
        "jobs": [options.key_values([one], "--job") for one in job],
        "machines": [options.machine_of(one, "--machine") for one in machine],
        "horizon": horizon,
        "plan_on": plan_on.value,
        **({} if cores is None else {"cores": cores.value}),
    }
    found, folder = options.answer_question(store, study, question)
    options.write_answers([found], folder, format_, output)
