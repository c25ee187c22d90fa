"""`dlgauge adapter`: checking an adapter against the contract."""

from __future__ import annotations

import typer

app = typer.Typer(name="adapter", help="Check adapters.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    name: str = typer.Argument(..., metavar="FRAMEWORK"),
    only: str = typer.Option("", "--only", help="Only checks whose name contains this text."),
    as_json: bool = typer.Option(False, "--json", help="The outcome of every check as JSON."),
) -> None:
    """Hold an adapter to the contract: every case beside the NumPy reference, and what it has to do beside computing.

    Exit status 1 when a check fails. What the adapter refuses with a reason is no failure.
    """
    import json
    import sys

    from harness.parity.contract import check_adapter, find_framework, summary

    framework = find_framework(name)

    def say(line: str) -> None:
        print(line, file=sys.stderr if as_json else sys.stdout, flush=True)

    verdicts = check_adapter(framework.name, say, only=only)
    found = summary(verdicts)
    if as_json:
        identity = {"framework": framework.name, "version": framework.version}
        print(json.dumps({**identity, **found}, indent=1))
    else:
        for check_name, verdict in verdicts.items():
            print(f"{check_name}: {verdict.text()}")
        counts = ", ".join(f"{count} {outcome}" for outcome, count in found["counts"].items())
        print(f"{framework.name} {framework.version}: {len(verdicts)} checks: {counts}")
    if not found["passed"]:
        raise typer.Exit(1)
