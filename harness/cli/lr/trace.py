"""`dlgauge lr trace`: the learning rate of every step."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from harness.cli.lr.argument import COMPAT, POLICY_HELP, STEPS, Compat

ROWS_OF_A_TABLE = 50
"""Rows that a table has at most; more steps are shown in parts."""


class Format(StrEnum):
    """Forms of a trace."""

    CSV = "csv"
    JSON = "json"
    TABLE = "table"


def trace(
    policy: str = typer.Argument(..., metavar="POLICY", help=POLICY_HELP),
    steps: int = STEPS,
    compat: Compat | None = COMPAT,
    format_: Format = typer.Option(
        Format.CSV,
        "--format",
        "-f",
        help="csv: columns step,learning_rate; json: a list of objects with these keys; table: for people, at most 50 rows.",
    ),
    out: Path | None = typer.Option(None, "--out", "-o", help="Write to this file instead of the terminal."),
) -> None:
    """The learning rate of every step, with as many digits as a float64 has."""
    from harness.cli.lr.argument import read_policy
    from harness.schedules import learning_rates
    from harness.schedules.export import csv_lines

    rates = learning_rates(read_policy(policy, compat), steps)
    pieces = {Format.CSV: csv_lines, Format.JSON: _json, Format.TABLE: _table}[format_](rates)
    if out is None:
        for piece in pieces:
            typer.echo(piece, nl=False)
        return
    from harness.reporting.files import write_text

    write_text(out, "".join(pieces))
    typer.echo(f"written: {out}", err=True)


def _json(rates: Any) -> Iterator[str]:
    """Piece by piece: one object a line. Python writes a float with as few digits as give the same again."""
    last = len(rates) - 1
    yield "[\n"
    for step, rate in enumerate(rates.tolist()):
        yield f'{{"step": {step}, "learning_rate": {rate!r}}}{"," if step < last else ""}\n'
    yield "]\n"


def _table(rates: Any) -> Iterator[str]:
    import numpy as np

    shown = np.unique(np.linspace(0, len(rates) - 1, min(len(rates), ROWS_OF_A_TABLE)).round().astype(int))
    width = max(len("step"), len(str(len(rates) - 1)))
    yield f"{'step':>{width}}  learning rate\n"
    for step in shown.tolist():
        yield f"{step:>{width}}  {float(rates[step])!r}\n"
    if len(shown) < len(rates):
        yield f"{len(shown)} of {len(rates)} steps; all of them: --format csv\n"
