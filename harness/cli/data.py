"""`dlgauge data`: the datasets that are here, fetching them, taking them in from a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

app = typer.Typer(name="data", help="Fetch datasets, or take them in.", no_args_is_help=True, rich_markup_mode=None)

_TO = typer.Option(None, "--to", metavar="DIR", help="Data folder; default DLGAUGE_DATA, else the cache.")


@app.callback()
def _data() -> None:
    """Fetch datasets, or take them in."""


@app.command("list")
def list_datasets() -> None:
    """The datasets, and whether their files are here."""
    from harness.workloads.datasets import dataset_names, load_description
    from harness.workloads.datasets.contents import Contents

    for name in dataset_names():
        description = load_description(name)
        here = all(Contents(description).has(file) for file in description.files.all)
        state = "with the project" if description.embedded else "here" if here else "not here"
        if not here and description.mirrors:
            state += f" (dlgauge data fetch {name})"
        print(f"{name}  {description.train:,} + {description.test:,}  {description.content_sha256[:12]}  {state}")


@app.command()
def fetch(
    name: str = typer.Argument(..., metavar="DATASET", help="Such as mnist or cifar10."),
    to: Path | None = _TO,
    mirror: list[str] = typer.Option([], "--mirror", metavar="URL", help="Address to try first; may be repeated."),
) -> None:
    """Download the published files, resuming what broke off, and verify them."""
    from harness.workloads.datasets.acquiring import fetch_dataset
    from harness.workloads.datasets.description import data_home, load_description

    home = to or data_home()
    with _progress() as progress:
        folder = fetch_dataset(name, home, mirrors=mirror, progress=progress)
    print(f"{name}: verified, content {load_description(name).content_sha256}\n{folder}")
    _say_how_to_name(home)


@app.command("import")
def import_folder(
    folder: Path = typer.Argument(..., metavar="FOLDER", help="Holds the files, plain, gzipped or in their archive."),
    dataset: str | None = typer.Option(None, "--dataset", metavar="NAME", help="Default: the one found there."),
    variant: str | None = typer.Option(None, "--variant", metavar="NAME", help="Take other content, as DATASET@NAME."),
    to: Path | None = _TO,
) -> None:
    """Take a dataset's files from a folder, verified; other content than the published one as a named variant."""
    from harness.errors import DataError
    from harness.workloads.datasets.acquiring import import_dataset
    from harness.workloads.datasets.description import data_home

    if not folder.is_dir():
        raise DataError("no such folder", where=str(folder))
    home = to or data_home()
    description = import_dataset(folder, home, name=dataset, variant=variant)
    print(f"{description.name}: verified, content {description.content_sha256}\n{home / description.name}")
    _say_how_to_name(home)


def _say_how_to_name(home: Path) -> None:
    from harness.workloads.datasets.description import data_home

    if home.resolve() != data_home().resolve():
        print(f"name it with --data {home} or DLGAUGE_DATA={home}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar on a terminal, a line for every tenth elsewhere."""
    import sys

    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, object] = {}

        def show(name: str, done: int, total: int | None) -> None:
            task = tasks.get(name)
            if task is None:
                task = tasks[name] = bars.add_task(name, total=total)
            bars.update(task, completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _lines() -> Callable[[str, int, int | None], None]:
    import sys

    shown: dict[str, int] = {}

    def show(name: str, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else done >> 23
        if shown.get(name) != tenth:
            shown[name] = tenth
            text = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            print(f"{name}: {text}", file=sys.stderr)

    return show
