"""A trial that holds images out and stops early: what its record and its comparison say."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis import compare
from harness.records import Store
from tests.execution.fake_study import only_record, run_study, write_study

VALIDATION = {"images": 2000, "position": "last", "every_steps": 5}
# The first improvement after step 5 moves the end to 4 x 1.0; no later one by 90 % comes: training ends after step 11.
STOPPING = {"watch": "error", "patience_steps": 10, "patience_factor": 1.0, "smallest_improvement": 0.9}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    study = write_study(tmp_path, validation=VALIDATION, early_stopping=STOPPING, evaluation__every_steps=30)
    run_study(study, tmp_path / "store")
    return tmp_path / "store"


def test_the_record_says_when_and_what_the_best_step_gave(store: Path) -> None:
    record = only_record(store)
    assert record.termination == "completed"
    assert record.summary["steps_done"] == 11
    rows = record.table("evaluations").to_pylist()
    validated = {row["step"]: row["top1"] for row in rows if row["split"] == "validation"}
    tested = {row["step"]: row["top1"] for row in rows if row["split"] == "test"}
    assert list(validated) == [5, 10]
    assert {row["images"] for row in rows if row["split"] == "validation"} == {2000}
    best = record.summary["best_validation_step"]
    assert validated[best] == max(validated.values())
    assert record.summary["best_validation_top1_percent"] == pytest.approx(100 * validated[best])
    assert record.summary["top1_at_best_validation_percent"] == pytest.approx(100 * tested[best])
    assert record.summary["top1_percent"] == pytest.approx(100 * tested[11])
    assert record.specification["setting"]["steps"] == 30


def test_the_comparison_says_so(store: Path) -> None:
    notes = compare(Store(store).records()).notes
    assert any("early stopping ended training at step 11 (seed 1) of 30" in note for note in notes)
