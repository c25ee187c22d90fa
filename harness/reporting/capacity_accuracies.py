"""Steps and training time to an accuracy as a table and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.analysis.capacity.accuracies import AccuracyCell
from harness.analysis.capacity.models import NoModel
from harness.reporting.capacity_numbers import NONE, ids, interval, percent
from harness.reporting.capacity_sheets import Sheet


def accuracy_sheet(cells: Sequence[AccuracyCell], missing: Sequence[NoModel], top1_percent: float) -> Sheet:
    """One row a cell that reached the accuracy; below, the cells that did not."""
    several = _several(cells)
    headers = ("group", *several, "trials", "steps", "training time", "left-out seeds: mean, worst error")
    rows = tuple(
        (
            cell.group.title,
            *(_word(cell.levels.get(key)) for key in several),
            str(len(cell.records)),
            interval(cell.steps),
            interval(cell.seconds),
            _errors(cell),
        )
        for cell in cells
    )
    below = [f"not all reached it: {one.group.title}: {one.why} ({ids(one.records)})" for one in missing]
    if cells:
        below.insert(0, "in brackets: 95 % interval of a new seed; the cost is the time at a price, its error the same")
        below += [f"{cell.group.title}: rests on {ids(cell.records)}" for cell in cells]
    numeric = (False, *(False for _ in several), True, True, True, True)
    above = () if cells else ("no cell reached it in all its trials",)
    return Sheet(f"to {top1_percent:g} % of the test images", headers, rows, numeric, above, tuple(below))


def accuracy_values(cells: Sequence[AccuracyCell]) -> list[dict[str, Any]]:
    """The cells for JSON."""
    found = []
    for cell in cells:
        values = asdict(cell)
        values["levels"] = {key: _plain(value) for key, value in cell.levels.items()}
        for key in ("steps", "seconds"):
            values[key]["basis"] = str(values[key]["basis"])
        values["held_out"]["mean_error_fraction"] = cell.held_out.mean_error_fraction
        found.append(values)
    return found


def _several(cells: Sequence[AccuracyCell]) -> tuple[str, ...]:
    """What of a cell has more than one level, and the batch size always."""
    keys = dict.fromkeys(key for cell in cells for key in cell.levels)
    return tuple(key for key in keys if key == "batch_size" or len({_word(cell.levels.get(key)) for cell in cells}) > 1)


def _errors(cell: AccuracyCell) -> str:
    worst = cell.held_out.worst
    if worst is None:
        return NONE
    return f"{percent(cell.held_out.mean_error_fraction)}, {percent(abs(worst.error_fraction))}"


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value


def _word(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return f"{plain:g}" if isinstance(plain, int | float) else str(plain)
