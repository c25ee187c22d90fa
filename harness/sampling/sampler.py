"""The sampler: takes samples at deadlines and at events until it is told to stop."""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

from harness.sampling import proportional, report, schema
from harness.sampling.cgroup_reader import CgroupReader
from harness.sampling.control import Control
from harness.sampling.files import RecordFile
from harness.sampling.gpu_watch import NO_GPUS
from harness.sampling.host import HostReader
from harness.sampling.machine import MachineReader
from harness.sampling.network import NetworkReader
from harness.sampling.procfs import parse_keyed, read_bytes
from harness.sampling.proportional import ProportionalReader, SlowTier
from harness.sampling.schedule import Schedule
from harness.sampling.schema import MISSING, SAMPLE_INDEX, TIER_FAST, TIER_MEDIUM, TIER_SLOW
from harness.sampling.tree import Tree
from harness.sampling.troubles import Troubles

_TRIGGER = {name: code for code, name in enumerate(schema.TRIGGERS)}
_WIDTH = len(schema.SAMPLE_COLUMNS)
_SEQ, _TRIGGER_AT, _TIERS = SAMPLE_INDEX["seq"], SAMPLE_INDEX["trigger"], SAMPLE_INDEX["tiers"]
_PLANNED, _START, _END = SAMPLE_INDEX["t_planned_ns"], SAMPLE_INDEX["t_start_ns"], SAMPLE_INDEX["t_end_ns"]
_SKIPPED, _ERRORS = SAMPLE_INDEX["ticks_skipped"], SAMPLE_INDEX["errors"]

_FLUSH_NS = 1_000_000_000
_PROCESS_TABLE_NS = 10_000_000_000

DEFAULTS: dict[str, Any] = {
    "period_ns": 100_000_000,
    "medium_period_ns": 1_000_000_000,
    "proc_root": "/proc",
    "sys_root": "/sys",
    "gpu": True,
    "gpu_uuids": None,
}


class Sampler:
    """One run of the sampler in the current directory, the trial folder."""

    def __init__(self, config: dict[str, Any]) -> None:
        unknown = sorted(set(config) - set(DEFAULTS))
        if unknown:
            raise ValueError(f"{schema.CONFIGURATION_FILE}: unknown key {unknown[0]!r}; known: {', '.join(DEFAULTS)}")
        self._config = {**DEFAULTS, **config}
        self._proc_root: str = self._config["proc_root"]
        _raise_open_files_limit()
        self._troubles = Troubles()
        self._control = Control()
        self._host = HostReader(self._proc_root, self._config["sys_root"], self._troubles)
        self._machine = MachineReader(self._config["sys_root"], self._troubles)
        self._cgroup = CgroupReader(None, self._troubles)
        self._tree: Tree | None = None
        self._network: NetworkReader | None = None
        self._proportional = ProportionalReader(self._proc_root, self._troubles)
        self._slow = SlowTier(time.monotonic_ns())
        self._not_measured: dict[str, str] = {**self._host.not_measured, **self._machine.not_measured}
        self._capabilities: dict[str, Any] = {}
        self._gpus = self._open_gpus() if self._config["gpu"] else None
        if not self._config["gpu"]:
            self._not_measured["gpu"] = "the trial uses no GPU: its profile has none"
        self._samples = RecordFile(schema.SAMPLES_FILE, schema.SAMPLES_MAGIC, schema.SAMPLE_RECORD)
        self._gpu_file = RecordFile(schema.GPUS_FILE, schema.GPUS_MAGIC, schema.GPU_RECORD)
        self._processes = RecordFile(schema.PROCESSES_FILE, schema.PROCESSES_MAGIC, schema.PROCESS_RECORD)
        self._statistics = report.Statistics(self._config["period_ns"])
        self._taken_ns = self._flushed_ns = self._process_table_ns = time.monotonic_ns()
        self._schedule = Schedule(time.monotonic_ns(), self._config["period_ns"], self._config["medium_period_ns"])

    def run(self) -> None:
        """Sample until a stop; write the report whatever happens."""
        ended_by = "internal_error"
        try:
            now_ns = time.monotonic_ns()
            self._take("start", now_ns)
            gc.collect()
            gc.freeze()
            gc.disable()  # nothing here makes cycles, and a collection would be lateness
            self._say_ready()
            self._schedule = Schedule(time.monotonic_ns(), self._config["period_ns"], self._config["medium_period_ns"])
            ended_by = self._loop()
            self._take("stop", time.monotonic_ns())
        finally:
            self._finish(ended_by)

    def _loop(self) -> str:
        while True:
            for event, detail in self._control.wait((self._schedule.deadline_ns - time.monotonic_ns()) / 1e9):
                if event == "stop":
                    return str(detail)
                self._handle(event, detail)
            now_ns = time.monotonic_ns()
            if now_ns >= self._schedule.deadline_ns:
                self._take("tick", self._schedule.deadline_ns)
                self._schedule.advance(self._taken_ns)  # not now: being held up since then is to show as lateness
            if now_ns - self._flushed_ns >= _FLUSH_NS:
                self._flush(now_ns)

    def _handle(self, event: str, detail: Any) -> None:
        if event == "bad":
            self._troubles.note("internal", f"control message: {detail}")
            return
        if event == "target":
            self._set_target(**detail)
        values = self._take(event, time.monotonic_ns(), detail if event == "phase" else ())
        if event == "target":
            self._statistics.mark_first(values)

    def _set_target(self, pid: int, cgroup: dict[str, str], exclude_root: bool) -> None:
        for reader in (self._tree, self._cgroup, self._network):
            if reader is not None:
                reader.close()
        self._cgroup = CgroupReader(cgroup, self._troubles)
        self._tree = Tree(pid, exclude_root, self._proc_root, self._troubles, time.monotonic_ns())
        self._network = NetworkReader(pid, self._proc_root, self._troubles)
        self._slow = SlowTier(time.monotonic_ns())
        if self._proc_root == "/proc":
            failure = self._control.watch(pid)
            self._capabilities["pidfd"] = failure or True

    def _take(self, trigger: str, planned_ns: int, phases: Sequence[str | None] = ()) -> list[int]:
        """Take one sample. Boundary samples read everything, ticks the slower tiers only when they are due."""
        values = [MISSING] * _WIDTH
        start_ns = time.monotonic_ns()
        tree = self._tree if self._tree is not None and self._tree.found else None
        medium = trigger != "tick" or self._schedule.medium_is_due(start_ns)
        slow = tree is not None and self._slow_is_wanted(trigger, phases, medium, start_ns)
        tiers = TIER_FAST | (TIER_MEDIUM if medium else 0) | (TIER_SLOW if slow else 0)
        if trigger == "phase":
            self._cgroup.read_fast(values)  # as near to the mark as can be
        if tree is not None and (medium or tree.is_childless or not self._cgroup.is_complete):
            if medium or tree.is_childless:  # so that the worker is known from its first tick on
                tree.discover(start_ns)
            tree.read_fast(values, start_ns, thorough=medium)
        if trigger != "phase":
            self._cgroup.read_fast(values)  # after the tree: what the tree has counted, the cgroup has counted too
        self._host.read_fast(values)
        if medium:
            self._read_medium(values, tree, phase_ends=trigger == "phase")
            self._schedule.medium_done(start_ns)
        seq = self._statistics.samples
        if self._gpus is not None:
            pids = self._tree.pids() if medium and self._tree is not None else frozenset()
            self._gpus.post(seq, tiers, pids, boundary=trigger != "tick")
            self._gpu_file.append(self._gpus.collect())
        values[_SEQ], values[_TRIGGER_AT], values[_TIERS] = seq, _TRIGGER[trigger], tiers
        values[_PLANNED], values[_START], values[_END] = planned_ns, start_ns, time.monotonic_ns()
        self._taken_ns = values[_END]
        if slow and tree is not None:  # takes many ms: the moment of the counters is over, and the GPUs are asked
            cost_ns = self._proportional.read(values, tree.job_pids(), time.monotonic_ns)
            self._taken_ns = time.monotonic_ns()
            self._slow.done(self._taken_ns, cost_ns)
        values[_SKIPPED], values[_ERRORS] = self._schedule.ticks_skipped, self._troubles.take_bits()
        self._samples.append(schema.SAMPLE_RECORD.pack(*values))
        whole = tree is None or tree.is_whole
        self._statistics.add(values, is_tick=trigger == "tick", is_medium=medium, tree_is_whole=whole)
        return values

    def _read_medium(self, values: list[int], tree: Tree | None, *, phase_ends: bool) -> None:
        self._cgroup.read_medium(values, phase_ends=phase_ends)
        if tree is not None:
            tree.read_medium(values)
            self._machine.set_cpus(tree.allowed_cpus())
        if self._network is not None:
            self._network.read(values)
        self._host.read_medium(values)
        self._machine.read(values)

    def _slow_is_wanted(self, trigger: str, phases: Sequence[str | None], medium: bool, now_ns: int) -> bool:
        if trigger == "tick":
            return medium and self._slow.is_due(now_ns)
        if trigger == "phase":
            return self._slow.mark(phases)
        return trigger in ("exit", "stop")  # if anything still lives, it is now or never

    def _flush(self, now_ns: int) -> None:
        self._flushed_ns = now_ns
        everything = now_ns - self._process_table_ns >= _PROCESS_TABLE_NS
        self._write_processes(everything)
        if everything:
            self._process_table_ns = now_ns
        for file in (self._samples, self._gpu_file, self._processes):
            file.flush()

    def _write_processes(self, everything: bool) -> None:
        """Append the rows of ended processes, of new ones, and now and then of all: the last row of each counts."""
        if self._tree is None:
            return
        for process in self._tree.gone:
            self._processes.append(process.record())
        self._tree.gone.clear()
        for process in self._tree.processes():
            if everything or not process.written:
                process.written = True
                self._processes.append(process.record())

    def _open_gpus(self) -> Any:
        from harness.sampling import gpu_thread

        opened = gpu_thread.start_gpus(self._config["gpu_uuids"], self._troubles)
        if isinstance(opened, str):
            self._not_measured["gpu"] = opened
            return None
        return opened

    def _say_ready(self) -> None:
        ready = {"ready": True, "pid": os.getpid(), "not_measured": self._not_measured}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()

    def _finish(self, ended_by: str) -> None:
        self._write_processes(everything=True)
        if self._gpus is not None:
            self._gpu_file.append(self._gpus.finish())
        summary = self._report(ended_by)
        for file in (self._samples, self._gpu_file, self._processes):
            file.close()
        temporary = schema.REPORT_FILE + ".tmp"
        with open(temporary, "w", encoding="utf-8") as stream:  # noqa: PTH123 (no pathlib in the sampler: memory)
            json.dump(summary, stream, indent=1)
        os.replace(temporary, schema.REPORT_FILE)  # noqa: PTH105
        self._control.close()

    def _report(self, ended_by: str) -> dict[str, Any]:
        dropped = sum(file.records_dropped for file in (self._samples, self._gpu_file, self._processes))
        result: dict[str, Any] = {
            "schema_version": schema.VERSION,
            "ended_by": ended_by,
            "period_ns": self._config["period_ns"],
            "medium_period_ns": self._config["medium_period_ns"],
            "ticks_skipped": self._schedule.ticks_skipped,
            **self._statistics.summary(),
            "sampler_cpu_seconds": time.process_time_ns() / 1e9,
            "sampler_resident_peak_bytes": (parse_keyed(read_bytes("/proc/self/status"), b"VmHWM:") or 0) * 1024,
            "records_dropped": dropped,
            "errors": self._troubles.summary(),
            "capabilities": {
                **self._capabilities,
                "cgroup_gone": self._cgroup.gone,
                "network_scope": self._network.scope if self._network is not None else None,
                "energy_zones": self._machine.energy.zones,
            },
            "not_measured": self._reasons(),
            **(self._gpus.report() if self._gpus is not None else NO_GPUS),
            "audit": self._statistics.audit(
                self._tree.root_cpu_ns if self._tree is not None else 0, self._cgroup.second_cpu_ns
            ),
        }
        return {**result, "flags": report.flags(result)}

    def _reasons(self) -> dict[str, str]:
        """A reason for every column that has no value, and for every figure of this report that is refused."""
        reasons = {**self._not_measured, **self._cgroup.not_measured, **self._statistics.refused()}
        for reader in (self._tree, self._network, self._proportional):
            reasons.update(reader.not_measured if reader is not None else {})
        for column in self._statistics.never_seen():
            if self._tree is None and column.startswith(("tree_", "network_", "proportional_")):
                reasons.setdefault(column, "no target was named")
            elif column in proportional.COLUMNS:
                reasons.setdefault(column, "no sample of the slow tier found a live process of the job")
            elif column == "tree_resident_peak_bytes":
                reasons.setdefault(column, "no sample of the medium tier found a live process of the job")
            else:
                reasons.setdefault(column, "it could not be read, see `errors`")
        return reasons


def _raise_open_files_limit() -> None:
    """One file stays open for each process of the tree."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
