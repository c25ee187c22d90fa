"""From a number back to the records behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.cells import seed_of

if TYPE_CHECKING:
    from harness.records import Record


@dataclass(frozen=True)
class TrialReference:
    """A trial behind a number.

    Attributes:
        id: the trial's id.
        seed: its seed.
        path: folder of its record.
    """

    id: str
    seed: int
    path: str


def reference_to(record: Record) -> TrialReference:
    """The trace from a number back to its record."""
    return TrialReference(id=str(record.id), seed=seed_of(record), path=str(record.path))


def termination_reason(record: Record) -> str:
    """Why a trial ended as it did."""
    termination = record.manifest.get("termination")
    reason = termination.get("reason") if isinstance(termination, Mapping) else None
    return str(reason or "no reason recorded")
