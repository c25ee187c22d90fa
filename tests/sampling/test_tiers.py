"""What is read when: phases by the poke's byte, the slow tier's cap, peaks of phases, the tree beside a cgroup."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from frameworks.worker.events import EventLog
from frameworks.worker.protocol import END, PHASES
from harness.sampling import decoding, peaks, schema
from harness.sampling.cgroups import create_trial_cgroup
from harness.sampling.client import SamplerProcess
from harness.sampling.control import Control
from harness.sampling.peaks import PeakReader
from harness.sampling.proportional import SHORTEST_NS, ProportionalReader, SlowTier
from harness.sampling.sampler import Sampler
from harness.sampling.troubles import Troubles
from tests.requirements import require

from .test_machines import INDEX, blank, columns, put

SECOND_NS = 1_000_000_000


def test_a_mark_tells_its_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    control = Control()
    read_end, write_end = os.pipe()
    monkeypatch.setattr("harness.sampling.control._STDIN", read_end)
    log = EventLog("events.jsonl", "sampler.sock")
    try:
        for phase in (*PHASES, END):
            log.phase(phase)
            assert control.wait(1) == [("phase", [phase])]
        log.phase("train")
        log.phase("evaluate")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for content in (b"p", b"", b"\xff"):  # an older worker, and what no worker sends
                sender.sendto(content, "sampler.sock")
        assert control.wait(1) == [("phase", ["train", "evaluate", None, None, None])]
        assert control.wait(0) == []
    finally:
        control.close()
        os.close(read_end)
        os.close(write_end)


def test_the_worker_asks_its_clock_before_it_pokes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel then charges what has run so far, and the sampler's boundary sample is not a tick behind."""
    order: list[str] = []
    log = EventLog(str(tmp_path / "events.jsonl"), str(tmp_path / "no.sock"))
    monkeypatch.setattr("frameworks.worker.events.time.process_time_ns", lambda: order.append("clock") or 1)
    monkeypatch.setattr(log, "_poke_sampler", lambda phase: order.append(phase))
    log.phase("build")
    assert order == ["clock", "build"]


def test_the_slow_tier_keeps_to_its_share_of_the_time() -> None:
    slow = SlowTier(0)
    assert slow.is_due(0)
    slow.done(0, 1_000_000)  # 1 ms: the shortest interval holds
    assert not slow.is_due(SHORTEST_NS - 1)
    assert slow.is_due(SHORTEST_NS)
    slow.done(SHORTEST_NS, SECOND_NS)  # 1 s: 0.5 % of 200 s
    assert not slow.is_due(SHORTEST_NS + 200 * SECOND_NS - 1)
    assert slow.is_due(SHORTEST_NS + 200 * SECOND_NS)


def test_the_slow_tier_leaves_timed_phases_alone() -> None:
    slow = SlowTier(0)
    assert slow.mark(["import"]) is False
    assert slow.mark(["prepare"]) is False
    assert slow.mark(["build"]) is True
    assert slow.is_due(0)
    assert slow.mark(["warm_up"]) is False  # the read would lie in the first step
    assert not slow.is_due(10**15)
    assert slow.mark(["train"]) is False
    assert not slow.is_due(10**15)
    assert slow.mark(["evaluate"]) is False
    assert slow.is_due(10**15)
    assert slow.mark(["train", "teardown"]) is True
    assert slow.mark([END]) is False
    assert slow.mark(["build", "train"]) is False  # both marks in one sample
    assert slow.mark([None]) is False


def test_a_sample_is_dated_by_its_counters_and_not_by_its_slow_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boundary sample that looks late is taken back too far, and the phase before loses CPU time."""
    monkeypatch.chdir(tmp_path)
    read_end, write_end = os.pipe()
    monkeypatch.setattr("harness.sampling.control._STDIN", read_end)
    sampler = Sampler({"gpu": False})
    slow_ns = SECOND_NS

    def read(values: list[int], *_: object) -> int:
        time.sleep(slow_ns / 1e9)
        return slow_ns

    monkeypatch.setattr(sampler._proportional, "read", read)
    try:
        sampler._handle("target", {"pid": os.getpid(), "cgroup": None, "exclude_root": False})
        before_ns = time.monotonic_ns()
        values = sampler._take("phase", before_ns, ["build"])
        assert time.monotonic_ns() - before_ns >= slow_ns
        assert values[INDEX["tiers"]] & schema.TIER_SLOW
        assert values[INDEX["t_end_ns"]] - values[INDEX["t_start_ns"]] < slow_ns
    finally:
        sampler._control.close()
        os.close(read_end)
        os.close(write_end)


def test_pss_of_a_process_of_another_user_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("harness.sampling.proportional.read_bytes", refuse)
    reader, values = ProportionalReader(str(tmp_path), Troubles()), blank()
    reader.read(values, [1, 2], time.monotonic_ns)
    assert values[INDEX["tree_proportional_bytes"]] == schema.MISSING
    assert "another user" in reader.not_measured["tree_proportional_bytes"]


def test_pss_without_a_live_process_is_missing(tmp_path: Path) -> None:
    reader, values = ProportionalReader(str(tmp_path), Troubles()), blank()
    reader.read(values, [1, 2], time.monotonic_ns)
    assert values[INDEX["proportional_cost_ns"]] == schema.MISSING
    assert reader.not_measured == {}


PEAKS = ("cgroup_memory_peak_bytes", "phase_memory_peak_bytes")


def test_the_peak_of_v1_is_set_back_and_the_largest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / peaks.V1_FILE
    put(file, "9000\n")
    reader, values = PeakReader(str(tmp_path)), blank()
    assert file.read_text() == "0000\n"  # as far as a plain file can be set to 0
    put(file, "5000\n")  # the job's peak since then
    reader.read(values)
    reader.read_phase(values, ends=True)
    assert columns(values, *PEAKS) == [9000, 5000]
    assert file.read_text() == "0000\n"
    put(file, "12000\n")
    reader.read(values)
    reader.read_phase(values, ends=False)
    assert columns(values, *PEAKS) == [12000, 12000]
    assert file.read_text() == "12000\n"
    reader.close()


@pytest.mark.parametrize("name", [peaks.V1_FILE, peaks.V2_FILE])
def test_a_peak_that_cannot_be_set_back_is_null_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(tmp_path / name, "9000\n")

    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("harness.sampling.peaks.os.pwrite", refuse)
    reader, values = PeakReader(str(tmp_path)), blank()
    reader.read(values)
    reader.read_phase(values, ends=True)
    assert columns(values, *PEAKS) == [9000, schema.MISSING]
    assert "cannot" in reader.not_measured["phase_memory_peak_bytes"]
    assert list(reader.not_measured) == ["phase_memory_peak_bytes"]
    reader.close()


def test_ticks_read_the_tree_only_where_no_cgroup_tells(tmp_path: Path) -> None:
    cgroup, reason = create_trial_cgroup("tiers")
    require("cgroups", cgroup is not None, str(reason))
    assert cgroup is not None
    with cgroup:
        for paths in (cgroup.paths, None):
            folder = tmp_path / str(paths is None)
            folder.mkdir()
            with SamplerProcess.start(folder, {"gpu": False, "period_ns": 50_000_000}) as sampler:
                job = subprocess.Popen(["sh", "-c", "sleep 20 & wait"], start_new_session=True)
                time.sleep(0.2)
                sampler.set_target(job.pid, paths, False)
                time.sleep(1.0)
                sampler.stop()
                os.killpg(job.pid, 9)
                job.wait()
            samples = decoding.read_samples(folder / schema.SAMPLES_FILE)
            plain = [
                row
                for row, why in enumerate(samples["trigger"])
                if why == "tick" and samples["tiers"][row] == schema.TIER_FAST and row > 2
            ]
            assert len(plain) > 3
            assert bool(samples["tree_cpu_ns"].mask[plain].all()) is (paths is not None)
            assert bool(samples["cgroup_cpu_ns"].mask[plain].all()) is (paths is None)
