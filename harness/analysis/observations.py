"""Observations: the completed trials of a store as one table, one row a trial, for every analysis over factors.

The unit of observation is the trial. Samples and steps inside a run follow one another and are never taken for
independent observations; the block is the trial's seed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import conditions_of, group_into_cells, seed_of
from harness.analysis.comparison import (
    COMPLETED,
    UNKNOWN,
    Excluded,
    TrialReference,
    code_hash,
    excluded_record,
    reference_to,
)
from harness.analysis.factors import (
    FACTORS,
    IDENTITY_FACTORS,
    NETWORK_COUNTS,
    NetworkCounts,
    factors_of,
    named_factors,
    network_counts,
    network_of,
    targets_of,
    varied_columns,
)
from harness.errors import StoreError
from harness.records import SUMMARY_KEYS, Record, Store

if TYPE_CHECKING:
    import pandas as pd

OWN = ("study", "trial", "repetition", "path", "started_at", "block", "seed", "label")
"""Columns that no two records share."""

IDENTITY = (*OWN, *IDENTITY_FACTORS)
CONDITIONS = ("content_sha256", "host", "certificate", "code_sha256")
COLUMNS = (*IDENTITY, *FACTORS, *NETWORK_COUNTS, *CONDITIONS)
"""All columns but the outcomes and what a study varies under a name of its own."""

LISTED_FACTORS = ("framework", "workload", "setting", "profile")
"""What a study lists: factors where they have more than one level."""

SHARED_PARTS = ("specification", "varied", "framework", "profile_in_force", "host", "environment", "parity")
"""Keys of a manifest that all columns but `OWN` and the outcomes follow from."""

NO_REASON = "no reason recorded"


@dataclass(frozen=True)
class _Shared:
    """The columns of records that are equal in `SHARED_PARTS`, and why their network has no counts."""

    columns: Mapping[str, Any]
    missing: str | None


@dataclass(frozen=True)
class Observations:
    """The completed trials of some studies.

    Attributes:
        frame: one row a completed record that counts (of each trial the repetition that counts, of the trials of one
            cell with one seed the latest), in the order of their start. Columns: `COLUMNS`; what studies vary under a
            name of its own; every key of `SUMMARY_KEYS` as float, NaN where not measured.
            `block` is the seed: blocks of a randomised complete block design. `learning_rate` is the policy's `k0`.
            `blas` is the library found at work, else the one asked for. `certificate` is the hash of the parity
            certificate that covers the trial. `host` is the identity of the machine (`host_identity`).
        varied: factor columns that the studies vary; those of a section (a policy) only where they have more than one
            level, and so framework, workload, setting and profile.
        excluded: records that did not complete.
        not_measured: outcome, or count of the network -> reason -> number of rows: why a value is NaN.
        superseded: completed trials left out because a later one of the same cell has their seed.
    """

    frame: pd.DataFrame
    varied: tuple[str, ...]
    excluded: tuple[Excluded, ...]
    not_measured: Mapping[str, Mapping[str, int]]
    superseded: tuple[TrialReference, ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that at least one row has."""
        return tuple(key for key in SUMMARY_KEYS if self.frame[key].notna().any())


def observations(store: Path | Store, studies: Sequence[str] | None = None) -> Observations:
    """The completed trials of a store as one table.

    Args:
        store: the store or its folder.
        studies: names of studies; None for all of the store.

    Raises:
        StoreError: there is no such store, or no such study in it.
    """
    opened = store if isinstance(store, Store) else Store(store)
    return observe(_records(opened, studies))


def observe(records: Iterable[Record]) -> Observations:
    """The table of these records, one a trial (the repetition that counts)."""
    every = list(records)
    completed = [record for record in every if record.termination == COMPLETED]
    counted = _counted(completed)
    paths = {record.path for record in counted}
    rows = _Rows()
    for record in counted:
        rows.add(record)
    frame = rows.frame()
    return Observations(
        frame=frame,
        varied=_varied(frame, rows.varied_keys),
        excluded=tuple(excluded_record(record) for record in every if record.termination != COMPLETED),
        not_measured={key: dict(reasons) for key, reasons in rows.not_measured.items()},
        superseded=tuple(reference_to(record) for record in completed if record.path not in paths),
    )


def _records(store: Store, studies: Sequence[str] | None) -> list[Record]:
    if studies is None:
        return store.records()
    there = store.studies()
    for study in studies:
        if study not in there:
            raise StoreError(
                f"no records of a study {study!r}",
                where=str(store.path),
                hint=f"studies with records: {', '.join(there) or 'none'}",
            )
    return [record for study in dict.fromkeys(studies) for record in store.records(study)]


def _counted(completed: Sequence[Record]) -> list[Record]:
    """Of the records of one cell and seed the latest, in the order of their start. Studies are never one cell."""
    by_study: dict[str, list[Record]] = {}
    for record in completed:
        by_study.setdefault(record.study, []).append(record)
    kept = [record for members in by_study.values() for cell in group_into_cells(members).values() for record in cell]
    return sorted(kept, key=lambda record: (record.started_at, record.study, record.id, record.repetition))


class _Rows:
    """Collects the rows; what several records share is worked out once."""

    def __init__(self) -> None:
        self.varied_keys: dict[str, None] = {}
        self.not_measured: dict[str, Counter[str]] = {}
        self._own: dict[str, list[Any]] = {name: [] for name in OWN}
        self._outcomes: list[list[float]] = []
        self._shared: list[_Shared] = []
        self._places: list[int] = []
        self._known: dict[Hashable, int] = {}
        self._networks: dict[str, NetworkCounts] = {}

    def add(self, record: Record) -> None:
        seed = seed_of(record)
        values = (
            record.study,
            record.id,
            record.repetition,
            str(record.path),
            record.started_at,
            seed,
            seed,
            record.label,
        )
        for name, value in zip(OWN, values, strict=True):
            self._own[name].append(value)
        place = self._place(record)
        self._places.append(place)
        if missing := self._shared[place].missing:
            for name in NETWORK_COUNTS:
                self._note(name, missing)
        self._outcomes.append(self._outcomes_of(record))

    def _place(self, record: Record) -> int:
        token = record.sharing(*SHARED_PARTS)
        place = self._known.get(token) if token is not None else None
        if place is None:
            place = len(self._shared)
            self._shared.append(self._shared_of(record))
            if token is not None:
                self._known[token] = place
        return place

    def _shared_of(self, record: Record) -> _Shared:
        specification = record.specification
        network = network_of(specification)
        key = json.dumps(network, sort_keys=True)
        if key not in self._networks:
            self._networks[key] = network_counts(network)
        counts, conditions, code = self._networks[key], conditions_of(record), code_hash(record)
        columns = {
            **named_factors(specification),
            **factors_of(specification, record.manifest),
            **{name: getattr(counts, name) for name in NETWORK_COUNTS},
            "content_sha256": conditions.content_sha256 or None,
            "host": conditions.host or None,
            "certificate": record.parity_certificate,
            "code_sha256": None if code == UNKNOWN else code,
            **varied_columns(record.varied, (*COLUMNS, *SUMMARY_KEYS)),
        }
        self.varied_keys.update(dict.fromkeys(record.varied))
        return _Shared(columns, counts.missing)

    def _outcomes_of(self, record: Record) -> list[float]:
        summary, reasons = record.manifest["summary"], record.manifest["not_measured"]
        values = []
        for key in SUMMARY_KEYS:
            value = summary.get(key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                values.append(float(value))
            else:
                values.append(float("nan"))
                self._note(key, str(reasons.get(key) or NO_REASON))
        return values

    def _note(self, key: str, reason: str) -> None:
        if key not in self.not_measured:
            self.not_measured[key] = Counter()
        self.not_measured[key][reason] += 1

    def frame(self) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        listed = [name for name in COLUMNS if name not in OWN]
        varied = dict.fromkeys(name for one in self._shared for name in one.columns if name not in listed)
        shared = pd.DataFrame([one.columns for one in self._shared], columns=[*listed, *varied])
        values = np.array(self._outcomes, dtype=float).reshape(len(self._places), len(SUMMARY_KEYS))
        parts = [
            pd.DataFrame(self._own),
            shared.iloc[self._places].reset_index(drop=True),
            pd.DataFrame(values, columns=list(SUMMARY_KEYS)),
        ]
        whole = pd.concat(parts, axis=1)
        return whole[[*COLUMNS, *varied, *SUMMARY_KEYS]]


def _varied(frame: pd.DataFrame, keys: Iterable[str]) -> tuple[str, ...]:
    """The factor columns that vary: those of a study's keys, and the listed ones with more than one level."""
    found: dict[str, None] = {name: None for name in LISTED_FACTORS if _levels(frame, (name,)) > 1}
    for key in keys:
        own = f"varied.{key}" if f"varied.{key}" in frame else key
        targets = targets_of(key)
        if not targets:
            found[own] = None
            continue
        if own not in frame or own == key:  # a plain value: the column of its meaning holds all of it
            found[targets[-1]] = None
            continue
        several = [name for name in targets if _levels(frame, (name,)) > 1]
        found.update(dict.fromkeys(several))
        if not several or _levels(frame, (own,)) > _levels(frame, several):
            found[own] = None
    return tuple(found)


def _levels(frame: pd.DataFrame, columns: Sequence[str]) -> int:
    """How many different combinations of values these columns have, None counted as a value."""
    return len(frame[list(columns)].astype("object").drop_duplicates()) if len(frame) else 0
