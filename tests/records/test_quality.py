"""How well a trial was sampled, against traces whose figures can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.records import Record, Store, publish
from harness.records.manifest import make_manifest
from harness.records.quality import FEWEST_FOR_P50, FEWEST_FOR_P99, SUMMARY_OF_QUALITY, quality_flags
from harness.records.reading import read_trial_folder
from harness.sampling import schema
from tests import factories

MS = 1_000_000
Rows = list[dict[str, Any]]


def quality_of(folder: Path, change: Callable[[Rows], Rows], report: dict[str, Any] | None = None) -> dict[str, Any]:
    """The manifest of a synthetic trial whose samples were changed."""
    trial = factories.make_trial()
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(folder, trial, timeline)
    rows = change(factories.make_samples(timeline, cgroup=False, resident_bytes=1000))
    (folder / "samples.bin").write_bytes(factories.encode_samples(rows))
    (folder / "sampler-report.json").write_text(json.dumps({"gpus": []} if report is None else report))
    return make_manifest(factories.make_outcome(folder, trial, timeline), read_trial_folder(folder))


def ticks_only(count: int) -> Callable[[Rows], Rows]:
    return lambda rows: [row for row in rows if row["trigger"] == "tick"][:count]


def late_by(lateness_ms: Sequence[float]) -> Callable[[Rows], Rows]:
    """So many ticks, each late by its number."""

    def change(rows: Rows) -> Rows:
        ticks = [row for row in rows if row["trigger"] == "tick"] * 9
        first_ns = ticks[0]["t_planned_ns"]
        planned = [first_ns + index * factories.PERIOD_NS for index in range(len(lateness_ms))]
        return [
            {**row, "t_planned_ns": t, "t_start_ns": t + round(late * MS), "t_end_ns": t + round(late * MS)}
            for row, t, late in zip(ticks, planned, lateness_ms, strict=False)
        ]

    return change


def test_a_quiet_trial(tmp_path: Path) -> None:
    made = quality_of(tmp_path, lambda rows: rows)
    sampling = made["sampling"]
    assert sampling["achieved_rate_hz"] == pytest.approx(10.0, rel=1e-6)
    assert sampling["coverage"] == pytest.approx(1.0, abs=1e-4)
    assert sampling["lateness_p50_ns"] == 150_000
    assert sampling["ticks_skipped"] == 0
    assert sampling["sampler_cores"] == pytest.approx(factories.SAMPLER_CORES, rel=1e-3)
    assert sampling["cpu_disagreement_fraction"] < 0.02
    assert sampling["flags"] == []
    assert made["summary"]["lateness_p50_s"] == pytest.approx(0.00015)


def test_lateness_is_refused_of_too_few_ticks(tmp_path: Path) -> None:
    for count, p50, p99 in (
        (FEWEST_FOR_P50 - 1, False, False),
        (FEWEST_FOR_P50, True, False),
        (FEWEST_FOR_P99 - 1, True, False),
        (FEWEST_FOR_P99, True, True),
    ):
        made = quality_of(tmp_path, late_by([0.1 * index for index in range(1, count + 1)]))
        summary, why = made["summary"], made["not_measured"]
        assert made["sampling"]["ticks"] == count
        for key, there in (("lateness_p50_s", p50), ("sampling_rate_hz", p50), ("lateness_p99_s", p99)):
            assert (summary[key] is not None) == there, (count, key)
            assert (key in why) != there
    assert summary["lateness_p50_s"] == pytest.approx(0.005) and summary["lateness_p99_s"] == pytest.approx(0.0099)
    assert "fewer than 5 ticks" in quality_of(tmp_path, ticks_only(4))["not_measured"]["lateness_p50_s"]


def test_a_gap_costs_coverage(tmp_path: Path) -> None:
    def hole(rows: Rows) -> Rows:
        times = [row["t_start_ns"] for row in rows if row["trigger"] == "tick"]
        begin, end = times[len(times) // 3], times[len(times) // 3 + 10]
        return [row for row in rows if not begin < row["t_start_ns"] < end]

    made = quality_of(tmp_path, hole)
    life_ns = made["t_end_ns"] - factories.CLEAN_UP_NS - made["t_worker_ns"]
    assert made["sampling"]["coverage"] == pytest.approx(1 - 9 * factories.PERIOD_NS / life_ns, abs=0.002)
    assert made["summary"]["sampling_coverage"] == made["sampling"]["coverage"]


def test_a_sampler_that_was_killed_half_way_shows(tmp_path: Path) -> None:
    made = quality_of(tmp_path, lambda rows: rows[: len(rows) // 2], report={})
    assert made["sampling"]["coverage"] == pytest.approx(0.5, abs=0.1)
    assert made["sampling"]["flags"] == ["low_coverage", "cpu_audit_failed", "no_sampler_report"]


def test_ticks_that_were_skipped_are_flagged_above_a_thousandth(tmp_path: Path) -> None:
    made = quality_of(tmp_path, lambda rows: [{**row, "ticks_skipped": 3} for row in rows])
    assert made["summary"]["ticks_skipped"] == 3
    assert made["sampling"]["flags"] == ["ticks_skipped"]


def test_accounts_that_disagree_are_flagged(tmp_path: Path) -> None:
    made = quality_of(tmp_path, lambda rows: [{**row, "tree_cpu_ns": row["tree_cpu_ns"] // 2} for row in rows])
    assert made["summary"]["cpu_disagreement_fraction"] == pytest.approx(0.5, abs=0.01)
    assert "cpu_audit_failed" in made["sampling"]["flags"]


def test_the_sampler_s_own_flags_are_passed_on_but_for_those_the_record_decides(tmp_path: Path) -> None:
    report = {"flags": ["ticks_skipped", "cpu_audit_failed", "errors", "ended_by_harness_gone"]}
    assert quality_of(tmp_path, lambda rows: rows, report)["sampling"]["flags"] == ["errors", "ended_by_harness_gone"]


def test_without_samples_there_is_a_flag_and_a_reason(tmp_path: Path) -> None:
    made = quality_of(tmp_path, lambda _: [])
    assert made["sampling"]["flags"] == ["no_samples"]
    for key in SUMMARY_OF_QUALITY:
        if key != "cpu_disagreement_fraction":
            assert made["summary"][key] is None, key
            assert made["not_measured"][key].startswith("no samples: ")


def older(record: Record, version: int, **sampling: Any) -> Record:
    path = record.path / "manifest.json"
    content = json.loads(path.read_text())
    content["schema_version"] = version
    content["sampling"] = {key: content["sampling"][key] for key in ("period_ns", "samples", "audit")} | sampling
    del content["disturbances"]
    for key in SUMMARY_OF_QUALITY:
        content["summary"].pop(key)
        content["not_measured"].pop(key, None)
    path.unlink()
    path.write_text(json.dumps(content))
    return Record.read(record.path)


def test_a_record_of_version_3_keeps_what_it_knew_and_says_what_it_did_not(tmp_path: Path) -> None:
    publish(factories.ended_trial(tmp_path, factories.make_trial()), tmp_path)
    (record,) = Store(tmp_path).records()
    read = older(record, 3, ticks_skipped=20)
    assert read.summary["ticks_skipped"] == 20
    assert read.summary["cpu_disagreement_fraction"] == record.summary["cpu_disagreement_fraction"]
    for key in ("sampling_rate_hz", "sampling_coverage", "lateness_p50_s", "lateness_p99_s"):
        assert read.summary[key] is None and "schema version 3" in read.not_measured[key]
    assert read.manifest["sampling"]["flags"] == ["ticks_skipped"]
    assert read.manifest["disturbances"] is None and "schema version 3" in read.not_measured["disturbances"]


@pytest.mark.parametrize(("share", "flag"), [(1.0, False), (0.9, True)])
def test_the_audit_hears_the_second_account_of_a_hybrid_machine(tmp_path: Path, share: float, flag: bool) -> None:
    """It counts from the target's naming, which comes after the job's begin."""
    trial = factories.make_trial("caffe", steps=800)
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    rows = factories.make_samples(timeline, cgroup=True, resident_bytes=1000)
    named = next(row for row in rows if row["trigger"] == "tick" and row["cgroup_cpu_ns"] > 10 * MS)
    named["trigger"] = "target"
    since_s = (rows[-1]["cgroup_cpu_ns"] - named["cgroup_cpu_ns"]) / 1e9
    (tmp_path / "samples.bin").write_bytes(factories.encode_samples(rows))
    report = {"gpus": [], "audit": {"unified_cpu_s": share * since_s}}
    (tmp_path / "sampler-report.json").write_text(json.dumps(report))
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    audit = made["sampling"]["audit"]
    assert audit["unified_cpu_s"] == pytest.approx(audit["cgroup_cpu_s"] - (1 - share) * since_s)
    assert audit["flag"] is flag


def test_each_gpu_of_the_trial_has_its_energy_told_twice(tmp_path: Path) -> None:
    """The second device's counter grows twice as fast as its power says; others' and MIG devices are not judged."""
    powers_mw, factors = {0: 100_000, 1: 200_000, 2: 50_000, 3: None, 4: None}, {0: 1, 1: 2, 2: 9, 3: 1, 4: 1}
    rows = [
        {
            "seq": tick,
            "gpu": gpu,
            "t_ns": factories.T_BEGIN_NS + tick * 100 * MS,
            "energy_mj": None if power_mw is None else 7000 + factors[gpu] * power_mw * tick // 10,
            "power_mw": power_mw,
        }
        for tick in range(50)
        for gpu, power_mw in powers_mw.items()
    ]
    period_ns = 100 * MS
    gpus: list[dict[str, Any]] = [
        {"uuid": f"GPU-{gpu}", "foreign": gpu == 2, "energy_update_period_ns": period_ns, "parent_uuid": None}
        for gpu in powers_mw
    ]
    gpus[3]["parent_uuid"] = "GPU-0"
    trial = factories.make_trial()
    timeline = factories.make_timeline(trial)
    factories.write_trial_folder(tmp_path, trial, timeline)
    missing = schema.MISSING
    records = [
        schema.GPU_RECORD.pack(
            *(missing if (value := row.get(one.name)) is None else value for one in schema.GPU_COLUMNS)
        )
        for row in rows
    ]
    header = schema.header(schema.GPUS_MAGIC, schema.GPU_RECORD)
    (tmp_path / "gpus.bin").write_bytes(header + b"".join(records))
    (tmp_path / "sampler-report.json").write_text(json.dumps({"gpus": gpus}))
    made = make_manifest(factories.make_outcome(tmp_path, trial, timeline), read_trial_folder(tmp_path))
    first, second, silent = made["sampling"]["gpu_energy_check"]
    assert first == {
        "gpu": 0,
        "uuid": "GPU-0",
        "ratio": pytest.approx(1.0),
        "flag": False,
        "uncertainty": pytest.approx(0.1 / 4.9),
        "reason": None,
    }
    assert (second["uuid"], second["ratio"], second["flag"]) == ("GPU-1", pytest.approx(2.0), True)
    assert (silent["uuid"], silent["ratio"], silent["flag"]) == ("GPU-4", None, False)
    assert silent["reason"] == "0 samples with energy and power, 5 are needed"
    assert "gpu_energy_check_failed" in made["sampling"]["flags"]
    del made["sampling"]["gpu_energy_check"][1]
    assert "gpu_energy_check_failed" not in quality_flags(made["sampling"])


def test_without_gpus_there_is_no_energy_to_check(tmp_path: Path) -> None:
    assert quality_of(tmp_path, lambda rows: rows)["sampling"]["gpu_energy_check"] == []
