"""A compacted store answers every question as its records do, whatever has happened to them since."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as parquet
import pytest

from harness.analysis import compare
from harness.analysis.observations import observations
from harness.errors import StoreError
from harness.paths import PROJECT_ROOT
from harness.records import TABLES, DamagedRecordWarning, Record, Store, compact, connect, load
from harness.records.compact_generation import (
    COMPACT_FOLDER,
    COMPACTION_FILE,
    DamagedCompactionWarning,
    generations,
)
from harness.records.compact_index import CompactManifest
from harness.records.compacting import LOCK_NAME
from harness.records.locking import store_lock
from tests import factories, synthetic


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two studies of this version, one of schema version 2, a failed trial with its repetition, a damaged record."""
    folder = tmp_path / "store"
    factories.fill_store(folder, ("torch", "caffe"), (1, 2), varied={"batch_size": 32})
    factories.publish_trial(folder, "torch", 3, "crashed")
    factories.publish_trial(folder, "torch", 3)
    factories.publish_trial(folder, "theano", 1, "environment_failed", study="other")
    synthetic.write_record(folder, "torch", 1, study="old", steps=40, varied={"learning_rate": {"policy": "FIX"}})
    old = synthetic.write_record(folder, "caffe", 2, study="old", steps=40, summary={"cpu_seconds": None})
    _drop_columns(old.path / "samples.parquet", 3)
    damaged = folder / "other" / "damaged"
    damaged.mkdir()
    (damaged / "manifest.json").write_text("{")
    return folder


def answers(store: Path) -> dict[str, Any]:
    """Whatever can be asked of a store."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for latest in (True, False):
            for name in ("summary", *TABLES):
                found[f"load {name} {latest}"] = load(store, name, latest=latest)
            with connect(store, latest=latest) as connection:
                for name in ("summary", *TABLES):
                    rows = connection.sql(f"SELECT * FROM {name} ORDER BY ALL").df()
                    found[f"sql {name} {latest}"] = rows
            found[f"records {latest}"] = [
                (one.path, one.summary, one.termination, one.varied) for one in Store(store).records(latest=latest)
            ]
        found["one study"] = load(store, "samples", "old")
        seen = observations(store)
        found |= {"observations": seen.frame, "varied": seen.varied, "superseded": seen.superseded}
        found |= {"excluded": seen.excluded, "not measured": seen.not_measured}
        for study in Store(store).studies():
            found[f"compare {study}"] = compare(Store(store).records(study))
    return found


@contextmanager
def hidden(store: Path) -> Iterator[None]:
    """The store without its compacted part."""
    aside = store / ".aside"
    (store / COMPACT_FOLDER).rename(aside)
    try:
        yield
    finally:
        aside.rename(store / COMPACT_FOLDER)


def assert_same_answers(store: Path) -> None:
    compacted = answers(store)
    with hidden(store):
        plain = answers(store)
    assert compacted.keys() == plain.keys()
    for question, answer in plain.items():
        if isinstance(answer, pd.DataFrame):
            pd.testing.assert_frame_equal(compacted[question], answer, obj=question)
        else:
            assert compacted[question] == answer, question


def from_compacted(store: Path) -> list[Path]:
    """The records that are not read from their folders."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Store(store).records(latest=False)
    return [one.path for one in found if isinstance(one.manifest, CompactManifest)]


def _drop_columns(path: Path, count: int) -> None:
    table = parquet.read_table(path)
    path.unlink()
    parquet.write_table(table.select(table.column_names[:-count]), path)


def test_every_answer_is_the_same_and_none_is_read_from_a_record(store: Path) -> None:
    made = compact(store)
    assert made.folder is not None
    assert (made.folder.name, made.records, made.added, made.is_new) == ("1", 9, 9, True)
    assert [one.path.name for one in made.left_out] == ["damaged"]
    assert len(from_compacted(store)) == 9
    assert_same_answers(store)


def test_every_key_of_a_manifest_comes_back_exactly(store: Path) -> None:
    compact(store)
    for path in from_compacted(store):
        whole = Record.read(path).manifest
        (record,) = (one for one in Store(store).records(latest=False) if one.path == path)
        assert isinstance(record.manifest, CompactManifest)
        for key, value in whole.items():
            found = record.manifest[key]
            assert (found, type(found)) == (value, type(value))
        assert {key: type(value) for key, value in record.summary.items()} == {
            key: type(value) for key, value in whole["summary"].items()
        }
        assert list(record.summary) == list(whole["summary"])
        assert record.manifest.get("nothing") is None
        assert record.manifest["phases"] == whole["phases"]
        assert dict(record.manifest) == whole


def test_only_what_is_long_and_of_one_record_is_read_from_its_manifest(store: Path) -> None:
    path = Store(store).records("old")[0].path / "manifest.json"
    manifest = json.loads(path.read_text()) | {"key_of_another_version": {"a": 1}}
    path.write_text(json.dumps(manifest))
    compact(store)
    (record,) = (one for one in Store(store).records("old") if one.path == path.parent)
    path.unlink()
    assert record.manifest["key_of_another_version"] == {"a": 1}
    assert record.manifest.get("no_such_key") is None
    assert record.train_energy
    with pytest.raises(StoreError, match="no readable manifest"):
        _ = record.phases


def test_records_stay_untouched(store: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        files = [path for study in ("old", "other", "synthetic") for path in (store / study).rglob("*")]
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}

    before = state()
    compact(store)
    assert state() == before
    assert Store(store).studies() == ["old", "other", "synthetic"]


def test_newer_records_are_read_from_their_folders_until_the_next_compaction(store: Path) -> None:
    compact(store)
    new = factories.publish_trial(store, "tensorflow", 7)
    again = factories.publish_trial(store, "torch", 1, varied={"batch_size": 32})
    assert again.repetition == 2
    assert {new.path, again.path}.isdisjoint(from_compacted(store))
    assert_same_answers(store)
    made = compact(store)
    assert (made.records, made.added, made.dropped) == (11, 2, 0)
    assert {new.path, again.path} <= set(from_compacted(store))
    assert_same_answers(store)


def test_a_second_compaction_takes_over_the_segments_and_a_third_has_nothing_to_do(store: Path) -> None:
    first = compact(store).folder
    factories.publish_trial(store, "tensorflow", 7)
    second = compact(store).folder
    assert first is not None
    assert second is not None
    for path in first.glob("samples-*.parquet"):
        assert (second / path.name).samefile(path)
    third = compact(store)
    assert (third.folder, third.is_new) == (second, False)


def test_a_removed_record_is_gone_from_every_answer(store: Path) -> None:
    compact(store)
    shutil.rmtree(Store(store).records("synthetic")[0].path)
    assert_same_answers(store)
    made = compact(store)
    assert (made.records, made.added, made.dropped) == (8, 0, 1)
    assert_same_answers(store)


def test_a_changed_manifest_counts_at_once(store: Path) -> None:
    compact(store)
    path = Store(store).records("old")[0].path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["summary"]["training_time_s"] = 123456.0
    path.write_text(json.dumps(manifest))
    assert 123456.0 in load(store)["training_time_s"].tolist()
    assert_same_answers(store)
    assert compact(store).dropped == 1
    assert 123456.0 in load(store)["training_time_s"].tolist()
    assert_same_answers(store)


def test_verifying_looks_at_the_records_themselves(store: Path) -> None:
    """A manifest damaged on the disk, of the same time and size: only reading it tells."""
    compact(store)
    record = Store(store).records("old")[0]
    path = record.path / "manifest.json"
    before, content = path.stat(), path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(b"x" + content[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.warns(DamagedRecordWarning, match="not JSON"):
        found = Store(store).records("old", verify=True)
    assert record.path not in [one.path for one in found]


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_table_that_has_changed_is_read_from_its_file(store: Path, change: str) -> None:
    compact(store)
    path = Store(store).records("old")[0].path / "steps.parquet"
    table = parquet.read_table(path)
    path.unlink()
    if change == "changed":
        parquet.write_table(table.slice(0, 5), path)
        assert len(load(store, "steps", "old")) == 5 + 40
        assert_same_answers(store)
    else:
        with pytest.raises(StoreError, match="the table steps cannot be read"):
            load(store, "steps")
        with connect(store) as connection:
            (count,) = connection.sql("SELECT count(*) FROM steps WHERE study = 'old'").fetchall()[0]
        assert count == 40
    assert compact(store).dropped == 1


def test_much_that_is_gone_makes_everything_written_anew(store: Path) -> None:
    compact(store)
    for record in Store(store).records("synthetic", latest=False)[:5]:
        shutil.rmtree(record.path)
    made = compact(store)
    assert (made.records, made.added, made.dropped) == (4, 4, 5)
    assert_same_answers(store)


KILLED = """
import os, signal, sys
from harness.records import compact, compacting
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(compacting, sys.argv[2], die)
compact(sys.argv[1])
"""


@pytest.mark.parametrize("moment", ["sync", "make_visible", "remove_old"])
def test_a_compaction_that_was_killed_leaves_every_answer_as_it_was(store: Path, moment: str) -> None:
    compact(store)
    factories.publish_trial(store, "tensorflow", 7)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(store), moment], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert_same_answers(store)
    made = compact(store)
    assert made.is_new == (moment != "remove_old")
    assert made.records == 10
    assert sorted(path.name for path in (store / COMPACT_FOLDER).iterdir()) == ["1", "2"]
    assert_same_answers(store)


def test_the_second_of_two_compactions_waits_and_finds_the_work_done(store: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    program = "from harness.cli.main import main; main()"
    command = [sys.executable, "-c", program, "store", "compact", str(store)]
    with store_lock(store, LOCK_NAME, "compacts this store", print):
        waiting = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for process in waiting:
            assert process.stderr is not None
            assert f"(process {os.getpid()} on " in process.stderr.readline()
        assert not (store / COMPACT_FOLDER).exists()
    outputs = sorted(process.communicate(timeout=120)[0] for process in waiting)
    assert [process.returncode for process in waiting] == [0, 0]
    assert "9 records, 9 read now" in outputs[0]
    assert outputs[1].startswith("nothing new: ")
    assert [path.name for path in generations(store)] == ["1"]
    assert_same_answers(store)


@pytest.mark.parametrize("damage", ["index.parquet", COMPACTION_FILE])
def test_a_damaged_compaction_is_told_and_passed_over(store: Path, damage: str) -> None:
    made = compact(store)
    assert made.folder is not None
    (made.folder / damage).write_bytes(b"garbage")
    with pytest.warns(DamagedCompactionWarning, match="store compact"):
        Store(store).records()
    assert from_compacted(store) == []
    assert_same_answers(store)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert compact(store, again=True).records == 9
    assert len(from_compacted(store)) == 9


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])
def test_a_single_damaged_byte_of_the_index_is_told_before_anything_is_read_of_it(store: Path, share: float) -> None:
    made = compact(store)
    assert made.folder is not None
    path = made.folder / "index.parquet"
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(DamagedCompactionWarning, match="another SHA-256"):
        load(store)
    assert from_compacted(store) == []
    assert_same_answers(store)


def test_a_damaged_segment_costs_time_and_no_rows(store: Path) -> None:
    made = compact(store)
    assert made.folder is not None
    for path in made.folder.glob("samples-*.parquet"):
        path.write_bytes(b"garbage")
    with pytest.warns(DamagedCompactionWarning, match="samples"):
        load(store, "samples")
    assert_same_answers(store)


@pytest.mark.filterwarnings("ignore::harness.records.compact_generation.DamagedCompactionWarning")
def test_no_damaged_byte_of_a_segment_changes_a_number(tmp_path: Path) -> None:
    factories.fill_store(tmp_path, ("torch", "caffe"), (1, 2))
    whole = load(tmp_path, "samples")
    made = compact(tmp_path)
    assert made.folder is not None
    (path,) = made.folder.glob("samples-*.parquet")
    content = path.read_bytes()
    for at in range(10, len(content), len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        pd.testing.assert_frame_equal(load(tmp_path, "samples"), whole, obj=f"with byte {at} damaged")


def test_the_compaction_of_another_version_is_none(store: Path) -> None:
    made = compact(store)
    assert made.folder is not None
    path = made.folder / COMPACTION_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 1}))
    assert from_compacted(store) == []
    assert compact(store).added == 9


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("specification", "seed", "one"), ("specification", "seed", 2**70), ("framework", "version", "\ud800")],
)
def test_a_record_that_would_not_come_back_exactly_is_left_out(
    tmp_path: Path, part: str, key: str, value: object
) -> None:
    path = synthetic.write_record(tmp_path, "torch", 1).path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest[part][key] = value
    path.write_text(json.dumps(manifest))
    synthetic.write_record(tmp_path, "caffe", 1)
    (left_out,) = compact(tmp_path).left_out
    assert left_out.path == path.parent
    assert len(Store(tmp_path).records()) == 2
    assert from_compacted(tmp_path) == [one.path for one in Store(tmp_path).records() if one.path != path.parent]


def test_strange_values_of_a_summary_come_back(tmp_path: Path) -> None:
    strange = {"training_time_s": 2**62, "steps_done": 4.0, "own_key": [1, "a"], "cpu_seconds": True}
    synthetic.write_record(tmp_path, "torch", 1, summary=strange)
    compact(tmp_path)
    (record,) = Store(tmp_path).records()
    assert isinstance(record.manifest, CompactManifest)
    for key, value in strange.items():
        assert (record.summary[key], type(record.summary[key])) == (value, type(value))


def test_a_connection_outlives_the_next_compaction(store: Path) -> None:
    compact(store)
    with connect(store) as connection:
        before = connection.sql("SELECT count(*) FROM samples").fetchall()
        factories.publish_trial(store, "tensorflow", 7)
        compact(store)
        assert connection.sql("SELECT count(*) FROM samples").fetchall() == before
    factories.publish_trial(store, "tensorflow", 8)
    compact(store)
    assert [path.name for path in generations(store)] == ["2", "3"]


def test_an_empty_store_has_nothing_to_compact(tmp_path: Path) -> None:
    made = compact(tmp_path)
    assert (made.folder, made.records, made.is_new) == (None, 0, False)
    assert not (tmp_path / COMPACT_FOLDER).exists()


def test_records_of_one_cell_share_a_token(store: Path) -> None:
    compact(store)
    records = [one for one in Store(store).records("synthetic") if one.varied]
    tokens = {
        (one.sharing("specification", "host", "framework"), one.specification["framework"]["name"]) for one in records
    }
    assert len(tokens) == 2
    with hidden(store):
        assert {one.sharing("specification") for one in Store(store).records()} == {None}
