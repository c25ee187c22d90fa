"""Limits of a trial, as the harness sets them and the worker finds them: memory, visible GPUs.

Shared by both sides. Standard library only; Python 3.7 or newer.
"""

from __future__ import annotations

import os

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
PROC = "/proc"
NO_LIMIT_BYTES = 1 << 62
"""A v1 cgroup without a limit says a number above this."""


def memory_in_force(proc: str = PROC) -> dict:
    """`memory_bytes`: the smallest limit of this process's cgroup and those above it; `swap_bytes`: what it may swap.

    None is no limit. `why_not` says why a limit could not be looked for; it is None where it could.
    """
    try:
        found = limits_of(_memory_cgroup(proc))
    except (OSError, ValueError) as error:
        return {"memory_bytes": None, "swap_bytes": None, "why_not": str(error)}
    if _swap_total_bytes(proc) == 0:
        found["swap_bytes"] = 0
    return dict(found, why_not=None)


def limits_of(folder: str) -> dict:
    """`memory_bytes` and `swap_bytes` of a cgroup by its folder in the tree of the memory controller, v1 or v2.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    return _v1(folder) if os.path.exists(os.path.join(folder, "memory.limit_in_bytes")) else _v2(folder)


def visible_gpus(count: int) -> "list[str]":
    """Names of the devices that a profile with so many GPUs gets: the first ones."""
    return [str(number) for number in range(count)]


def gpu_names(value: "str | None") -> "list[str] | None":
    """The devices in a value of `CUDA_VISIBLE_DEVICES`; None where nothing hides any."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


def _memory_cgroup(proc: str) -> str:
    """This process's folder in the tree that has the memory controller."""
    memberships = {}
    with open(os.path.join(proc, "self", "cgroup")) as file:
        for line in file.read().splitlines():
            _, names, path = line.split(":", 2)
            memberships.update(dict.fromkeys(names.split(","), path))
    unified = None
    with open(os.path.join(proc, "self", "mountinfo")) as file:
        for line in file.read().splitlines():
            before, _, after = line.partition(" - ")
            fields, tail = before.split(), after.split()
            if tail[:1] == ["cgroup"] and "memory" in tail[2].split(",") and "memory" in memberships:
                return _visible(fields[4], fields[3], memberships["memory"])
            if tail[:1] == ["cgroup2"]:
                unified = fields
    if unified is None or "" not in memberships:
        raise ValueError("no cgroup tree with a memory controller is mounted here")
    return _visible(unified[4], unified[3], memberships[""])


def _visible(point: str, root: str, path: str) -> str:
    """Where a cgroup's path shows below a mount that may show only a part of the tree."""
    root = root.rstrip("/")
    if not (path == root or path.startswith(root + "/")):
        raise ValueError("the cgroup %s is not visible at %s, which shows %s" % (path, point, root or "/"))
    return os.path.join(point, path[len(root) :].lstrip("/")).rstrip("/")


def _v1(folder: str) -> dict:
    """The kernel itself takes the smallest of all above: `hierarchical_` in `memory.stat`."""
    with open(os.path.join(folder, "memory.stat")) as file:
        counts = dict(line.split() for line in file.read().splitlines())
    memory = int(counts["hierarchical_memory_limit"])
    both = counts.get("hierarchical_memsw_limit")  # missing in a kernel without swap accounting
    if memory >= NO_LIMIT_BYTES:
        return {"memory_bytes": None, "swap_bytes": None}
    swap = None if both is None or int(both) >= NO_LIMIT_BYTES else max(0, int(both) - memory)
    return {"memory_bytes": memory, "swap_bytes": swap}


def _v2(folder: str) -> dict:
    """The smallest of all on the way up; `memory.max` is missing in the root of the tree and outside of it."""
    found: "dict[str, list[int]]" = {"memory.max": [], "memory.swap.max": []}
    if not os.path.isdir(folder):
        raise ValueError("there is no cgroup %s" % folder)
    while os.path.dirname(folder) != folder:
        for name, values in found.items():
            try:
                with open(os.path.join(folder, name)) as file:
                    text = file.read().strip()
            except FileNotFoundError:
                continue
            if text != "max":
                values.append(int(text))
        folder = os.path.dirname(folder)
    limits, swaps = found.values()
    return {"memory_bytes": min(limits, default=None), "swap_bytes": min(swaps, default=None)}


def _swap_total_bytes(proc: str) -> "int | None":
    try:
        with open(os.path.join(proc, "meminfo")) as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("SwapTotal:")), None)
