"""The table of numerical libraries: which rows there are, against what each is compared, and what is refused."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.errors import DlgaugeError
from harness.paths import PROJECT_ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = str(PROJECT_ROOT / "scripts" / "library-table")
    loader = importlib.machinery.SourceFileLoader("library_table", path)
    spec = importlib.util.spec_from_loader("library_table", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["library_table"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


def record(
    framework: str = "caffe",
    blas: str = "openblas",
    threads: int = 1,
    seed: int = 1,
    speed: float | None = 100.0,
    **changes: Any,
) -> Any:
    specification = {
        "framework": {"name": framework, "version": "1.0"},
        "workload": {"dataset": {"name": "mnist-subset", "content_sha256": "1" * 64}},
        "profile": {"blas": blas, "threads": {"intra_op": threads}},
        "seed": seed,
    }
    library = {"name": blas, "version": "0.3", "kernel": None if blas == "reference" else "Zen"}
    manifest = {"framework": {"library": library}, "host": changes.pop("host", {"cpu_model": "A", "boot_id": "x"})}
    base = {"termination": "completed", "started_at": "2026-01-02T03:04:05Z", "summary": {"samples_per_s": speed}}
    return SimpleNamespace(specification=specification, manifest=manifest, **{**base, **changes})


def body(script: ModuleType, *records: Any) -> list[list[str]]:
    lines = script.library_table(records, "blas").splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_each_row_is_held_against_the_fastest_of_its_own_framework(script: ModuleType) -> None:
    rows = body(
        script,
        *(record(seed=seed, speed=100.0 * seed) for seed in (1, 2)),
        *(record(blas="reference", seed=seed, speed=speed) for seed, speed in ((1, 50.0), (2, 100.0))),
        record("theano", threads=2, speed=1000.0),
    )
    assert rows == [
        ["caffe 1.0", "openblas", "1", "0.3", "Zen", "2", "150", "1"],
        ["caffe 1.0", "reference", "1", "0.3", "–", "2", "75", "0.50 [0.50, 0.50]"],
        ["theano 1.0", "openblas", "2", "0.3", "Zen", "1", "1000", "1"],
    ]


def test_one_pair_has_no_interval_and_no_pair_no_ratio(script: ModuleType) -> None:
    rows = body(script, record(speed=100.0), record(blas="blis", speed=50.0), record(blas="mkl", seed=2, speed=50.0))
    assert {row[1]: row[-1] for row in rows} == {
        "openblas": "1",
        "blis": "0.50 (one pair)",
        "mkl": "no common seed",
    }


def test_what_did_not_complete_is_counted_and_not_shown(script: ModuleType) -> None:
    table = script.library_table([record(), record(blas="mkl", termination="timed_out")], "blas")
    assert "mkl" not in table
    assert "1 trials, 1 more did not complete" in table


def test_several_machines_and_no_trials_are_refused(script: ModuleType) -> None:
    with pytest.raises(DlgaugeError, match="different conditions"):
        script.library_table([record(), record(seed=2, host={"cpu_model": "B"})], "blas")
    with pytest.raises(DlgaugeError, match="no completed trial"):
        script.library_table([record(termination="crashed")], "blas")


def test_the_table_replaces_what_stands_between_its_markers(script: ModuleType) -> None:
    text = f"before\n{script.BEGIN}\nold\n{script.END}\nafter\n"
    assert script.between_markers(text, "new", Path("x")) == f"before\n{script.BEGIN}\nnew\n{script.END}\nafter\n"
    with pytest.raises(DlgaugeError, match="there is no block"):
        script.between_markers("nothing", "new", Path("x"))
