"""From a store to the cells of one study that a figure draws, with errors that a user can act on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import Cell, Comparison, compare
from harness.analysis.cells import plain_value
from harness.analysis.host import host_identity
from harness.errors import DlgaugeError, StoreError
from harness.reporting.studies import how_they_ended, records_by_study
from harness.validation import nearest

if TYPE_CHECKING:
    from harness.records import Record


@dataclass(frozen=True)
class Source:
    """What a figure is drawn from.

    Attributes:
        store: folder of the records.
        comparison: the study's cells (`harness.analysis.compare`).
        records: the completed trials behind the cells, by folder.
        chosen: ids of all trials that are looked at, those that did not complete too.
        where: the conditions that the user set, as text.
        hidden: trials of the study that do not meet them.
    """

    store: str
    comparison: Comparison
    records: Mapping[str, Record]
    chosen: frozenset[str]
    where: tuple[str, ...] = ()
    hidden: int = 0

    @property
    def study(self) -> str:
        """Name of the study."""
        return self.comparison.study

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Cells with at least one completed trial."""
        return self.comparison.cells

    def records_of(self, cell: Cell) -> list[Record]:
        """The records of a cell, by seed."""
        return [self.records[trial.path] for trial in cell.trials]

    def disturbed(self, trial_path: str) -> bool:
        """Whether a signal of a disturbance was beyond its limit in this trial."""
        return bool(self.records[trial_path].manifest.get("disturbances"))


def read_source(
    store: Path | str, study: str | None, outcomes: Sequence[str] = (), where: Sequence[str] = ()
) -> Source:
    """The cells of one study.

    Args:
        store: folder of records.
        study: its name; None where the store holds one alone.
        outcomes: summary keys or costs that will be drawn (`steps_to:99`).
        where: conditions `KEY=VALUE`, all of which a trial has to meet.

    Raises:
        DlgaugeError: several studies and none named, an unknown outcome, a condition that no trial meets.
        StoreError: no such store or study, or none of the trials completed.
    """
    studies = records_by_study(store, study)
    if len(studies) > 1:
        raise DlgaugeError(
            f"a figure is of one study, the store holds {len(studies)}: {', '.join(studies)}",
            where=str(store),
            hint=f"add --study NAME, such as --study {next(iter(studies))}",
        )
    (every,) = studies.values()
    chosen = _meeting(every, where)
    comparison = compare(chosen, outcomes) if outcomes else compare(chosen)
    if not comparison.cells:
        raise StoreError(
            f"no trial of study {comparison.study!r} completed, so there is nothing to draw: "
            f"{how_they_ended([comparison])}",
            where=str(store),
            hint=f"run them again: dlgauge run {comparison.study} --again",
        )
    paths = {trial.path for cell in comparison.cells for trial in cell.trials}
    records = {str(record.path): record for record in chosen if str(record.path) in paths}
    return Source(
        str(store),
        comparison,
        records,
        frozenset(record.id for record in chosen),
        tuple(where),
        len(every) - len(chosen),
    )


def told_of(record: Record) -> dict[str, str]:
    """What a condition may ask of a trial: names of its parts, and what the study varies, as text."""
    specification = record.specification
    workload, framework = _part(specification, "workload"), _part(specification, "framework")
    setting, profile = _part(specification, "setting"), _part(specification, "profile")
    facts = {
        "framework": framework.get("name"),
        "version": framework.get("version"),
        "workload": workload.get("name"),
        "dataset": _part(workload, "dataset").get("name"),
        "content": str(_part(workload, "dataset").get("content_sha256", ""))[:12],
        "network": _part(workload, "network").get("name"),
        "setting": setting.get("name"),
        "profile": profile.get("name"),
        "batch_size": setting.get("batch_size"),
        "steps": setting.get("steps"),
        "threads": _part(profile, "threads").get("intra_op"),
        "blas": profile.get("blas"),
        "seed": specification.get("seed"),
        "host": host_identity(_part(record.manifest, "host")),
    }
    told = {key: _text(value) for key, value in facts.items() if value is not None}
    return told | {key: _text(value) for key, value in record.varied.items()}


def _meeting(records: Sequence[Record], where: Sequence[str]) -> list[Record]:
    kept = list(records)
    for condition in where:
        key, separator, value = condition.partition("=")
        if not separator or not key:
            raise DlgaugeError(
                f"--where {condition!r} is no condition", hint="--where KEY=VALUE, such as framework=torch"
            )
        facts = [(record, told_of(record)) for record in kept]
        keys = sorted({name for _, told in facts for name in told})
        if key not in keys:
            raise DlgaugeError(f"--where {condition!r}: unknown key {key!r}{nearest(key, keys)}")
        kept = [record for record, told in facts if told.get(key) == value]
        if not kept:
            values = sorted({told[key] for _, told in facts if key in told})
            raise DlgaugeError(f"--where {condition!r}: no trial has it", hint=f"{key} is one of: {', '.join(values)}")
    return kept


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """As the tables have it: a policy as `TRI k0=0.01 k1=0.06 l=250`, 64 as `64`."""
    return plain_value(value) if not isinstance(value, list | tuple) else json.dumps(value)
