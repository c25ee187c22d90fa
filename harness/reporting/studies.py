"""From a store to its comparisons, one a study, with the errors that a user can act on."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis import DEFAULT_KEYS, Comparison, compare
from harness.errors import StoreError
from harness.records import Store

if TYPE_CHECKING:
    from rich.console import Group

    from harness.records import Record


def records_by_study(store: Path | str, study: str | None = None) -> dict[str, list[Record]]:
    """The latest record of every trial, by study.

    Raises:
        StoreError: there is no store, it holds no record, or no record of `study`.
    """
    opened = Store(store)
    found: dict[str, list[Record]] = {}
    for record in opened.records(study):
        found.setdefault(record.study, []).append(record)
    if study in found:
        return {study: found[study]}
    if study is None and found:
        return dict(sorted(found.items()))
    others = [name for name in opened.studies() if name != study]
    if study is None or not others:
        raise StoreError("the store holds no record", where=str(store), hint="fill it: dlgauge run STUDY")
    near = difflib.get_close_matches(study, others, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise StoreError(f"no record of study {study!r}", where=str(store), hint=f"{hint}it holds: {', '.join(others)}")


def comparisons_of(
    store: Path | str, study: str | None = None, columns: Sequence[str] = DEFAULT_KEYS
) -> list[Comparison]:
    """A comparison for each study of the store that has a completed trial.

    Raises:
        StoreError: there is no record, or none completed.
    """
    comparisons = [compare(records, columns) for records in records_by_study(store, study).values()]
    useful = [one for one in comparisons if one.cells]
    if not useful:
        raise StoreError(
            f"no completed record to compare: {how_they_ended(comparisons)}",
            where=str(store),
            hint=f"see why each trial ended: dlgauge report {store}; run them again: dlgauge run STUDY --again",
        )
    return useful


def how_they_ended(comparisons: Sequence[Comparison]) -> str:
    """Terminations of the trials that did not complete, with their numbers and one reason each.

    Where none of them failed, what did complete are canaries and second arms of A/A pairs alone.
    """
    every = [one for comparison in comparisons for one in comparison.excluded]
    reasons = {one.termination: one.reason for one in every}
    told = ", ".join(
        f"{count} {kind} ({reasons[kind]})" for kind, count in Counter(e.termination for e in every).items()
    )
    return told or "only canaries or second arms of A/A pairs have records"


def comparison_text(store: Path | str, study: str, width: int | None = None) -> Group | str:
    """The comparison of one study, for the end of a run: also where nothing completed.

    Args:
        store: the folder of records.
        study: the study's name.
        width: of the terminal in characters; None for plain aligned text (a file, a pipe).

    Returns:
        A rich renderable for a terminal, a string without one.

    Raises:
        StoreError: there is no record of the study.
    """
    comparison = compare(records_by_study(store, study)[study])
    if width is None:
        from harness.reporting.text import plain

        return plain(comparison, store)
    from harness.reporting.terminal import terminal

    return terminal(comparison, store, width)
