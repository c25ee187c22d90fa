"""The `dlgauge` program on adapters that need nothing but NumPy, without venvs: in the tests' own interpreter."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from harness.cli.main import app
from harness.execution import venvs
from harness.study import FrameworkDescription
from tests.execution.fake_study import HereEnvironment

REFERENCE_VERSION = '"2.4.6"'
"""As `environment.yaml` of the reference has it; the NumPy of this interpreter may be another."""


class HereWithNumpy(HereEnvironment):
    """The running interpreter, with the NumPy that it has."""

    def __init__(self, framework: FrameworkDescription) -> None:
        super().__init__(replace(framework, version=np.__version__))


def use_this_interpreter(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Let every venv be this interpreter, and keep what is made in a cache of its own."""
    monkeypatch.setenv("DLGAUGE_CACHE", str(cache))
    monkeypatch.setattr(venvs, "VenvEnvironment", HereWithNumpy)


def copy_framework(source: Path, parent: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A framework's folder as one of another name outside the project, found through `DLGAUGE_FRAMEWORKS`."""
    folder = parent / name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = folder / "environment.yaml"
    text = environment.read_text().replace(f"framework: {source.name}\n", f"framework: {name}\n")
    environment.write_text(text.replace(REFERENCE_VERSION, f'"{np.__version__}"'))
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace(f"frameworks.{source.name}", f"frameworks.{name}"))
    monkeypatch.setenv("DLGAUGE_FRAMEWORKS", str(parent))
    return folder


def dlgauge(*arguments: str | os.PathLike[str]) -> Result:
    """What the program says to these arguments."""
    return CliRunner().invoke(app, [os.fspath(argument) for argument in arguments])
