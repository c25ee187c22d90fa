"""The sampler against jobs whose resource use is known (validity suite V1 to V5, V11, V13)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import psutil
import pytest

from harness.sampling import schema
from harness.sampling.proportional import ProportionalReader
from harness.sampling.tree import Tree
from harness.sampling.troubles import Troubles
from tests.requirements import require

from .conftest import Sampled

MIB = 1 << 20
TICK_S = 0.01


@pytest.mark.parametrize(
    ("job", "cpu_s"),
    [
        ("one_thread", 0.8),
        ("threads", 0.8),
        ("four_processes", 0.8),
        ("short_children", 0.8),
        ("children_of_a_tenth", 2.5),
        ("orphan", 0.8),
        ("double_fork", 0.8),
        ("forked_by_thread", 0.8),
    ],
)
def test_cpu_time_of_the_tree_is_what_the_kernel_charged(
    run_sampled: Callable[..., Sampled], job: str, cpu_s: float
) -> None:
    sampled = run_sampled(job, cpu_s)
    tree_s = sampled.last("tree_cpu_ns") / 1e9
    tolerance_s = max(0.02 * sampled.rusage_cpu_s, 3 * TICK_S * 3)
    assert sampled.rusage_cpu_s >= cpu_s
    assert tree_s == pytest.approx(sampled.rusage_cpu_s, abs=tolerance_s)
    if sampled.cgroup:
        assert sampled.last("cgroup_cpu_ns") / 1e9 == pytest.approx(sampled.rusage_cpu_s, abs=tolerance_s)
        assert sampled.report["audit"]["flag"] is False
        if (unified_s := sampled.report["audit"].get("unified_cpu_s")) is not None:
            assert unified_s == pytest.approx(sampled.last("cgroup_cpu_ns") / 1e9, abs=0.001)
    split_s = (sampled.last("tree_cpu_user_ns") + sampled.last("tree_cpu_system_ns")) / 1e9
    assert split_s == pytest.approx(sampled.rusage_cpu_s, abs=tolerance_s)
    _counters_never_go_back(sampled)


def test_gnu_time_agrees(run_sampled: Callable[..., Sampled], tmp_path: Path) -> None:
    program = shutil.which("time")
    require("gnu-time", program is not None, "there is no GNU time (package `time`)")
    assert program is not None
    told = tmp_path / "time.txt"
    sampled = run_sampled("four_processes", 1.0, wrapper=[program, "-f", "%U %S", "-o", str(told)])
    by_time_s = sum(float(word) for word in told.read_text().split())
    assert sampled.last("tree_cpu_ns") / 1e9 == pytest.approx(by_time_s, abs=max(0.02 * by_time_s, 0.08))


def test_orphans_and_children_of_threads_are_found_alive(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("forked_by_thread", 1.3)
    assert sampled.largest("tree_processes") == 2
    assert list(sampled.processes["role"]) == ["launcher", "worker", "child"]
    assert int(sampled.processes["cpu_ns"][2]) / 1e9 == pytest.approx(1.3, abs=0.3)


def test_resident_memory_and_its_peak(run_sampled: Callable[..., Sampled]) -> None:
    sampled = run_sampled("hold_memory", 100)
    for column in ("tree_resident_bytes", "tree_resident_peak_bytes"):
        assert 100 * MIB <= sampled.largest(column) <= 125 * MIB, column


def test_memory_that_children_share_counts_once_in_pss_and_not_at_all_in_uss(
    run_sampled: Callable[..., Sampled],
) -> None:
    sampled = run_sampled("shared_by_fork", 120)
    assert sampled.at("tree_resident_bytes", 0) >= 5 * 120 * MIB
    assert 120 * MIB <= sampled.at("tree_proportional_bytes", 0) <= 150 * MIB
    assert sampled.at("tree_unique_bytes", 0) <= 20 * MIB
    assert sampled.at("tree_swap_proportional_bytes", 0) >= 0
    assert sampled.at("proportional_cost_ns", 0) > 0
    if _has(sampled, "cgroup_anonymous_bytes"):
        assert 120 * MIB <= sampled.at("cgroup_anonymous_bytes", 0) <= 150 * MIB


def test_shared_memory_and_file_pages_are_told_apart(run_sampled: Callable[..., Sampled], tmp_path: Path) -> None:
    _require_storage(tmp_path)
    sampled = run_sampled("shared_memory", 64)
    require("memory-cgroup", _has(sampled, "cgroup_shared_memory_bytes"), "no memory cgroup can be had")
    assert 64 * MIB <= sampled.at("cgroup_shared_memory_bytes", 0) <= 66 * MIB
    assert sampled.at("cgroup_anonymous_bytes", 0) <= 20 * MIB
    sampled = run_sampled("mapped_file", 64)
    assert sampled.at("cgroup_shared_memory_bytes", 0) <= MIB
    assert 64 * MIB <= sampled.at("cgroup_file_bytes", 0) <= 80 * MIB
    assert sampled.at("cgroup_anonymous_bytes", 0) <= 20 * MIB
    assert 64 * MIB <= sampled.at("tree_resident_bytes", 0) <= 90 * MIB


def test_a_spike_between_samples_is_in_the_peak_and_in_its_phase_alone(run_sampled: Callable[..., Sampled]) -> None:
    """300 MiB for 30 ms. Samples are 0.4 s apart; the marks are before and after it."""
    sampled = run_sampled("spike", 300, period_ns=400_000_000)
    truth = 300 * MIB + sampled.at("tree_resident_bytes", 0)
    assert sampled.largest("tree_resident_peak_bytes") == pytest.approx(truth, rel=0.03)
    if not _has(sampled, "cgroup_memory_peak_bytes"):
        return
    truth = 300 * MIB + sampled.at("cgroup_memory_bytes", 0)
    assert sampled.largest("cgroup_memory_peak_bytes") == pytest.approx(truth, rel=0.03)
    assert sampled.last("cgroup_memory_peak_bytes") == sampled.largest("cgroup_memory_peak_bytes")
    if _has(sampled, "phase_memory_peak_bytes"):
        before, during, after = (sampled.at("phase_memory_peak_bytes", mark) for mark in range(3))
        assert during == pytest.approx(truth, rel=0.03)
        assert max(before, after) <= 40 * MIB


def test_the_launcher_is_not_in_the_peak_however_large(run_sampled: Callable[..., Sampled]) -> None:
    """`ru_maxrss` would have the 400 MiB: between fork and exec the child shares them."""
    sampled = run_sampled("one_thread", 1.5, launcher_mib=400)
    assert sampled.report["audit"]["root_cpu_s"] > 0
    assert sampled.largest("tree_processes") == 1
    assert sampled.largest("tree_resident_peak_bytes") <= 40 * MIB
    if _has(sampled, "cgroup_memory_peak_bytes"):
        assert sampled.largest("cgroup_memory_peak_bytes") <= 40 * MIB


def test_written_bytes(run_sampled: Callable[..., Sampled], tmp_path: Path) -> None:
    _require_storage(tmp_path)
    sampled = run_sampled("write_file", 8)
    assert sampled.at("tree_write_characters_bytes", 1) - sampled.at("tree_write_characters_bytes", 0) == 8 * MIB
    assert 8 * MIB <= sampled.last("tree_write_bytes") <= 9 * MIB


def test_bytes_read_from_storage_and_not_from_the_cache(run_sampled: Callable[..., Sampled], tmp_path: Path) -> None:
    _require_storage(tmp_path)
    sampled = run_sampled("read_cold", 16)
    asked = [sampled.at("tree_read_characters_bytes", mark) for mark in (2, 3)]
    assert asked[1] - asked[0] == 16 * MIB
    read = [sampled.at("tree_read_bytes", mark) for mark in (2, 3)]
    assert 16 * MIB <= read[1] - read[0] <= 17 * MIB


def test_the_tree_agrees_with_psutil_while_it_changes() -> None:
    """V11: children come, burn and go between the rounds; both are read while nothing moves."""
    children: list[subprocess.Popen[bytes]] = []
    tree = Tree(os.getpid(), False, "/proc", Troubles(), time.monotonic_ns())
    try:
        for round_ in range(4):
            children.extend(subprocess.Popen(["sleep", "60"]) for _ in range(3 + round_))
            subprocess.run([sys.executable, "-S", "-c", "sum(range(2_000_000))"], check=True)
            for child in children[:2]:
                child.kill()
                child.wait()
            del children[:2]
            time.sleep(0.2)  # until every child has executed its program
            _compare_with_psutil_at_rest(tree)
    finally:
        tree.close()
        for child in children:
            child.kill()
            child.wait()


def _compare_with_psutil_at_rest(tree: Tree) -> None:
    """What another test left behind may end between the two readings: then both are taken again."""
    for _ in range(5):
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        try:
            _compare_with_psutil(tree)
            return
        except (psutil.NoSuchProcess, AssertionError):
            if before == {process.pid for process in psutil.Process().children(recursive=True)}:
                raise
    raise AssertionError("the tree of this process never came to rest")


def _compare_with_psutil(tree: Tree) -> None:
    values = [schema.MISSING] * len(schema.SAMPLE_COLUMNS)
    tree.discover(time.monotonic_ns())
    tree.read_fast(values, time.monotonic_ns())
    tree.read_medium(values)
    everyone = [psutil.Process(), *psutil.Process().children(recursive=True)]
    assert tree.pids() == {process.pid for process in everyone}
    at = schema.SAMPLE_INDEX
    resident = sum(process.memory_info().rss for process in everyone)
    assert values[at["tree_resident_bytes"]] == pytest.approx(resident, rel=0.05)
    assert values[at["tree_threads"]] == sum(process.num_threads() for process in everyone)
    assert values[at["tree_processes"]] == len(everyone)
    times = [process.cpu_times() for process in everyone]
    user_s = sum(t.user + t.children_user for t in times)
    system_s = sum(t.system + t.children_system for t in times)
    assert values[at["tree_cpu_ns"]] / 1e9 == pytest.approx(user_s + system_s, abs=0.3)
    assert values[at["tree_cpu_user_ns"]] / 1e9 == pytest.approx(user_s, abs=0.1)
    assert values[at["tree_cpu_system_ns"]] / 1e9 == pytest.approx(system_s, abs=0.1)
    counters = [process.io_counters() for process in everyone]
    assert values[at["tree_write_bytes"]] == pytest.approx(sum(c.write_bytes for c in counters), abs=MIB)
    assert values[at["tree_write_characters_bytes"]] == pytest.approx(sum(c.write_chars for c in counters), abs=MIB)
    proportional = ProportionalReader("/proc", Troubles())
    proportional.read(values, tree.job_pids(), time.monotonic_ns)
    full = [process.memory_full_info() for process in everyone]
    assert values[at["tree_proportional_bytes"]] == pytest.approx(sum(f.pss for f in full), rel=0.05)
    assert values[at["tree_unique_bytes"]] == pytest.approx(sum(f.uss for f in full), rel=0.05)


def _has(sampled: Sampled, column: str) -> bool:
    return column not in sampled.report["not_measured"]


def _require_storage(folder: Path) -> None:
    said = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True)
    kind = said.stdout.strip()
    require("storage", kind not in ("tmpfs", "ramfs"), f"the temporary folder {folder} is memory ({kind}), not storage")


def _counters_never_go_back(sampled: Sampled) -> None:
    may_decrease = {"host_iowait_ticks", "host_idle_ticks"}  # proc_stat(5)
    for column in schema.SAMPLE_COLUMNS:
        if column.kind == "counter" and column.name not in may_decrease:
            values = sampled.samples[column.name].compressed()
            assert numpy.all(numpy.diff(values) >= 0), column.name
