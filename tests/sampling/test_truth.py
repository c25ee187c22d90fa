"""The sampler against jobs whose resource use is known (validity suite V1, V2, V3, V5, V13)."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import psutil
import pytest

from harness.sampling import schema
from harness.sampling.tree import Tree
from harness.sampling.troubles import Troubles

from .conftest import Sampled

MIB = 1 << 20
TICK_S = 0.01


@pytest.mark.parametrize("job", ["one_thread", "threads", "short_children", "orphan", "forked_by_thread"])
def test_cpu_time_of_the_tree_is_what_the_kernel_charged(run_sampled: Callable[..., Sampled], job: str) -> None:
    sampled = run_sampled(job, 0.8)
    tree_s = sampled.last("tree_cpu_ns") / 1e9
    tolerance_s = max(0.02 * sampled.rusage_cpu_s, 3 * TICK_S * 3)
    assert sampled.rusage_cpu_s >= 0.8
    assert tree_s == pytest.approx(sampled.rusage_cpu_s, abs=tolerance_s)
    if sampled.cgroup:
        assert sampled.last("cgroup_cpu_ns") / 1e9 == pytest.approx(sampled.rusage_cpu_s, abs=tolerance_s)
        assert sampled.report["audit"]["flag"] is False
    _counters_never_go_back(sampled)


def test_orphans_and_children_of_threads_are_found_alive(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("forked_by_thread", 1.3)
    assert sampled.largest("tree_processes") == 2
    assert list(sampled.processes["role"]) == ["launcher", "worker", "child"]
    assert int(sampled.processes["cpu_ns"][2]) / 1e9 == pytest.approx(1.3, abs=0.3)


def test_resident_memory_and_its_peak(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("hold_memory", 100)
    for column in ("tree_resident_bytes", "tree_resident_peak_bytes"):
        assert 100 * MIB <= sampled.largest(column) <= 125 * MIB, column


def test_a_spike_between_samples_is_in_the_peak(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("spike", 200, period_ns=400_000_000)
    assert sampled.largest("tree_resident_peak_bytes") >= 200 * MIB
    if sampled.cgroup and "cgroup_memory_peak_bytes" not in sampled.report["not_measured"]:
        assert sampled.largest("cgroup_memory_peak_bytes") >= 200 * MIB
    assert "phase" in sampled.samples["trigger"]


def test_the_launcher_is_not_in_the_peak(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("one_thread", 0.3)
    assert sampled.report["audit"]["root_cpu_s"] > 0
    assert sampled.largest("tree_processes") == 1


def test_written_bytes(run_sampled: Callable[..., Sampled], tmp_path: Path) -> None:
    file_system = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True)
    if file_system.stdout.strip() in ("tmpfs", "ramfs"):
        pytest.skip("the temporary folder is memory, not storage")
    sampled = run_sampled("write_file", 8)
    assert 8 * MIB <= sampled.last("tree_write_bytes") <= 9 * MIB


def test_the_tree_agrees_with_psutil() -> None:
    children = [subprocess.Popen(["sleep", "30"]) for _ in range(5)]
    try:
        time.sleep(0.2)
        tree = Tree(os.getpid(), False, "/proc", Troubles(), time.monotonic_ns())
        values = [schema.MISSING] * len(schema.SAMPLE_COLUMNS)
        tree.discover(time.monotonic_ns())
        tree.read_fast(values, time.monotonic_ns())
        tree.read_medium(values)
        me = psutil.Process()
        everyone = [me, *me.children(recursive=True)]
        assert tree.pids() == {process.pid for process in everyone}
        resident = sum(process.memory_info().rss for process in everyone)
        assert values[schema.SAMPLE_INDEX["tree_resident_bytes"]] == pytest.approx(resident, rel=0.05)
        assert values[schema.SAMPLE_INDEX["tree_threads"]] == sum(process.num_threads() for process in everyone)
        times = [process.cpu_times() for process in everyone]
        cpu_s = sum(t.user + t.system + t.children_user + t.children_system for t in times)
        assert values[schema.SAMPLE_INDEX["tree_cpu_ns"]] / 1e9 == pytest.approx(cpu_s, abs=0.3)
        written = sum(process.io_counters().write_bytes for process in everyone)
        assert values[schema.SAMPLE_INDEX["tree_write_bytes"]] == pytest.approx(written, abs=MIB)
        tree.close()
    finally:
        for child in children:
            child.kill()
            child.wait()


def _counters_never_go_back(sampled: Sampled) -> None:
    may_decrease = {"host_iowait_ticks", "host_idle_ticks"}  # proc_stat(5)
    for column in schema.SAMPLE_COLUMNS:
        if column.kind == "counter" and column.name not in may_decrease:
            values = sampled.samples[column.name].compressed()
            assert numpy.all(numpy.diff(values) >= 0), column.name
