"""`dlgauge sample`: the sampler around any command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.execution.command import CommandRun

LOWEST_RATE, HIGHEST_RATE = 1.0, 50.0


def sample(
    command: list[str] = typer.Argument(..., metavar="COMMAND...", help="Any program and its arguments, after --."),
    rate: float = typer.Option(10.0, "--rate", metavar="HZ", help="Samples a second, 1 to 50."),
    out: Path | None = typer.Option(None, "--out", metavar="DIR", help="New or empty folder; default: one made here."),
    as_json: bool = typer.Option(
        False, "--json", help="Print the summary as JSON; the command's own output then goes to standard error."
    ),
) -> None:
    """Run a command, sample what it and all it starts use, print a summary and write the tables."""
    import json
    import sys

    from harness.errors import DlgaugeError
    from harness.execution.command import CommandError, find_program, run_command
    from harness.records.command import summary_without_run

    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise DlgaugeError(
            f"--rate {rate:g} is not between {LOWEST_RATE:g} and {HIGHEST_RATE:g} samples a second",
            hint="the counters lose nothing between samples: 10 is enough for most commands",
        )
    try:
        find_program(command[0])  # before a folder is made for nothing
        folder = _make_folder(out)
        run = run_command(command, folder, period_ns=round(1e9 / rate), stdout_to_stderr=as_json)
    except CommandError as error:
        if as_json:
            print(json.dumps(summary_without_run(error.exit_status, error.what), indent=1))
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    summary = _finish(run)
    if as_json:
        print(json.dumps(summary, indent=1))
    else:
        _show(run, summary)
    raise typer.Exit(run.exit_status)


def _make_folder(out: Path | None) -> Path:
    """The folder for the files: the one that was named, or a new one in the working directory."""
    from datetime import datetime
    from tempfile import TemporaryFile

    from harness.errors import DlgaugeError

    if out is None:
        name = f"dlgauge-sample-{datetime.now():%Y%m%d-%H%M%S}"
        count = 1
        while True:
            folder = Path(name if count == 1 else f"{name}-{count}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                count += 1
            except OSError as error:
                what = f"no folder for the files can be made in {str(Path.cwd())!r}: {error.strerror}"
                raise DlgaugeError(what, hint="name one elsewhere with --out DIR") from error
    try:
        if out.exists() and not out.is_dir():
            raise DlgaugeError(f"--out {str(out)!r} is a file", hint="name a folder that is new or empty")
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise DlgaugeError(
                f"--out {str(out)!r} is not empty", hint="name a new folder, or remove this one: nothing is overwritten"
            )
        with TemporaryFile(dir=out):
            return out
    except OSError as error:
        what = f"--out {str(out)!r} cannot be made or written: {error.strerror}"
        raise DlgaugeError(what, hint="name a folder where files may be made") from error


def _finish(run: CommandRun) -> dict[str, Any]:
    import json

    from harness.records.command import summarise_command, write_tables

    summary = summarise_command(run)
    write_tables(run.folder)
    content = {"command": list(run.argv), **summary}
    (run.folder / "summary.json").write_text(json.dumps(content, indent=1) + "\n")
    return summary


def _show(run: CommandRun, summary: dict[str, Any]) -> None:
    """A table on standard error: standard output is the command's."""
    import sys

    from rich.text import Text

    from harness.cli.tables import new_table, print_table

    table = new_table("", "value", "from, or why not")
    for key, value in summary.items():
        if key in ("sources", "not_measured", "audit"):
            continue
        remark = summary["sources"].get(key) or summary["not_measured"].get(key, "")
        table.add_row(*(Text(text) for text in (key, _text(key, value), remark)))
    table.add_row("audit", *(Text(text) for text in _audit_texts(summary)))
    print_table(table, to_stderr=True)
    print(f"tables: {run.folder}", file=sys.stderr)


def _text(key: str, value: Any) -> str:
    from harness.units import format_mebibytes

    if value is None:
        return "n/a"
    if key.endswith("_bytes"):
        return f"{format_mebibytes(value)} MiB"
    if key.startswith("lateness"):
        return f"{1000 * value:.3f} ms"
    if key.endswith("_seconds"):
        return f"{value:.3f} s"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _audit_texts(summary: dict[str, Any]) -> tuple[str, str]:
    """Do the accounts of the CPU time agree, and what are they."""
    audit = summary["audit"]
    if audit is None:
        return "n/a", summary["not_measured"]["audit"]
    names = {"cgroup_cpu_s": "cgroup", "tree_cpu_s": "process tree", "rusage_cpu_s": "wait4"}
    accounts = ", ".join(f"{name} {audit[key]:.3f} s" for key, name in names.items() if audit[key] is not None)
    return "DISAGREES" if audit["flag"] else "agrees", accounts
