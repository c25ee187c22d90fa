"""Machines that are only folders of files: cgroup layouts, kernels without some files (validity suite V10)."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from harness.sampling import schema
from harness.sampling.cgroup_layout import read_memberships
from harness.sampling.cgroup_reader import CgroupReader
from harness.sampling.cgroups import cgroup_of, create_trial_cgroup, detect
from harness.sampling.host import HostReader
from harness.sampling.procfs import KeptFile
from harness.sampling.tree import Tree
from harness.sampling.troubles import Troubles

from .test_parsers import stat_line

INDEX = schema.SAMPLE_INDEX


def blank() -> list[int]:
    return [schema.MISSING] * len(schema.SAMPLE_COLUMNS)


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


MEMORY_COLUMNS = (
    *("cgroup_anonymous_bytes", "cgroup_file_bytes", "cgroup_shared_memory_bytes"),
    *("cgroup_swap_bytes", "cgroup_oom_kills"),
)
PRESSURE_COLUMNS = tuple(name for name in INDEX if name.startswith("cgroup_pressure_"))


def columns(values: list[int], *names: str) -> list[int]:
    return [values[INDEX[name]] for name in names]


def put_pressure(folder: Path, suffix: str) -> None:
    """Pressure files with the totals 1 to 6."""
    for number, resource in enumerate(("cpu", "memory", "io")):
        shares = ((share, 2 * number + k) for k, share in enumerate(("some", "full"), start=1))
        lines = (f"{share} avg10=0.00 avg60=0.10 avg300=1.20 total={total}\n" for share, total in shares)
        put(folder / f"{resource}{suffix}", "".join(lines))


def add_process(
    proc: Path,
    pid: int,
    ppid: int,
    *,
    ticks: int = 0,
    children_ticks: int = 0,
    rss: int = 10,
    start: int = 1,
    flags: int = 0,
) -> None:
    numbers = [0] * 49
    numbers[0], numbers[10], numbers[12], numbers[16], numbers[18], numbers[20] = (
        ppid,
        ticks,
        children_ticks,
        1,
        start,
        rss,
    )
    numbers[5] = flags
    put(proc / str(pid) / "stat", stat_line(b"job", numbers))
    put(proc / str(pid) / "status", f"Name:\tjob\nVmHWM:\t{rss * 8} kB\nThreads:\t1\n")
    storage = f"read_bytes: {ticks * 10}\nwrite_bytes: {ticks * 20}\ncancelled_write_bytes: 0\n"
    put(proc / str(pid) / "io", f"rchar: {ticks * 30}\nwchar: {ticks * 40}\nsyscr: 1\nsyscw: 1\n{storage}")


# --- cgroup counters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hybrid", [True, False], ids=["hybrid", "v1"])
def test_v1_counters(tmp_path: Path, is_hybrid: bool) -> None:
    put(tmp_path / "cpu/cpuacct.usage", "123456789\n")
    put(tmp_path / "memory/memory.usage_in_bytes", "5000\n")
    put(tmp_path / "memory/memory.max_usage_in_bytes", "9000\n")
    totals = "total_inactive_file 11\ntotal_rss 12\ntotal_cache 13\ntotal_shmem 14\ntotal_swap 15\n"
    put(tmp_path / "memory/memory.stat", "cache 1\nrss 2\ninactive_file 7\n" + totals)
    put(tmp_path / "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    put(tmp_path / "cpu/cpuacct.usage_user", "100000000\n")
    put(tmp_path / "cpu/cpuacct.usage_sys", "23456789\n")
    put(tmp_path / "quota/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_time 77\n")
    put(tmp_path / "io/blkio.throttle.io_service_bytes", "8:0 Read 3\n8:0 Write 4\nTotal 7\n")
    put(tmp_path / "io/blkio.throttle.io_serviced", "8:0 Read 1\n8:0 Write 2\nTotal 3\n")
    put_pressure(tmp_path / "unified", ".pressure")
    put(tmp_path / "unified/cpu.stat", "usage_usec 42\nuser_usec 40\nsystem_usec 2\n")
    values = blank()
    names = ("cpu", "memory", "io", "quota", *(["unified"] if is_hybrid else []))
    reader = CgroupReader({name: str(tmp_path / name) for name in names}, Troubles())
    reader.read_fast(values)
    reader.read_medium(values)
    assert values[INDEX["cgroup_cpu_ns"]] == 123456789
    assert values[INDEX["cgroup_memory_bytes"]] == 5000
    assert values[INDEX["cgroup_memory_peak_bytes"]] == 9000
    assert values[INDEX["cgroup_memory_inactive_file_bytes"]] == 11
    assert columns(values, "cgroup_read_bytes", "cgroup_write_bytes") == [3, 4]
    assert columns(values, "cgroup_read_operations", "cgroup_write_operations") == [1, 2]
    split = columns(values, "cgroup_cpu_user_ns", "cgroup_cpu_system_ns")
    assert split == ([40_000, 2_000] if is_hybrid else [100_000_000, 23_456_789])
    assert columns(values, "cgroup_throttled_periods", "cgroup_throttled_ns") == [4, 77]
    assert columns(values, *MEMORY_COLUMNS) == [12, 13, 14, 15, 3]
    if is_hybrid:
        assert columns(values, *PRESSURE_COLUMNS) == [1, 3, 4, 5, 6]
        assert reader.second_cpu_ns == 0  # since the reader was made
        put(tmp_path / "unified/cpu.stat", "usage_usec 50\nuser_usec 40\nsystem_usec 10\n")
        reader.read_medium(values)
        assert reader.second_cpu_ns == 8000
        assert reader.not_measured == {}
    else:
        assert set(reader.not_measured) == set(PRESSURE_COLUMNS)
        assert "v1 cgroups tell no pressure" in reader.not_measured[PRESSURE_COLUMNS[0]]
        assert reader.second_cpu_ns is None
    reader.close()


@pytest.mark.parametrize("has_peak", [True, False], ids=["5.19", "5.10"])
def test_v2_counters(tmp_path: Path, has_peak: bool) -> None:
    throttling = "nr_periods 9\nnr_throttled 4\nthrottled_usec 77\n"
    put(tmp_path / "cpu.stat", "usage_usec 42\nuser_usec 40\nsystem_usec 2\n" + throttling)
    put(tmp_path / "memory.current", "5000\n")
    put(tmp_path / "memory.stat", "anon 12\nfile 13\nshmem 14\ninactive_file 7\n")
    put(tmp_path / "memory.swap.current", "15\n")
    put(tmp_path / "memory.events", "low 0\noom 1\noom_kill 3\noom_group_kill 0\n")
    put(tmp_path / "io.stat", "8:0 rbytes=3 wbytes=4 rios=1 wios=2\n")
    put_pressure(tmp_path, ".pressure")
    if has_peak:
        put(tmp_path / "memory.peak", "9000\n")
    reader, values = CgroupReader(dict.fromkeys(("cpu", "memory", "io"), str(tmp_path)), Troubles()), blank()
    reader.read_fast(values)
    reader.read_medium(values)
    assert values[INDEX["cgroup_cpu_ns"]] == 42_000
    assert values[INDEX["cgroup_memory_bytes"]] == 5000
    assert values[INDEX["cgroup_memory_inactive_file_bytes"]] == 7
    assert values[INDEX["cgroup_memory_peak_bytes"]] == (9000 if has_peak else schema.MISSING)
    assert ("cgroup_memory_peak_bytes" in reader.not_measured) is not has_peak
    assert columns(values, "cgroup_cpu_user_ns", "cgroup_cpu_system_ns") == [40_000, 2_000]
    assert columns(values, "cgroup_throttled_periods", "cgroup_throttled_ns") == [4, 77_000]
    assert columns(values, "cgroup_read_operations", "cgroup_write_operations") == [1, 2]
    assert columns(values, *MEMORY_COLUMNS) == [12, 13, 14, 15, 3]
    assert columns(values, *PRESSURE_COLUMNS) == [1, 3, 4, 5, 6]
    reader.close()


def test_a_cgroup_without_memory_control_says_so(tmp_path: Path) -> None:
    put(tmp_path / "cpu.stat", "usage_usec 42\n")
    reader = CgroupReader({"cpu": str(tmp_path), "memory": str(tmp_path)}, Troubles())
    values = blank()
    reader.read_fast(values)
    assert values[INDEX["cgroup_cpu_ns"]] == 42_000
    assert values[INDEX["cgroup_memory_bytes"]] == schema.MISSING
    assert "neither memory.current nor memory.usage_in_bytes" in reader.not_measured["cgroup_memory_bytes"]
    assert reader.not_measured["cgroup_read_bytes"] == "no cgroup of its own for the job (io)"
    reader.close()


def test_counters_that_cannot_be_read_are_missing_with_an_error_bit(tmp_path: Path) -> None:
    put(tmp_path / "cpuacct.usage", "not a number\n")
    troubles, values = Troubles(), blank()
    reader = CgroupReader({"cpu": str(tmp_path)}, troubles)
    reader.read_fast(values)
    assert values[INDEX["cgroup_cpu_ns"]] == schema.MISSING
    assert troubles.take_bits() == schema.ERROR_BITS["cgroup_cpu"]
    reader.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_cgroup_that_goes_while_it_is_opened_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """Opening succeeds, reading says ENODEV: the sampler goes on, and the columns have the reason."""
    names = {
        1: ("cpuacct.usage", "memory.usage_in_bytes", "memory.stat", "memory.oom_control"),
        2: ("memory.current", "memory.stat", "memory.events", "memory.swap.current"),
    }
    for name in ("cpu.stat", *names[version]):
        put(tmp_path / name, "usage_usec 1\n")

    def gone(*_: object) -> bytes:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(KeptFile, "read", gone)
    monkeypatch.setattr(KeptFile, "read_integer", gone)
    paths = dict.fromkeys(("cpu", "memory", "io", "quota"), str(tmp_path))
    reader, values = CgroupReader(paths, Troubles()), blank()
    reader.read_fast(values)
    reader.read_medium(values)
    assert reader.gone
    opened = [
        "cgroup_anonymous_bytes",
        "cgroup_oom_kills",
        "cgroup_throttled_ns",
        *(["cgroup_cpu_ns"] if version == 2 else []),
    ]
    for column in opened:
        assert "No such device" in reader.not_measured[column]
    reader.close()


# --- cgroup layouts --------------------------------------------------------------------------------------------------


def machine(tmp_path: Path, mounts: list[str], memberships: dict[str, str]) -> Path:
    """A /proc with these mounts (`type options root point`) and `/proc/PID/cgroup` contents."""
    proc = tmp_path / "proc"
    lines = []
    for mount in mounts:
        kind, options, root, point = mount.split()
        (tmp_path / point).mkdir(parents=True, exist_ok=True)
        lines.append(f"30 20 0:30 {root} {tmp_path / point} rw,relatime shared:1 - {kind} cgroup rw,{options}")
    put(proc / "self/mountinfo", "\n".join(["1 0 8:1 / / rw - ext4 /dev/sda1 rw", *lines, ""]))
    for pid, content in memberships.items():
        put(proc / pid / "cgroup", content)
    return proc


V1 = ["cgroup cpu,cpuacct / cg/cpu", "cgroup memory / cg/memory"]
V2 = ["cgroup2 nsdelegate / cg"]
HYBRID = [*V1, "cgroup2 nsdelegate / cg/unified"]


@pytest.mark.parametrize(("mounts", "kind"), [(V1, "v1"), (V2, "v2"), (HYBRID, "hybrid"), ([], "none")])
def test_layouts(tmp_path: Path, mounts: list[str], kind: str) -> None:
    layout = detect(machine(tmp_path, mounts, {}))
    assert layout.kind == kind
    assert (layout.reason is None) == (kind != "none")


def test_no_proc(tmp_path: Path) -> None:
    layout = detect(tmp_path)
    assert layout.kind == "none"
    assert "No such file" in str(layout.reason)


def test_a_container_in_v1(tmp_path: Path) -> None:
    own, container = "3:memory:/\n2:cpu,cpuacct:/\n", "3:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n"
    proc = machine(tmp_path, V1, {"self": own, "77": container})
    for controller in ("cpu", "memory"):
        put(tmp_path / f"cg/{controller}/docker/abc/cgroup.procs", "77\n")
    paths, reason = cgroup_of(77, proc_root=proc)
    assert paths == {"cpu": f"{tmp_path}/cg/cpu/docker/abc", "memory": f"{tmp_path}/cg/memory/docker/abc"}
    assert "blkio" in str(reason)


def test_a_container_in_v2(tmp_path: Path) -> None:
    proc = machine(tmp_path, V2, {"self": "0::/user.slice\n", "77": "0::/system.slice/docker-abc.scope\n"})
    folder = tmp_path / "cg/system.slice/docker-abc.scope"
    put(folder / "cgroup.procs", "12\n77\n")
    assert cgroup_of(77, proc_root=proc) == (dict.fromkeys(("cpu", "memory", "io"), str(folder)), None)


def test_a_harness_in_a_container_sees_a_part_of_the_tree(tmp_path: Path) -> None:
    memberships = {"self": "0::/docker/abc\n", "77": "0::/docker/abc/job\n", "78": "0::/docker/other\n"}
    proc = machine(tmp_path, ["cgroup2 x /docker/abc cg"], memberships)
    put(tmp_path / "cg/job/cgroup.procs", "77\n")
    assert cgroup_of(77, proc_root=proc)[0]["cpu"] == f"{tmp_path}/cg/job"
    paths, reason = cgroup_of(78, proc_root=proc)
    assert paths == {}
    assert "not visible" in str(reason)


def test_a_process_outside_our_cgroup_namespace_is_not_visible(tmp_path: Path) -> None:
    proc = machine(tmp_path, V2, {"self": "0::/\n", "77": "0::/../other\n"})
    paths, reason = cgroup_of(77, proc_root=proc)
    assert paths == {}
    assert "not visible" in str(reason)


@pytest.mark.parametrize("membership", ["/", "/user.slice"], ids=["root", "shared"])
def test_a_cgroup_that_is_not_the_jobs_own_does_not_count(tmp_path: Path, membership: str) -> None:
    proc = machine(tmp_path, V2, {"self": "0::/user.slice\n", "77": f"0::{membership}\n"})
    paths, reason = cgroup_of(77, proc_root=proc)
    assert paths == {}
    assert "no cpuacct cgroup of its own" in str(reason)


def test_no_such_process(tmp_path: Path) -> None:
    proc = machine(tmp_path, V2, {"self": "0::/\n"})
    assert cgroup_of(77, proc_root=proc)[0] == {}


def test_a_path_with_colons(tmp_path: Path) -> None:
    proc = machine(tmp_path, V2, {"5": "0::/a:b/c\n"})
    assert read_memberships(5, proc) == {"": "/a:b/c"}


def test_trial_cgroup_v2_beside_the_harness(tmp_path: Path) -> None:
    """The harness's own cgroup holds processes, so controllers come from its parent: the trial stands beside it."""
    proc = machine(tmp_path, V2, {"self": "0::/delegated/harness\n"})
    parent = tmp_path / "cg/delegated"
    put(parent / "harness/cgroup.subtree_control", "")
    put(parent / "cgroup.subtree_control", "memory io\n")
    cgroup, reason = create_trial_cgroup("t/1", proc_root=proc)
    assert cgroup is not None
    assert reason is None
    assert cgroup.folders[0].parent == parent
    assert "/" not in cgroup.folders[0].name.removeprefix("dlgauge-")
    assert cgroup.paths["cpu"] == str(cgroup.folders[0])
    assert "not handed down" in cgroup.not_measured["memory"]  # a plain folder has no cgroup.controllers
    assert cgroup.set_memory_limit(1 << 20) == cgroup.not_measured["memory"]
    assert cgroup.oom_kills() is None
    assert cgroup.remove()
    assert cgroup.remove()


def test_trial_cgroup_hybrid(tmp_path: Path) -> None:
    """v1 controls, and the v2 tree beside it keeps account of CPU time and pressure."""
    proc = machine(tmp_path, HYBRID, {"self": "3:memory:/\n2:cpu,cpuacct:/\n0::/user.slice\n"})
    put(tmp_path / "cg/unified/user.slice/cgroup.procs", "1\n")
    cgroup, reason = create_trial_cgroup("t", proc_root=proc)
    assert cgroup is not None
    assert reason is None
    assert cgroup.paths["unified"].startswith(f"{tmp_path}/cg/unified/user.slice/dlgauge-")
    assert cgroup.paths["cpu"].startswith(f"{tmp_path}/cg/cpu/dlgauge-")
    assert Path(cgroup.paths["unified"]) in cgroup.folders
    assert len(cgroup.procs_files) == 3
    assert "blkio" in cgroup.not_measured["io"]
    assert cgroup.remove()


def test_a_v2_tree_that_cannot_be_joined_is_left_alone(tmp_path: Path) -> None:
    """The folder can be made and not entered: the launcher would fail to start the worker."""
    proc = machine(tmp_path, HYBRID, {"self": "3:memory:/\n2:cpu,cpuacct:/\n0::/user.slice\n"})
    (tmp_path / "cg/unified/user.slice").mkdir()  # without a writable cgroup.procs
    cgroup, reason = create_trial_cgroup("t", proc_root=proc)
    assert cgroup is not None
    assert reason is None
    assert "unified" not in cgroup.paths
    assert "may not be moved" in cgroup.not_measured["unified"]
    assert list((tmp_path / "cg/unified/user.slice").iterdir()) == []
    assert cgroup.remove()


def test_a_container_in_a_hybrid_with_the_cpu_controller_apart(tmp_path: Path) -> None:
    mounts = ["cgroup cpu / cg/cpu", "cgroup cpuacct / cg/cpuacct", "cgroup memory / cg/memory", HYBRID[-1]]
    own = "4:cpuacct:/\n3:memory:/\n2:cpu:/\n0::/\n"
    proc = machine(tmp_path, mounts, {"self": own, "77": own.replace(":/\n", ":/docker/abc\n")})
    folders = {name: tmp_path / f"cg/{name}/docker/abc" for name in ("cpu", "cpuacct", "memory", "unified")}
    for folder in folders.values():
        put(folder / "cgroup.procs", "77\n")
    paths, reason = cgroup_of(77, proc_root=proc)
    wanted = {"cpu": "cpuacct", "memory": "memory", "io": "unified", "unified": "unified", "quota": "cpu"}
    assert paths == {key: str(folders[name]) for key, name in wanted.items()}
    assert reason is None


def test_no_trial_cgroup_without_cgroups(tmp_path: Path) -> None:
    cgroup, reason = create_trial_cgroup("t", proc_root=machine(tmp_path, [], {"self": ""}))
    assert cgroup is None
    assert "no cgroup file system" in str(reason)


# --- process trees ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_children_files", [True, False])
def test_discovery(tmp_path: Path, has_children_files: bool) -> None:
    for pid, ppid in ((100, 1), (101, 100), (102, 101), (103, 101), (200, 1)):
        add_process(tmp_path, pid, ppid, ticks=pid)
    if has_children_files:
        put(tmp_path / "100/task/100/children", "101 ")
        put(tmp_path / "101/task/101/children", "102 ")
        put(tmp_path / "101/task/105/children", "103 ")  # forked by another thread
        for pid in (102, 103):
            put(tmp_path / f"{pid}/task/{pid}/children", "")
    tree = Tree(100, True, str(tmp_path), Troubles(), 0)
    tree.discover(1)
    assert tree.pids() == {100, 101, 102, 103}
    values = blank()
    tree.read_fast(values, 2)
    tree.read_medium(values)
    assert values[INDEX["tree_processes"]] == 3
    assert values[INDEX["tree_cpu_ns"]] == (101 + 102 + 103) * 10_000_000
    assert values[INDEX["tree_resident_peak_bytes"]] == 80 * 1024
    assert values[INDEX["tree_read_bytes"]] == (101 + 102 + 103) * 10
    assert values[INDEX["tree_write_bytes"]] == (101 + 102 + 103) * 20
    assert columns(values, "tree_read_characters_bytes", "tree_write_characters_bytes") == [306 * 30, 306 * 40]
    assert columns(values, "tree_cpu_user_ns", "tree_cpu_system_ns") == [306 * 10_000_000, 0]
    assert [process.role for process in tree.processes()] == [0, 1, 2, 2]
    tree.close()


@pytest.mark.parametrize(("flags", "peak_kib"), [(0x40, 8), (0, 8000)], ids=["before exec", "after exec"])
def test_a_worker_before_its_exec_has_the_memory_of_its_launcher(tmp_path: Path, flags: int, peak_kib: int) -> None:
    """Its own children need no exec: they are fork's on purpose, and count."""
    add_process(tmp_path, 100, 1, rss=1000)
    add_process(tmp_path, 101, 100, rss=1000, flags=flags)
    add_process(tmp_path, 102, 101, rss=1, flags=0x40)
    tree, values = Tree(100, True, str(tmp_path), Troubles(), 0), blank()
    tree.discover(1)
    tree.read_fast(values, 2)
    tree.read_medium(values)
    assert values[INDEX["tree_resident_peak_bytes"]] == peak_kib * 1024
    tree.close()


def test_lost_time_is_recorded_and_not_hidden(tmp_path: Path) -> None:
    """A child whose parent ignores SIGCHLD takes its time with it: the total holds, the loss stands beside it."""
    add_process(tmp_path, 100, 1, ticks=50)
    tree, values = Tree(100, False, str(tmp_path), Troubles(), 0), blank()
    tree.read_fast(values, time.monotonic_ns())
    assert values[INDEX["tree_cpu_ns"]] == 500_000_000
    add_process(tmp_path, 100, 1, ticks=30)
    tree.read_fast(values, time.monotonic_ns())
    assert values[INDEX["tree_cpu_ns"]] == 500_000_000
    assert values[INDEX["tree_cpu_regress_ns"]] == 200_000_000
    tree.close()


# --- the host --------------------------------------------------------------------------------------------------------


def test_host_counters(tmp_path: Path) -> None:
    put(tmp_path / "stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2\nintr 5 0 0\nctxt 77\nbtime 1\n")
    put(tmp_path / "meminfo", "MemTotal: 10 kB\nMemAvailable:    6 kB\n")
    put(tmp_path / "vmstat", "pgpgin 1\npswpin 5\npswpout 6\n")
    put(tmp_path / "diskstats", " 8 0 sda 1 0 100 0 1 0 50 0 0 0 0\n")
    put_pressure(tmp_path / "pressure", "")
    (tmp_path / "sys/block/sda").mkdir(parents=True)
    (tmp_path / "sys/block/loop0").mkdir()
    values, reader = blank(), HostReader(str(tmp_path), str(tmp_path / "sys"), Troubles())
    reader.read_fast(values)
    reader.read_medium(values)
    assert values[INDEX["host_user_ticks"] : INDEX["host_steal_ticks"] + 1] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert values[INDEX["host_context_switches"]] == 77
    assert values[INDEX["host_memory_available_bytes"]] == 6 * 1024
    assert (values[INDEX["host_swap_in_pages"]], values[INDEX["host_swap_out_pages"]]) == (5, 6)
    assert (values[INDEX["host_disk_read_bytes"]], values[INDEX["host_disk_write_bytes"]]) == (51200, 25600)
    assert reader.not_measured == {}


def test_a_host_without_these_files_gives_reasons(tmp_path: Path) -> None:
    values, reader = blank(), HostReader(str(tmp_path), str(tmp_path), Troubles())
    reader.read_fast(values)
    reader.read_medium(values)
    assert values[INDEX["host_user_ticks"]] == schema.MISSING
    for column in schema.SAMPLE_COLUMNS:
        if column.name.startswith("host_"):
            assert column.name in reader.not_measured, column.name
