"""`dlgauge store`: what a store holds, and its compacted part."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.records.compacting import Compaction
    from harness.records.store_info import StoreInfo

app = typer.Typer(name="store", help="Stores of records.", no_args_is_help=True, rich_markup_mode=None)
_STORE_HELP = "Folder of the records; default: $DLGAUGE_STORE, else results."
_MOST_NAMED = 10


@app.callback()
def _store() -> None:
    """Stores of records."""


@app.command()
def compact(
    store: Path | None = typer.Argument(None, help=_STORE_HELP),
    again: bool = typer.Option(False, "--again", help="Read every record anew, not only new and changed ones."),
) -> None:
    """Put what queries read of all records side by side, in a few files beside them. The records stay as they are."""
    from harness.paths import default_store
    from harness.records.compacting import compact as compact_store

    folder = store or default_store()
    progress = _Progress()
    found = compact_store(folder, again=again, on_wait=_note, on_progress=progress)
    progress.end()
    for line in _compaction_lines(found):
        typer.echo(line)


@app.command()
def info(
    store: Path | None = typer.Argument(None, help=_STORE_HELP),
    as_json: bool = typer.Option(False, "--json", help="Print the numbers as JSON."),
) -> None:
    """Show how many records and samples a store holds, how much of it is compacted, and what it takes on the disk."""
    from harness.paths import default_store
    from harness.records import Store
    from harness.records.store_info import store_info

    found = store_info(Store(store or default_store()))
    if as_json:
        numbers = asdict(found) | {"path": str(found.path), "records": found.records}
        typer.echo(json.dumps(numbers | {"compacted_share": found.compacted_share}, indent=1))
        return
    for line in _info_lines(found):
        typer.echo(line)


class _Progress:
    """One line on a terminal, rewritten; nothing where standard error is no terminal."""

    def __init__(self) -> None:
        import sys

        self._shown = sys.stderr.isatty()
        self._begun = False

    def __call__(self, done: int, of: int) -> None:
        if self._shown:
            typer.echo(f"\rread {done} of {of} records", err=True, nl=False)
            self._begun = True

    def end(self) -> None:
        if self._begun:
            typer.echo("", err=True)


def _note(line: str) -> None:
    typer.echo(line, err=True)


def _compaction_lines(found: Compaction) -> list[str]:
    if found.folder is None and not found.left_out:
        return ["the store holds no record: nothing to compact"]
    if not found.is_new:
        lines = [f"nothing new: {found.folder} has all {found.records} records that can be compacted"]
    else:
        dropped = f", {found.dropped} that are gone or have changed left behind" if found.dropped else ""
        lines = [f"{found.folder}: {found.records} records, {found.added} read now{dropped}"]
    lines += [
        f"left out, read from its folder as before: {one.path}: {one.why}" for one in found.left_out[:_MOST_NAMED]
    ]
    if len(found.left_out) > _MOST_NAMED:
        lines.append(f"and {len(found.left_out) - _MOST_NAMED} more left out")
    return lines


def _info_lines(found: StoreInfo) -> list[str]:
    from harness.units import format_mebibytes

    ended = ", ".join(f"{count} {kind}" for kind, count in found.terminations.items())
    lines = [
        f"store      {found.path}",
        f"records    {found.records} of {len(found.studies)} studies" + (f" ({ended})" if ended else ""),
        f"samples    {found.samples}",
    ]
    if found.samples_unknown:
        lines[-1] += f" ({found.samples_unknown} records have no readable table of samples)"
    if found.damaged:
        lines.append(f"damaged    {found.damaged} folders hold no readable record")
    if found.generation is None:
        lines.append("compacted  no; with many records queries are faster after: dlgauge store compact")
    else:
        share = 100 * (found.compacted_share or 0.0)
        lines.append(
            f"compacted  {found.compacted} records ({share:.1f} %), generation {found.generation} of {found.made_at}"
        )
    sizes = (format_mebibytes(found.record_bytes), format_mebibytes(found.compacted_bytes))
    lines.append("disk       {} MiB records, {} MiB compacted".format(*sizes))
    return lines
