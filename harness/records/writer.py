"""Turn a finished trial into a record: built out of sight, synced to disk, made visible by one rename."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.execution.outcome import TrialOutcome
from harness.execution.outcome_file import OUTCOME_FILE, write_end
from harness.records.manifest import MANIFEST_FILE, make_manifest, to_json
from harness.records.reading import TrialFiles, is_regular, read_trial_folder
from harness.records.record import Record
from harness.records.running import OWNER_FILE, new_trial_folder, remove_tree, set_aside
from harness.records.tables import tables_of

KEPT = (
    "trial.json",
    "events.jsonl",
    "launcher.jsonl",
    "launch.json",
    "stdout.log",
    "stderr.log",
    "sampler.json",
    "sampler-report.json",
    "sampler.log",
)
"""Files of the trial folder that go into the record as they are; so does a binary file that is damaged."""

_READ_ONLY = 0o444
MOST_REMOVED = 16
"""Repetitions in a row that may have been removed without the later ones being overlooked."""

_STUDY_NAME = re.compile(r"[^./\0][^/\0]*")


def publish(outcome: TrialOutcome, store_path: Path | str) -> Record:
    """Convert a trial's files and make them a record of the store; the trial folder is removed afterwards.

    Whatever the state of the files, a record comes out: what is missing is null there, with the reason. A process that
    dies in here leaves no visible record, only folders under `.running/`, of which `keep_abandoned` makes the record.

    Returns:
        The record `<store>/<study>/<trial id>`, or `-2`, `-3`, … where there are earlier ones.

    Raises:
        StoreError: the store cannot be written.
    """
    store = Path(store_path)
    if not _STUDY_NAME.fullmatch(outcome.trial.study):
        raise StoreError(f"a study named {outcome.trial.study!r} cannot be a folder", hint="rename the study")
    with suppress(OSError):  # without it, a death in here makes the trial a killed one
        write_end(outcome)
    try:
        workplace = new_trial_folder(store, f"{outcome.trial.id}-record")
        try:
            path = _build_and_move(outcome, store, workplace)
        finally:
            remove_tree(workplace)
    except (OSError, StoreError) as error:
        raise StoreError(
            f"the record of trial {outcome.trial.id} cannot be written: {error}",
            where=str(store),
            hint=f"the trial's files are kept in {set_aside(outcome.folder, store)}",
        ) from error
    remove_tree(outcome.folder)
    return Record.read(path)


def _build_and_move(outcome: TrialOutcome, store: Path, workplace: Path) -> Path:
    files = read_trial_folder(outcome.folder)
    building = workplace / "record"
    building.mkdir()
    manifest = make_manifest(outcome, files)
    manifest["files"] = _write_tables(files, building) | _keep_files(outcome.folder, building, files)
    manifest["not_kept"] = _not_kept(outcome.folder, manifest["files"])
    study = store / outcome.trial.study
    study.mkdir(parents=True, exist_ok=True)
    return _make_visible(manifest, building, study)


def _write_tables(files: TrialFiles, folder: Path) -> dict[str, dict[str, Any]]:
    import pyarrow.parquet as parquet

    written = {}
    for name, table in tables_of(files).items():
        path = folder / f"{name}.parquet"
        parquet.write_table(table, path, compression="zstd")
        written[path.name] = _seal(path)
    return written


def _keep_files(source: Path, target: Path, files: TrialFiles) -> dict[str, dict[str, Any]]:
    """Copy, not move: a process that still holds a log open must not be able to write into the record."""
    kept = {}
    for name in sorted({*KEPT, *files.damaged}):
        if is_regular(source / name):
            try:
                shutil.copyfile(source / name, target / name)
            except PermissionError:
                continue
            kept[name] = _seal(target / name)
    return kept


def _not_kept(source: Path, kept: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the trial folder held beyond the record: size and checksum, so that it can be recognised elsewhere."""
    left = {}
    for path in sorted(source.iterdir()) if source.is_dir() else ():
        if (
            is_regular(path)
            and path.name not in kept
            and path.name not in (OWNER_FILE, OUTCOME_FILE)
            and os.access(path, os.R_OK)
        ):
            left[path.name] = _fingerprint(path)
    return left


def _seal(path: Path) -> dict[str, Any]:
    """Put a finished file on disk, read-only; returns its entry in the manifest."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.chmod(_READ_ONLY)
    return _fingerprint(path)


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def _make_visible(manifest: dict[str, Any], building: Path, study: Path) -> Path:
    """Rename to the first free repetition; another writer may take a number at any moment, so the rename decides."""
    trial = manifest["trial"]
    repetition = 1 + max((number for number, _ in repetitions(study, trial)), default=0)
    while True:
        manifest["repetition"] = repetition
        _write_manifest(manifest, building)
        target = study / record_name(trial, repetition)
        try:
            building.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            repetition += 1
            continue
        _sync_folder(study)
        return target


def _write_manifest(manifest: dict[str, Any], folder: Path) -> None:
    path = folder / MANIFEST_FILE
    path.unlink(missing_ok=True)
    path.write_bytes(to_json(manifest))
    _seal(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def repetitions(study: Path, trial: str) -> list[tuple[int, Path]]:
    """(repetition, folder) of every record of a trial that stands in a study's folder, by repetition.

    The folders are asked for by name, so the effort does not grow with the study. Numbers may be missing where records
    were removed; after `MOST_REMOVED` missing ones in a row there are no more.
    """
    found = []
    number, missing = 1, 0
    while missing <= MOST_REMOVED:
        folder = study / record_name(trial, number)
        if folder.is_dir():
            found.append((number, folder))
            missing = 0
        else:
            missing += 1
        number += 1
    return found


def record_name(trial: str, repetition: int) -> str:
    """Name of the folder of a repetition of a trial."""
    return trial if repetition == 1 else f"{trial}-{repetition}"
