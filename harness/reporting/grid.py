"""The comparison as a grid of text, the one form that the terminal, Markdown, LaTeX and HTML tables share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.analysis import Cell, Column, Comparison
from harness.reporting.numbers import Shown, show

MEAN_AND_MAX = {("cores_used_mean", "cores_used_max"): "cores used mean / max"}
"""Neighbouring quantities that share one column: keys -> heading."""


@dataclass(frozen=True)
class GridCell:
    """Text of one cell of the grid.

    Attributes:
        text: the whole text.
        mean, spread: the same in two parts for narrow columns; `spread` is empty where there is none.
    """

    text: str
    mean: str
    spread: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        headers: one a column.
        keys: summary keys behind each column; empty for a column of identity.
        rows: texts, each as long as `headers`.
        numeric: whether a column holds numbers (aligned right).
    """

    headers: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[GridCell, ...], ...]
    numeric: tuple[bool, ...]

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as plain text."""
        return tuple(tuple(cell.text for cell in row) for row in self.rows)


def comparison_grid(comparison: Comparison, *, joined: bool = True) -> Grid:
    """The table of a comparison: identity, n, then one column a quantity, shown as mean ± standard deviation.

    Workload, setting, profile, conditions and overrides are shown where more than one stands in the table.

    Args:
        comparison: what to show.
        joined: whether mean and maximum of one quantity share a column.
    """
    identity = _identity_columns(comparison)
    quantities = _quantity_groups(comparison.columns, joined)
    rows = []
    for cell in comparison.cells:
        fixed = [GridCell(text, text) for text in (take(cell) for _, take in identity)]
        shown = [_quantity([_shown(cell, column) for column in group]) for _, group in quantities]
        rows.append((*fixed, *shown))
    return Grid(
        headers=(*(title for title, _ in identity), *(title for title, _ in quantities)),
        keys=(*(() for _ in identity), *(tuple(column.key for column in group) for _, group in quantities)),
        rows=tuple(rows),
        numeric=(*(title == "n" for title, _ in identity), *(True for _ in quantities)),
    )


def _identity_columns(comparison: Comparison) -> list[tuple[str, Callable[[Cell], str]]]:
    cells = comparison.cells
    found: list[tuple[str, Callable[[Cell], str]]] = []
    if len(comparison.conditions) > 1:
        found.append(("conditions", lambda cell: cell.conditions))
    found.append(("framework", lambda cell: cell.key.framework))
    found.append(("version", lambda cell: cell.key.version))
    optional: list[tuple[str, Callable[[Cell], str]]] = [
        ("workload", lambda cell: cell.key.workload),
        ("setting", lambda cell: cell.key.setting),
        ("profile", lambda cell: cell.key.profile),
    ]
    found += [(title, take) for title, take in optional if len({take(cell) for cell in cells}) > 1]
    found += [(name, _varied(name)) for name in comparison.varied]
    found += [(name, _override(name)) for name in comparison.differing_overrides]
    found.append(("n", lambda cell: str(cell.n)))
    return found


def _varied(name: str) -> Callable[[Cell], str]:
    return lambda cell: dict(cell.key.varied).get(name, "")


def _override(name: str) -> Callable[[Cell], str]:
    def take(cell: Cell) -> str:
        return "not recorded" if cell.key.overrides is None else dict(cell.key.overrides).get(name, "")

    return take


def _quantity_groups(columns: tuple[Column, ...], joined: bool) -> list[tuple[str, tuple[Column, ...]]]:
    groups: list[tuple[str, tuple[Column, ...]]] = []
    index = 0
    while index < len(columns):
        pair = columns[index : index + 2]
        title = MEAN_AND_MAX.get((pair[0].key, pair[-1].key))
        if title and joined:
            groups.append((title, pair))
            index += 2
        else:
            groups.append((columns[index].title, (columns[index],)))
            index += 1
    return groups


def _shown(cell: Cell, column: Column) -> Shown:
    value = cell.values.get(column.key)
    return show(value.statistics if value else None, column)


def _quantity(parts: list[Shown]) -> GridCell:
    spread = " / ".join(part.sd or "n/a" for part in parts) if any(part.sd for part in parts) else ""
    return GridCell(
        text=" / ".join(str(part) for part in parts),
        mean=" / ".join(part.mean for part in parts),
        spread=f"± {spread}" if spread else "",
    )
