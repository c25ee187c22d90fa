"""`scripts/paper-figures`: all that some stores give, and a word on what they do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.paths import PROJECT_ROOT
from tests.reporting.paper.stores import write_sweep
from tests.synthetic import write_record, write_study


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / "paper-figures"), *(str(one) for one in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_everything_that_a_store_gives_is_made(tmp_path: Path) -> None:
    write_study(tmp_path / "a")
    write_sweep(tmp_path / "a")
    write_record(tmp_path / "a", "torch", 1, study="broken", termination="crashed", reason="broken")
    write_study(tmp_path / "b", ("torch",))
    found = run(tmp_path / "a", tmp_path / "b", "--into", tmp_path / "out", "--width", "column")
    assert found.returncode == 0, found.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"sweep-sweep.svg", "sweep-sweep.csv", "sweep-table-outcomes.tex", "demo-a-time-accuracy.svg"} <= names
    assert "demo-b-loss-curves.caption.txt" in names
    assert not any(name.startswith("broken") for name in names)
    assert "none: demo: sweep: the study varies no factor that is a number" in found.stdout
    assert "none: broken: time-accuracy: no trial of study 'broken' completed" in found.stdout


def test_nothing_to_draw_is_a_failure(tmp_path: Path) -> None:
    write_study(tmp_path)
    found = run(tmp_path, "--study", "other", "--into", tmp_path / "out")
    assert (found.returncode, found.stderr) == (1, "error: none of the stores holds other\n")
    assert "Traceback" not in run(tmp_path / "nowhere").stderr
