"""From evidence to the word: memory, and profiles that are not in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.execution.in_force import memory_mismatches, peak_memory_bytes
from harness.execution.launching import LaunchEnd
from harness.execution.outcome import TerminationKind as Kind
from harness.execution.termination import Evidence, classify

ERROR = {"event": "error", "type": "RuntimeError", "message": "g++ failed"}
MISMATCH = {"event": "profile_not_in_force", "key": "cpus", "wanted": [0, 1], "found": [0]}


def end_of(tmp_path: Path, *events: dict[str, Any], limit: int | None = None, **end: Any) -> tuple[Kind, str | None]:
    evidence = Evidence(events=events, protocol_error=None, end=LaunchEnd(**end), memory_limit_bytes=limit)
    found = classify(evidence, tmp_path)
    return found.kind, found.reason


def test_every_key_that_is_not_in_force_stands_in_the_reason(tmp_path: Path) -> None:
    blas = {"event": "profile_not_in_force", "key": "blas", "wanted": "mkl", "found": "openblas"}
    gpus = {"event": "profile_not_in_force", "key": "gpus", "wanted": [], "found": ["0"]}
    kind, reason = end_of(tmp_path, MISMATCH, blas, gpus, exit_status=0)
    assert kind is Kind.PROFILE_NOT_IN_FORCE
    assert reason == "cpus: wanted 0, 1, found 0; blas: wanted mkl, found openblas; gpus: wanted none, found 0"


def test_a_profile_that_was_not_in_force_comes_before_what_followed(tmp_path: Path) -> None:
    assert end_of(tmp_path, MISMATCH, ERROR, exit_status=1)[0] is Kind.PROFILE_NOT_IN_FORCE


def test_a_child_that_the_kernel_ended_for_memory_is_why_the_worker_failed(tmp_path: Path) -> None:
    kind, reason = end_of(tmp_path, ERROR, limit=1000, exit_status=1, out_of_memory=True, peak_memory_bytes=998)
    assert kind is Kind.OUT_OF_MEMORY
    assert "memory limit of 1000 bytes, after a peak of 998 bytes" in str(reason)
    assert end_of(tmp_path, ERROR, limit=1000, exit_status=1)[0] is Kind.CRASHED


def test_without_a_limit_it_is_the_machine_that_ran_out(tmp_path: Path) -> None:
    assert end_of(tmp_path, ERROR, exit_status=1, out_of_memory=True)[0] is Kind.KILLED


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MemoryError", "Unable to allocate 8 GiB"),
        ("OutOfMemoryError", "CUDA out of memory"),
        ("ResourceExhaustedError", "OOM when allocating tensor"),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"),
        ("RuntimeError", "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_what_frameworks_say_where_an_allocation_fails(tmp_path: Path, name: str, message: str) -> None:
    event = {"event": "error", "type": name, "message": message}
    kind, reason = end_of(tmp_path, event, exit_status=1, peak_memory_bytes=5)
    assert (kind, str(reason).endswith(f"{message}, after a peak of 5 bytes")) == (Kind.OUT_OF_MEMORY, True)


def cgroup(tmp_path: Path, limit: int, above: int | None = None) -> dict[str, str | None]:
    folder = tmp_path / "above" / "trial"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.peak").write_text("4096\n")
    (folder.parent / "memory.max").write_text("max\n" if above is None else f"{above}\n")
    return {"memory": str(folder)}


def test_the_limit_in_force_is_the_smallest_on_the_way_up(tmp_path: Path) -> None:
    paths = cgroup(tmp_path, 1 << 30, above=1 << 29)
    (mismatch,) = memory_mismatches(paths, {"memory_bytes": 1 << 30})
    assert (mismatch["key"], mismatch["wanted"], mismatch["found"]) == ("memory", 1 << 30, 1 << 29)
    assert memory_mismatches(paths, {"memory_bytes": 1 << 29}) == []
    assert memory_mismatches(paths, {"memory_bytes": None}) == []


def test_a_limit_smaller_than_asked_for_is_not_in_force(tmp_path: Path) -> None:
    paths = cgroup(tmp_path, 1 << 29)
    assert len(memory_mismatches(paths, {"memory_bytes": 1 << 30})) == 1
    assert peak_memory_bytes(paths) == 4096


def test_a_limit_that_cannot_be_read_is_not_in_force(tmp_path: Path) -> None:
    (none,) = memory_mismatches(None, {"memory_bytes": 1})
    (gone,) = memory_mismatches({"memory": str(tmp_path / "gone")}, {"memory_bytes": 1})
    assert none["found"] == "no memory cgroup of its own"
    assert "gone" in gone["found"]
    assert peak_memory_bytes(None) is None
