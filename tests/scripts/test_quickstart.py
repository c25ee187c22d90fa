"""`scripts/quickstart` and `scripts/test` with stand-ins for the programs they call; and the form of all scripts."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.paths import PROJECT_ROOT

BASH_SCRIPTS = [
    *(PROJECT_ROOT / "scripts" / name for name in ("container-engine", "quickstart", "test")),
    *sorted((PROJECT_ROOT / "scripts" / "lib").glob("*.sh")),
    PROJECT_ROOT / ".ci" / "run",
]

DLGAUGE = """#!/bin/sh
printf '%s\\n' "dlgauge $*" >>calls
[ "$1" != "${FAIL:-}" ]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the scripts whose .venv is already set up with a `dlgauge` that only notes its calls."""
    root = tmp_path / "checkout"
    shutil.copytree(PROJECT_ROOT / "scripts", root / "scripts")
    shutil.copy(PROJECT_ROOT / "pyproject.toml", root)
    programs = root / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "dlgauge").write_text(DLGAUGE)
    (programs / "dlgauge").chmod(0o755)
    digest = hashlib.sha256(f"{root}\n".encode() + (root / "pyproject.toml").read_bytes()).hexdigest()
    (root / ".venv" / ".dlgauge-setup").write_text(f"{digest}  -\n")
    return root


def quickstart(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it where no engine answers."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DLGAUGE_")}
    return subprocess.run(
        [str(checkout / "scripts" / "quickstart"), *arguments],
        env={**kept, "DOCKER_HOST": f"unix://{checkout}/dead.sock", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(checkout: Path) -> list[str]:
    return (checkout / "calls").read_text().splitlines()


def test_without_engine_it_says_what_is_left_out_and_goes_on(checkout: Path) -> None:
    result = quickstart(checkout)
    assert result.returncode == 0, result.stderr
    assert "Caffe and Theano run in containers and are left out" in result.stderr
    assert "scripts/container-engine start" in result.stderr
    assert calls(checkout) == ["dlgauge prepare --study studies/quickstart.yaml", "dlgauge run studies/quickstart.yaml"]


def test_arguments_reach_the_run_unchanged(checkout: Path) -> None:
    quickstart(checkout, "--store", "a folder", "--again")
    assert calls(checkout)[-1] == "dlgauge run studies/quickstart.yaml --store a folder --again"


def test_status_of_the_run_is_passed_on(checkout: Path) -> None:
    assert quickstart(checkout, FAIL="run").returncode == 1


def test_failed_preparation_does_not_stop_the_others(checkout: Path) -> None:
    result = quickstart(checkout, FAIL="prepare")
    assert result.returncode == 0
    assert "not every environment is ready" in result.stderr


def test_no_python_is_said_plainly(checkout: Path, tmp_path: Path) -> None:
    """Every Python in sight is too old."""
    (checkout / ".venv" / "bin" / "python").unlink()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (programs / name).write_text('#!/bin/sh\n[ "$1" != --version ] || echo Python 3.7.3\nexit 1\n')
        (programs / name).chmod(0o755)
    result = quickstart(checkout, PATH=f"{programs}:{os.environ['PATH']}", PYTHON="")
    assert result.returncode == 1
    assert "python3 (Python 3.7.3)" in result.stderr
    assert not (checkout / "calls").exists()


@pytest.mark.parametrize("script", BASH_SCRIPTS, ids=lambda path: path.name)
def test_script_is_sound(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)
    if shutil.which("shellcheck"):
        command = ["shellcheck", "-x", "-P", str(PROJECT_ROOT), str(script)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", ["theano", "torch@debian11"])
def test_images_share_their_first_layer(name: str) -> None:
    """The engine builds the common part once only while it is the same, byte for byte."""

    def first_layer(framework: str) -> str:
        text = (PROJECT_ROOT / "frameworks" / framework / "Dockerfile").read_text()
        return text[text.index("\nFROM ") :].split("\n\n")[1]

    assert first_layer(name).startswith("RUN ")
    assert first_layer(name) == first_layer("caffe")
