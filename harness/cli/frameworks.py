"""`dlgauge frameworks`: what can be measured here."""

from __future__ import annotations

import typer


def frameworks(
    as_json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> None:
    """List the frameworks, each with its state: ready, not prepared, or unusable and why."""
    import json
    import sys

    from harness.execution import make_environment
    from harness.study import load_frameworks

    rows = []
    for framework in load_frameworks().values():
        state = make_environment(framework).state()
        rows.append(
            {
                "framework": framework.name,
                "version": framework.version,
                "environment": framework.environment,
                "state": str(state.readiness),
                "why": state.reason,
                "next": state.hint,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    header = ["framework", "version", "environment", "state", "why"]
    table = [header, *([str(row[key] or "") for key in header] for row in rows)]
    if sys.stdout.isatty():
        _print_rich(table)
    else:
        widths = [max(len(row[column]) for row in table) for column in range(len(header))]
        for row in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for hint in dict.fromkeys(str(row["next"]) for row in rows if row["next"]):
        print(f"next: {hint}")


def _print_rich(table: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    colours = {"ready": "green", "not prepared": "yellow", "unusable": "red"}
    shown = Table(*table[0])
    for row in table[1:]:
        shown.add_row(*row[:3], f"[{colours[row[3]]}]{row[3]}[/]", row[4])
    Console(highlight=False).print(shown)
