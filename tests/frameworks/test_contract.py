"""Every framework keeps the adapter contract, tested as by somebody who has dlgauge installed: from another folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.execution import Readiness, make_environment
from harness.paths import PROJECT_ROOT
from harness.study import load_frameworks
from tests.here import dlgauge
from tests.requirements import require

FRAMEWORKS = load_frameworks()


def suite(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The suite by its package's name; `folder` is not the project's, so nothing is found by lying near."""
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--pyargs",
        "harness.testing.contract",
        *arguments,
    ]
    return subprocess.run(
        argv, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.containers
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_keeps_the_contract(name: str, tmp_path: Path) -> None:
    state = make_environment(FRAMEWORKS[name]).state()
    require("containers", state.readiness is Readiness.READY, f"{name}: {state.reason}; {state.hint}")
    result = suite(tmp_path, "--adapter", name, "-q")
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


@pytest.mark.slow
def test_an_adapter_outside_the_project_keeps_it_in_a_venv_of_its_own(tmp_path: Path) -> None:
    """What it refuses is skipped with its reason."""
    examples = PROJECT_ROOT / "docs" / "examples"
    result = suite(tmp_path, "--adapter", "plain", "-rs", DLGAUGE_FRAMEWORKS=str(examples))
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert "unsupported: layer dropout3 of kind 'dropout': this adapter has no such layer" in result.stdout
    assert re.search(r"\b23 passed, 30 skipped\b", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--adapter", "nmpy"), "ERROR: unknown framework 'nmpy'\n  did you mean 'numpy'? known: "),
        ((), "ERROR: no adapter to test\n  name one with --adapter: "),
    ],
    ids=["unknown", "missing"],
)
def test_an_unknown_or_missing_adapter_is_one_message(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = suite(tmp_path, *arguments)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_the_program_names_what_is_unknown() -> None:
    unknown = dlgauge("adapter", "check", "nmpy").exception
    assert str(unknown).startswith("unknown framework 'nmpy'\n  did you mean 'numpy'?")
    nothing = dlgauge("adapter", "check", "numpy", "--only", "no-such-check").exception
    assert str(nothing).startswith("no check has 'no-such-check' in its name\n  checks: convolution-valid, ")
