"""One run of a study, one compaction of a store at a time: a lock in the store, gone with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from harness.errors import StoreError
from harness.owner import describe_owner
from harness.records.running import RUNNING_FOLDER

LOCK_SUFFIX = ".lock"


def study_lock(store_path: Path | str, study: str, on_wait: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold a study of a store: a second run of it waits here until the first has ended, however it ends.

    Arguments and errors are those of `store_lock`.
    """
    doing = f"runs study {study!r} in this store"
    return store_lock(store_path, study, doing, on_wait, "a second run of this study would run the same trials")


@contextmanager
def store_lock(
    store_path: Path | str,
    name: str,
    doing: str,
    on_wait: Callable[[str], None],
    otherwise: str = "a second one would do the same work",
) -> Iterator[None]:
    """Hold a name of a store: who asks for it meanwhile waits here until the holder has ended, however it ends.

    The lock is the kernel's (`flock` on `<store>/.running/<name>.lock`), so that of a killed process is free at once.
    The file tells who holds it; it is removed at the end, unless somebody has put another one in its place.

    Args:
        store_path: the store.
        name: a study's name, or one that no study can have.
        doing: what the holder does, for who waits.
        otherwise: what may happen on a file system without locks.
        on_wait: is told who holds it, before each wait; or that the file system has no locks: then nothing is held.

    Raises:
        StoreError: the store cannot be written.
    """
    path = Path(store_path) / RUNNING_FOLDER / f"{name}{LOCK_SUFFIX}"
    try:
        descriptor = _acquire(path, doing, otherwise, on_wait)
    except OSError as error:
        hint = "free space, get the permission, or name another store with --store"
        raise StoreError(f"the store cannot be written: {error}", where=str(store_path), hint=hint) from error
    try:
        yield
    finally:
        if descriptor is not None:
            _remove(descriptor, path)  # while it is held: whoever waits for it finds another file at its place, or none
            os.close(descriptor)


def _acquire(path: Path, doing: str, otherwise: str, on_wait: Callable[[str], None]) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666
        )  # who may run the study next, the umask says
        try:
            if not _lock(descriptor, path, doing, otherwise, on_wait):
                if os.fstat(descriptor).st_size == 0:  # no holder has written itself into it
                    _remove(descriptor, path)
                os.close(descriptor)
                return None
            if _is_at(descriptor, path):
                _write_owner(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path, doing: str, otherwise: str, on_wait: Callable[[str], None]) -> bool:
    """Wait for the lock; False on a file system that has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _tell(on_wait, f"{_holder(path)} {doing}; waiting for its end")
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # a signal whose handler raises ends the wait
    except OSError as error:
        _tell(on_wait, f"no lock on {path} ({error.strerror}): {otherwise}")
        return False
    return True


def _tell(on_wait: Callable[[str], None], line: str) -> None:
    """A terminal that has gone is no error of the store, and no reason not to wait."""
    with suppress(OSError):
        on_wait(line)


def _remove(descriptor: int, path: Path) -> None:
    """Remove the descriptor's file; another one that somebody has put in its place stays."""
    with suppress(OSError):
        if _is_at(descriptor, path):
            path.unlink()


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one at the path: the last holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_owner(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(describe_owner()).encode(), 0)


def _holder(path: Path) -> str:
    try:
        owner = json.loads(path.read_bytes())
        return f"another dlgauge (process {owner['pid']} on {owner['host']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has not written it yet
        return "another dlgauge"
