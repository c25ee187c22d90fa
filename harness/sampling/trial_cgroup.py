"""A cgroup of its own for one trial: made, joined, limited, emptied, removed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.sampling.cgroup_layout import (
    CONTROLLERS,
    PROC_ROOT,
    SAMPLER_KEYS,
    CgroupLayout,
    detect,
    read_memberships,
    visible_folder,
)

if TYPE_CHECKING:
    from types import TracebackType

PREFIX = "dlgauge-"
_POLL_S = 0.01


class TrialCgroup:
    """The cgroup folders of one trial: one for v2, one a controller for v1. A context manager: kills and removes.

    A machine with v1 controllers may have a v2 tree beside them (hybrid). It controls nothing there, but keeps account
    of CPU time and pressure: the trial gets a folder in it too.
    """

    def __init__(self, folders: dict[str, Path], paths: dict[str, str], not_measured: dict[str, str]) -> None:
        self.folders = tuple(dict.fromkeys(folders.values()))
        """Every folder that was made."""
        self.paths = paths
        """`cpu`, `memory`, `io` (and on a hybrid machine `unified`) -> folder, as the sampler wants them."""
        self.not_measured = not_measured
        """Key of `paths` -> why it is missing."""
        self._memory = folders.get("memory")

    @property
    def procs_files(self) -> tuple[Path, ...]:
        """The files into which the launcher writes its process number to join."""
        return tuple(folder / "cgroup.procs" for folder in self.folders)

    def set_memory_limit(self, limit_bytes: int) -> str | None:
        """Limit the memory (swap included, where the kernel can). Returns None, or why it could not be done."""
        if self._memory is None:
            return self.not_measured.get("memory", "no memory controller")
        names = ("memory.max", "memory.limit_in_bytes")
        name = next((name for name in names if (self._memory / name).exists()), None)
        if name is None:
            return f"{self._memory}: neither {' nor '.join(names)}"
        try:
            _write(self._memory / name, str(limit_bytes))
        except OSError as error:
            return f"{self._memory / name}: {error.strerror}"
        for swap_name, value in (("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", str(limit_bytes))):
            with contextlib.suppress(OSError):  # a kernel without swap accounting has no such file
                _write(self._memory / swap_name, value)
        return None

    def oom_kills(self) -> int | None:
        """How many processes of the trial the kernel has killed for memory; None where it does not say."""
        if self._memory is None:
            return None
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError, ValueError):
                for line in (self._memory / name).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill":
                        return int(value)
        return None

    def pids(self) -> frozenset[int]:
        """The processes in it, and in cgroups below it."""
        found: set[int] = set()
        for folder in self.folders:
            for below in _folders_below(folder):
                with contextlib.suppress(OSError):  # gone meanwhile
                    found.update(int(word) for word in (below / "cgroup.procs").read_text().split())
        return frozenset(found)

    def kill_all(self, timeout_s: float = 5.0) -> bool:
        """Kill every process in it. Returns whether it is empty: uninterruptible sleep may outlast the time."""
        deadline_s = time.monotonic() + timeout_s
        for folder in self.folders:
            with contextlib.suppress(OSError):  # v1 and kernels before 5.14: the loop below does it
                _write(folder / "cgroup.kill", "1")
        while pids := self.pids() - {0, os.getpid()}:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True

    def remove(self, timeout_s: float = 5.0) -> bool:
        """Remove its folders; may be called again. Returns whether all are gone (a live process keeps its cgroup)."""
        deadline_s = time.monotonic() + timeout_s
        removed = [_remove_folder(folder, deadline_s) for folder in self.folders]  # all, whatever one says
        return all(removed)

    def __enter__(self) -> TrialCgroup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_all()
        self.remove()


def create_trial_cgroup(
    name: str, layout: CgroupLayout | None = None, proc_root: Path = PROC_ROOT
) -> tuple[TrialCgroup | None, str | None]:
    """Make a cgroup for a trial below the harness's own cgroup, or below the root of the tree.

    Returns:
        The cgroup and None, or None and the reason why none can be had. A cgroup without memory control is still one:
        its `not_measured` says what it lacks.
    """
    layout = layout or detect(proc_root)
    if layout.kind == "none":
        return None, layout.reason
    folder_name = f"{PREFIX}{os.getpid()}-{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}"
    try:
        memberships = read_memberships("self", proc_root)
    except OSError as error:
        return None, f"{proc_root}/self/cgroup: {error.strerror}"
    if layout.kind == "v2":
        return _create_v2(layout, memberships.get("", "/"), folder_name)
    return _create_v1(layout, memberships, folder_name)


def _create_v1(
    layout: CgroupLayout, memberships: dict[str, str], folder_name: str
) -> tuple[TrialCgroup | None, str | None]:
    folders: dict[str, Path] = {}
    not_measured: dict[str, str] = {}
    for controller in CONTROLLERS:
        key = SAMPLER_KEYS[controller]
        mount = layout.v1_mount(controller)
        if mount is None:
            not_measured[key] = f"no v1 cgroup tree with {controller}"
            continue
        own = visible_folder(mount, memberships.get(controller, "/"))
        try:
            folders[key] = _make_folder([own or mount.point, mount.point], folder_name)
        except OSError as error:
            not_measured[key] = f"{controller}: {error.strerror} ({error.filename})"
    if (unified := layout.v2_mount()) is not None:
        own = visible_folder(unified, memberships.get("", "/"))
        try:
            folders["unified"] = _make_folder([own or unified.point, unified.point], folder_name)
            _check_joinable(folders["unified"])
        except OSError as error:
            not_measured["unified"] = f"cgroup v2: {error.strerror} ({error.filename})"
            if folder := folders.pop("unified", None):
                folder.rmdir()
    if not folders:
        return None, "; ".join(not_measured.values())
    paths = {key: str(folder) for key, folder in folders.items()}
    if "cpu" not in paths and "unified" in paths:
        paths["cpu"] = paths["unified"]  # v2 counts CPU time without any controller
    return TrialCgroup(folders, paths, not_measured), None


def _check_joinable(folder: Path) -> None:
    """Raises OSError where a process of ours may not move in: v2 asks for the right to write one level above, too."""
    above = folder.parent / "cgroup.procs"
    if not os.access(above, os.W_OK):
        raise PermissionError(errno.EACCES, "processes may not be moved from here", str(above))


def _create_v2(layout: CgroupLayout, membership: str, folder_name: str) -> tuple[TrialCgroup | None, str | None]:
    """v2 hands controllers down only from cgroups without processes: beside the harness, or below the root."""
    mount = layout.v2_mount()
    if mount is None:
        return None, "no unified cgroup tree"
    own = visible_folder(mount, membership) or mount.point
    parents = [own, own.parent, mount.point] if own != mount.point else [mount.point]
    with_memory = next((parent for parent in parents if _hands_down_memory(parent)), None)
    if with_memory is not None:
        parents.insert(0, with_memory)
    try:
        folder = _make_folder(parents, folder_name)
    except OSError as error:
        return None, f"cgroup v2: {error.strerror} ({error.filename})"
    paths, not_measured = {"cpu": str(folder)}, {}
    for controller in ("memory", "io"):
        if controller in _words(folder / "cgroup.controllers"):
            paths[controller] = str(folder)
        else:
            not_measured[controller] = f"the {controller} controller is not handed down to {folder.parent}"
    folders = {"cpu": folder} | ({"memory": folder} if "memory" in paths else {})
    return TrialCgroup(folders, paths, not_measured), None


def _hands_down_memory(parent: Path) -> bool:
    """Whether children of `parent` get the memory controller, if need be by asking for it (and for io)."""
    control = parent / "cgroup.subtree_control"
    for controller in ("memory", "io"):
        if controller in _words(parent / "cgroup.controllers") and controller not in _words(control):
            with contextlib.suppress(OSError):  # not ours to change, or the parent holds processes
                _write(control, f"+{controller}")
    return "memory" in _words(control)


def _make_folder(parents: list[Path], folder_name: str) -> Path:
    """Make the folder below the first parent that allows it; remove leftovers of dead harnesses there on the way."""
    failure: OSError | None = None
    for parent in parents:
        remove_abandoned(parent)
        try:
            (parent / folder_name).mkdir()
        except FileExistsError:
            return parent / folder_name
        except OSError as error:
            failure = failure or error
        else:
            return parent / folder_name
    raise failure or OSError(errno.ENOENT, "no parent")


def remove_abandoned(parent: Path, proc_root: Path = PROC_ROOT) -> list[Path]:
    """Remove the empty trial cgroups below `parent` whose harness (the number in their name) no longer runs."""
    removed: list[Path] = []
    for folder in parent.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not (proc_root / owner).exists():
            with contextlib.suppress(OSError):  # a process still lives there: not ours to end
                folder.rmdir()
                removed.append(folder)
    return removed


def _remove_folder(folder: Path, deadline_s: float) -> bool:
    while True:
        try:
            for below in reversed(_folders_below(folder)):
                below.rmdir()
            return True
        except FileNotFoundError:
            if not folder.exists():
                return True
        except OSError as error:
            # EBUSY: the kernel still clears the last process away
            if error.errno != errno.EBUSY or time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)


def _folders_below(folder: Path) -> list[Path]:
    """The folder and all below it, outermost first."""
    return [folder, *sorted((path for path in folder.rglob("*") if path.is_dir()), key=lambda path: len(path.parts))]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _write(path: Path, text: str) -> None:
    """Write to an existing control file; never make one (on an ordinary file system it would be a plain file)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
