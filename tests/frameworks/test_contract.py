"""Every framework keeps the adapter contract, asked as somebody would who has dlgauge installed: from another folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.execution import Readiness, make_environment
from harness.study import load_frameworks
from tests.here import dlgauge
from tests.requirements import require

FRAMEWORKS = load_frameworks()


def suite(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
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
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.containers
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_keeps_the_contract(name: str, tmp_path: Path) -> None:
    state = make_environment(FRAMEWORKS[name]).state()
    require("containers", state.readiness is Readiness.READY, f"{name}: {state.reason}; {state.hint}")
    result = suite(tmp_path, "--adapter", name, "-q")
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--adapter", "nmpy"), "ERROR: unknown framework 'nmpy'\n  did you mean 'numpy'? known: "),
        ((), "ERROR: no adapter to test\n  name one with --adapter: "),
    ],
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
