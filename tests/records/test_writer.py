"""A record appears whole or not at all, and stays as it is."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from harness.errors import StoreError
from harness.records import TABLES, Record, Store, keep_abandoned, publish, writer
from harness.records.running import RUNNING_FOLDER
from harness.records.schema import KINDS, SCHEMA_VERSION, columns_of
from tests import factories


def test_a_record_holds_tables_logs_and_checksums(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial())
    record = publish(outcome, tmp_path)
    assert record.path == tmp_path / "synthetic" / outcome.trial.id
    assert {f"{name}.parquet" for name in TABLES} <= set(record.manifest["files"])
    assert record.verify() == []
    on_disk = {path.name for path in record.path.iterdir()}
    assert on_disk == {*record.manifest["files"], "manifest.json"}
    assert {"weights.npz", "learning_rates.npy", "steps.bin"} <= set(record.manifest["not_kept"])
    assert not outcome.folder.exists()
    assert list((tmp_path / RUNNING_FOLDER).iterdir()) == []


def test_tables_hold_what_the_trial_wrote(tmp_path: Path) -> None:
    trial = factories.make_trial("caffe")
    timeline = factories.make_timeline(trial)
    record = factories.publish_trial(tmp_path, "caffe")
    steps = record.table("steps").to_pydict()
    assert list(zip(*steps.values(), strict=True)) == timeline.steps
    events = record.table("events")
    assert events.num_rows == len(timeline.events) + len(timeline.marks)
    described = next(e for e in events.to_pylist() if e["event"] == "describe")
    assert json.loads(described["data"])["blas"][0]["name"] == "openblas"
    samples = record.table("samples").to_pylist()
    assert samples[0]["trigger"] == "start" and samples[-1]["trigger"] == "stop"
    assert any(row["tree_resident_peak_bytes"] is None for row in samples), "what was not read is null"
    assert record.table("evaluations").column("top1")[-1].as_py() * 100 == record.summary["top1_percent"]
    assert record.table("processes").to_pylist()[0]["role"] == "worker"
    assert record.table("gpus").num_rows == 0


@pytest.mark.parametrize("table", TABLES)
def test_unit_and_kind_stand_in_the_metadata(tmp_path: Path, table: str) -> None:
    record = factories.publish_trial(tmp_path)
    schema = parquet.read_schema(record.path / f"{table}.parquet")
    assert schema.names == [column.name for column in columns_of(table)]
    assert schema.metadata[b"dlgauge_schema_version"] == str(SCHEMA_VERSION).encode()
    for field in schema:
        assert field.metadata[b"kind"].decode() in KINDS
        assert b"unit" in field.metadata and field.metadata[b"description"]
    metadata = parquet.ParquetFile(record.path / f"{table}.parquet").metadata
    if metadata.num_rows:
        assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_record_is_read_only(tmp_path: Path) -> None:
    record = factories.publish_trial(tmp_path)
    for path in record.path.iterdir():
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def test_a_process_that_still_holds_a_log_cannot_write_into_the_record(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial())
    with (outcome.folder / "stderr.log").open("ab") as log:
        record = publish(outcome, tmp_path)
        log.write(b"late")
    assert record.verify() == []


def test_repetitions_are_numbered(tmp_path: Path) -> None:
    names = [factories.publish_trial(tmp_path).path.name for _ in range(3)]
    trial = factories.make_trial().id
    assert names == [trial, f"{trial}-2", f"{trial}-3"]
    assert [record.repetition for record in Store(tmp_path).records(latest=False)] == [1, 2, 3]


def test_a_number_is_not_used_again_below_the_highest(tmp_path: Path) -> None:
    first = factories.publish_trial(tmp_path)
    factories.publish_trial(tmp_path)
    first.path.rename(tmp_path / "elsewhere")
    assert factories.publish_trial(tmp_path).repetition == 3


def test_damaged_files_are_kept_raw(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path, factories.make_trial())
    content = (outcome.folder / "steps.bin").read_bytes()[:-7]
    (outcome.folder / "steps.bin").write_bytes(content)
    record = publish(outcome, tmp_path)
    assert (record.path / "steps.bin").read_bytes() == content
    assert record.manifest["notes"] == ["steps.bin: cut in the middle of record 200"]


@pytest.mark.parametrize("kind", [str(kind) for kind in factories.TerminationKind])
def test_every_termination_makes_a_record(tmp_path: Path, kind: str) -> None:
    record = factories.publish_trial(tmp_path, "theano", 2, kind)
    assert Record.read(record.path).termination == kind
    assert all(record.table(name) is not None for name in TABLES)


def publish_and_die(store: Path, moment: str) -> None:
    """In a process of its own: die without a word at a moment of publishing."""
    outcome = factories.ended_trial(store, factories.make_trial())
    setattr(writer, moment, lambda *_: os._exit(9))
    publish(outcome, store)


@pytest.mark.parametrize("moment", ["_write_tables", "_keep_files", "_make_visible", "_sync_folder"])
def test_a_crash_while_publishing_leaves_no_visible_record(tmp_path: Path, moment: str) -> None:
    process = multiprocessing.get_context("fork").Process(target=publish_and_die, args=(tmp_path, moment))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    store = Store(tmp_path)
    assert store.records() == []
    assert len(list((tmp_path / RUNNING_FOLDER).iterdir())) == 2
    (record,) = keep_abandoned(tmp_path).records
    assert (record.termination, record.repetition) == ("completed", 1), "the trial had ended: nothing is lost"
    assert list((tmp_path / RUNNING_FOLDER).iterdir()) == []
    assert factories.publish_trial(tmp_path).repetition == 2


def publish_many(store: Path, count: int) -> None:
    for _ in range(count):
        factories.publish_trial(store)


def test_two_writers_never_take_the_same_number(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=publish_many, args=(tmp_path, 6)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    records = Store(tmp_path).records(latest=False, verify=True)
    assert sorted(record.repetition for record in records) == list(range(1, 13))
    for record in records:
        assert record.path.name == record.id + (f"-{record.repetition}" if record.repetition > 1 else "")


def test_another_writer_taking_the_number_first_moves_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    factories.publish_trial(tmp_path)
    monkeypatch.setattr(writer, "repetitions", lambda *_: [])
    record = factories.publish_trial(tmp_path)
    assert record.repetition == 2 and record.path.name.endswith("-2")


def test_a_store_that_cannot_be_written_names_the_files_left(tmp_path: Path) -> None:
    outcome = factories.ended_trial(tmp_path / "running", factories.make_trial())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written") as error:
        publish(outcome, tmp_path / "file")
    assert str(outcome.folder) in str(error.value)
    assert (outcome.folder / "events.jsonl").exists()


@pytest.mark.parametrize("study", ["../up", ".hidden", "a/b", ""])
def test_a_study_must_be_a_folder_s_name(tmp_path: Path, study: str) -> None:
    with pytest.raises(StoreError, match="study"):
        factories.publish_trial(tmp_path, study=study)


def test_importing_records_imports_nothing_heavy() -> None:
    code = "import sys, harness.records; from harness.records import Store, Record, publish, load, keep_abandoned; "
    code += "print([m for m in ('pandas', 'pyarrow', 'duckdb') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
