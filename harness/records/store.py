"""A store: the folder of records."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StoreError
from harness.execution.outcome import FINAL_TERMINATIONS
from harness.garbage import collector_paused
from harness.records import running
from harness.records.compact_generation import COMPACT_FOLDER, CompactedPart, Generation
from harness.records.manifest import MANIFEST_FILE
from harness.records.record import Record
from harness.records.writer import repetitions
from harness.study.trial import Trial

IMPORTED_FOLDER = ".imported"
"""Folder of a store with rows of other stores (`dlgauge lr database import`): no records, so no query sees them."""


class DamagedRecordWarning(UserWarning):
    """A record was left out because it is damaged."""


class Store:
    """Records of all studies under one folder.

    Args:
        path: the store's folder. An empty folder is an empty store.
        create: make the folder where there is none.

    Raises:
        StoreError: there is no such folder, or it holds something else.
    """

    def __init__(self, path: Path | str, *, create: bool = False) -> None:
        self.path = Path(path)
        if create and not self.path.is_file():
            _make(self.path)
        _check_is_store(self.path)
        self.compacted = CompactedPart(self.path)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def studies(self) -> list[str]:
        """Names of the studies that have records, sorted."""
        return sorted(study for study in _folder_names(self.path) if any(_folder_names(self.path / study)))

    def folders(self, study: str | None = None) -> list[Path]:
        """The folders of all records, damaged ones and earlier repetitions included, sorted by study and name."""
        studies = [name for name in _folder_names(self.path) if study is None or name == study]
        homes = [self.path / name for name in sorted(studies)]
        return [home / name for home in homes for name in sorted(_folder_names(home))]

    def records(self, study: str | None = None, *, latest: bool = True, verify: bool = False) -> list[Record]:
        """Return records by start time.

        Args:
            study: only of this study.
            latest: of each trial only the repetition that counts in comparisons: the latest with a final termination,
                else the latest.
            verify: compare every file with its checksum too.

        A damaged record is left out with a `DamagedRecordWarning` that names it.
        """
        with collector_paused():
            found = list(self._read(study, verify))
            if latest:
                newest: dict[tuple[str, str], Record] = {}
                for record in found:
                    held = newest.get((record.study, record.id))
                    if held is None or _rank(record) > _rank(held):
                        newest[record.study, record.id] = record
                found = list(newest.values())
            return sorted(found, key=lambda record: (record.started_at, record.study, record.id, record.repetition))

    def finished(self, trial: Trial) -> bool:
        """Whether the trial has a record with a final termination: the next run leaves it out."""
        return self.final_record(trial) is not None

    def final_record(self, trial: Trial) -> Record | None:
        """The latest record of the trial with a final termination."""
        records = self._of_folders([folder for _, folder in repetitions(self.path / trial.study, trial.id)], False)
        final = [record for record in records if record.termination in FINAL_TERMINATIONS]
        return max(final, key=lambda record: record.repetition, default=None)

    def _read(self, study: str | None, verify: bool) -> Iterator[Record]:
        folders = self.folders(study)
        # To verify is to look at the records themselves, manifest.json included.
        return self._of_folders(folders, verify, None if verify else self.compacted.current(len(folders)))

    def _of_folders(self, folders: list[Path], verify: bool, compacted: Generation | None = None) -> Iterator[Record]:
        for folder in folders:
            manifest = compacted.manifest(folder) if compacted else None
            try:
                record = Record.read(folder) if manifest is None else Record(folder, manifest)
            except StoreError as error:
                warnings.warn(f"record left out: {error}", DamagedRecordWarning, stacklevel=4)
                continue
            if verify and (problems := record.verify()):
                warnings.warn(f"record left out: {folder}: {'; '.join(problems)}", DamagedRecordWarning, stacklevel=4)
                continue
            yield record


def _rank(record: Record) -> tuple[bool, int]:
    """Which repetition of a trial counts: a result before a failure, then the latest."""
    return record.termination in FINAL_TERMINATIONS, record.repetition


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the store cannot be made: {error.strerror}", where=str(path)) from error


def _check_is_store(path: Path) -> None:
    if not path.is_dir():
        what = "is a file, not a store" if path.exists() else "there is no store here"
        raise StoreError(what, where=str(path), hint="give the folder that `dlgauge run STUDY --store FOLDER` filled")
    holds_something = any(path.iterdir())
    own_folders = (path / name for name in (running.RUNNING_FOLDER, IMPORTED_FOLDER, COMPACT_FOLDER))
    is_store = any(folder.is_dir() for folder in own_folders) or any(path.glob(f"*/*/{MANIFEST_FILE}"))
    if holds_something and not is_store:
        raise StoreError(
            "the folder holds other things, but no record",
            where=str(path),
            hint="a store is the folder above the studies; give that one, or an empty folder",
        )


def _folder_names(folder: Path) -> Iterator[str]:
    """Names of the folders in a folder, in no order; none that begin with a dot, and none where it is gone."""
    try:
        with os.scandir(folder) as found:
            yield from (one.name for one in found if not one.name.startswith(".") and one.is_dir())
    except FileNotFoundError:
        return
