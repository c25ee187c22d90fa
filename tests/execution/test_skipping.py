"""What is larger than a trial that ran out of memory, and what only looks like it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from harness.execution.skipping import OutOfMemoryTrials
from harness.study import load_study, make_plan

GIB = 1 << 30


def specification(*, batch: int = 64, memory: int | None = 2 * GIB, **changes: Any) -> dict[str, Any]:
    """A real trial's; `changes` are dotted paths with `__` for the dots."""
    found = copy.deepcopy(make_plan(load_study("quickstart", cpus=(0, 1))).trials[0].specification)
    found["framework"] = {"name": "caffe", "version": "1"}
    found["setting"]["batch_size"], found["profile"]["memory_bytes"] = batch, memory
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = found
        for name in parents:
            part = part[name]
        part[last] = value
    return found


def skipped(found: dict[str, Any]) -> bool:
    known = OutOfMemoryTrials([("abc", specification())])
    assert known.smaller_than(found) in (None, "abc")
    return known.smaller_than(found) == "abc"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"memory": GIB},
        {"seed": 7},
        {"time_limit_s": 1.0},
        {"setting__steps": 9},
        {"profile__price_per_hour": 1.0},
        {"profile__name": "other"},
        {"setting__evaluation__batch_size": 1000},
    ],
)
def test_a_larger_batch_of_the_same_cell_is_skipped(changes: dict[str, Any]) -> None:
    assert skipped(specification(batch=128, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"batch": 64},
        {"batch": 32},
        {"memory": 4 * GIB},
        {"memory": None},
        {"setting__evaluation__batch_size": 1},
        {"setting__optimizer__momentum": 0.5},
        {"framework__version": "2"},
        {"profile__threads__intra_op": 1},
        {"profile__blas": "mkl"},
    ],
)
def test_anything_else_is_tried(changes: dict[str, Any]) -> None:
    assert not skipped(specification(**{"batch": 128, **changes}))


def test_a_record_that_lacks_a_key_is_no_obstacle() -> None:
    assert OutOfMemoryTrials([("old", {"setting": {}})]).smaller_than(specification()) is None


def test_without_a_limit_the_machine_s_memory_was_too_small() -> None:
    known = OutOfMemoryTrials([("abc", specification(memory=None))])
    assert known.smaller_than(specification(batch=128, memory=None)) == "abc"
    assert known.smaller_than(specification(batch=128)) == "abc"


def test_both_arms_of_a_pair_are_one_cell() -> None:
    assert skipped(specification(batch=128, arm=2))
