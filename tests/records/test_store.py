"""What a store shows: the latest of each trial, what is finished, and nothing that is damaged."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.execution.outcome import FINAL_TERMINATIONS, TerminationKind
from harness.records import DamagedRecordWarning, Record, Store, manifest
from harness.records.summary_keys import CONFIDENCE_KEYS
from tests import factories


def test_records_by_study_and_time(tmp_path: Path) -> None:
    factories.fill_store(tmp_path, ("torch", "caffe"), (2, 1))
    factories.publish_trial(tmp_path, study="other")
    store = Store(tmp_path)
    assert store.studies() == ["other", "synthetic"]
    assert len(store.records()) == 5
    found = store.records("synthetic")
    assert [record.started_at for record in found] == sorted(record.started_at for record in found)
    assert {record.study for record in found} == {"synthetic"}
    assert store.records("nowhere") == []


def test_the_latest_repetition_counts(tmp_path: Path) -> None:
    for termination in ("crashed", "killed", "completed"):
        factories.publish_trial(tmp_path, termination=termination)
    store = Store(tmp_path)
    assert [(record.repetition, record.termination) for record in store.records()] == [(3, "completed")]
    assert [record.termination for record in store.records(latest=False)] == ["crashed", "killed", "completed"]


@pytest.mark.parametrize("kind", list(TerminationKind))
def test_a_trial_is_finished_by_a_final_termination_only(tmp_path: Path, kind: TerminationKind) -> None:
    store, trial = Store(tmp_path), factories.make_trial()
    assert not store.finished(trial)
    factories.publish_trial(tmp_path, termination=str(kind))
    assert store.finished(trial) == (kind in FINAL_TERMINATIONS)
    assert not store.finished(factories.make_trial(seed=2))
    assert not store.finished(factories.make_trial(study="another"))


def test_a_trial_stays_finished_when_a_later_try_failed(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path)
    factories.publish_trial(tmp_path, termination="cancelled")
    assert Store(tmp_path).finished(factories.make_trial())


def change_manifest(record: Record, content: str | bytes) -> None:
    path = record.path / "manifest.json"
    path.unlink()
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "not JSON"),
        ("[]", "schema_version"),
        ('{"schema_version": 2}', "lacks 'trial'"),
        ("[" * 200_000, "not JSON"),
        (b"\xff", "not JSON"),
        ('{"schema_version": 99, "dlgauge_version": "9.9"}', "newer"),
        ('{"schema_version": 0}', "never existed"),
        (None, "No such file"),
    ],
)
def test_a_damaged_record_is_left_out_with_its_name(tmp_path: Path, content: str | None, complaint: str) -> None:
    whole, broken = factories.publish_trial(tmp_path, seed=1), factories.publish_trial(tmp_path, seed=2)
    if content is None:
        (broken.path / "manifest.json").unlink()
    else:
        change_manifest(broken, content)
    store = Store(tmp_path)
    with pytest.warns(DamagedRecordWarning, match=broken.path.name) as caught:
        assert [record.path for record in store.records()] == [whole.path]
    assert complaint in str(caught[0].message)


def test_a_changed_file_is_found_when_asked_for(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path)
    path = record.path / "steps.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    (record.path / "stderr.log").unlink()
    problems = record.verify()
    assert len(problems) == 2 and any("steps.parquet: SHA-256" in problem for problem in problems)
    store = Store(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(store.records()) == 1
    with pytest.warns(DamagedRecordWarning, match=r"steps\.parquet"):
        assert store.records(verify=True) == []
    with pytest.raises(StoreError, match="cannot be read"):
        record.table("steps")
    with pytest.raises(KeyError, match="no table 'stepz'"):
        record.table("stepz")


def test_a_path_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        Store(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(StoreError, match="no record"):
        Store(tmp_path)
    assert Store(tmp_path / "fresh", create=True).records() == []
    assert Store(tmp_path / "fresh").records() == []


def test_other_things_in_a_store_do_no_harm(tmp_path: Path) -> None:
    factories.publish_trial(tmp_path)
    (tmp_path / "report.html").write_text("")
    (tmp_path / "synthetic" / "notes.txt").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(Store(tmp_path).records()) == 1


def test_an_older_record_is_read_through_the_upgrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = factories.publish_trial(tmp_path)
    content = json.loads((record.path / "manifest.json").read_text())
    content["schema_version"] = 0
    content["name_of_study"] = content.pop("study")
    change_manifest(record, json.dumps(content))
    monkeypatch.setitem(manifest.UPGRADES, 0, lambda old: {**old, "study": old["name_of_study"]})
    assert Store(tmp_path).records()[0].study == "synthetic"


def test_a_record_of_version_4_says_that_it_knows_no_confidences(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path)
    assert record.summary["average_confidence"] == 0.9
    content = json.loads((record.path / "manifest.json").read_text())
    for key in CONFIDENCE_KEYS:
        del content["summary"][key]
    change_manifest(record, json.dumps({**content, "schema_version": 4}))
    (read,) = Store(tmp_path).records()
    assert list(read.summary.values()).count(None) >= len(CONFIDENCE_KEYS)
    for key in CONFIDENCE_KEYS:
        assert read.summary[key] is None and "schema version 4" in read.not_measured[key]
    assert read.summary["top1_percent"] == record.summary["top1_percent"]


def test_a_record_of_version_1_gets_what_follows_from_it(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path)
    content = json.loads((record.path / "manifest.json").read_text())
    now = content["summary"].pop("achieved_flops_per_s")
    assert now > 0
    del content["parity"]
    change_manifest(record, json.dumps({**content, "schema_version": 1}))
    (read,) = Store(tmp_path).records()
    assert read.summary["achieved_flops_per_s"] == now
    assert read.manifest["parity"] == {"certificate": None}

    del content["summary"]["samples_per_s"]
    change_manifest(record, json.dumps({**content, "schema_version": 1}))
    (read,) = Store(tmp_path).records()
    assert read.summary["achieved_flops_per_s"] is None
    assert read.manifest["not_measured"]["achieved_flops_per_s"]


def test_a_record_tells_what_it_is(tmp_path: Path) -> None:
    record = factories.publish_trial(
        tmp_path, "theano", 3, "crashed", varied={"batch_size": 32}, overrides={"steps": 200}
    )
    assert record.id == record.path.name and record.repetition == 1
    assert record.varied == {"batch_size": 32}
    assert record.overrides == {"steps": 200}
    assert record.specification["setting"]["batch_size"] == 32
    assert record.label == "theano · caffe-mnist · batch_size=32 · seed 3"
    assert record.log_tail()[-1] == "RuntimeError: broken"
    assert record.phases[0]["phase"] == "import"
    assert record.not_measured["gpu"].startswith("no NVIDIA driver")
