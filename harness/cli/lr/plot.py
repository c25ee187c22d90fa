"""`dlgauge lr plot`: the curves of several policies in one figure."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.lr.argument import COMPAT, DRAWN_STEPS, POLICY_HELP, Compat


def plot(
    policies: list[str] | None = typer.Argument(
        None,
        metavar="[POLICY]...",
        help=f"{POLICY_HELP} A function's name alone is its example. Default: the 13 of the paper's table.",
        show_default=False,
    ),
    out: Path = typer.Option(..., "--out", "-o", help="The file: .png, .svg, .pdf or .html (needs no network)."),
    steps: int = DRAWN_STEPS,
    compat: Compat | None = COMPAT,
    panels: bool | None = typer.Option(
        None, "--panels/--together", help="Axes for each policy, or one for all; default: panels for more than six."
    ),
    log: bool = typer.Option(False, "--log", help="Logarithmic axis of rates; a rate of 0 is not drawn."),
) -> None:
    """Draw the learning rates of one or several policies."""
    from harness.cli.lr.argument import label, read_policy
    from harness.reporting.rate_curves import RateCurve
    from harness.reporting.rate_figures import check_suffix, write_figure
    from harness.schedules import FUNCTIONS, learning_rates

    check_suffix(out)
    names = policies or [function.name for function in FUNCTIONS.values() if function.in_table]
    curves = []
    for name in names:
        policy = read_policy(name, compat, example=True)
        curves.append(RateCurve(label(policy), learning_rates(policy, steps)))
    write_figure(curves, out, panels=panels, log=log)
    typer.echo(f"written: {out}", err=True)
