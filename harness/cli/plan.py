"""`dlgauge plan`: what a study would run, in which order, and what it cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.study import Plan, Study, Trial, UnsupportedCell

ALWAYS_SHOWN = ("position", "block", "framework", "trial")


def plan(
    study: str = typer.Argument(help="A study file, or the name of a study that comes with dlgauge."),
    as_json: bool = typer.Option(False, "--json", help="Print the plan as JSON, with every trial's specification."),
) -> None:
    """Show the trials of a study in the order they would run, and what is unsupported and why."""
    import sys

    from harness.study import load_study, make_plan

    loaded = load_study(study)
    made = make_plan(loaded)
    if as_json:
        print(_json(loaded, made))
    elif sys.stdout.isatty():
        _print_rich(loaded, made)
    else:
        print(_plain(loaded, made))


def plan_as_dict(study: Study, made: Plan) -> dict[str, Any]:
    """The plan as plain values: what `--json` prints."""
    return {
        "study": study.name,
        "title": study.title,
        "count": len(made.trials),
        "trials": [
            {
                "position": position,
                "id": trial.id,
                "label": trial.label,
                "varied": trial.varied,
                "overrides": trial.overrides,
                "specification": trial.specification,
            }
            for position, trial in enumerate(made.trials, 1)
        ],
        "unsupported": [cell.model_dump() for cell in made.unsupported],
        "notes": list(made.notes),
    }


def _json(study: Study, made: Plan) -> str:
    import json

    return json.dumps(plan_as_dict(study, made), indent=2, ensure_ascii=False)


def _row(position: int, trial: Trial) -> dict[str, str]:
    from harness.study.matrix import short_value

    part = trial.specification
    return {
        "position": str(position),
        "block": f"seed {part['seed']}",
        "framework": f"{part['framework']['name']} {part['framework']['version']}",
        "workload": part["workload"]["name"],
        "setting": part["setting"]["name"],
        "steps": str(part["setting"]["steps"]),
        "profile": part["profile"]["name"],
        **{key: short_value(value) for key, value in trial.varied.items()},
        "trial": trial.id,
    }


def _table(made: Plan) -> tuple[list[str], list[tuple[str, ...]], str]:
    """Header, rows, and one line for the columns that are the same in all trials, which would only take room."""
    rows = [_row(position, trial) for position, trial in enumerate(made.trials, 1)]
    header = list(rows[0]) if rows else []
    same = [name for name in header if name not in ALWAYS_SHOWN and len({row[name] for row in rows}) == 1]
    shown = [name for name in header if name not in same]
    line = "in all trials: " + ", ".join(f"{name} {rows[0][name]}" for name in same) if same else ""
    return shown, [tuple(row[name] for name in shown) for row in rows], line


def _headline(study: Study, made: Plan) -> list[str]:
    count, blocks = len(made.trials), len(study.seeds)
    lines = [study.title] if study.title != study.name else []
    return [
        *lines,
        f"{study.name}: {count} trial{'s' * (count != 1)} in {blocks} block{'s' * (blocks != 1)} (one a seed)",
        *overrides_lines(study),
    ]


def overrides_lines(study: Study) -> list[str]:
    """What the study sets in place of what its settings and profiles say: one line, or none."""
    from harness.study.matrix import short_value

    replaced = study.cells[0].overrides if study.cells else {}
    words = ", ".join(f"{key} {short_value(value)}" for key, value in replaced.items())
    return [f"overrides of setting and profile: {words}"] if words else []


def _remarks(made: Plan) -> list[str]:
    lines = [] if made.trials else ["no trial can run"]
    if made.unsupported:
        lines.append(f"unsupported, {len(made.unsupported)} of the cells:")
        lines += [f"  {line}" for line in unsupported_lines(made)]
    return [*lines, *(f"note: {note}" for note in made.notes)]


def unsupported_lines(made: Plan) -> list[str]:
    """The cells that cannot run, those of one reason in one line."""
    groups: dict[str, list[UnsupportedCell]] = {}
    for cell in made.unsupported:
        groups.setdefault(cell.why, []).append(cell)
    return [_unsupported_line(why, cells) for why, cells in groups.items()]


def _unsupported_line(why: str, cells: list[UnsupportedCell]) -> str:
    if len(cells) == 1:
        return f"{cells[0].description}: {cells[0].what}: {why}"
    return f"{len(cells)} cells: {why}: {'; '.join(dict.fromkeys(cell.what for cell in cells))}"


def _plain(study: Study, made: Plan) -> str:
    header, rows, same = _table(made)
    widths = [max(len(row[column]) for row in [tuple(header), *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in ([tuple(header), *rows] if rows else [])
    ]
    return "\n".join([*_headline(study, made), *([same] if same else []), *lines, *_remarks(made)])


def _print_rich(study: Study, made: Plan) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    header, rows, same = _table(made)
    for line in [*_headline(study, made), *([same] if same else [])]:
        console.print(line, markup=False)
    table = Table()
    for name in header:
        table.add_column(name, justify="right" if name in ("position", "steps") else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    if rows:
        console.print(table)
    for line in _remarks(made):
        console.print(line, markup=False, style="yellow")
