"""The program around its commands: standard streams that are closed, errors in words."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import _words
from harness.paths import PROJECT_ROOT

PROGRAM = f"{sys.executable} -c 'from harness.cli.main import main; main()'"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ("--version >&-", 0, ""),
        ("--version <&- >&- 2>&-", 0, ""),
        ("frameworks >&-", 0, ""),  # asks whether the output is a terminal
        ("plan no-such-study >&-", 2, "error: "),
    ],
)
def test_a_closed_output_is_no_traceback(arguments: str, status: int, told: str) -> None:
    run = subprocess.run(
        ["sh", "-c", f"{PROGRAM} {arguments}"], capture_output=True, text=True, cwd=PROJECT_ROOT, check=False
    )
    assert run.returncode == status
    assert run.stdout == ""
    assert run.stderr.startswith(told)
    assert "Traceback" not in run.stderr
    assert run.stderr or not told


def test_a_closed_output_does_not_lend_its_number_to_a_file() -> None:
    code = "import os, sys; from harness.cli.main import _open_missing; _open_missing(); "
    code += "print(os.fstat(1).st_rdev, os.get_inheritable(1), os.open(sys.executable, 0) > 2, file=sys.stderr)"
    run = subprocess.run(
        ["sh", "-c", f"{sys.executable} -c '{code}' <&- >&-"],
        capture_output=True,
        text=True,
        cwd=PROJECT_ROOT,
        check=True,
    )
    assert run.stderr.split() == [str(Path(os.devnull).stat().st_rdev), "True", "True"]


@pytest.mark.parametrize(
    ("filename", "words"),
    [("x.yaml", "x.yaml: Permission denied"), (b"x", "x: Permission denied"), (7, "descriptor 7: Permission denied")],
)
def test_an_unforeseen_error_names_its_file(filename: str | bytes | int, words: str) -> None:
    assert _words(PermissionError(errno.EACCES, "Permission denied", filename)) == words
