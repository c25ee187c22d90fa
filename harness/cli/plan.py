"""`dlgauge plan`: what a study would run, in which order, and what it cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.study import LeftOutCell, Plan, Study, Trial, UnsupportedCell

ALWAYS_SHOWN = ("position", "block", "framework", "trial")
CANARY = "canary"


def plan(
    study: str = typer.Argument(help="A study file, or the name of a study that comes with dlgauge."),
    as_json: bool = typer.Option(False, "--json", help="Print the plan as JSON, with every trial's specification."),
) -> None:
    """Show the trials of a study in the order they would run, and what is unsupported or left out and why."""
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
        "left_out": [cell.model_dump() for cell in made.left_out],
        "repeats": study.repeats.model_dump() if study.repeats else None,
        "latin_hypercube": study.hypercube.model_dump(mode="json") if study.hypercube else None,
        "notes": list(made.notes),
    }


def _json(study: Study, made: Plan) -> str:
    import json

    return json.dumps(plan_as_dict(study, made), indent=2, ensure_ascii=False)


def _row(position: int, trial: Trial) -> dict[str, str]:
    from harness.study.matrix import short_value
    from harness.study.roles import role_of

    part = trial.specification
    canary = part.get("canary")
    return {
        "position": str(position),
        "block": f"{canary['when']} seed {canary['block']}" if canary else f"seed {part['seed']}",
        "framework": f"{part['framework']['name']} {part['framework']['version']}",
        "workload": part["workload"]["name"],
        "setting": part["setting"]["name"],
        "steps": str(part["setting"]["steps"]),
        "profile": part["profile"]["name"],
        **{key: short_value(value) for key, value in trial.varied.items()},
        "role": role_of(part) or "",
        "trial": trial.id,
    }


def _table(made: Plan) -> tuple[list[str], list[tuple[str, ...]], str]:
    """Header, rows, and one line for the columns that are the same in all trials, which would only take room."""
    rows = [_row(position, trial) for position, trial in enumerate(made.trials, 1)]
    of_matrix = [row for row in rows if row["role"] != CANARY] or rows
    header = list(of_matrix[0]) if of_matrix else []
    same = [name for name in header if name not in ALWAYS_SHOWN and len({row[name] for row in of_matrix}) == 1]
    if len({row["role"] for row in rows}) > 1:
        same = [name for name in same if name != "role"]
    shown = [name for name in header if name not in same]
    told = [f"{name} {of_matrix[0][name]}" for name in same if of_matrix[0][name]]
    which = "all trials but the canaries" if len(of_matrix) < len(rows) else "all trials"
    line = f"in {which}: {', '.join(told)}" if told else ""
    return shown, [tuple(row.get(name, "") for name in shown) for row in rows], line


def _headline(study: Study, made: Plan) -> list[str]:
    count, blocks = len(made.trials), len(study.seeds)
    lines = [study.title] if study.title != study.name else []
    return [
        *lines,
        f"{study.name}: {count} trial{'s' * (count != 1)} in {blocks} block{'s' * (blocks != 1)} (one a seed)",
        *design_lines(study, made),
        *overrides_lines(study),
    ]


def design_lines(study: Study, made: Plan) -> list[str]:
    """What the study's blocks hold beside the cells of its matrix, and what follows after a pilot."""
    lines = []
    if study.repeats and study.is_pilot:
        of_matrix = sum("canary" not in trial.specification for trial in made.trials)
        most = of_matrix // len(study.seeds) * study.repeats.at_most
        lines.append(
            f"a pilot: `dlgauge run` works out from it how many blocks, {study.repeats.at_most} at most ({most} "
            f"trials), bring the 95 % interval of each ratio of samples/s to ± {study.repeats.words}, and runs them"
        )
    if study.hypercube:
        lines.append(study.hypercube.words)
    if study.a_a:
        lines.append(f"A/A pairs: every cell of {', '.join(study.a_a)} twice in a block, as arm 1 and arm 2")
    if study.canary:
        cell = study.canary.cell
        where = "every block" if study.canary.around == "block" else "all blocks"
        lines.append(
            f"canary before and after {where}: {cell.framework.name}, {cell.setting.steps} steps of "
            f"{cell.workload.name}, profile {cell.profile.name}"
        )
    return lines


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
    if made.left_out:
        lines.append(f"left out by the study, {len(made.left_out)} of the cells:")
        lines += [f"  {line}" for line in left_out_lines(made)]
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


def left_out_lines(made: Plan) -> list[str]:
    """The cells that the study leaves out, those of one condition in one line."""
    groups: dict[tuple[str, str], list[LeftOutCell]] = {}
    for cell in made.left_out:
        groups.setdefault((cell.reason, cell.when), []).append(cell)
    return [
        f"{cells[0].description if len(cells) == 1 else f'{len(cells)} cells'}: {reason} ({when})"
        for (reason, when), cells in groups.items()
    ]


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
