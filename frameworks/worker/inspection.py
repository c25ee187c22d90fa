"""What is really in force inside the worker's process: CPUs, limits, BLAS; and where that differs from the profile."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource

import numpy as np

BLAS_PATTERNS = (
    ("openblas", re.compile(r"openblas")),
    ("mkl", re.compile(r"libmkl|mkl_rt")),
    ("atlas", re.compile(r"atlas")),
    ("blis", re.compile(r"libblis|/blis")),
    ("reference", re.compile(r"/blas/libblas\.so|libblas\.so\.3\.\d+\.\d+$")),
)


def describe_process() -> dict:
    """`python`, `numpy`, `affinity`, `limits`, `blas` of this process, as the kernel has them."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "affinity": sorted(os.sched_getaffinity(0)),
        "limits": {"open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0]},
        "blas": loaded_blas(read_maps()),
    }


def read_maps() -> str:
    """The text of `/proc/self/maps`; empty where there is none."""
    try:
        with open("/proc/self/maps") as file:
            return file.read()
    except OSError:
        return ""


def loaded_blas(maps: str) -> "list[dict]":
    """BLAS libraries among the mapped files, `{name, path}`, each path once, in the order of their paths.

    A library that a framework carries inside its own binary (Eigen, oneDNN) does not show here; one that came with
    NumPy's wheel has `of: numpy`: the framework does not compute with it.
    """
    paths = sorted({line.split(None, 5)[5].strip() for line in maps.splitlines() if line.count("/") and ".so" in line})
    found = []
    for path in paths:
        for name, pattern in BLAS_PATTERNS:
            if pattern.search(path):
                of_numpy = {"of": "numpy"} if "/numpy.libs/" in path or "/scipy.libs/" in path else {}
                found.append(dict({"name": name, "path": path}, **of_numpy))
                break
    return found


def blas_threads():
    """Threads of the loaded BLAS: as OpenBLAS itself reports them, 1 for the reference BLAS; None for another."""
    libraries = [library for library in loaded_blas(read_maps()) if "of" not in library]
    for library in libraries:
        if library["name"] == "openblas":
            try:
                return int(ctypes.CDLL(library["path"]).openblas_get_num_threads())
            except (OSError, AttributeError):
                continue
    return 1 if libraries and all(library["name"] == "reference" for library in libraries) else None


def profile_mismatches(specification: dict, description: dict) -> "list[dict]":
    """Keys of the profile that did not take effect: `{key, asked, found}` for each.

    Args:
        specification: the trial's.
        description: what `describe_process` and the adapter report.
    """
    profile = specification["profile"]
    mismatches = []

    def check(key, asked, found):
        if asked != found:
            mismatches.append({"key": key, "asked": asked, "found": found})

    check("cpus", sorted(profile["cpus"]), description["affinity"])
    for pool, asked in sorted((profile.get("threads") or {}).items()):
        found = (description.get("threads") or {}).get(pool)
        if asked is not None and found is not None:
            check("threads.%s" % pool, asked, found)
    if profile.get("blas"):
        names = sorted({library["name"] for library in description["blas"] if "of" not in library})
        check("blas", [profile["blas"]], names)
    version = specification["framework"]["version"]
    if not same_version(version, description["version"]):
        check("framework version", version, description["version"])
    return mismatches


def same_version(asked: str, found: str) -> bool:
    """True when `found` is `asked`, apart from a local build label such as `+cpu` or `1.0.5+unknown`."""
    return found.split("+")[0] == asked.split("+")[0]
