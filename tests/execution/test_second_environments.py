"""A framework in a second environment: its adapter's code, and names that an engine and a file system take."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from harness.execution.containers import ContainerEnvironment
from harness.execution.venvs import VenvEnvironment, make_import_folder
from harness.study import FrameworkDescription
from tests.execution.fake_study import FAKES, fake_frameworks

IMAGE_NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*:[A-Za-z0-9_.-]+")


def second_environment(folder: Path) -> FrameworkDescription:
    """The fake framework as another one that stands in `folder` has it."""
    return dataclasses.replace(fake_frameworks()["fake"], name="fake@other", folder=folder)


def test_the_worker_imports_the_adapter_under_its_own_name(tmp_path: Path) -> None:
    make_import_folder(tmp_path / "trial", second_environment(tmp_path))
    package = tmp_path / "trial" / "import" / "frameworks"
    assert sorted(path.name for path in package.iterdir()) == ["fake", "worker"]
    assert (package / "fake").resolve() == (FAKES / "fake").resolve()


def test_images_and_folders_have_names_without_the_sign(tmp_path: Path) -> None:
    framework = second_environment(tmp_path)
    assert VenvEnvironment(framework).folder.name.startswith("fake-other-")
    assert ContainerEnvironment(framework).tag.startswith("dlgauge/fake-other:")
    assert IMAGE_NAME.fullmatch(ContainerEnvironment(framework).tag)
