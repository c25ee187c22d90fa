"""Run a job of `jobs.py` below a launcher, sampled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest

from harness.sampling import decoding, schema
from harness.sampling.cgroups import TrialCgroup, create_trial_cgroup
from harness.sampling.client import SamplerProcess

HERE = Path(__file__).parent


@dataclass
class Sampled:
    """What came of one sampled job."""

    folder: Path
    report: dict[str, Any]
    samples: dict[str, Any]
    processes: dict[str, Any]
    rusage_cpu_s: float
    cgroup: bool

    def last(self, column: str) -> int:
        """The last measured value of a column."""
        return int(self.samples[column].compressed()[-1])

    def at(self, column: str, phase: int, trigger: str = "phase") -> int:
        """The value of a column at the phase mark of that number (from 0)."""
        rows = [row for row, why in enumerate(self.samples["trigger"]) if why == trigger]
        value = self.samples[column][rows[phase]]
        assert value is not numpy.ma.masked, column
        return int(value)

    def largest(self, column: str) -> int:
        """The largest measured value of a column."""
        return int(self.samples[column].max())


@pytest.fixture
def run_sampled(tmp_path: Path) -> Callable[..., Sampled]:
    """Run `jobs.py NAME ARGUMENT` below a subreaper, in a cgroup where one can be had, and sample it."""

    def run(
        name: str,
        argument: float,
        *,
        period_ns: int = 100_000_000,
        launcher_mib: int = 0,
        wrapper: Sequence[str] = (),
    ) -> Sampled:
        cgroup, _ = create_trial_cgroup(f"test-{name}")
        try:
            return _run(tmp_path, [name, str(argument)], period_ns, cgroup, launcher_mib, wrapper)
        finally:
            if cgroup is not None:
                assert cgroup.kill_all()
                assert cgroup.remove()

    return run


def _run(
    folder: Path,
    arguments: list[str],
    period_ns: int,
    cgroup: TrialCgroup | None,
    launcher_mib: int,
    wrapper: Sequence[str],
) -> Sampled:
    join = ",".join(str(path) for path in cgroup.procs_files) if cgroup else ""
    launcher = [sys.executable, "-S", "-E", str(HERE / "subreaper.py"), str(folder / "rusage"), join, str(launcher_mib)]
    job = [*wrapper, sys.executable, "-S", "-E", str(HERE / "jobs.py"), *arguments]
    with SamplerProcess.start(folder, {"period_ns": period_ns, "gpu": False}) as sampler:
        process = subprocess.Popen([*launcher, *job], stdin=subprocess.PIPE, cwd=folder)
        try:
            sampler.set_target(process.pid, cgroup.paths if cgroup else None)
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.close()
            # The launcher stays unreaped until the sampler has stopped, so its counters can be read to the last.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            report = sampler.stop()
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0
    return Sampled(
        folder,
        report,
        decoding.read_samples(folder / schema.SAMPLES_FILE),
        decoding.read_processes(folder / schema.PROCESSES_FILE),
        float((folder / "rusage").read_text()),
        cgroup is not None,
    )
