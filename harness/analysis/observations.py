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

from harness.analysis.cell_values import NO_REASON, code_hash
from harness.analysis.cells import conditions_of, group_into_cells, seed_of
from harness.analysis.comparison import COMPLETED, UNKNOWN, Excluded, excluded_record
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
from harness.analysis.references import TrialReference, reference_to
from harness.errors import StoreError
from harness.garbage import collector_paused
from harness.records import SUMMARY_KEYS, Record, Store
from harness.records.summary_columns import summary_columns
from harness.study.roles import CANARY

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

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
    """The table of these records, one a trial (the repetition that counts).

    Canaries and second arms of A/A pairs are no observations of a study's cells (`harness.study.roles`).
    """
    with collector_paused():
        return _observe([record for record in records if record.role != CANARY])


def _observe(every: Sequence[Record]) -> Observations:
    completed = [record for record in every if record.termination == COMPLETED and record.role is None]
    counted = _counted(completed)
    paths = {record.path for record in counted}
    rows = _Rows(counted)
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

    def __init__(self, records: Sequence[Record]) -> None:
        self.varied_keys: dict[str, None] = {}
        self.not_measured: dict[str, Counter[str]] = {}
        self._own: dict[str, list[Any]] = {name: [] for name in OWN}
        self._shared: list[_Shared] = []
        self._places: list[int] = []
        self._known: dict[Hashable, int] = {}
        self._networks: dict[str, NetworkCounts] = {}
        for record in records:
            self._add(record)
        self._outcomes = self._outcomes_of(records)

    def _add(self, record: Record) -> None:
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
                self._note(name, missing, 1)

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

    def _outcomes_of(self, records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
        """The columns of the summary's keys; why a value is NaN is noted."""
        import numpy as np

        told = [record.manifest["not_measured"] for record in records]
        distinct = {id(one): one for one in told}  # compacted records share them
        place = {number: index for index, number in enumerate(distinct)}
        group = np.array([place[id(one)] for one in told], dtype=np.int64)
        columns = {key: _as_floats(values) for key, values in summary_columns(records).items()}
        for key, values in columns.items():
            counts = np.bincount(group[np.isnan(values)], minlength=len(distinct))
            for reasons, count in zip(distinct.values(), counts.tolist(), strict=True):
                if count:
                    self._note(key, str(reasons.get(key) or NO_REASON), count)
        return columns

    def _note(self, key: str, reason: str, rows: int) -> None:
        if key not in self.not_measured:
            self.not_measured[key] = Counter()
        self.not_measured[key][reason] += rows

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        listed = [name for name in COLUMNS if name not in OWN]
        varied = dict.fromkeys(name for one in self._shared for name in one.columns if name not in listed)
        shared = pd.DataFrame([one.columns for one in self._shared], columns=[*listed, *varied])
        parts = [
            pd.DataFrame(self._own),
            shared.iloc[self._places].reset_index(drop=True),
            pd.DataFrame(self._outcomes, columns=list(SUMMARY_KEYS)),
        ]
        whole = pd.concat(parts, axis=1)
        return whole[[*COLUMNS, *varied, *SUMMARY_KEYS]]


def _as_floats(values: Sequence[Any]) -> NDArray[np.float64]:
    """Numbers as floats, NaN for anything else."""
    import numpy as np

    if set(map(type, values)) <= {int, float, type(None)}:
        return np.array(values, dtype=np.float64)
    is_number = [isinstance(value, int | float) and not isinstance(value, bool) for value in values]
    return np.array([value if ok else None for value, ok in zip(values, is_number, strict=True)], dtype=np.float64)


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
