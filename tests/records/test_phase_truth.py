"""CPU time goes to the phase that used it: real sampler, launcher and marks (validity suite V7).

The truth is the burner's own CPU clock at its marks. What is judged is the attribution, at the marks that were really
made: a machine that is busy stretches the phases, and the truth with them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.execution.launching import VenvLaunch, write_launch_file
from harness.execution.outcome import TrialOutcome
from harness.paths import PROJECT_ROOT
from harness.records.manifest import make_manifest
from harness.records.reading import read_trial_folder
from harness.sampling.cgroups import create_trial_cgroup
from harness.sampling.client import SamplerProcess
from tests import factories

PHASES = 24
TRIES = 4
BURNER = Path(__file__).with_name("burner.py")
PROMPT_NS = 1_500_000
"""A boundary sample that comes later than this was held up by other programs, not by the sampler."""


@dataclass(frozen=True)
class Burnt:
    """A burner's record, and how long after its marks the sampler looked."""

    manifest: dict[str, Any]
    delays_ns: list[int]

    @property
    def errors_s(self) -> list[float]:
        """CPU time given to each phase beyond what it used."""
        return [phase["cpu_seconds"] - phase["worker_cpu_seconds"] for phase in self.manifest["phases"]]

    @property
    def used_s(self) -> float:
        """CPU time of all phases by the burner's own clock."""
        return float(sum(phase["worker_cpu_seconds"] for phase in self.manifest["phases"]))

    @property
    def flagged(self) -> bool:
        """Whether the accounts of the CPU time disagree: phases then have theirs from the cgroup, which lags."""
        return self.manifest["sampling"]["audit"]["flag"] is True

    @property
    def right(self) -> float:
        """Part of the CPU time that went to the phase that used it; what is wrong is so in two phases."""
        return 1.0 - sum(map(abs, self.errors_s)) / 2 / self.used_s


@contextmanager
def before_others() -> Iterator[None]:
    """Sampler and burner go before the machine's other programs, where that is permitted."""
    ordinary = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, ordinary)


def burn(folder: Path, seed: int) -> Burnt:
    """Run the burner as a trial's worker runs, and make its manifest."""
    cgroup, _ = create_trial_cgroup(f"test-phases-{seed}")
    write_launch_file(
        folder,
        [sys.executable, str(BURNER), str(seed), str(PHASES)],
        {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        join=[str(path) for path in cgroup.procs_files] if cgroup else (),
        parent=os.getpid(),
        time_limit_s=60.0,
    )
    t_begin_ns = time.monotonic_ns()
    with SamplerProcess.start(folder, {"gpu": False}) as sampler:
        t_worker_ns = time.monotonic_ns()
        launch = VenvLaunch(folder, cgroup)
        try:
            sampler.set_target(launch.root_pid, launch.cgroup_paths)
            assert launch.wait(60.0)
            sampler.stop()
        finally:
            launch.kill()
            launch.finish()
    outcome = TrialOutcome(
        trial=factories.make_trial(),
        folder=folder,
        termination=factories.make_termination("completed"),
        started_at="2026-01-01T00:00:00+00:00",
        t_begin_ns=t_begin_ns,
        t_worker_ns=t_worker_ns,
        t_end_ns=time.monotonic_ns(),
    )
    files = read_trial_folder(folder)
    assert files.samples is not None
    taken = [end for end, cpu in zip(files.samples["t_end_ns"], files.samples["tree_cpu_ns"], strict=True) if cpu]
    marks = [event["t_ns"] for event in files.events]
    return Burnt(make_manifest(outcome, files), [min(t for t in taken if t > mark) - mark for mark in marks])


def test_alternating_phases_get_99_percent_of_their_cpu_time(tmp_path: Path) -> None:
    """A try is chosen by how promptly the sampler was let run and whether the accounts agree, never by its result."""
    tries: list[Burnt] = []
    for seed in range(1, TRIES + 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with before_others():
            tries.append(burn(folder, seed))
        check_conservation(tries[-1].manifest)
        if not tries[-1].flagged:
            check_edges(tries[-1])
            if max(tries[-1].delays_ns) <= PROMPT_NS:
                break
    burnt = min(tries, key=lambda one: (one.flagged, max(one.delays_ns)))
    assert not burnt.flagged, burnt.manifest["sampling"]["audit"]
    held_up_s = sum(max(0, delay - PROMPT_NS) for delay in burnt.delays_ns) / 1e9
    assert burnt.right >= 0.99 - held_up_s / burnt.used_s, (burnt.right, burnt.delays_ns)
    assert burnt.manifest["sources"]["phases.cpu_seconds"] == "tree"


def check_edges(burnt: Burnt) -> None:
    """One thread: at each edge no more can be wrong than the delay of its sample."""
    for error_s, begin_ns, end_ns in zip(burnt.errors_s, burnt.delays_ns, burnt.delays_ns[1:], strict=False):
        assert abs(error_s) <= (begin_ns + end_ns) / 1e9, burnt.delays_ns


def check_conservation(made: dict[str, Any]) -> None:
    """V13 on real data: 24 phases and what lies around them are the whole."""
    assert [phase["phase"] for phase in made["phases"]] == ["train", "evaluate"] * (PHASES // 2)
    for name, found in made["phase_sums"].items():
        assert found["difference"] == pytest.approx(0.0, abs=1e-9 * max(1.0, found["total"])), name
    assert made["phase_sums"]["cpu_seconds"]["total"] == pytest.approx(
        made["summary"]["cpu_seconds"], abs=0.05 + made["sampling"]["audit"]["root_cpu_s"]
    )
