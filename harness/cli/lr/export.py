"""`dlgauge lr export`: a policy as a file for a framework."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from harness.cli.lr.argument import COMPAT, POLICY_HELP, STEPS, Compat


class Target(StrEnum):
    """What a policy can be exported to."""

    TORCH = "torch"
    KERAS = "keras"
    OPTAX = "optax"
    CSV = "csv"


def export(
    policy: str = typer.Argument(..., metavar="POLICY", help=POLICY_HELP),
    steps: int = STEPS,
    target: Target = typer.Option(
        ..., "--to", help="torch: a torch.optim.lr_scheduler; keras: a LearningRateSchedule; optax: a schedule; csv."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="The file; .py but for csv."),
    compat: Compat | None = COMPAT,
) -> None:
    """Write a policy as a Python file that needs only NumPy and the framework, or as CSV."""
    from harness.cli.lr.argument import read_policy
    from harness.reporting.files import write_text
    from harness.schedules import learning_rates, string_form
    from harness.schedules.export import csv_lines, python_file

    chosen = read_policy(policy, compat)
    rates = learning_rates(chosen, steps)
    if target is Target.CSV:
        text = "".join(csv_lines(rates))
    else:
        text = python_file(target.value, string_form(chosen), rates)
    write_text(out, text)
    typer.echo(f"written: {out}", err=True)
