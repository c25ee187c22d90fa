"""What is really in force inside the worker's process, held against the profile that was asked for."""

from __future__ import annotations

import os
import platform
import resource

import numpy as np

from frameworks.worker.blas import libraries, loaded_blas, read_maps
from frameworks.worker.limits import GPU_VARIABLE, gpu_names, memory_in_force, visible_gpus

UNVERIFIED = "nothing: it cannot be verified"


def describe_process() -> dict:
    """`python`, `numpy`, `affinity`, `limits`, `blas`, `visible_gpus` of this process, as the kernel has them."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "affinity": sorted(os.sched_getaffinity(0)),
        "limits": dict(memory_in_force(), open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "blas": loaded_blas(read_maps()),
        "visible_gpus": gpu_names(os.environ.get(GPU_VARIABLE)),
    }


def check_profile(specification: dict, honours: dict, description: dict, environment=os.environ) -> "list[dict]":
    """Every key of the profile, `{key, wanted, found, in_force}`.

    A key that the framework claims to honour and that nobody can verify is not in force.

    Args:
        specification: the trial's.
        honours: what the framework's `environment.yaml` says it can honour.
        description: what `describe_process` and the adapter report.
    """
    profile = specification["profile"]
    checks = [check("cpus", sorted(profile["cpus"]), description["affinity"])]
    if profile.get("memory_bytes"):
        checks += check_memory(profile["memory_bytes"], description["limits"])
    checks.append(_check_gpus(profile, description))
    for pool, wanted in sorted((profile.get("threads") or {}).items()):
        found = (description.get("threads") or {}).get(pool)
        # One operation at a time is what a framework without such a pool does: a plan lets it have no other number.
        if wanted is not None and (found is not None or pool in honours.get("threads", ())):
            checks.append(check("threads.%s" % pool, wanted, UNVERIFIED if found is None else found))
    if profile.get("blas"):
        found = (description.get("library") or {}).get("name")
        checks.append(check("blas", profile["blas"], found or "none that shows"))
    for name, wanted in sorted((profile.get("environment") or {}).items()):
        checks.append(check("environment.%s" % name, wanted, environment.get(name, "not set")))
    version = specification["framework"]["version"]
    same = same_version(version, description["version"])
    return [*checks, check("framework version", version, description["version"], same)]


def check_built(specification: dict, built: dict) -> "list[dict]":
    """What shows only once the network is built: the precision of its parameters, and which library it computes with.

    Args:
        built: what the adapter's `built` reports.
    """
    profile = specification["profile"]
    checks = [check("precision", profile["precision"], built.get("precision") or UNVERIFIED)]
    # Compiled functions may have loaded a library of their own.
    mapped = "+".join(sorted({library["name"] for library in libraries()}))
    found = built["library"] or UNVERIFIED if "library" in built else mapped
    if profile.get("blas") and found:
        checks.append(check("blas", profile["blas"], found))
    return checks


def check_memory(wanted: int, limits: dict) -> "list[dict]":
    """The limit asked for, to the page in which kernels count, and no swap beside it."""
    found, swap = limits["memory_bytes"], limits["swap_bytes"]
    same = found is not None and abs(found - wanted) < os.sysconf("SC_PAGE_SIZE")
    none = limits.get("why_not") or "no limit"
    return [
        check("memory", wanted, none if found is None else found, same),
        check("memory.swap", 0, none if swap is None else swap),
    ]


def _check_gpus(profile: dict, description: dict) -> dict:
    """Exactly the devices asked for are visible, and the framework sees as many."""
    asked = (profile.get("environment") or {}).get(GPU_VARIABLE)
    wanted = visible_gpus(profile["gpus"]) if asked is None else gpu_names(asked)
    found = description["visible_gpus"]
    used = [device for device in description.get("devices") or () if device.get("kind") != "cpu"]
    if len(used) != profile["gpus"]:
        return check("gpus", wanted, [device.get("name") for device in used], False)
    return check("gpus", wanted, "all of the machine's" if found is None else found, found == wanted)


def check(key: str, wanted, found, in_force: "bool | None" = None) -> dict:
    """One key with both values; in force where they are equal, unless that is told otherwise."""
    return {"key": key, "wanted": wanted, "found": found, "in_force": wanted == found if in_force is None else in_force}


def report(checks: "list[dict]", events) -> bool:
    """Write what is in force and what is not; whether all of it is."""
    sides = [{"key": each["key"], "wanted": each["wanted"], "found": each["found"]} for each in checks]
    agree = [side for side, each in zip(sides, checks) if each["in_force"]]
    differ = [side for side, each in zip(sides, checks) if not each["in_force"]]
    events.write("profile_in_force", keys=agree)
    for side in differ:
        events.write("profile_not_in_force", **side)
    return not differ


def same_version(asked: str, found: str) -> bool:
    """True when `found` is `asked`, apart from a local build label such as `+cpu` or `1.0.5+unknown`."""
    return found.split("+")[0] == asked.split("+")[0]
