"""Tables as wide as they need to be: only a terminal has an edge at which a line must be folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def new_table(*headers: str) -> Table:
    """A table without an edge, whose texts are folded where a terminal is too narrow, never cut."""
    from rich.table import Table

    table = Table(title=None, show_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def print_table(table: Table, *, to_stderr: bool = False) -> None:
    """Print a table: folded to the width of a terminal, in a file or a pipe every row on one line."""
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=_needed(table, console))
    console.print(table)


def _needed(table: Table, console: Console) -> int:
    from rich.measure import Measurement

    unlimited = console.options.update(max_width=1_000_000)
    return Measurement.get(console, unlimited, table).maximum
