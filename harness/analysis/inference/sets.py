"""Which rows of a comparison answer one question, and which of them is the reference.

Rows may be compared where they ran the same work on the same data and machine: the same specification but for the
framework, under the same conditions. Where that leaves every row alone, as in a study of one framework, the rows of
one framework under the same conditions are a set: then it is the varied values that are compared.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.cells import CellKey, row_names
from harness.analysis.comparison import Cell, Comparison
from harness.errors import DlgaugeError


@dataclass(frozen=True)
class RowSet:
    """Rows that are compared with each other, two or more.

    Attributes:
        rows: name -> cell, in the order of the table.
        reference: the name of the row that the others are held against.
        problem: why the reference is not the one asked for; None where it is.
    """

    rows: Mapping[str, Cell]
    reference: str
    problem: str | None = None


def row_sets(comparison: Comparison, reference: str | None = None) -> tuple[tuple[RowSet, ...], tuple[str, ...]]:
    """The sets of a comparison, and the names of rows that stand alone.

    Args:
        reference: framework or name of a row to hold the others against; None for the fastest of each set. A set
            without such a row keeps its fastest, and says so.
    """
    names = row_names(cell.key for cell in comparison.cells)
    by_work = _grouped((cell.key.pairing, cell) for cell in comparison.cells)
    groups = [members for members in by_work if len(members) > 1]
    if not groups:
        by_framework = _grouped(((cell.key.framework, cell.conditions), cell) for cell in comparison.cells)
        groups = [members for members in by_framework if len(members) > 1]
    sets = tuple(_row_set(members, names, reference) for members in groups)
    inside = {name for one in sets for name in one.rows}
    return sets, tuple(names[cell.key] for cell in comparison.cells if names[cell.key] not in inside)


def _grouped(keyed: Iterable[tuple[Hashable, Cell]]) -> list[list[Cell]]:
    groups: dict[Hashable, list[Cell]] = {}
    for key, cell in keyed:
        groups.setdefault(key, []).append(cell)
    return list(groups.values())


def check_reference(comparisons: Iterable[Comparison], reference: str) -> None:
    """Check that some row can be the reference.

    Raises:
        DlgaugeError: no row of any of the comparisons has that framework or name; the nearest is named.
    """
    known: dict[str, None] = {}
    for comparison in comparisons:
        names = row_names(cell.key for cell in comparison.cells)
        known |= dict.fromkeys((*(key.framework for key in names), *names.values()))
    if reference not in known:
        near = difflib.get_close_matches(reference, known, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        what = f"no row has the framework or the name {reference!r} of --reference"
        raise DlgaugeError(what, hint=f"{guess}they are: {', '.join(known)}")


def _row_set(members: Sequence[Cell], names: Mapping[CellKey, str], asked: str | None) -> RowSet:
    rows = {names[cell.key]: cell for cell in members}
    fastest = min(rows, key=lambda name: _time(rows[name]))
    if asked is None:
        return RowSet(rows, fastest)
    own = [name for name, cell in rows.items() if asked in (name, cell.key.framework)]
    if not own:
        listed = ", ".join(rows)
        return RowSet(rows, fastest, f"{asked} has no row among {listed}: the fastest, {fastest}, is the reference")
    first = min(own, key=lambda name: _time(rows[name]))
    return RowSet(rows, first)


def _time(cell: Cell) -> float:
    found = cell.values["training_time_s"].statistics
    return found.mean if found else float("inf")
