"""`dlgauge lr list`: the learning-rate functions there are."""

from __future__ import annotations

import typer


def list_functions(
    table_only: bool = typer.Option(False, "--table", help="Only the 13 of the paper's table."),
    as_json: bool = typer.Option(False, "--json", help="As JSON, with parameters, ranges and examples."),
) -> None:
    """List the learning-rate functions, each with its formula."""
    import json

    from harness.schedules import FUNCTIONS

    functions = [function for function in FUNCTIONS.values() if function.in_table or not table_only]
    if as_json:
        print(json.dumps([description(function.name) for function in functions], indent=1))
        return
    groups: dict[str, list[tuple[str, ...]]] = {}
    for function in functions:
        mark = "table" if function.in_table else ""
        row = (function.name, mark, ", ".join(function.parameters), function.formula)
        groups.setdefault(function.group, []).append(row)
    widths = [max(len(row[column]) for rows in groups.values() for row in rows) for column in range(3)]
    for group, rows in groups.items():
        print(f"{group}:")
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
            print("  " + "  ".join([*cells, row[3]]))
    print("t is the step, counted from 0; low and high are the lower and the higher of k0 and k1.")
    print("table: one of the 13 of the paper's table; the others are in LRBench's code alone.")
    print("next: dlgauge lr show NAME")


def description(name: str) -> dict[str, object]:
    """What `FUNCTIONS` knows about a function, as JSON values."""
    from harness.cli.lr.argument import example_policy
    from harness.schedules import FUNCTIONS, string_form

    function = FUNCTIONS[name]
    return {
        "name": name,
        "title": function.title,
        "group": function.group,
        "in_table": function.in_table,
        "formula": function.formula,
        "formula_latex": function.formula_latex,
        "parameters": {
            key: {"meaning": parameter.meaning, "range": parameter.range}
            for key, parameter in function.parameters.items()
        },
        "lrbench": function.lrbench,
        "example": string_form(example_policy(name)),
    }
