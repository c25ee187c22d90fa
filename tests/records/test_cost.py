"""Cost to an accuracy threshold, against trials small enough to add up by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.errors import DlgaugeError
from harness.records import Record
from harness.records.cost import COSTS, cost_to_threshold
from tests import factories

SECOND = 10**9


class StandIn(Record):
    """A record whose evaluations are given."""

    def table(self, name: str) -> pa.Table:
        assert name == "evaluations"
        return pa.Table.from_pylist(self.manifest["rows"])


def phase(name: str, begin_s: float, end_s: float, **quantities: Any) -> dict[str, Any]:
    begin_ns, end_ns = round(begin_s * SECOND), round(end_s * SECOND)
    return {"phase": name, "begin_ns": begin_ns, "end_ns": end_ns, "duration_s": end_s - begin_s, **quantities}


def evaluation(step: int, t_s: float, top1: float | None, split: str = "test") -> dict[str, Any]:
    return {"step": step, "t_ns": round(t_s * SECOND), "split": split, "top1": top1}


def record(phases: list[dict[str, Any]], rows: list[dict[str, Any]], **not_measured: str) -> Record:
    reasons = {key.replace("__", "."): reason for key, reason in not_measured.items()}
    return StandIn(Path("none"), {"phases": phases, "rows": rows, "not_measured": reasons})


PHASES = [
    phase("warm_up", 0, 1, cpu_seconds=9.0),
    phase("train", 1, 3, cpu_seconds=4.0, package_energy_joules=20.0, gpu_energy_joules=100.0),
    phase("evaluate", 3, 4, cpu_seconds=1.0),
    phase("train", 4, 5, cpu_seconds=1.5, package_energy_joules=10.0, gpu_energy_joules=50.0),
    phase("evaluate", 5, 6, cpu_seconds=1.0),
    phase("train", 6, 8, cpu_seconds=3.0, package_energy_joules=None, gpu_energy_joules=90.0),
    phase("evaluate", 8, 9, cpu_seconds=1.0),
]
ROWS = [
    evaluation(10, 3.9, 0.5),
    evaluation(12, 4.0, 0.99, "validation"),
    evaluation(20, 5.9, 0.57),
    evaluation(30, 8.9, 0.9),
]


def test_it_is_the_first_evaluation_of_the_test_images_that_counts() -> None:
    found = cost_to_threshold(record(PHASES, ROWS), 55)
    assert (found.steps, found.seconds, found.cpu_seconds, found.joules) == (20, 3.0, 5.5, 180.0)
    assert found.joules_of == ("package", "gpu")
    assert not found.reasons
    assert cost_to_threshold(record(PHASES, ROWS), 50).steps == 10


def test_an_accuracy_that_is_just_the_threshold_reaches_it() -> None:
    assert 0.57 * 100 < 57
    assert cost_to_threshold(record(PHASES, ROWS), 57).steps == 20


def test_what_is_missing_has_its_reason() -> None:
    found = cost_to_threshold(record(PHASES, ROWS, phases__package_energy_joules="no RAPL"), 90)
    assert (found.steps, found.seconds, found.joules, found.joules_of) == (30, 5.0, 240.0, ("gpu",))
    bare = [{**row, "cpu_seconds": None, "gpu_energy_joules": None} for row in PHASES]
    reasons = {"phases__package_energy_joules": "no RAPL", "phases__gpu_energy_joules": "no GPU was sampled"}
    found = cost_to_threshold(record(bare, ROWS, **reasons), 90)
    assert (found.cpu_seconds, found.joules, found.joules_of) == (None, None, ())
    assert set(found.reasons) == {"cpu_seconds", "joules"}
    assert "no RAPL" in found.reasons["joules"] and "no GPU was sampled" in found.reasons["joules"]
    assert "3 of 3 train phases" in found.reasons["cpu_seconds"]


def test_an_accuracy_that_was_not_reached_says_how_near_it_came() -> None:
    found = cost_to_threshold(record(PHASES, ROWS), 99)
    assert [getattr(found, name) for name in COSTS] == [None] * 4
    assert set(found.reasons) == set(COSTS)
    assert "of 3 evaluations the best had 90 % after 30 steps" in found.reasons["steps"]
    nothing = cost_to_threshold(record(PHASES, [evaluation(1, 1, None)]), 99)
    assert "no evaluation of the test images has a result" in nothing.reasons["joules"]


def test_what_was_reached_in_the_warm_up_has_no_training_time() -> None:
    found = cost_to_threshold(record(PHASES[:1], [evaluation(2, 1, 0.5)]), 50)
    assert [getattr(found, name) for name in COSTS] == [2, None, None, None]
    assert set(found.reasons) == {"seconds", "cpu_seconds", "joules"}


@pytest.mark.parametrize("threshold", [0, -1, 100.5, float("nan")])
def test_a_threshold_has_to_be_a_percentage(threshold: float) -> None:
    with pytest.raises(DlgaugeError, match="above 0 and at most 100 percent"):
        cost_to_threshold(record(PHASES, ROWS), threshold)


def test_of_a_published_record(tmp_path: Path) -> None:
    """Made through all of the writing and reading: the second of two train phases is in it, the warm-up is not."""
    published = factories.publish_trial(tmp_path)
    train = [row for row in published.phases if row["phase"] == "train"]
    table = published.table("evaluations").to_pylist()
    assert len(train) == len(table) == 2
    found = cost_to_threshold(published, 100 * table[1]["top1"])
    assert (found.steps, found.seconds) == (200, pytest.approx(sum(row["duration_s"] for row in train)))
    assert found.cpu_seconds == pytest.approx(sum(row["cpu_seconds"] for row in train))
    assert found.joules is None and "package_energy_joules is missing" in found.reasons["joules"]
