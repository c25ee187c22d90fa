"""A trial under a plateau rule: what its record says of the rates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import FileFormatError
from harness.study import load_study
from tests.execution.fake_study import fake_frameworks, only_record, run_study, write_study

VALIDATION = {"images": 2000, "position": "last", "every_steps": 5}
# No evaluation improves by 90 % on the first one; that of step 5 always does on nothing.
RULE = {"policy": "REDUCE_ON_PLATEAU", "k0": 0.1, "factor": 0.5, "patience": 1, "threshold": 0.9, "watch": "loss"}


def test_the_record_has_the_rate_of_every_step_and_every_change(tmp_path: Path) -> None:
    study = write_study(tmp_path, validation=VALIDATION, learning_rate=RULE, evaluation__every_steps=30)
    run_study(study, tmp_path / "store")
    record = only_record(tmp_path / "store")
    assert record.termination == "completed"
    changes = [row for row in record.table("events").to_pylist() if row["event"] == "rate_change"]
    # Looks without an improvement after 10 and 15, 20 and 25 steps; after 30 there is no step to come.
    assert [row["step"] for row in changes] == [15, 25]
    told = [json.loads(row["data"]) for row in changes]
    assert [(one["from_rate"], one["to_rate"]) for one in told] == [(0.1, 0.05), (0.05, 0.025)]
    losses = {row["step"]: row["loss"] for row in record.table("evaluations").to_pylist() if row["split"] != "test"}
    assert [one["value"] for one in told] == [losses[15], losses[25]]
    rates = record.table("steps").column("learning_rate").to_pylist()
    wanted = np.repeat([0.1, 0.05, 0.025], [15, 10, 5])
    np.testing.assert_array_equal(rates, wanted.astype(np.float32).astype(np.float64))
    assert set(record.summary) >= {"average_confidence", "loss_difference"}
    assert 0 < record.summary["average_confidence"] <= 1


def test_without_images_held_out_nothing_runs(tmp_path: Path) -> None:
    study = write_study(tmp_path, learning_rate=RULE)
    line = 1 + next(i for i, text in enumerate(study.read_text().splitlines()) if "learning_rate" in text)
    with pytest.raises(FileFormatError) as caught:
        load_study(study, frameworks=fake_frameworks())
    assert f"fake.yaml:{line}" in str(caught.value) and "so validation should be given too" in str(caught.value)
