"""The report page without a browser: whole, escaped, and alone."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.analysis import compare
from harness.cli.main import app
from harness.errors import StoreError
from harness.records import Store
from harness.reporting import write_report
from harness.reporting.figures import points_of_a_curve
from harness.reporting.grid import comparison_grid
from harness.reporting.page_tables import quality_rows, software_rows
from harness.reporting.palette import FRAMEWORK_INKS, framework_inks
from tests.synthetic import write_record, write_study

EVIL = "</script><script>alert('1')</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """Elements with their attributes, and the texts of the cells of the tables by the table's id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._table = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag if tag in ("script", "th", "td") else self._in
        if tag == "table":
            self._table = dict(attrs).get("id") or ""
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("th", "td"):
            self.tables[self._table][-1].append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "th", "td"):
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in:
            self.tables[self._table][-1][-1] += data.strip()

    @property
    def data(self) -> dict[str, Any]:
        """What the figures are drawn from."""
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found


def page_of(store: Path, study: str = "demo") -> Page:
    return Page(write_report(store, study).read_text(encoding="utf-8"))


def test_page_loads_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    page = page_of(tmp_path)
    for tag, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert tag not in ("link", "iframe", "object", "embed", "base")
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    own = page.scripts[2]
    assert "http" not in own
    assert "fetch" not in own


def test_table_holds_what_compare_shows(tmp_path: Path) -> None:
    write_study(tmp_path)
    grid = comparison_grid(compare(Store(tmp_path).records()))
    shown = page_of(tmp_path).tables["comparison-table"]
    assert shown == [list(grid.headers), *([cell.mean + cell.spread for cell in row] for row in grid.rows)]


def test_foreign_text_is_only_text(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, version=EVIL)
    write_record(tmp_path, EVIL, 1, termination="crashed", reason=EVIL, log_tail=(EVIL,))
    page = page_of(tmp_path)
    assert len(page.scripts) == 3
    assert "img" not in {tag for tag, _ in page.elements}
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert EVIL in page.data["frameworks"]
    assert any(EVIL in cell for row in page.tables["trials-table"] for cell in row)


def test_trials_that_failed_are_told_with_log_and_path(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    crashed = write_record(
        tmp_path, "caffe", 1, termination="crashed", reason="exit status 3", log_tail=("last words",)
    )
    page = page_of(tmp_path)
    row = next(row for row in page.tables["trials-table"] if row[0] == crashed.id)
    assert row[4] == "crashed"
    assert "exit status 3" in row[-1]
    assert "last words" in row[-1]
    assert str(crashed.path) in row[-1]


def test_only_trials_flagged_by_their_audit_are_flagged(tmp_path: Path) -> None:
    good = write_record(tmp_path, "torch", 1)
    bad = write_record(tmp_path, "torch", 2, cpu_accounts=(20.0, 15.0, None))
    assert (good.manifest["sampling"]["audit"]["flag"], bad.manifest["sampling"]["audit"]["flag"]) == (False, True)
    rows = {row.id: row for row in quality_rows([good, bad])}
    assert (rows[good.id].flagged, rows[bad.id].flagged) == (False, True)
    assert rows[good.id].audit == "cgroup 19.95 s, process tree 19.80 s, wait4 19.90 s"
    assert rows[bad.id].audit == "cgroup 20.00 s, process tree 15.00 s"


@pytest.mark.parametrize(
    ("framework", "blas", "shown"),
    [
        ("torch", [{"name": "openblas", "path": "/a", "of": "numpy"}], "own (not switchable)"),
        ("torch", [{"name": "openblas", "path": "/a", "of": "numpy"}, {"name": "mkl", "path": "/b"}], "mkl"),
        ("torch", [{"name": "openblas", "path": "/x/numpy.libs/libscipy_openblas64_.so"}], "own (not switchable)"),
        ("torch", [], "own (not switchable)"),
        ("torch", None, "none reported"),
        ("caffe", [{"name": "openblas", "path": "/a"}, {"name": "openblas", "path": "/b"}], "openblas"),
        ("caffe", [{"name": "openblas", "path": "/a", "of": "numpy"}], "none reported"),
    ],
)
def test_blas_is_what_the_framework_computes_with(tmp_path: Path, framework: str, blas: Any, shown: str) -> None:
    (row,) = software_rows([write_record(tmp_path, framework, described={"blas": blas})])
    assert row.blas == shown


def test_software_tells_every_version_of_the_code(tmp_path: Path) -> None:
    records = [write_record(tmp_path, "torch", seed, code=code) for seed, code in ((1, "12" * 32), (2, None))]
    assert sorted(row.code for row in software_rows(records)) == ["121212121212", "n/a"]
    assert "<code>121212121212</code>" in write_report(tmp_path, "demo").read_text()


def test_a_study_without_a_completed_trial_has_a_report(tmp_path: Path) -> None:
    write_record(tmp_path, termination="crashed", reason="boom", samples=False)
    text = write_report(tmp_path, "demo").read_text()
    assert "nothing to compare" in text
    assert "boom" in text


def test_no_record_is_an_error(tmp_path: Path) -> None:
    write_record(tmp_path, study="demo")
    with pytest.raises(StoreError, match="no record of study 'other'"):
        write_report(tmp_path, "other")


def test_a_damaged_table_is_told_and_the_page_stands(tmp_path: Path) -> None:
    record = write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2)
    (record.path / "steps.parquet").write_bytes(b"damaged")
    page = page_of(tmp_path)
    assert len(page.data["problems"]) == 1
    assert len(page.data["cells"][0]["loss"]) == 1


def test_size_and_time_of_twelve_trials(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for framework in ("caffe", "tensorflow", "theano", "torch"):
            write_record(tmp_path, framework, seed, steps=10_000)
    begin = time.monotonic()
    path = write_report(tmp_path, "demo")
    assert time.monotonic() - begin < 5
    assert path.stat().st_size < 6_000_000
    data = Page(path.read_text()).data
    assert all(len(curve["step"]) <= 1000 for cell in data["cells"] for curve in cell["loss"])
    assert {curve["step"][0] for cell in data["cells"] for curve in cell["loss"]} == {1}
    assert {curve["step"][-1] for cell in data["cells"] for curve in cell["loss"]} == {10_000}
    assert len(data["timelines"]) == 12


def test_many_trials_get_fewer_points_each() -> None:
    assert points_of_a_curve(12) == 1000
    assert points_of_a_curve(50) == 300
    assert points_of_a_curve(10_000) == 200


def test_every_framework_keeps_its_colour() -> None:
    assert framework_inks(["torch"])["torch"] == framework_inks(["new", "torch", "caffe"])["torch"]
    assert len({ink.light for ink in FRAMEWORK_INKS.values()}) == len(FRAMEWORK_INKS)
    assert framework_inks(name for name in ("b", "a", "torch")).keys() == {"a", "b", "torch"}


def test_accessible_structure(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    page = page_of(tmp_path)
    assert ("html", {"lang": "en"}) in page.elements
    plots = [attributes for _, attributes in page.elements if attributes.get("class") == "plot"]
    assert len(plots) == 5
    assert all(plot.get("role") == "img" and plot.get("aria-label") for plot in plots)
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert {link[1:] for link in links if link} <= set(identifiers)


def test_command(tmp_path: Path) -> None:
    write_record(tmp_path, study="one")
    write_record(tmp_path, study="two")
    runner = CliRunner()
    both = runner.invoke(app, ["report", str(tmp_path)])
    assert both.exit_code == 0
    assert (tmp_path / "one.html").is_file()
    assert (tmp_path / "two.html").is_file()
    output = tmp_path / "deep" / "x.html"
    assert runner.invoke(app, ["report", str(tmp_path), "--study", "one", "-o", str(output)]).exit_code == 0
    assert re.search(r"<h1>one</h1>", output.read_text())
    refused = runner.invoke(app, ["report", str(tmp_path), "-o", str(output)])
    assert "add --study" in str(refused.exception)
    # The page stands beside the records and is none of them.
    assert len(Store(tmp_path).records()) == 2
