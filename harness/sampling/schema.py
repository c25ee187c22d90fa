"""The sampler's files: columns and binary layout; `harness.sampling.decoding` reads them.

Imported by the sampler process itself, so it needs the standard library only.

Every file starts with `HEADER` (magic, version, bytes a record) and goes on with records of one size, little-endian. A
file that ends in the middle of a record (the sampler was killed) is read up to its last whole record.
A value that was not measured is `MISSING` in the file, masked in the decoded arrays, null in Parquet.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MISSING = -(2**63)
"""Stands for "not measured" in the binary files (INT64_MIN)."""

VERSION = 2
"""1: the first form. 2: more columns. Files of version 1 are still read: columns that they lack are masked."""

HEADER = struct.Struct("<8sII")

SAMPLES_FILE = "samples.bin"
GPUS_FILE = "gpus.bin"
PROCESSES_FILE = "processes.bin"
REPORT_FILE = "sampler-report.json"
CONFIGURATION_FILE = "sampler.json"
SOCKET_FILE = "sampler.sock"
LOG_FILE = "sampler.log"

SAMPLES_MAGIC = b"dlgsampl"
GPUS_MAGIC = b"dlggpus\0"
PROCESSES_MAGIC = b"dlgprocs"

TIER_FAST = 1
TIER_MEDIUM = 2
TIER_SLOW = 4

TRIGGERS = ("start", "target", "tick", "phase", "exit", "stop")
"""Why a sample was taken; the file holds the index. `exit`: the root of the tree ended."""

ROLES = ("launcher", "worker", "child")

ERROR_BITS = {
    "cgroup_cpu": 1,
    "cgroup_memory": 2,
    "cgroup_io": 4,
    "process_stat": 8,
    "process_status": 16,
    "process_io": 32,
    "tree_walk": 64,
    "host": 128,
    "gpu": 256,
    "open_files": 512,
    "internal": 1024,
    "machine": 2048,
    "pressure": 4096,
    "network": 8192,
    "process_memory": 16384,
}
"""What failed while a sample was taken (`errors` is a sum of these)."""


class Column(NamedTuple):
    """One column: unit, kind (`counter`, `gauge`, `state`, `identity`) and tier (`fast`, `medium`, `slow`, or `-`).

    The tree's `fast` columns are read in the medium tier where the job has a cgroup of its own.
    """

    name: str
    unit: str
    kind: str
    tier: str
    description: str


SAMPLE_COLUMNS: tuple[Column, ...] = (
    Column("seq", "1", "identity", "-", "number of the sample, from 0"),
    Column("trigger", "name", "state", "-", "why it was taken: start, target, tick, phase, exit, stop"),
    Column("tiers", "bits", "state", "-", "what was read: 1 fast, 2 medium, 4 slow"),
    Column(
        "t_planned_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC time the schedule asked for (ticks), else the request's"
    ),
    Column("t_start_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC when reading began"),
    Column("t_end_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC when reading ended, but for the slow tier"),
    Column("ticks_skipped", "1", "counter", "-", "deadlines skipped so far because a sample overran or came late"),
    Column("tree_processes", "1", "gauge", "fast", "processes known in the tree, without an excluded root"),
    Column("tree_threads", "1", "gauge", "fast", "their threads"),
    Column("cgroup_cpu_ns", "ns", "counter", "fast", "CPU time of the job's cgroup"),
    Column("tree_cpu_ns", "ns", "counter", "fast", "CPU time of the tree: live processes and reaped children"),
    Column("tree_cpu_regress_ns", "ns", "gauge", "fast", "by how much the raw sum is below tree_cpu_ns (lost time)"),
    Column("cgroup_memory_bytes", "bytes", "gauge", "fast", "memory charged to the job's cgroup, page cache included"),
    Column("cgroup_memory_peak_bytes", "bytes", "gauge", "fast", "its peak, kept by the kernel"),
    Column(
        "cgroup_memory_inactive_file_bytes", "bytes", "gauge", "medium", "page cache the kernel would reclaim first"
    ),
    Column("tree_resident_bytes", "bytes", "gauge", "fast", "sum of resident memory; shared pages count many times"),
    Column(
        "tree_resident_peak_bytes",
        "bytes",
        "counter",
        "medium",
        "largest VmHWM of any process seen, kept by the kernel",
    ),
    Column("cgroup_read_bytes", "bytes", "counter", "medium", "bytes the cgroup read from storage"),
    Column("cgroup_write_bytes", "bytes", "counter", "medium", "bytes the cgroup wrote to storage"),
    Column("tree_read_bytes", "bytes", "counter", "medium", "bytes the tree read from storage"),
    Column("tree_write_bytes", "bytes", "counter", "medium", "bytes the tree dirtied for storage"),
    Column("tree_io_regress_bytes", "bytes", "gauge", "medium", "by how much the raw I/O sums are below the two above"),
    Column("tree_minor_faults", "1", "counter", "fast", "page faults without I/O, reaped children included"),
    Column("tree_major_faults", "1", "counter", "fast", "page faults with I/O, reaped children included"),
    Column("host_user_ticks", "ticks", "counter", "fast", "/proc/stat user, all CPUs"),
    Column("host_nice_ticks", "ticks", "counter", "fast", "/proc/stat nice"),
    Column("host_system_ticks", "ticks", "counter", "fast", "/proc/stat system"),
    Column("host_idle_ticks", "ticks", "counter", "fast", "/proc/stat idle"),
    Column("host_iowait_ticks", "ticks", "counter", "fast", "/proc/stat iowait; may decrease, context only"),
    Column("host_irq_ticks", "ticks", "counter", "fast", "/proc/stat irq"),
    Column("host_softirq_ticks", "ticks", "counter", "fast", "/proc/stat softirq"),
    Column("host_steal_ticks", "ticks", "counter", "fast", "/proc/stat steal"),
    Column("host_context_switches", "1", "counter", "medium", "/proc/stat ctxt"),
    Column("host_memory_available_bytes", "bytes", "gauge", "medium", "/proc/meminfo MemAvailable"),
    Column("host_disk_read_bytes", "bytes", "counter", "medium", "/proc/diskstats, whole disks"),
    Column("host_disk_write_bytes", "bytes", "counter", "medium", "/proc/diskstats, whole disks"),
    Column("host_swap_in_pages", "pages", "counter", "medium", "/proc/vmstat pswpin"),
    Column("host_swap_out_pages", "pages", "counter", "medium", "/proc/vmstat pswpout"),
    Column("cgroup_cpu_user_ns", "ns", "counter", "medium", "its part in user mode"),
    Column("cgroup_cpu_system_ns", "ns", "counter", "medium", "its part in the kernel"),
    Column("tree_cpu_user_ns", "ns", "counter", "medium", "user mode of the tree, in ticks of the kernel"),
    Column("tree_cpu_system_ns", "ns", "counter", "medium", "kernel mode of the tree, in ticks of the kernel"),
    Column("cgroup_throttled_periods", "1", "counter", "medium", "periods in which the CPU quota held the job back"),
    Column("cgroup_throttled_ns", "ns", "counter", "medium", "for how long"),
    Column("phase_memory_peak_bytes", "bytes", "gauge", "medium", "kernel-kept peak since the last phase mark"),
    Column("cgroup_anonymous_bytes", "bytes", "gauge", "medium", "anonymous memory charged to the cgroup"),
    Column("cgroup_file_bytes", "bytes", "gauge", "medium", "page cache charged to the cgroup"),
    Column("cgroup_shared_memory_bytes", "bytes", "gauge", "medium", "tmpfs and shared anonymous memory charged to it"),
    Column("cgroup_swap_bytes", "bytes", "gauge", "medium", "its swap"),
    Column("cgroup_oom_kills", "1", "counter", "medium", "processes ended by the out-of-memory killer"),
    Column("cgroup_read_operations", "1", "counter", "medium", "read operations on storage"),
    Column("cgroup_write_operations", "1", "counter", "medium", "write operations on storage"),
    Column(
        "tree_read_characters_bytes", "bytes", "counter", "medium", "bytes the tree asked read(2) for, cached or not"
    ),
    Column("tree_write_characters_bytes", "bytes", "counter", "medium", "bytes the tree handed to write(2)"),
    Column("tree_proportional_bytes", "bytes", "gauge", "slow", "PSS: private and a fair share of shared pages"),
    Column("tree_unique_bytes", "bytes", "gauge", "slow", "USS: private pages"),
    Column("tree_swap_proportional_bytes", "bytes", "gauge", "slow", "SwapPss"),
    Column("proportional_cost_ns", "ns", "gauge", "slow", "time spent reading the three columns before"),
    Column(
        "network_receive_bytes", "bytes", "counter", "medium", "received, all interfaces but lo; scope in the report"
    ),
    Column("network_transmit_bytes", "bytes", "counter", "medium", "sent, all interfaces but lo; scope in the report"),
    *(
        Column(f"{scope}_pressure_{resource}_{share}_us", "us", "counter", "medium", f"PSI total, {words}")
        for scope, words in (("cgroup", "of the job's cgroup"), ("host", "of the host"))
        for resource, share in (
            ("cpu", "some"),
            ("memory", "some"),
            ("memory", "full"),
            ("io", "some"),
            ("io", "full"),
        )
    ),
    Column("cpu_frequency_mean_khz", "kHz", "gauge", "medium", "mean current frequency of the job's CPUs"),
    Column("cpu_frequency_min_khz", "kHz", "gauge", "medium", "the lowest of them"),
    Column("cpu_temperature_millicelsius", "mdegC", "gauge", "medium", "hottest sensor of the processor"),
    Column("thermal_throttles", "1", "counter", "medium", "thermal throttle events of the packages"),
    Column("package_energy_uj", "uJ", "counter", "medium", "RAPL energy of all packages, wraps undone"),
    Column("dram_energy_uj", "uJ", "counter", "medium", "RAPL energy of all memory domains, wraps undone"),
    Column("sampler_cpu_ns", "ns", "counter", "fast", "the sampler's own CPU time"),
    Column("sampler_resident_bytes", "bytes", "gauge", "medium", "the sampler's own resident memory"),
    Column("errors", "bits", "state", "-", "what failed in this sample, see ERROR_BITS"),
)

GPU_COLUMNS: tuple[Column, ...] = (
    Column("seq", "1", "identity", "-", "number of the sample, as in the samples table"),
    Column("gpu", "1", "identity", "-", "index into the list `gpus` of the sampler's report"),
    Column("t_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC before the device was read"),
    Column(
        "energy_mj", "mJ", "counter", "fast", "energy since the driver was loaded; goes on when the driver's restarts"
    ),
    Column("energy_t_ns", "ns", "gauge", "fast", "CLOCK_MONOTONIC of energy_mj by the driver's own timestamp"),
    Column("power_mw", "mW", "gauge", "fast", "instantaneous power; average power where the driver has no other"),
    Column("power_average_mw", "mW", "gauge", "fast", "power averaged by the driver over its own window"),
    Column(
        "kernel_resident_pct", "%", "gauge", "fast", "share of the last window with any kernel resident (not occupancy)"
    ),
    Column(
        "memory_controller_pct", "%", "gauge", "fast", "share of the last window with device memory read or written"
    ),
    Column("memory_used_bytes", "bytes", "gauge", "fast", "device memory in use, all processes"),
    Column("memory_reserved_bytes", "bytes", "gauge", "fast", "device memory reserved by driver and firmware"),
    Column("temperature_c", "degC", "gauge", "medium", "temperature of the GPU"),
    Column("sm_clock_mhz", "MHz", "gauge", "medium", "clock of the multiprocessors"),
    Column("memory_clock_mhz", "MHz", "gauge", "medium", "clock of the device memory"),
    Column("performance_state", "1", "state", "medium", "P-state: 0 is the fastest, 15 the slowest"),
    Column(
        "clocks_event_reasons", "bits", "state", "medium", "why clocks are held down: NVML's nvmlClocksEventReasons"
    ),
    Column("processes_memory_bytes", "bytes", "gauge", "medium", "device memory of the tree's processes, if visible"),
    Column(
        "processes_sm_pct", "%", "gauge", "medium", "multiprocessor use of the tree's processes, latest of each, summed"
    ),
    Column("pcie_tx_kb_per_s", "kB/s", "gauge", "medium", "PCIe traffic from the device, over the driver's own 20 ms"),
    Column("pcie_rx_kb_per_s", "kB/s", "gauge", "medium", "PCIe traffic to the device, over the driver's own 20 ms"),
)

PROCESS_COLUMNS: tuple[Column, ...] = (
    Column("pid", "1", "identity", "-", "process number, in the sampler's PID namespace"),
    Column("start_time_ticks", "ticks", "identity", "-", "start of the process since boot; with pid it is unique"),
    Column("ppid", "1", "identity", "-", "parent when last seen"),
    Column("name", "text", "identity", "-", "command name when last seen"),
    Column("role", "name", "identity", "-", "launcher, worker (the launcher's first child), or child"),
    Column("first_seen_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC of the first sample with it"),
    Column("last_seen_ns", "ns", "gauge", "-", "CLOCK_MONOTONIC of the last sample with it"),
    Column("cpu_ns", "ns", "counter", "-", "its own CPU time when last seen"),
    Column("reaped_children_cpu_ns", "ns", "counter", "-", "CPU time of the children it has waited for"),
    Column("resident_peak_bytes", "bytes", "gauge", "-", "its VmHWM when last read"),
    Column("read_bytes", "bytes", "counter", "-", "storage reads, reaped children included"),
    Column("write_bytes", "bytes", "counter", "-", "storage writes, reaped children included"),
)

SAMPLE_INDEX = {column.name: index for index, column in enumerate(SAMPLE_COLUMNS)}
"""Where a column stands in a record."""

SAMPLE_RECORD = struct.Struct(f"<{len(SAMPLE_COLUMNS)}q")
GPU_RECORD = struct.Struct(f"<{len(GPU_COLUMNS)}q")
PROCESS_RECORD = struct.Struct("<3q16s8q")
"""As PROCESS_COLUMNS, but the name stands as 16 bytes and the role as its index in ROLES."""


def header(magic: bytes, record: struct.Struct) -> bytes:
    """The bytes at the start of a file of `record`s."""
    return HEADER.pack(magic, VERSION, record.size)
