"""The slowdown of jobs side by side, on records whose throughputs are known."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.analysis.observations import observations
from harness.analysis.slowdown import Slowdowns, slowdowns
from harness.analysis.statistics import t_quantile
from harness.cli.main import app
from harness.cli.slowdown import Format, slowdown_text
from harness.records import Record, publish
from tests import factories


def record(
    seed: int, jobs: int = 1, cores: str = "alone", *, speed: float = 1000.0, kind: str = "completed", **changes: Any
) -> Record:
    """A record of one job alone with this samples/s, or of several with it for each of them."""
    trial = factories.make_trial(changes.pop("framework", "torch"), seed, varied={"jobs": jobs, "cores": cores})
    specification = dict(trial.specification)
    summary: dict[str, Any] = {"samples_per_s": speed, "overlap_fraction": None, "overlap_samples_per_s": None}
    if jobs > 1:
        specification["co_location"] = {"jobs": jobs, "cores": cores}
        summary = {
            "samples_per_s": 1.1 * speed,  # its own, from when the others had ended too
            "overlap_fraction": changes.pop("overlap", 0.95),
            "overlap_samples_per_s": changes.pop("together", speed),
        }
    manifest = {
        "trial": f"{jobs}{cores}{seed}",
        "repetition": 1,
        "study": "s",
        "label": f"torch · jobs={jobs} · seed {seed}",
        "varied": trial.varied,
        "overrides": {},
        "started_at": f"2026-01-01T00:{seed:02d}:00+00:00",
        "specification": specification,
        "termination": {"kind": kind, "reason": changes.pop("reason", None)},
        "host": {"hostname": "h", "cpu_model": "c", "cpus": 2, "memory_bytes": 1},
        "summary": summary,
        "not_measured": changes.pop("not_measured", {}),
        "disturbances": changes.pop("disturbances", []),
    }
    assert not changes
    return Record(Path(f"/store/s/{jobs}{cores}{seed}"), manifest)


def of(*records: Record) -> Slowdowns:
    return slowdowns("s", records)


def test_the_slowdown_is_alone_over_side_by_side_block_by_block() -> None:
    """Blocks differ by a factor of ten; within each the ratio is near 2, so the interval is narrow."""
    alone = [record(seed, speed=1000.0 * 10**seed) for seed in (1, 2, 3)]
    ratios = {1: 2.0, 2: 2.1, 3: 1.9}
    beside = [record(seed, 2, "shared", speed=1000.0 * 10**seed / ratios[seed]) for seed in ratios]
    (row,) = of(*alone, *beside).rows
    assert row.by_seed == {seed: pytest.approx(ratio) for seed, ratio in ratios.items()}
    logs = [math.log(ratio) for ratio in ratios.values()]
    mean = sum(logs) / 3
    half = t_quantile(0.975, 2) * math.sqrt(sum((one - mean) ** 2 for one in logs) / 2 / 3)
    assert row.ratio is not None
    assert row.ratio.ratio == pytest.approx(math.exp(mean))
    assert row.ratio.low == pytest.approx(math.exp(mean - half))
    assert row.ratio.high == pytest.approx(math.exp(mean + half))
    assert row.total is not None
    assert row.total.ratio == pytest.approx(2 / math.exp(mean))
    assert row.total.low == pytest.approx(2 / row.ratio.high)
    assert row.total.high == pytest.approx(2 / row.ratio.low)
    assert (row.jobs, row.cores, row.job, row.overlap, row.notes) == (2, "shared", "torch", 0.95, ())
    assert [trial.seed for trial in row.alone_trials] == [1, 2, 3]


def test_each_framework_and_placement_is_a_row_against_its_own_job_alone() -> None:
    records = [
        record(seed, *placement, speed=speed / placement[0], framework=framework)
        for framework, speed in (("torch", 1000.0), ("caffe", 400.0))
        for seed in (1, 2)
        for placement in ((1, "alone"), (2, "split"), (2, "shared"), (4, "shared"))
    ]
    found = {(row.job, row.jobs, row.cores): row.ratio for row in of(*records).rows}
    assert list(found) == [
        (name, jobs, cores)
        for name in ("caffe", "torch")
        for jobs, cores in ((2, "shared"), (2, "split"), (4, "shared"))
    ]
    assert all(ratio is not None and ratio.ratio == pytest.approx(key[1]) for key, ratio in found.items())


def test_without_the_job_alone_there_is_no_slowdown_and_the_reason_is_told() -> None:
    (row,) = of(record(1, 2, "shared")).rows
    assert row.ratio is None and row.total is None
    assert "no completed trial of the same job alone: add 1 to `co_location.jobs`" in row.notes[0]


def test_jobs_alone_from_before_the_study_had_co_location_count_beside_those_from_after() -> None:
    """They are the same trials, of a study that did not vary `jobs` then; of one seed the later counts."""
    before = [record(seed, speed=1000.0) for seed in (1, 2)]
    for one in before:
        one.manifest["varied"].clear()
    after = [record(seed, speed=2000.0) for seed in (2, 3)]
    for one in after:
        one.manifest["started_at"] = one.manifest["started_at"].replace("2026", "2027")
    beside = [record(seed, 2, "shared", speed=500.0) for seed in (1, 2, 3)]
    (row,) = of(*before, *after, *beside).rows
    assert row.by_seed == {1: 2.0, 2: 4.0, 3: 4.0}
    assert row.missing == ()


def test_blocks_that_have_only_one_side_are_named() -> None:
    alone = [record(seed) for seed in (1, 2, 5)]
    (row,) = of(*alone, *(record(seed, 2, "split") for seed in (1, 2, 3))).rows
    assert row.ratio is not None and row.ratio.n == 2
    assert any("no job alone in block 3" in note for note in row.notes)
    assert any("the job alone only in block 5" in note for note in row.notes)


def test_a_missing_throughput_is_told_with_its_reason() -> None:
    bad = record(2, 2, "shared", together=None, not_measured={"overlap_samples_per_s": "the jobs never trained"})
    (row,) = of(record(1), record(2), record(1, 2, "shared"), bad).rows
    assert row.ratio is not None and row.ratio.n == 1 and row.ratio.low is None
    assert any("in block 2: the jobs never trained" in note for note in row.notes)


def test_what_makes_a_number_doubtful_is_told() -> None:
    quiet, loud = record(1), record(1, 2, "shared", overlap=0.5, disturbances=[{"signal": "steal"}])
    (row,) = of(quiet, loud).rows
    assert any("only 50 % of the training time" in note for note in row.notes)
    assert any("disturbed: 1 of 2 trials" in note for note in row.notes)


def test_trials_that_did_not_complete_are_listed() -> None:
    failed = record(1, 4, "shared", kind="out_of_memory", reason="job 3 of 4: the kernel ended a process")
    found = of(record(1), failed)
    assert found.rows == ()
    assert found.failed == (("torch · jobs=4 · seed 1", "out_of_memory: job 3 of 4: the kernel ended a process"),)
    assert "job 3 of 4" in slowdown_text([found])


def test_every_form_has_the_numbers() -> None:
    alone = [record(seed, speed=1000.0) for seed in (1, 2)]
    found = [of(*alone, record(1, 2, "shared", speed=500.0), record(2, 2, "shared", speed=400.0))]
    text = slowdown_text(found)
    assert "2.236" in text and "shared" in text and "95.0 %" in text
    assert "| torch | 2 | shared | 2 |" in slowdown_text(found, Format.MARKDOWN)
    assert r"torch & 2 & shared & 2 &" in slowdown_text(found, Format.LATEX)
    content = json.loads(slowdown_text(found, Format.JSON))
    (row,) = content["studies"][0]["rows"]
    assert row["slowdown"]["value"] == pytest.approx(math.sqrt(2.0 * 2.5))
    assert [block["slowdown"] for block in row["blocks"]] == [2.0, 2.5]
    assert row["trials"] == ["2shared1", "2shared2"] and row["alone_trials"] == ["1alone1", "1alone2"]
    lines = list(csv.DictReader(io.StringIO(slowdown_text(found, Format.CSV))))
    assert [float(line["slowdown"]) for line in lines] == [2.0, 2.5]


def test_a_store_without_such_trials_says_what_to_do(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path)
    result = CliRunner().invoke(app, ["slowdown", str(tmp_path)])
    assert result.exit_code != 0
    assert "no trial of several jobs side by side" in str(result.exception)


def test_observations_tell_how_many_jobs_and_whether_they_shared_cores(tmp_path: Path) -> None:
    for jobs, cores in ((1, "alone"), (2, "split"), (2, "shared")):
        trial = factories.make_trial(varied={"jobs": jobs, "cores": cores})
        placed = {"co_location": {"jobs": jobs, "cores": cores}} if jobs > 1 else {}
        specification = {**trial.specification, **placed}
        changed = trial.model_copy(update={"specification": specification})
        publish(factories.ended_trial(tmp_path, changed), tmp_path)
    factories.publish_trial(tmp_path, "caffe")  # of a study that knows nothing of it
    found = observations(tmp_path)
    assert len(found.frame) == 4
    told = sorted(zip(found.frame["jobs"], found.frame["cores_shared"], strict=True))
    assert told == [(1, False), (1, False), (2, False), (2, True)]
    assert {"jobs", "cores_shared"} <= set(found.varied)
    assert "cores" not in found.frame and "varied.jobs" not in found.frame
