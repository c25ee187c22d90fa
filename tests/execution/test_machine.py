"""`dlgauge doctor`'s checks on machines made of files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from harness.execution import machine
from harness.execution.machine import GOOD, UNKNOWN, WARNING, Check, Machine, parse_cpu_list
from harness.sampling.cgroups import CgroupLayout

CPU = "devices/system/cpu"
SERVER = {
    "proc/cpuinfo": "processor : 0\nmodel name : Some CPU 9000\n",
    "proc/loadavg": "0.05 0.10 0.20 1/200 4242",
    "proc/pressure/cpu": "some avg10=0.00 total=0",
    "proc/swaps": "Filename Type Size Used Priority",
    "proc/stat": "cpu 100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1",
    "proc/sys/kernel/randomize_va_space": "2",
    "proc/self/mountinfo": "",
    f"sys/{CPU}/online": "0-3",
    f"sys/{CPU}/cpu0/cpufreq/scaling_governor": "performance",
    f"sys/{CPU}/intel_pstate/no_turbo": "1",
    f"sys/{CPU}/smt/active": "0",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/class/powercap/intel-rapl:0/energy_uj": "12",
    **{f"sys/{CPU}/cpu{cpu}/topology/thread_siblings_list": str(cpu) for cpu in range(4)},
    **{f"sys/{CPU}/cpu{cpu}/topology/physical_package_id": "0" for cpu in range(4)},
}


def make(folder: Path, files: dict[str, str]) -> Machine:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return Machine(folder / "proc", folder / "sys")


def checks(folder: Path, files: dict[str, str]) -> dict[str, Check]:
    made = make(folder, files)
    parts = (machine.check_processor, machine.check_load, machine.check_kernel, machine.check_cgroups)
    found = [check for part in parts for check in part(made)]
    return {check.name: check for check in [*found, *machine.check_devices(made), *machine.check_steal(made, 0.0)]}


def test_a_good_machine_has_no_warning_but_its_missing_cgroups(tmp_path: Path) -> None:
    found = checks(tmp_path, SERVER)
    assert [check.name for check in found.values() if check.verdict == WARNING] == ["cgroups"]
    assert found["CPU model"].found == "Some CPU 9000"
    assert found["topology"].found == "4 CPUs, 4 cores, 1 packages, 1 memory nodes"
    assert found["RAPL"].verdict == GOOD
    assert "no cgroup file system" in found["cgroups"].found


@pytest.mark.parametrize(
    ("name", "file", "content", "verdict", "mend"),
    [
        ("governor", f"sys/{CPU}/cpu0/cpufreq/scaling_governor", "powersave", WARNING, "performance"),
        ("turbo", f"sys/{CPU}/intel_pstate/no_turbo", "0", WARNING, "echo 1 >"),
        ("SMT", f"sys/{CPU}/smt/active", "1", WARNING, "one CPU of each core"),
        ("topology", f"sys/{CPU}/online", "0-1", WARNING, "leave a CPU free"),
        ("load, 1 min", "proc/loadavg", "3.10 1.0 1.0 1/200 4242", WARNING, "wait"),
        ("swap", "proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2", WARNING, "swapoff"),
        ("huge pages", "sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never", WARNING, "madvise"),
        (
            "clock source",
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "hpet",
            WARNING,
            "clocksource=tsc",
        ),
        ("CPU quota", "sys/fs/cgroup/cpu.max", "150000 100000", WARNING, "--cpuset-cpus"),
        ("ASLR", "proc/sys/kernel/randomize_va_space", "0", GOOD, ""),
    ],
)
def test_each_disturbance_is_named_with_its_mend(
    tmp_path: Path, name: str, file: str, content: str, verdict: str, mend: str
) -> None:
    check = checks(tmp_path, {**SERVER, file: content})[name]
    assert check.verdict == verdict
    assert mend in check.mend
    assert bool(check.effect) == (verdict == WARNING)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("governor", f"sys/{CPU}/cpu0/cpufreq/scaling_governor"),
        ("turbo", f"sys/{CPU}/intel_pstate/no_turbo"),
        ("PSI", "proc/pressure/cpu"),
        ("steal", "proc/stat"),
        ("RAPL", "sys/class/powercap/intel-rapl:0/energy_uj"),
        ("clock source", "sys/devices/system/clocksource/clocksource0/current_clocksource"),
    ],
)
def test_what_cannot_be_seen_is_unknown_and_not_good(tmp_path: Path, name: str, file: str) -> None:
    assert checks(tmp_path, {key: text for key, text in SERVER.items() if key != file})[name].verdict == UNKNOWN


def test_steal_is_a_share_of_the_time_that_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path, SERVER)

    def time_passes(_seconds: float) -> None:
        (tmp_path / "proc" / "stat").write_text("cpu 140 0 100 850 0 0 0 10 0 0\n")

    monkeypatch.setattr(machine.time, "sleep", time_passes)
    (check,) = machine.check_steal(made, 2.0)
    assert (check.name, check.found, check.verdict) == ("steal", "10.0 % over 2 s", WARNING)


def test_a_quota_of_v1_and_one_that_is_no_limit(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}
    assert machine.cpu_quota(make(tmp_path, files)) == 0.5
    assert machine.cpu_quota(make(tmp_path, {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"})) is None
    assert machine.cpu_quota(make(tmp_path, {"sys/fs/cgroup/cpu.max": "max 100000"})) is None


@pytest.mark.parametrize(("kind", "names"), [("v1", "blkio, cpuacct, memory"), ("v2", "cpu, io, memory")])
def test_controllers_bear_the_kernels_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, names: str
) -> None:
    """On v1 `cpu` is another controller, the one of quotas, which a trial does not get."""

    class Cgroup:
        paths: ClassVar = {"cpu": "a", "memory": "b", "io": "c"}
        not_measured: ClassVar[dict[str, str]] = {}

        def remove(self) -> None: ...

    monkeypatch.setattr(machine, "detect", lambda _proc: CgroupLayout(kind, None, ()))
    monkeypatch.setattr(machine, "create_trial_cgroup", lambda *_: (Cgroup(), None))
    found = next(iter(machine.check_cgroups(make(tmp_path, SERVER))))
    assert found.found == f"{kind}; a trial gets {names}"


def test_cpu_lists() -> None:
    assert parse_cpu_list("0-3,8") == [0, 1, 2, 3, 8]
