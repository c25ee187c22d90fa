"""The machine as a measuring place: what it is, what of it disturbs a measurement, and how to mend that.

Nothing is changed here. A check reads a few files below `proc` and `sys`, which tests replace by trees of their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentFailed
from harness.execution.host import cpu_model
from harness.sampling.cgroups import SAMPLER_KEYS, CgroupLayout, create_trial_cgroup, detect

GOOD, WARNING, UNKNOWN = "good", "warning", "unknown"
STEAL_S = 2.0
STEAL_SHARE = 0.01
LOAD_SHARE = 0.05
"""Of the CPUs that others may use: as for a record's cell (docs/records.md)."""

FAST_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
"""Clock sources read without a system call."""


@dataclass(frozen=True)
class Check:
    """One property of the machine.

    Attributes:
        name: a word or two.
        found: what is there.
        verdict: `good`, `warning` (disturbs, or takes something away) or `unknown` (cannot be seen from here).
        effect: what it means for a measurement; empty where nothing.
        mend: what to do about it; empty where nothing can or need be done.
    """

    name: str
    found: str
    verdict: str
    effect: str = ""
    mend: str = ""


class Machine:
    """Reads the machine's files.

    Args:
        proc, sys: `/proc` and `/sys`, or folders that look like them.
    """

    def __init__(self, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self.proc = proc
        self.sys = sys

    def text(self, path: Path) -> str | None:
        """The text of a small file; None when it cannot be read."""
        try:
            return path.read_text(errors="replace").strip()
        except OSError:
            return None

    def number(self, path: Path) -> int | None:
        """The whole number in a small file; None when there is none."""
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def cpus(self) -> list[int]:
        """The CPUs that this machine has online."""
        ranges = self.text(self.sys / "devices/system/cpu/online")
        return parse_cpu_list(ranges) if ranges else sorted(os.sched_getaffinity(0))


def parse_cpu_list(text: str) -> list[int]:
    """CPUs of `0-3,8`."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def check_machine(machine: Machine | None = None, *, steal_s: float = STEAL_S) -> list[Check]:
    """Every check of the machine, in the order in which they are shown; takes `steal_s` and a little more."""
    machine = machine or Machine()
    found: list[Check] = []
    for check in CHECKS:
        found.extend(check(machine))
    found.extend(check_steal(machine, steal_s))
    return found


def check_processor(machine: Machine) -> Iterator[Check]:
    """Model, topology, frequency, turbo, SMT."""
    yield Check("CPU model", cpu_model(machine.proc / "cpuinfo") or "not told", GOOD)
    cpus = machine.cpus()
    topology = machine.sys / "devices/system/cpu"
    packages = {machine.text(topology / f"cpu{cpu}/topology/physical_package_id") for cpu in cpus} - {None}
    cores = {machine.text(topology / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in cpus}
    nodes = len(list((machine.sys / "devices/system/node").glob("node[0-9]*"))) or 1
    shape = f"{len(cpus)} CPUs, {len(cores)} cores, {len(packages) or 1} packages, {nodes} memory nodes"
    few = "the sampler and the harness share CPUs with what is measured" if len(cpus) <= 2 else ""
    yield Check("topology", shape, WARNING if few else GOOD, few, "leave a CPU free in the profile" if few else "")
    yield from _frequency(machine, topology)
    active = machine.text(topology / "smt/active")
    if active == "1" or len(cores) < len(cpus):
        yield Check(
            "SMT",
            "on",
            WARNING,
            "two threads of one core slow each other down",
            "give a profile one CPU of each core (cpus: [...]), or echo off > /sys/devices/system/cpu/smt/control",
        )
    else:
        yield Check("SMT", "off or none", GOOD)


def _frequency(machine: Machine, topology: Path) -> Iterator[Check]:
    governor = machine.text(topology / "cpu0/cpufreq/scaling_governor")
    if governor is None:
        yield Check("governor", "not visible", UNKNOWN, "the clock may change unseen (a virtual machine)", "")
    else:
        steady = governor == "performance"
        effect = "" if steady else "the clock follows the load: short work runs slower"
        mend = "" if steady else "cpupower frequency-set -g performance"
        yield Check("governor", governor, GOOD if steady else WARNING, effect, mend)
    no_turbo, boost = machine.number(topology / "intel_pstate/no_turbo"), machine.number(topology / "cpufreq/boost")
    if no_turbo is None and boost is None:
        yield Check("turbo", "not visible", UNKNOWN, "the clock may depend on temperature and neighbours", "")
        return
    on = no_turbo == 0 if no_turbo is not None else boost == 1
    path = "intel_pstate/no_turbo" if no_turbo is not None else "cpufreq/boost"
    mend = f"echo {1 if no_turbo is not None else 0} > /sys/devices/system/cpu/{path}" if on else ""
    effect = "the clock depends on temperature and on how many cores are busy" if on else ""
    yield Check("turbo", "on" if on else "off", WARNING if on else GOOD, effect, mend)


def check_load(machine: Machine) -> Iterator[Check]:
    """Load, pressure, swap."""
    load = (machine.text(machine.proc / "loadavg") or "").split()
    if load:
        busy = float(load[0]) > LOAD_SHARE * len(machine.cpus())
        effect = "other programs take CPU time, cache and memory bandwidth" if busy else ""
        mend = "end them (top shows them), and wait until the load has fallen" if busy else ""
        yield Check("load, 1 min", load[0], WARNING if busy else GOOD, effect, mend)
    pressure = (machine.proc / "pressure/cpu").exists()
    yield Check(
        "PSI",
        "there" if pressure else "none",
        GOOD if pressure else UNKNOWN,
        "" if pressure else "stalls for CPU, memory and storage cannot be told",
        "" if pressure else "a kernel with CONFIG_PSI, booted with psi=1",
    )
    swaps = (machine.text(machine.proc / "swaps") or "").splitlines()[1:]
    effect = "a job that does not fit slows down by orders of magnitude instead of failing" if swaps else ""
    found = f"{len(swaps)} areas" if swaps else "none"
    yield Check("swap", found, WARNING if swaps else GOOD, effect, "swapoff -a" if swaps else "")


def check_steal(machine: Machine, seconds: float) -> Iterator[Check]:
    """Share of CPU time that the host of a virtual machine gave to others."""
    before, after = _cpu_ticks(machine), None
    if before is not None:
        time.sleep(seconds)
        after = _cpu_ticks(machine)
    if before is None or after is None:
        yield Check("steal", "not told", UNKNOWN, "whether the host takes CPUs away cannot be seen")
        return
    total = sum(after) - sum(before)
    share = (after[7] - before[7]) / total if total > 0 else 0.0
    much = share > STEAL_SHARE
    effect = "the host gives this machine's CPUs to others" if much else ""
    mend = "another time or another host; read the canary of every trial" if much else ""
    yield Check("steal", f"{100 * share:.1f} % over {seconds:g} s", WARNING if much else GOOD, effect, mend)


def _cpu_ticks(machine: Machine) -> list[int] | None:
    """The eight times of `/proc/stat`, user to steal."""
    words = (machine.text(machine.proc / "stat") or "").partition("\n")[0].split()
    return [int(word) for word in words[1:9]] if len(words) > 8 else None


def check_kernel(machine: Machine) -> Iterator[Check]:
    """Huge pages, address space layout, clock source."""
    huge = machine.text(machine.sys / "kernel/mm/transparent_hugepage/enabled") or ""
    mode = huge.partition("[")[2].partition("]")[0]
    effect = "memory use and speed depend on how fragmented memory is" if mode == "always" else ""
    mend = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled" if effect else ""
    yield Check("huge pages", mode or "none", WARNING if effect else GOOD, effect, mend)
    layout = machine.number(machine.proc / "sys/kernel/randomize_va_space")
    random = layout != 0 and layout is not None
    effect = "every process has its own layout: one run is one draw, so repeat the process" if random else ""
    yield Check("ASLR", "on" if random else "off" if layout == 0 else "not told", GOOD, effect)
    clock = machine.text(machine.sys / "devices/system/clocksource/clocksource0/current_clocksource")
    fast = clock in FAST_CLOCKS
    effect = "" if fast else "reading the clock is a system call: step times get longer"
    mend = "" if fast or clock is None else "boot with clocksource=tsc if the processor's is reliable"
    yield Check("clock source", clock or "not told", GOOD if fast else WARNING if clock else UNKNOWN, effect, mend)


def check_cgroups(machine: Machine) -> Iterator[Check]:
    """Which cgroups, what a trial can have of them, and whether a quota is below the CPUs that are seen."""
    layout = detect(machine.proc)
    cgroup, reason = create_trial_cgroup("doctor", layout, machine.proc)
    if cgroup is None:
        mend = "run as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes dlgauge ..."
        effect = "processes are counted by walking their tree; no memory limit in a venv"
        yield Check("cgroups", f"{layout.kind}; none for a trial: {reason}", WARNING, effect, mend)
    else:
        missing = "; ".join(f"no {_controller(layout, key)}: {why}" for key, why in cgroup.not_measured.items())
        cgroup.remove()
        had = ", ".join(sorted(_controller(layout, key) for key in cgroup.paths))
        yield Check("cgroups", f"{layout.kind}; a trial gets {had}", WARNING if missing else GOOD, missing)
    yield from _quota(machine)


def _controller(layout: CgroupLayout, key: str) -> str:
    """The kernel's name of what the sampler calls `key`: v1 has `cpuacct`, which counts, apart from `cpu`."""
    names = {} if layout.kind == "v2" else {word: controller for controller, word in SAMPLER_KEYS.items()}
    return names.get(key, key)


def _quota(machine: Machine) -> Iterator[Check]:
    quota = cpu_quota(machine)
    cpus = len(os.sched_getaffinity(0)) if machine.proc == Path("/proc") else len(machine.cpus())
    if quota is None or quota >= cpus:
        yield Check("CPU quota", "none" if quota is None else f"{quota:g} of {cpus} CPUs", GOOD)
        return
    effect = f"frameworks start a thread for each of {cpus} CPUs and are then throttled"
    mend = "pin with a profile (cpus: N), or start the container with --cpuset-cpus in place of --cpus"
    yield Check("CPU quota", f"{quota:g} CPUs, but {cpus} are visible", WARNING, effect, mend)


def cpu_quota(machine: Machine) -> float | None:
    """CPUs that the cgroup's quota allows, v2 or v1, as seen from inside; None for no quota."""
    words = (machine.text(machine.sys / "fs/cgroup/cpu.max") or "").split()
    if len(words) == 2 and words[0] != "max":
        return int(words[0]) / int(words[1])
    quota = machine.number(machine.sys / "fs/cgroup/cpu/cpu.cfs_quota_us")
    period = machine.number(machine.sys / "fs/cgroup/cpu/cpu.cfs_period_us")
    return quota / period if quota is not None and quota > 0 and period else None


def check_devices(machine: Machine) -> Iterator[Check]:
    """GPUs through NVML, energy through RAPL, a container engine."""
    from harness.sampling.gpu_thread import start_gpus
    from harness.sampling.troubles import Troubles

    gpus = start_gpus(None, Troubles())
    if isinstance(gpus, str):
        yield Check("NVML", gpus, UNKNOWN, "GPUs cannot be measured", "")
    else:
        yield Check("NVML", ", ".join(str(gpu.get("name")) for gpu in gpus.report()["gpus"]), GOOD)
        gpus.finish()
    energy = sorted((machine.sys / "class/powercap").glob("intel-rapl:*/energy_uj"))
    if energy and os.access(energy[0], os.R_OK):
        yield Check("RAPL", f"{len(energy)} domains", GOOD)
    else:
        found = "not readable" if energy else "none"
        mend = f"chmod a+r {energy[0].parent}/energy_uj (as root)" if energy else ""
        yield Check("RAPL", found, UNKNOWN, "energy of the processor cannot be measured", mend)


def check_engine(_machine: Machine) -> Iterator[Check]:
    """A container engine that answers."""
    from harness.execution.engine import connect

    try:
        client = connect()
    except EnvironmentFailed as error:
        yield Check("container engine", error.what, WARNING, "no container framework can run", error.hint or "")
        return
    try:
        yield Check("container engine", f"API {client.api._version}", GOOD)  # noqa: SLF001 (the agreed version)
    finally:
        client.close()


CHECKS: tuple[Callable[[Machine], Iterator[Check]], ...] = (
    check_processor,
    check_load,
    check_kernel,
    check_cgroups,
    check_devices,
    check_engine,
)
