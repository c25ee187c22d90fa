"""`dlgauge lr show`: one function or policy, with its curve."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.lr.argument import COMPAT, DRAWN_STEPS, POLICY_HELP, Compat


def show(
    policy: str = typer.Argument(..., metavar="POLICY", help=f"A function's name (TRI). {POLICY_HELP}"),
    steps: int = DRAWN_STEPS,
    compat: Compat | None = COMPAT,
    out: Path | None = typer.Option(None, help="Also draw into this file: .png, .svg, .pdf or .html."),
) -> None:
    """Formula, parameters with their ranges, and the curve of a function or a policy."""
    from harness.cli.lr.argument import label, read_policy
    from harness.reporting.rate_curves import RateCurve
    from harness.reporting.rate_figures import check_suffix, write_figure
    from harness.reporting.rate_plot import plot_lines
    from harness.schedules import FUNCTIONS, learning_rates, string_form

    if out is not None:
        check_suffix(out)
    chosen = read_policy(policy, compat, example=True)
    rates = learning_rates(chosen, steps)
    if chosen.policy in FUNCTIONS:
        _print_function(chosen.policy, lrbench=getattr(chosen, "compat", None) == "lrbench")
    if policy in FUNCTIONS:
        print(f"example:    {string_form(chosen)}")
    else:
        print(f"policy:     {label(chosen)}")
    print(f"rates:      {rates[0]:.6g} at step 0, {rates[-1]:.6g} at step {steps - 1}", end="; ")
    print(f"lowest {rates.min():.6g} (step {rates.argmin()}), highest {rates.max():.6g} (step {rates.argmax()})")
    print()
    print("\n".join(plot_lines(rates, ascii_=not _writes_braille())))
    if out is not None:
        write_figure([RateCurve(label(chosen), rates)], out)
        typer.echo(f"written: {out}", err=True)


def _print_function(name: str, *, lrbench: bool) -> None:
    from harness.schedules import FUNCTIONS

    function = FUNCTIONS[name]
    origin = "of the paper's table" if function.in_table else "of LRBench's code alone"
    print(f"{name}: {function.title}, one {origin}")
    own = function.lrbench if lrbench else None
    print(f"formula:    {own or function.formula}")
    if own:
        print("            of LRBench's code (compat: lrbench); that and the parameters below by the table:")
        print(f"            {function.formula}")
    if "low" in function.formula:
        print("            low and high are the lower and the higher of k0 and k1, t is the step, counted from 0")
    width = max(len(key) for key in function.parameters)
    for index, (key, parameter) in enumerate(function.parameters.items()):
        head = "" if index else "parameters:"
        print(f"{head:<12}{key:<{width}}  {parameter.meaning}; {parameter.range}")
    if function.lrbench and not lrbench:
        print(f"LRBench:    its code differs: {function.lrbench}")
        print("            --compat lrbench follows it")


def _writes_braille() -> bool:
    import sys

    try:
        "⣿│└─".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
