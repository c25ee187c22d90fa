"""The memory limit in force, on simulated trees of cgroups."""

from __future__ import annotations

from pathlib import Path

from frameworks.worker.limits import gpu_names, limits_of, memory_in_force

NO_LIMIT = 9223372036854771712


def machine(tmp_path: Path, cgroup: str, mount: str, swap_kib: int = 1024) -> str:
    """A folder that looks like `/proc`."""
    own = tmp_path / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text(cgroup)
    (own / "mountinfo").write_text(mount)
    (tmp_path / "proc" / "meminfo").write_text(f"MemTotal: 1 kB\nSwapTotal:  {swap_kib} kB\n")
    return str(tmp_path / "proc")


def v1(tmp_path: Path, memory: int, both: int | None, **options: int) -> dict[str, object]:
    """A container on v1: its mount shows the tree from its own cgroup on."""
    point = tmp_path / "memory"
    point.mkdir()
    (point / "memory.limit_in_bytes").write_text("1\n")
    swap = "" if both is None else f"hierarchical_memsw_limit {both}\n"
    (point / "memory.stat").write_text(f"cache 0\nhierarchical_memory_limit {memory}\n{swap}")
    mount = f"31 23 0:28 /docker/abc {point} ro - cgroup cgroup rw,memory\n"
    return memory_in_force(machine(tmp_path, "4:memory:/docker/abc\n0::/\n", mount, **options))


def test_v1_tells_the_smallest_limit_of_all_above_and_the_swap_beside_it(tmp_path: Path) -> None:
    assert v1(tmp_path, 1 << 30, 3 << 30) == {"memory_bytes": 1 << 30, "swap_bytes": 2 << 30, "why_not": None}


def test_v1_without_swap_accounting_does_not_know_unless_there_is_no_swap(tmp_path: Path) -> None:
    assert v1(tmp_path, 1 << 30, None)["swap_bytes"] is None


def test_a_machine_without_swap_cannot_swap(tmp_path: Path) -> None:
    assert v1(tmp_path, 1 << 30, None, swap_kib=0)["swap_bytes"] == 0


def test_v1_without_a_limit(tmp_path: Path) -> None:
    assert v1(tmp_path, NO_LIMIT, NO_LIMIT)["memory_bytes"] is None


def test_v2_takes_the_smallest_on_the_way_up(tmp_path: Path) -> None:
    trial = tmp_path / "tree" / "user" / "trial"
    trial.mkdir(parents=True)
    for folder, memory, swap in ((trial, "4096000", "0"), (trial.parent, "2048000", "max")):
        (folder / "memory.max").write_text(memory)
        (folder / "memory.swap.max").write_text(swap)
    mount = f"31 23 0:28 / {tmp_path}/tree rw - cgroup2 cgroup rw\n"
    found = memory_in_force(machine(tmp_path, "0::/user/trial\n", mount))
    assert found == {"memory_bytes": 2048000, "swap_bytes": 0, "why_not": None}
    assert limits_of(str(trial)) == {"memory_bytes": 2048000, "swap_bytes": 0}


def test_a_machine_without_cgroups_says_why(tmp_path: Path) -> None:
    found = memory_in_force(machine(tmp_path, "", ""))
    assert found["memory_bytes"] is None and "no cgroup tree" in str(found["why_not"])


def test_visible_gpus_are_read_as_cuda_does() -> None:
    assert (gpu_names(None), gpu_names(""), gpu_names("0, GPU-abc")) == (None, [], ["0", "GPU-abc"])
