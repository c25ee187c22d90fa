"""Folders of generations: made out of sight, made visible by one rename, removed when they have become old."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.owner import describe_owner, owner_is_gone
from harness.records.compact_generation import generations
from harness.records.running import OWNER_FILE, owner_of, remove_tree

WRITING = ".writing-"
KEPT_GENERATIONS = 2
"""The newest, and the one before it, which a connection may still read."""


def new_folder(home: Path) -> Path:
    """Make a folder for a generation to be written, with its owner noted in it."""
    home.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=WRITING, dir=home))
    folder.chmod(0o755)
    (folder / OWNER_FILE).write_text(json.dumps(describe_owner()))
    return folder


def make_visible(building: Path, home: Path) -> Path:
    """Rename to the number after the newest; another writer, on a file system without locks, may have taken it."""
    (building / OWNER_FILE).unlink()
    number = 1 + max((int(path.name) for path in generations(home.parent)), default=0)
    while True:
        target = home / str(number)
        try:
            building.rename(target)
        except OSError:
            if not target.exists():
                raise
            number += 1
            continue
        sync(home)
        return target


def remove_old(store: Path) -> None:
    """Remove all generations but the newest ones."""
    for folder in generations(store)[:-KEPT_GENERATIONS]:
        remove_tree(folder)


def remove_abandoned(home: Path) -> None:
    """Remove what processes that are gone were writing; the caller holds the lock of compactions."""
    for folder in home.glob(f"{WRITING}*") if home.is_dir() else ():
        try:
            gone = owner_is_gone(owner_of(folder))
        except (ValueError, KeyError, TypeError):
            gone = True  # it died before it could say who it is; the lock says that nobody else is at work
        if gone:
            remove_tree(folder)


def take_over(segments: Sequence[Path], folder: Path) -> list[str]:
    """Put files of another generation into this one, as hard links where the file system has them; their names."""
    for path in segments:
        try:
            (folder / path.name).hardlink_to(path)
        except OSError:
            shutil.copyfile(path, folder / path.name)
    return [path.name for path in segments]


def sync(path: Path) -> None:
    """Have a file or folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
