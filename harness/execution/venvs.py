"""Managed venvs: made with `python -m venv`, filled from pinned requirements, kept in the cache by content hash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFailed
from harness.execution.environments import EnvironmentState, Readiness, Say, worker_variables
from harness.execution.launching import VenvLaunch, write_launch_file
from harness.paths import PROJECT_ROOT, cache_folder
from harness.sampling.cgroups import TrialCgroup, create_trial_cgroup
from harness.study import FrameworkDescription

MARKER = "dlgauge-ready.txt"
REQUIREMENTS = "requirements.txt"
PIP_LOG_LINES = 15
IMPORT_FOLDER = "import"


class VenvEnvironment:
    """See `Environment`. Identity: the framework folder's hash and this interpreter's version."""

    def __init__(self, framework: FrameworkDescription) -> None:
        self.framework = framework
        python = f"py{sys.version_info.major}{sys.version_info.minor}"
        name = f"{framework.file_name}-{framework.environment_sha256[:12]}-{python}"
        self.folder = cache_folder().absolute() / "envs" / name

    @property
    def python(self) -> Path:
        """The venv's interpreter."""
        return self.folder / "bin" / "python"

    def state(self) -> EnvironmentState:
        """See `Environment`."""
        if not (self.folder / MARKER).exists():
            return EnvironmentState(
                Readiness.NOT_PREPARED, "its venv has not been made", f"dlgauge prepare {self.framework.name}"
            )
        if not os.access(self.python, os.X_OK):
            return EnvironmentState(
                Readiness.UNUSABLE,
                f"its interpreter does not run: {self.python}",
                f"remove {self.folder} and run: dlgauge prepare {self.framework.name}",
            )
        return EnvironmentState(Readiness.READY)

    def prepare(self, say: Say) -> None:
        """See `Environment`; safe when two processes prepare at once."""
        try:
            self._prepare(say)
        except OSError as error:
            raise EnvironmentFailed(
                f"the venv of {self.framework.title} cannot be made: {error}",
                where=str(self.folder),
                hint="free space or get the permission, or name another cache folder with DLGAUGE_CACHE",
            ) from error

    def _prepare(self, say: Say) -> None:
        with self._locked():
            if self.state().readiness is Readiness.READY:
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            say(f"making a venv with {self.framework.title} {self.framework.version}")
            try:
                self._run([sys.executable, "-m", "venv", str(self.folder)])
                requirements = self.framework.folder / REQUIREMENTS
                self._run([str(self.python), "-m", "pip", "install", "--no-input", "-q", "-r", str(requirements)])
                packages = self._run([str(self.python), "-m", "pip", "freeze"])
                (self.folder / MARKER).write_text(packages)
            except BaseException:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def facts(self) -> dict[str, Any]:
        """See `Environment`."""
        marker = self.folder / MARKER
        return {
            "kind": "venv",
            "environment_sha256": self.framework.environment_sha256,
            "packages": marker.read_text().split() if marker.exists() else None,
        }

    def data_folder_seen(self, data_folder: Path) -> str:
        """See `Environment`: the same folder."""
        return str(data_folder)

    def launch(self, trial_folder: Path, data_folder: Path, specification: Mapping[str, Any]) -> VenvLaunch:
        """See `Environment`."""
        del data_folder
        make_import_folder(trial_folder, self.framework)
        profile = specification["profile"]
        base = {
            "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(trial_folder),
            # Relative to the trial folder, where the launcher starts the worker: a path may hold a colon.
            "PYTHONPATH": IMPORT_FOLDER,
            "PYTHONNOUSERSITE": "1",
        }
        cgroup, why_not = create_trial_cgroup(trial_folder.name)
        try:
            _limit_memory(cgroup, why_not, profile)
            write_launch_file(
                trial_folder,
                [str(self.python), "-m", "frameworks.worker", str(trial_folder)],
                worker_variables(self.framework, specification, base),
                cpus=profile["cpus"],
                join=[str(path) for path in cgroup.procs_files] if cgroup else [],
                parent=os.getpid(),
                time_limit_s=specification["time_limit_s"],
            )
            return VenvLaunch(trial_folder, cgroup)
        except BaseException:
            if cgroup:
                cgroup.kill_all()
                cgroup.remove()
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _run(self, argv: list[str]) -> str:
        result = subprocess.run(argv, capture_output=True, text=True, errors="backslashreplace", check=False)
        if result.returncode:
            tail = "\n  ".join((result.stderr or result.stdout).strip().splitlines()[-PIP_LOG_LINES:])
            raise EnvironmentFailed(
                f"{self.framework.title} {self.framework.version} could not be installed: "
                f"`{' '.join(argv[-6:])}` ended with status {result.returncode}:\n  {tail}",
                where=str(self.framework.folder / REQUIREMENTS),
                hint="pip's message above says what is missing; usually the network, or a wheel for this Python",
            )
        return result.stdout


def make_import_folder(trial_folder: Path, framework: FrameworkDescription) -> None:
    """A folder for the worker's `sys.path` with nothing in it but the worker and one adapter.

    Neither the checkout's root (it holds more than the worker needs) nor `frameworks/` itself (its folder names would
    hide the real packages) goes on the path; an adapter from another place stands beside the worker all the same.
    """
    package = trial_folder / IMPORT_FOLDER / "frameworks"
    package.mkdir(parents=True)
    (package / "worker").symlink_to(PROJECT_ROOT / "frameworks" / "worker")
    (package / framework.adapter).symlink_to(framework.adapter_folder.absolute())


def _limit_memory(cgroup: TrialCgroup | None, why_not: str | None, profile: Mapping[str, Any]) -> None:
    if not profile.get("memory_bytes"):
        return
    if cgroup is not None:
        why_not = cgroup.set_memory_limit(profile["memory_bytes"])
    if why_not is not None:
        raise EnvironmentFailed(
            f"the memory limit of profile {profile['name']!r} needs a cgroup, and none can be had: {why_not}",
            hint="run as root, with a delegated cgroup, or without `memory` in the profile",
        )
