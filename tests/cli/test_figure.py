"""`dlgauge figure`, as it is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import DlgaugeError
from harness.paths import PROJECT_ROOT
from tests.synthetic import write_study


def figure(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["figure", *(str(one) for one in arguments)], catch_exceptions=True)


def error_of(*arguments: Any) -> str:
    result = figure(*arguments)
    assert isinstance(result.exception, DlgaugeError), result.output
    return str(result.exception)


def test_the_list_names_figures_tables_and_factors() -> None:
    output = figure("--list").output
    for name in ("time-accuracy", "sweep", "resources", "learning-rates", "libraries", "loss-curves", "table-policies"):
        assert f"  {name}" in output
    assert "batch size (images)" in output


def test_a_figure_is_written_with_its_numbers_and_caption(tmp_path: Path) -> None:
    write_study(tmp_path / "store")
    result = figure("time-accuracy", tmp_path / "store", "-o", tmp_path / "f.svg", "--width", "page", "--font", "serif")
    assert result.exit_code == 0, result.exception
    assert {path.name for path in tmp_path.glob("f.*")} == {"f.svg", "f.csv", "f.caption.txt", "f.caption.tex"}
    assert f"written: {tmp_path / 'f.svg'}" in result.output


def test_tables_go_to_the_terminal_or_a_file(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert figure("table-outcomes", tmp_path).output.startswith("% needs \\usepackage{booktabs}\n% trials: ")
    assert "\\toprule" in figure("time-accuracy", tmp_path, "--format", "latex").output
    figure("table-outcomes", tmp_path, "-o", tmp_path / "t.tex", "--outcome", "top1_percent")
    assert "top-1 accuracy (\\%)" in (tmp_path / "t.tex").read_text()


def test_mistakes_are_named(tmp_path: Path) -> None:
    write_study(tmp_path)
    assert "there is no figure 'swep' … did you mean 'sweep'?" in error_of("swep", tmp_path)
    assert "which figure?" in error_of()
    assert "--over means nothing to time-accuracy" in error_of("time-accuracy", tmp_path, "--over", "batch_size")
    assert "it takes neither --outcome, --over nor --log" in error_of("resources", tmp_path, "--outcome", "x")
    assert "written as .pdf, .svg, .png, not '.jpg'" in error_of("time-accuracy", tmp_path, "-o", "a.jpg")
    assert "no record of study 'x'" in error_of("time-accuracy", tmp_path, "--study", "x")
    assert "figure of curves" in error_of("loss-curves", tmp_path, "--format", "latex")
    assert "--width 'huge'" in error_of("time-accuracy", tmp_path, "--width", "huge")
    assert not list(tmp_path.glob("*.pdf"))


def test_a_figure_higher_than_a_page_says_so(tmp_path: Path) -> None:
    from tests.reporting.paper.stores import write_policies

    policies = [{"policy": "FIX", "k0": round(0.001 * index, 3)} for index in range(1, 41)]
    write_policies(tmp_path, ("torch",), policies)
    result = figure("time-accuracy", tmp_path, "-o", tmp_path / "f.pdf")
    assert "mm high, more than a page: draw a part with --where" in result.output


@pytest.mark.parametrize("module", ["matplotlib", "pandas", "scipy", "pyarrow"])
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"import sys; import harness.cli.main; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0
