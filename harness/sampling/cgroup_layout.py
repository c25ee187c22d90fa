"""Control groups, harness side: what this machine has, and which one a process is in.

Works with v1 (a folder tree per controller), v2 (one tree) and hybrids (v1 controllers beside a v2 tree without any).
Nothing here raises for a machine without usable cgroups: the reason is returned and goes into the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROC_ROOT = Path("/proc")
CONTROLLERS = ("cpuacct", "memory", "blkio")
"""v1 controllers that the sampler reads; `SAMPLER_KEYS` gives the sampler's word for each."""
SAMPLER_KEYS = {"cpuacct": "cpu", "memory": "memory", "blkio": "io"}


class Mount(NamedTuple):
    """A cgroup mount: where, which folder of the hierarchy is visible there, and its v1 controllers (v2: none)."""

    point: Path
    root: str
    controllers: frozenset[str]
    version: int


class CgroupLayout(NamedTuple):
    """What cgroups a machine has: `kind` is `v1`, `v2`, `hybrid` or `none`; `reason` says why none."""

    kind: str
    reason: str | None
    mounts: tuple[Mount, ...]

    def v1_mount(self, controller: str) -> Mount | None:
        """The mount of a v1 controller."""
        return next((mount for mount in self.mounts if controller in mount.controllers), None)

    def v2_mount(self) -> Mount | None:
        """The mount of the unified tree."""
        return next((mount for mount in self.mounts if mount.version == 2), None)


def detect(proc_root: Path = PROC_ROOT, cgroup_root: Path | None = None) -> CgroupLayout:
    """Find the cgroup mounts of this machine.

    Args:
        proc_root: `/proc`, or a folder that looks like it.
        cgroup_root: take only mounts below this folder; None takes all.
    """
    path = proc_root / "self" / "mountinfo"
    try:
        lines = path.read_text(errors="surrogateescape").splitlines()
    except OSError as error:
        return CgroupLayout("none", f"{path}: {error.strerror}", ())
    mounts = tuple(
        mount
        for mount in (_parse_mount(line) for line in lines)
        if mount is not None and (cgroup_root is None or mount.point.is_relative_to(cgroup_root))
    )
    has_v2 = any(mount.version == 2 for mount in mounts)
    has_v1 = any(not mount.controllers.isdisjoint(CONTROLLERS) for mount in mounts)
    if has_v1:
        return CgroupLayout("hybrid" if has_v2 else "v1", None, mounts)
    if has_v2:
        return CgroupLayout("v2", None, mounts)
    return CgroupLayout("none", "no cgroup file system with a cpuacct, memory or unified tree is mounted", mounts)


def cgroup_of(
    pid: int, layout: CgroupLayout | None = None, proc_root: Path = PROC_ROOT
) -> tuple[dict[str, str], str | None]:
    """The cgroup folders of a process (a container's init), as the sampler wants them, and why some are missing.

    A folder counts only when it is the job's own: not the harness's, not a tree's root, and with the process in it.

    Returns:
        `{"cpu": folder, "memory": folder, "io": folder}` (only those that exist) and None, or a reason. Besides, where
        there are such: `unified`, the folder in the v2 tree of a hybrid machine, and `quota`, that of v1's cpu
        controller where it is mounted apart.
    """
    layout = layout or detect(proc_root)
    if layout.kind == "none":
        return {}, layout.reason
    try:
        memberships = read_memberships(pid, proc_root)
        own = read_memberships("self", proc_root)
    except OSError as error:
        return {}, f"{proc_root}/{pid}/cgroup: {error.strerror}"
    paths: dict[str, str] = {}
    reasons: list[str] = []
    for controller in CONTROLLERS:
        mount = layout.v1_mount(controller)
        key = controller if mount is not None else ""
        mount = mount or layout.v2_mount()
        if mount is None or key not in memberships:
            reasons.append(f"no cgroup tree with {controller}")
            continue
        if memberships[key] in ("/", own.get(key)):
            reasons.append(f"process {pid} has no {controller} cgroup of its own ({memberships[key]})")
            continue
        folder = visible_folder(mount, memberships[key])
        if folder is None or not _holds(folder, pid):
            reasons.append(
                f"the {controller} cgroup {memberships[key]} of process {pid} is not visible at {mount.point}"
            )
            continue
        paths[SAMPLER_KEYS[controller]] = str(folder)
    for key, extra, name in _further_mounts(layout):
        membership = memberships.get(name, "/")
        folder = visible_folder(extra, membership)
        if membership not in ("/", own.get(name)) and folder is not None and _holds(folder, pid):
            paths[key] = str(folder)
    return paths, "; ".join(reasons) or None


def _further_mounts(layout: CgroupLayout) -> list[tuple[str, Mount, str]]:
    """(key of the sampler, mount, name in /proc/PID/cgroup) of trees that add to the three; a job may do without."""
    further: list[tuple[str, Mount, str]] = []
    unified, quota = layout.v2_mount(), layout.v1_mount("cpu")
    if layout.kind == "hybrid" and unified is not None:
        further.append(("unified", unified, ""))
    if quota is not None and quota != layout.v1_mount("cpuacct"):
        further.append(("quota", quota, "cpu"))
    return further


def read_memberships(pid: int | str, proc_root: Path = PROC_ROOT) -> dict[str, str]:
    """`/proc/PID/cgroup` as controller -> path; v2 under the empty name. Raises OSError for no such process."""
    memberships: dict[str, str] = {}
    for line in (proc_root / str(pid) / "cgroup").read_text(errors="surrogateescape").splitlines():
        _, separator, rest = line.partition(":")
        names, separator, path = rest.partition(":")
        if separator:
            memberships.update(dict.fromkeys(names.split(","), path))
    return memberships


def visible_folder(mount: Mount, path: str) -> Path | None:
    """Where a cgroup path shows under a mount, or None: a mount may show only a part of the tree."""
    root = mount.root.rstrip("/")
    if "/.." in path or "/.." in root or not (path == root or path.startswith(root + "/")):
        return None
    return mount.point / path[len(root) :].lstrip("/")


def _holds(folder: Path, pid: int) -> bool:
    try:
        return str(pid) in (folder / "cgroup.procs").read_text().split()
    except OSError:
        return False


def _parse_mount(line: str) -> Mount | None:
    """A line of mountinfo: `31 23 0:28 /root /point options - cgroup source super,options`."""
    before, separator, after = line.partition(" - ")
    fields, tail = before.split(), after.split()
    if not separator or len(fields) < 5 or len(tail) < 3 or tail[0] not in ("cgroup", "cgroup2"):
        return None
    point = Path(_unescape(fields[4]))
    if tail[0] == "cgroup2":
        return Mount(point, _unescape(fields[3]), frozenset(), 2)
    controllers = frozenset(option for option in tail[2].split(",") if "=" not in option) - {"rw", "ro"}
    return Mount(point, _unescape(fields[3]), controllers, 1)


def _unescape(text: str) -> str:
    """Mountinfo writes blanks and backslashes as octal escapes."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
