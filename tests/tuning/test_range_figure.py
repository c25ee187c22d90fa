"""The figure of a range test as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DlgaugeError
from harness.reporting.range_figures import write_range_figure
from tests.tuning.test_range_rule import diverged, judged, outcome


@pytest.mark.parametrize(
    ("suffix", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")]
)
def test_a_figure_of_every_form(tmp_path: Path, suffix: str, begin: bytes) -> None:
    found = judged([outcome(0.001, loss=1.9), outcome(0.01), outcome(0.1), diverged(1.0)])
    path = tmp_path / f"range{suffix}"
    write_range_figure([found], path, "a range test")
    content = path.read_bytes()
    assert content.startswith(begin)
    if suffix == ".html":
        assert b"learning rate, constant during a run" in content


def test_nothing_usable_is_drawn_too(tmp_path: Path) -> None:
    found = judged([diverged(rate) for rate in (0.001, 0.01, 0.1, 1.0)])
    write_range_figure([found], tmp_path / "none.png", "a range test")
    assert (tmp_path / "none.png").stat().st_size > 1000


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DlgaugeError, match="written as"):
        write_range_figure([judged([outcome(0.1)])], tmp_path / "range.gif", "")
