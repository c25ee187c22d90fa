"""What is in force: BLAS from the maps, and where it differs from the profile."""

from __future__ import annotations

from typing import Any

from frameworks.worker.inspection import loaded_blas, profile_mismatches, same_version

FOLDER = "/usr/lib/x86_64-linux-gnu"


def maps(*paths: str) -> str:
    return "".join(f"7f00-7f01 r-xp 00000000 fe:00 123 {path}\n" for path in paths) + "7ffe r-xp 0 00:00 0 [vdso]\n"


def names(*paths: str) -> list[str]:
    return [library["name"] for library in loaded_blas(maps(*paths))]


def test_debian_s_libraries_are_told_apart() -> None:
    assert names(f"{FOLDER}/openblas-pthread/libblas.so.3", f"{FOLDER}/libc.so.6") == ["openblas"]
    assert names(f"{FOLDER}/blas/libblas.so.3.9.0") == ["reference"]
    assert names(f"{FOLDER}/atlas/libblas.so.3.10.3") == ["atlas"]
    assert names(f"{FOLDER}/blis-pthread/libblas.so.3") == ["blis"]
    assert names("/opt/intel/libmkl_rt.so") == ["mkl"]
    assert names(f"{FOLDER}/libm.so.6") == []
    assert names(f"{FOLDER}/lapack/liblapack.so.3.9.0") == []


def specification(**profile: Any) -> dict[str, Any]:
    return {
        "framework": {"name": "fake", "version": "1.0.5"},
        "profile": {"cpus": [0, 1], "threads": {"intra_op": 2, "inter_op": 1}, "blas": None, **profile},
    }


def description(**changes: Any) -> dict[str, Any]:
    return {"version": "1.0.5", "affinity": [0, 1], "threads": {"intra_op": 2, "inter_op": None}, "blas": [], **changes}


def keys(spec: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [mismatch["key"] for mismatch in profile_mismatches(spec, found)]


def test_a_profile_in_force_has_no_mismatch() -> None:
    assert profile_mismatches(specification(), description()) == []


def test_each_key_that_is_not_in_force_is_named_with_both_values() -> None:
    mismatches = profile_mismatches(specification(), description(affinity=[0]))
    assert mismatches == [{"key": "cpus", "asked": [0, 1], "found": [0]}]
    assert keys(specification(), description(threads={"intra_op": 4, "inter_op": None})) == ["threads.intra_op"]
    assert keys(specification(), description(version="1.0.4")) == ["framework version"]


def test_the_blas_asked_for_must_be_the_only_one_loaded() -> None:
    both = [{"name": "openblas", "path": "a"}, {"name": "reference", "path": "b"}]
    assert keys(specification(blas="reference"), description(blas=both)) == ["blas"]
    assert keys(specification(blas="reference"), description(blas=both[1:])) == []
    assert keys(specification(blas="openblas"), description()) == ["blas"]


def test_a_build_label_is_not_another_version() -> None:
    assert same_version("2.13.0", "2.13.0+cpu")
    assert not same_version("2.13.0", "2.13.1+cpu")


def test_numpy_s_own_copy_is_not_what_the_framework_computes_with() -> None:
    path = "/env/lib/python3.11/site-packages/numpy.libs/libscipy_openblas64_-32a4.so"
    assert loaded_blas(maps(path)) == [{"name": "openblas", "path": path, "of": "numpy"}]
    assert keys(specification(blas="openblas"), description(blas=loaded_blas(maps(path)))) == ["blas"]
