"""Comparison and page from records that went through the real writer, with every termination there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.analysis import compare
from harness.execution.outcome import TerminationKind
from harness.records import Store
from harness.reporting import write_report
from harness.reporting.page_tables import phase_table, quality_rows
from harness.reporting.text import plain
from tests.factories import fill_store, publish_trial


def test_numbers_are_those_of_the_records(tmp_path: Path) -> None:
    records = fill_store(tmp_path, seeds=(1, 2))
    comparison = compare(Store(tmp_path).records())
    assert [(cell.key.framework, cell.n) for cell in comparison.cells] == [
        ("caffe", 2),
        ("tensorflow", 2),
        ("theano", 2),
        ("torch", 2),
    ]
    for cell in comparison.cells:
        mine = [record for record in records if record.specification["framework"]["name"] == cell.key.framework]
        value = cell.values["training_time_s"].statistics
        assert value is not None
        assert value.mean == pytest.approx(sum(float(r.summary["training_time_s"] or 0) for r in mine) / len(mine))
    assert not any(row.flagged for row in quality_rows(records))
    assert len(comparison.conditions) == 1
    assert {ratio.reference.framework for ratio in comparison.ratios} == {"tensorflow"}


def test_every_termination_is_told(tmp_path: Path) -> None:
    kinds = [str(kind) for kind in TerminationKind]
    for seed, kind in enumerate(kinds, start=1):
        publish_trial(tmp_path, "torch", seed, kind)
    comparison = compare(Store(tmp_path).records())
    assert sum(cell.n for cell in comparison.cells) == 1
    assert sorted(one.termination for one in comparison.excluded) == sorted(set(kinds) - {"completed"})
    text = plain(comparison, tmp_path)
    page = write_report(tmp_path, "synthetic").read_text(encoding="utf-8")
    for kind in kinds[1:]:
        assert f": {kind}: " in text
        assert f">{kind.replace('_', ' ')}</span>" in page


def test_varied_trials_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    for batch_size in (128, 32):
        for seed in (1, 2):
            publish_trial(tmp_path, "torch", seed, batch_size=batch_size, varied={"batch_size": batch_size})
    comparison = compare(Store(tmp_path).records())
    assert [dict(cell.key.varied) for cell in comparison.cells] == [{"batch_size": "32"}, {"batch_size": "128"}]
    page = write_report(tmp_path, "synthetic").read_text(encoding="utf-8")
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    cells = json.loads(found[1])["cells"]
    assert [cell["name"] for cell in cells] == ["torch · batch_size=32", "torch · batch_size=128"]
    assert len({cell["dash"] for cell in cells}) == 2


def test_the_page_says_what_each_phase_used(tmp_path: Path) -> None:
    record = publish_trial(tmp_path, "torch")
    found = phase_table(record)
    assert found.titles == ("time s", "CPU s", "read MiB", "written MiB")
    rows = {row.phase: row for row in found.rows}
    names = ["before", "import", "prepare", "build", "warm up", "train", "evaluate", "teardown", "after", "whole trial"]
    assert list(rows) == names
    assert (rows["train"].count, rows["evaluate"].count, rows["whole trial"].count) == ("2", "2", "")
    assert float(rows["train"].texts[1]) == pytest.approx(float(record.summary["training_cpu_seconds"] or 0), rel=1e-3)
    assert float(rows["whole trial"].texts[1]) == pytest.approx(float(record.summary["cpu_seconds"] or 0), rel=1e-3)
    page = write_report(tmp_path, "synthetic").read_text(encoding="utf-8")
    assert '<table id="phases-1">' in page
    assert f'<td class="number">{rows["whole trial"].texts[1]}</td>' in page
