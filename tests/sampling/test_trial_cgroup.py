"""A trial's cgroup on this machine, where one can be had."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from harness.sampling import decoding, schema
from harness.sampling.cgroup_reader import CgroupReader
from harness.sampling.cgroups import TrialCgroup, cgroup_of, create_trial_cgroup, remove_abandoned
from harness.sampling.client import SamplerProcess
from harness.sampling.troubles import Troubles
from tests.requirements import require

MIB = 1 << 20
JOIN_AND_RUN = "import os, sys\nfor f in sys.argv[2:]: open(f, 'w').write(str(os.getpid()))\nexec(sys.argv[1])"


@pytest.fixture
def cgroup() -> Iterator[TrialCgroup]:
    """A fresh cgroup; nothing of it is left behind."""
    made, reason = create_trial_cgroup("test")
    require("cgroups", made is not None, str(reason))
    assert made is not None
    with made:
        yield made
    assert not any(folder.exists() for folder in made.folders)


def run_in(cgroup: TrialCgroup, code: str) -> subprocess.Popen[bytes]:
    """Run Python code inside the cgroup."""
    files = [str(path) for path in cgroup.procs_files]
    return subprocess.Popen([sys.executable, "-S", "-c", JOIN_AND_RUN, code, *files], stdout=subprocess.PIPE)


def test_join_see_kill_remove(cgroup: TrialCgroup) -> None:
    process = run_in(cgroup, "import os, time\nos.fork()\nprint(1, flush=True)\ntime.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    assert process.pid in cgroup.pids()
    assert len(cgroup.pids()) == 2
    assert cgroup_of(process.pid)[0] == cgroup.paths
    assert cgroup.remove(timeout_s=0.05) is False  # a live process keeps it
    assert cgroup.kill_all()
    process.wait()
    process.stdout.close()
    assert cgroup.pids() == frozenset()
    assert cgroup.remove()
    assert cgroup.remove()


def test_a_hybrid_machine_tells_pressure_and_a_second_account(cgroup: TrialCgroup, tmp_path: Path) -> None:
    require("hybrid-cgroups", "unified" in cgroup.paths, "this machine has no v2 tree beside v1 controllers")
    require("psi", Path("/proc/pressure/cpu").exists(), "this kernel has no pressure stall information")
    with SamplerProcess.start(tmp_path, {"gpu": False}) as sampler:
        code = "import time\ne = time.process_time() + 0.5\nwhile time.process_time() < e: pass"
        process = run_in(cgroup, f"{code}\nprint(1, flush=True)\ntime.sleep(60)")
        assert process.stdout is not None
        sampler.set_target(process.pid, cgroup.paths, False)
        process.stdout.readline()
        report = sampler.stop()
    cgroup.kill_all()
    process.communicate()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    assert report["audit"]["unified_cpu_s"] == pytest.approx(report["audit"]["cgroup_cpu_s"], abs=0.01)
    assert report["audit"]["unified_cpu_s"] >= 0.49
    split = sum(int(samples[f"cgroup_cpu_{mode}_ns"].compressed()[-1]) for mode in ("user", "system"))
    assert split == pytest.approx(samples["cgroup_cpu_ns"].compressed()[-1], rel=0.02)
    for name in schema.SAMPLE_INDEX:
        if name.startswith("cgroup_pressure_"):
            assert samples[name].count() > 0, name
            assert numpy.all(numpy.diff(samples[name].compressed()) >= 0), name


def test_the_memory_limit_is_in_force_and_its_kills_are_counted(cgroup: TrialCgroup) -> None:
    if "memory" not in cgroup.paths:
        pytest.skip(cgroup.not_measured["memory"])
    assert cgroup.set_memory_limit(64 * MIB) is None
    assert cgroup.oom_kills() == 0
    process = run_in(cgroup, "x = bytearray(300 << 20)\nx[::4096] = b'x' * len(x[::4096])")
    process.communicate()
    assert process.returncode == -9
    assert cgroup.oom_kills() == 1
    reader, values = CgroupReader(cgroup.paths, Troubles()), [schema.MISSING] * len(schema.SAMPLE_COLUMNS)
    reader.read_medium(values)
    assert values[schema.SAMPLE_INDEX["cgroup_oom_kills"]] == 1
    reader.close()


def test_leftovers_of_dead_harnesses_are_removed_and_no_others(cgroup: TrialCgroup) -> None:
    parent = cgroup.folders[0].parent
    dead = subprocess.Popen(["true"])
    dead.wait()
    leftover = parent / f"dlgauge-{dead.pid}-x"
    leftover.mkdir()
    foreign = parent / "dlgauge-other"
    foreign.mkdir()
    try:
        assert remove_abandoned(parent) == [leftover]
        assert foreign.exists()
        assert cgroup.folders[0].exists()
    finally:
        foreign.rmdir()


def test_a_controller_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    made, reason = create_trial_cgroup("test")
    assert made is None
    assert "Permission denied" in str(reason) or "no cgroup" in str(reason)


def test_our_own_cgroup_is_not_a_jobs() -> None:
    paths, reason = cgroup_of(os.getpid())
    assert paths == {}
    assert reason


def test_a_cgroup_that_goes_while_it_is_sampled_is_no_error(cgroup: TrialCgroup, tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, {"gpu": False, "period_ns": 20_000_000}) as sampler:
        sampler.set_target(os.getpid(), cgroup.paths, False)
        time.sleep(0.2)
        assert cgroup.remove()
        time.sleep(0.2)
        report = sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    assert report["capabilities"]["cgroup_gone"] is True
    assert report["errors"] == {}
    assert samples["cgroup_cpu_ns"].count() > 3
    assert samples["cgroup_cpu_ns"].mask[-1]
