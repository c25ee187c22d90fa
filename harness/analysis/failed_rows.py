"""Cells of a study of which no trial completed: they have no row, and have to be named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.cells import CellKey, cell_key, row_names
from harness.analysis.references import TrialReference, reference_to, termination_reason

if TYPE_CHECKING:
    from harness.records import Record


@dataclass(frozen=True)
class FailedRow:
    """A cell of the study of which no trial completed.

    Attributes:
        name: as that of a row (`row_names`).
        terminations: how its trials ended -> how many.
        reason: of the last of them.
        trials: the records.
    """

    name: str
    terminations: Mapping[str, int]
    reason: str
    trials: tuple[TrialReference, ...]


def failed_rows(records: Sequence[Record], completed: Iterable[CellKey]) -> tuple[FailedRow, ...]:
    """Cells without a completed trial; a worker that died early told no version, so the specification decides."""
    rows = list(completed)
    alive = {(key.specification, key.conditions) for key in rows}
    failed: dict[tuple[str, tuple[str, str, str]], list[tuple[CellKey, Record]]] = {}
    for record in records:
        if record.termination == "completed":
            continue  # its cell is among `completed`
        key = cell_key(record)
        if (key.specification, key.conditions) not in alive:
            failed.setdefault((key.specification, key.conditions), []).append((key, record))
    firsts = [members[0][0] for members in failed.values()]
    names = row_names([*rows, *firsts])
    return tuple(
        FailedRow(
            name=names[first],
            terminations=dict(Counter(record.termination for _, record in members)),
            reason=termination_reason(members[-1][1]),
            trials=tuple(reference_to(record) for _, record in members),
        )
        for first, members in zip(firsts, failed.values(), strict=True)
    )
