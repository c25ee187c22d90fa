"""The scripts of measured figures: each starts, and says what it measures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "scripts" / "benchmarks"
SCRIPTS = sorted(path for path in BENCHMARKS.glob("*.py") if path.read_text().startswith("#!"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_of_figures_starts_and_says_what_it_measures(script: Path) -> None:
    found = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    first = re.search(r'"""(.*?)[\n"]', script.read_text())
    assert first is not None
    assert " ".join(first[1].split())[:40] in " ".join(found.stdout.split())
