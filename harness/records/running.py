"""Folders of work in progress, `<store>/.running/<name>`, each with its owner: what a dead process left is found."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.owner import describe_owner, owner_is_gone

RUNNING_FOLDER = ".running"
UNPUBLISHED_FOLDER = ".unpublished"
"""Trial folders of which no record could be made; nothing removes them but their owner."""

OWNER_FILE = "owner.json"
UNOWNED_GRACE_S = 60.0
"""A folder without a readable owner file may be one that was made this moment."""


def new_trial_folder(store_path: Path, trial_id: str) -> Path:
    """Make a fresh folder for a trial under `<store>/.running/`; the calling process is its owner.

    No query ever sees it. It is gone after `publish`; of what a killed process leaves, `keep_abandoned`
    makes a record.

    Raises:
        StoreError: the store cannot be written.
    """
    running = Path(store_path) / RUNNING_FOLDER
    try:
        running.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{trial_id}-", dir=running))
        (folder / OWNER_FILE).write_text(json.dumps(describe_owner()))
    except OSError as error:
        hint = "free space, get the permission, or name another store with --store"
        raise StoreError(f"the store cannot be written: {error}", where=str(store_path), hint=hint) from error
    return folder.resolve()


def owner_of(folder: Path) -> Any:
    """Who made the folder, as `describe_owner` described it; None where that cannot be read."""
    try:
        return json.loads((folder / OWNER_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def abandoned_folders(store_path: Path) -> list[Path]:
    """The folders whose owner is gone, sorted; one without an owner only when it is old enough."""
    running = Path(store_path) / RUNNING_FOLDER
    if not running.is_dir():
        return []
    return [folder for folder in sorted(running.iterdir()) if folder.is_dir() and _is_stale(folder)]


def set_aside(folder: Path, store_path: Path) -> Path:
    """Move a trial folder to `<store>/.unpublished/`, out of the next run's way; returns where it is now."""
    target = store_path / UNPUBLISHED_FOLDER / folder.name
    try:
        target.parent.mkdir(exist_ok=True)
        folder.rename(target)
    except OSError:  # the disk is full or read-only: then it stays where it is
        return folder
    return target


def remove_tree(folder: Path) -> None:
    """Remove a folder with its read-only files; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)


def _is_stale(folder: Path) -> bool:
    try:
        return owner_is_gone(owner_of(folder))
    except (ValueError, KeyError, TypeError):
        return _age_s(folder) > UNOWNED_GRACE_S


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0
