"""`dlgauge store`: what it says of a store, and of what it did."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import StoreError
from harness.records import Store, store_info
from tests import synthetic


def told(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["store", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_compact_says_what_it_read_and_what_was_gone(tmp_path: Path) -> None:
    synthetic.write_study(tmp_path, ("torch", "caffe"), 3)
    folder = tmp_path / ".compact"
    assert told("compact", str(tmp_path)) == f"{folder}/1: 6 records, 6 read now\n"
    assert told("compact", str(tmp_path)).startswith(f"nothing new: {folder}/1 has all 6 records")
    shutil.rmtree(Store(tmp_path).records()[0].path)
    assert told("compact", str(tmp_path)) == (
        f"{folder}/2: 5 records, 0 read now, 1 that are gone or have changed left behind\n"
    )
    assert told("compact", "--again", str(tmp_path)) == f"{folder}/3: 5 records, 5 read now\n"


def test_compact_names_what_it_leaves_out(tmp_path: Path) -> None:
    synthetic.write_record(tmp_path, "torch", 1)
    broken = tmp_path / "demo" / "broken"
    broken.mkdir()
    lines = told("compact", str(tmp_path)).splitlines()
    assert lines[1].startswith(f"left out, read from its folder as before: {broken}: ")
    assert "manifest.json" in lines[1]


def test_info_counts_what_there_is(tmp_path: Path) -> None:
    records = [synthetic.write_record(tmp_path, "torch", seed) for seed in (1, 2, 3)]
    samples = sum(record.table("samples").num_rows for record in records)
    before = json.loads(told("info", "--json", str(tmp_path)))
    assert (before["records"], before["samples"], before["compacted"]) == (3, samples, 0)
    assert (before["generation"], before["compacted_bytes"]) == (None, 0)
    told("compact", str(tmp_path))
    synthetic.write_record(tmp_path, "caffe", 1, termination="crashed", reason="broken")
    after = json.loads(told("info", "--json", str(tmp_path)))
    assert (after["records"], after["compacted"], after["compacted_share"]) == (4, 3, 0.75)
    assert after["terminations"] == {"completed": 3, "crashed": 1}
    on_disk = sum(path.stat().st_blocks * 512 for path in (tmp_path / ".compact").rglob("*"))
    assert after["compacted_bytes"] == on_disk
    shown = told("info", str(tmp_path))
    assert "compacted  3 records (75.0 %), generation 1" in shown
    assert "(3 completed, 1 crashed)" in shown


def test_a_store_that_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    for command in ("compact", "info"):
        with pytest.raises(StoreError, match="there is no store here"):
            CliRunner().invoke(app, ["store", command, str(tmp_path / "none")], catch_exceptions=False)


def test_an_empty_store_is_told(tmp_path: Path) -> None:
    assert told("compact", str(tmp_path)) == "the store holds no record: nothing to compact\n"
    assert "records    0 of 0 studies" in told("info", str(tmp_path))


def test_what_is_removed_while_it_is_counted_takes_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study").mkdir()
    for name in ("kept", "gone"):
        (tmp_path / "study" / name).write_bytes(b"x" * 10_000)
    whole = store_info.disk_bytes(tmp_path / "study")
    entries = store_info._entries

    def racing(folder: Path) -> Iterator[os.DirEntry[str]]:
        for one in entries(folder):
            if one.name == "gone":
                Path(one.path).unlink()
            yield one

    monkeypatch.setattr(store_info, "_entries", racing)
    assert store_info.disk_bytes(tmp_path / "study") == whole // 2
