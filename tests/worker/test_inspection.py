"""What is in force: the library from the maps, and every key of a profile held against what was found."""

from __future__ import annotations

import os
from typing import Any

import pytest

from frameworks.worker import inspection
from frameworks.worker.blas import loaded_blas
from frameworks.worker.inspection import UNVERIFIED, check_built, check_profile, report, same_version

FOLDER = "/usr/lib/x86_64-linux-gnu"
PAGE = os.sysconf("SC_PAGE_SIZE")
HONOURS = {"threads": ["intra_op"], "blas": ["openblas"], "precision": ["float32"], "gpus": False}


def maps(*paths: str) -> str:
    return "".join(f"7f00-7f01 r-xp 00000000 fe:00 123 {path}\n" for path in paths) + "7ffe r-xp 0 00:00 0 [vdso]\n"


def names(*paths: str) -> list[str]:
    return [library["name"] for library in loaded_blas(maps(*paths))]


def test_debian_s_libraries_are_told_apart() -> None:
    assert names(f"{FOLDER}/openblas-pthread/libblas.so.3", f"{FOLDER}/libc.so.6") == ["openblas"]
    assert names(f"{FOLDER}/blas/libblas.so.3.9.0") == ["reference"]
    assert names(f"{FOLDER}/atlas/libblas.so.3.10.3", f"{FOLDER}/libatlas.so.3.10.3") == ["atlas", "atlas"]
    assert names(f"{FOLDER}/blis-pthread/libblas.so.3") == ["blis"]
    assert names("/opt/intel/libmkl_rt.so", f"{FOLDER}/libmkl_def.so") == ["mkl", "mkl"]
    assert names(f"{FOLDER}/libm.so.6") == []
    assert names(f"{FOLDER}/lapack/liblapack.so.3.9.0") == []


def test_numpy_s_own_copy_is_not_what_the_framework_computes_with() -> None:
    path = "/env/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_-32a4.so"
    assert loaded_blas(maps(path)) == [{"name": "openblas", "path": path, "of": "numpy"}]


def specification(**profile: Any) -> dict[str, Any]:
    base = {"cpus": [0, 1], "memory_bytes": None, "gpus": 0, "threads": {"intra_op": 2, "inter_op": 1}, "blas": None}
    return {
        "framework": {"name": "fake", "version": "1.0.5"},
        "profile": {**base, "precision": "float32", "environment": {}, **profile},
    }


def description(**changes: Any) -> dict[str, Any]:
    base = {"version": "1.0.5", "affinity": [0, 1], "threads": {"intra_op": 2, "inter_op": None}, "visible_gpus": []}
    return {**base, "limits": {"memory_bytes": None, "swap_bytes": None}, "library": {"name": None}, **changes}


def sides(spec: dict[str, Any], found: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Key -> (wanted, found) of what is not in force."""
    checks = check_profile(spec, HONOURS, found, environment or {})
    return {each["key"]: (each["wanted"], each["found"]) for each in checks if not each["in_force"]}


def test_a_profile_in_force_has_no_mismatch_and_names_every_key() -> None:
    spec = specification(blas="openblas", memory_bytes=1 << 30, environment={"A": "1"})
    found = description(library={"name": "openblas"}, limits={"memory_bytes": 1 << 30, "swap_bytes": 0})
    checks = check_profile(spec, HONOURS, found, {"A": "1"})
    assert [each["key"] for each in checks if each["in_force"]] == [
        "cpus",
        "memory",
        "memory.swap",
        "gpus",
        "threads.intra_op",
        "blas",
        "environment.A",
        "framework version",
    ]
    assert all(each["in_force"] for each in checks)


@pytest.mark.parametrize(
    ("profile", "found", "differs"),
    [
        ({}, {"affinity": [0]}, {"cpus": ([0, 1], [0])}),
        ({}, {"threads": {"intra_op": 4, "inter_op": None}}, {"threads.intra_op": (2, 4)}),
        ({}, {"threads": {"intra_op": None, "inter_op": None}}, {"threads.intra_op": (2, UNVERIFIED)}),
        ({}, {"threads": {"intra_op": 2, "inter_op": 3}}, {"threads.inter_op": (1, 3)}),
        ({}, {"version": "1.0.4"}, {"framework version": ("1.0.5", "1.0.4")}),
        ({}, {"visible_gpus": ["0"]}, {"gpus": ([], ["0"])}),
        ({}, {"visible_gpus": None}, {"gpus": ([], "all of the machine's")}),
        ({}, {"devices": [{"kind": "cuda", "name": "H"}]}, {"gpus": ([], ["H"])}),
        ({"gpus": 1}, {"visible_gpus": ["0"]}, {"gpus": (["0"], [])}),
        ({"blas": "mkl"}, {"library": {"name": "mkl+openblas"}}, {"blas": ("mkl", "mkl+openblas")}),
        ({"blas": "mkl"}, {}, {"blas": ("mkl", "none that shows")}),
        ({"environment": {"A": "1"}}, {}, {"environment.A": ("1", "not set")}),
    ],
)
def test_each_key_that_is_not_in_force_is_named_with_both_values(
    profile: dict[str, Any], found: dict[str, Any], differs: dict[str, Any]
) -> None:
    assert sides(specification(**profile), description(**found)) == differs


def test_as_many_gpus_as_asked_for_are_in_force() -> None:
    found = description(visible_gpus=["0"], devices=[{"kind": "cuda", "name": "H"}])
    assert sides(specification(gpus=1), found) == {}


@pytest.mark.parametrize(
    ("limits", "wrong"),
    [
        ({"memory_bytes": (1 << 30) + PAGE - 1, "swap_bytes": 0}, []),
        ({"memory_bytes": (1 << 30) - PAGE, "swap_bytes": 0}, ["memory"]),
        ({"memory_bytes": 1 << 29, "swap_bytes": 0}, ["memory"]),
        ({"memory_bytes": None, "swap_bytes": None, "why_not": "no cgroups"}, ["memory", "memory.swap"]),
        ({"memory_bytes": 1 << 30, "swap_bytes": 1 << 20}, ["memory.swap"]),
    ],
)
def test_a_memory_limit_is_the_one_asked_for_to_the_page_and_no_swap_is_beside_it(
    limits: dict[str, Any], wrong: list[str]
) -> None:
    assert list(sides(specification(memory_bytes=1 << 30), description(limits=limits))) == wrong


def test_precision_and_a_library_loaded_by_compiled_functions_show_once_the_network_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(built: dict[str, Any], mapped: tuple[str, ...] = ()) -> dict[str, Any]:
        monkeypatch.setattr(inspection, "libraries", lambda: [{"name": name} for name in mapped])
        checks = check_built(specification(blas="openblas"), built)
        return {each["key"]: each["found"] for each in checks if not each["in_force"]}

    good = {"precision": "float32"}
    assert wrong(good, ("openblas",)) == {}
    assert wrong({"precision": "float64"}) == {"precision": "float64"}
    assert wrong({}) == {"precision": UNVERIFIED}
    assert wrong(good, ("openblas", "reference")) == {"blas": "openblas+reference"}
    assert wrong({**good, "library": "eigen"}) == {"blas": "eigen"}
    assert wrong({**good, "library": None}) == {"blas": UNVERIFIED}


def test_every_key_is_reported_on_its_side() -> None:
    class Events(list[Any]):
        def write(self, event: str, **fields: Any) -> None:
            self.append((event, fields))

    events = Events()
    checks = check_profile(specification(), HONOURS, description(affinity=[0], version="1.0.4"), {})
    assert report(checks, events) is False
    in_force = {"key": "threads.intra_op", "wanted": 2, "found": 2}
    assert events[0][0] == "profile_in_force" and in_force in events[0][1]["keys"]
    assert events[1:] == [
        ("profile_not_in_force", {"key": "cpus", "wanted": [0, 1], "found": [0]}),
        ("profile_not_in_force", {"key": "framework version", "wanted": "1.0.5", "found": "1.0.4"}),
    ]
    assert report(checks[1:2], Events()) is True


def test_a_build_label_is_not_another_version() -> None:
    assert same_version("2.13.0", "2.13.0+cpu")
    assert not same_version("2.13.0", "2.13.1+cpu")
