"""docs/measurement.md defines every quantity of a record, with the unit that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.analysis.disturbances import WORDS
from harness.records.attribution import PEAK
from harness.records.schema import TABLES, columns_of
from harness.records.summary_keys import SUMMARY_KEYS
from tests import factories

DOCUMENT = Path(__file__).parents[2] / "docs" / "measurement.md"
SECTIONS = {
    "samples": "Samples",
    "gpus": "GPUs",
    "processes": "Processes",
    "steps": "Steps",
    "evaluations": "Evaluations",
    "events": "Events",
}


def section(title: str) -> str:
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> dict[str, list[str]]:
    """Name -> the other cells of its row: unit, source, error, when it is null."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^\| `.*$", section(title), flags=re.MULTILINE):
        names, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        for name in re.findall(r"`(\w+)`", names):
            assert name not in found, f"{name} is defined twice"
            found[name] = cells
    return found


def check(name: str, unit: str, cells: list[str]) -> None:
    assert len(cells) == 4, f"{name}: unit, source, error, null when"
    assert cells[0] == (unit or "text"), f"{name}: the code has the unit {unit}"
    assert all(cells), name


def test_every_key_of_the_summary_is_defined() -> None:
    defined = rows("Summary")
    assert set(defined) == set(SUMMARY_KEYS)
    for name, key in SUMMARY_KEYS.items():
        check(name, key.unit, defined[name])


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_defined(table: str) -> None:
    defined = rows(SECTIONS[table])
    for column in columns_of(table):
        assert column.name in defined, f"{table}: `{column.name}` is not in docs/measurement.md"
        check(column.name, column.unit, defined[column.name])


def test_every_quantity_of_a_phase_and_every_disturbance_is_defined(tmp_path: Path) -> None:
    phase = factories.publish_trial(tmp_path).phases[0]
    identity = {"phase", "begin_ns", "end_ns", "first_step", "last_step", "finished"}
    assert set(rows("Phases")) == set(phase) - identity and PEAK in phase
    assert set(rows("Disturbances")) == set(WORDS)
