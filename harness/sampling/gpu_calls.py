"""What one GPU is asked in each sample, in order of cost, with what must be remembered between two answers.

A question answers with values by column; a text in place of a value says why there is none this time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.sampling.gpu_energy import EnergyEnvelope
from harness.sampling.schema import GPU_COLUMNS, TIER_FAST, TIER_MEDIUM

GPU_MEASURES = tuple(column.name for column in GPU_COLUMNS if column.tier != "-")
"""The columns that a device is asked for."""

Found = dict[str, "int | str"]
Question = Callable[[frozenset[int]], Found]

FIELD_ENERGY = 83
FIELD_POWER_AVERAGE = 185
FIELD_POWER_INSTANT = 186
_FIELDS = {FIELD_ENERGY: "energy_mj", FIELD_POWER_INSTANT: "power_mw", FIELD_POWER_AVERAGE: "power_average_mw"}

NOBODY_VISIBLE = "no process of the job is visible to the driver"
_USE = ("kernel_resident_pct", "memory_controller_pct", "processes_sm_pct")
_NO_USE_ON_MIG = "NVML tells no utilisation of a MIG device"
NOT_ON_MIG = "it belongs to the whole device: see the row of {parent}"
"""Why a MIG device has no value of a column, or of a fact."""
_ABOVE_100 = "the driver gave a value above 100 %"
_CLOCKS_APART_NS = 60_000_000_000
_CLOSE_NS = 5_000
_UNKNOWN_STATE = 32
_TRIES = 4


class Call:
    """One question to a device, and the tier it is put in (0: never again)."""

    __slots__ = ("columns", "read", "tick_only", "tier")

    def __init__(self, columns: tuple[str, ...], tier: int, read: Question, tick_only: bool = False) -> None:
        self.columns = columns
        self.tier = tier
        self.read = read
        self.tick_only = tick_only
        """Left out of boundary samples: it would delay them."""


class DeviceCalls:
    """The questions to one device. Making it asks the device which of NVML's energy and power sources it has."""

    def __init__(self, nvml: Any, handle: Any, parent: str | None, note: Callable[[str], None]) -> None:
        """Ask the device for its sources; `parent` is the UUID of the device that a MIG device is on."""
        self._nvml = nvml
        self._handle = handle
        self._note = note
        self.envelope = EnergyEnvelope()
        self.discarded: dict[str, int] = {}
        self.reasons: dict[str, str] = {}
        """Column -> why no question asks for it."""
        self._processes_seen_us = 0
        self._fields: list[int] = []
        if parent is None:
            self._fields = self._supported_fields()
            self.calls = self._of_device()
        else:
            self.calls = self._of_mig_device()
            asked = {column for call in self.calls for column in call.columns}
            self.reasons = {
                column: _NO_USE_ON_MIG if column in _USE else NOT_ON_MIG.format(parent=parent)
                for column in GPU_MEASURES
                if column not in asked
            }

    def _of_device(self) -> list[Call]:
        calls: list[Call] = []
        columns = [_FIELDS[field] for field in self._fields]
        if FIELD_ENERGY in self._fields:
            columns.append("energy_t_ns")
        else:
            calls.append(Call(("energy_mj",), TIER_FAST, self._energy))
        if self._fields:
            calls.insert(0, Call(tuple(columns), TIER_FAST, self._energy_and_power))
        if FIELD_POWER_INSTANT not in self._fields:
            calls.append(Call(("power_mw",), TIER_FAST, self._power))
        return [
            *calls,
            Call(("kernel_resident_pct", "memory_controller_pct"), TIER_FAST, self._utilisation),
            Call(("memory_used_bytes", "memory_reserved_bytes"), TIER_FAST, self._memory),
            Call(("temperature_c",), TIER_MEDIUM, self._temperature),
            Call(("sm_clock_mhz",), TIER_MEDIUM, lambda _: self._clock("sm_clock_mhz", self._nvml.NVML_CLOCK_SM)),
            Call(
                ("memory_clock_mhz",), TIER_MEDIUM, lambda _: self._clock("memory_clock_mhz", self._nvml.NVML_CLOCK_MEM)
            ),
            Call(("performance_state",), TIER_MEDIUM, self._performance_state),
            Call(("clocks_event_reasons",), TIER_MEDIUM, self._clocks_event_reasons),
            Call(("processes_memory_bytes",), TIER_MEDIUM, self._process_memory),
            Call(("processes_sm_pct",), TIER_MEDIUM, self._process_use),
            Call(("pcie_tx_kb_per_s", "pcie_rx_kb_per_s"), TIER_MEDIUM, self._pcie, tick_only=True),
        ]

    def _of_mig_device(self) -> list[Call]:
        return [
            Call(("memory_used_bytes", "memory_reserved_bytes"), TIER_FAST, self._memory),
            Call(("processes_memory_bytes",), TIER_MEDIUM, self._process_memory),
        ]

    def raw_energy(self) -> int:
        """The energy counter (mJ) as the driver gives it, from the source that the samples use."""
        if FIELD_ENERGY not in self._fields:
            return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        field = self._nvml.nvmlDeviceGetFieldValues(self._handle, [FIELD_ENERGY])[0]
        if field.nvmlReturn != self._nvml.NVML_SUCCESS:
            raise self._nvml.NVMLError(field.nvmlReturn)
        return self._number(field)

    def _supported_fields(self) -> list[int]:
        nvml = self._nvml
        try:
            fields = list(nvml.nvmlDeviceGetFieldValues(self._handle, list(_FIELDS)))
        except nvml.NVMLError as error:
            self.reasons["power_average_mw"] = self.reasons["energy_t_ns"] = f"NVML, field values: {error}"
            return []
        supported: list[int] = []
        for field in fields:
            if field.nvmlReturn == nvml.NVML_SUCCESS:
                supported.append(field.fieldId)
                continue
            column = "energy_t_ns" if field.fieldId == FIELD_ENERGY else _FIELDS[field.fieldId]
            if field.fieldId != FIELD_POWER_INSTANT:  # power has another source
                self.reasons[column] = f"NVML, field {field.fieldId}: {nvml.NVMLError(field.nvmlReturn)}"
        return supported

    def _energy_and_power(self, _: frozenset[int]) -> Found:
        nvml = self._nvml
        found: Found = {}
        for field in nvml.nvmlDeviceGetFieldValues(self._handle, self._fields):
            column = _FIELDS[field.fieldId]
            if field.nvmlReturn != nvml.NVML_SUCCESS:
                found[column] = f"NVML, field {field.fieldId}: {nvml.NVMLError(field.nvmlReturn)}"
            elif field.fieldId == FIELD_ENERGY:
                found[column] = self._enveloped(self._number(field))
                found["energy_t_ns"] = _monotonic_ns(field.timestamp)
            else:
                found[column] = self._number(field)
        return found

    def _number(self, field: Any) -> int:
        nvml = self._nvml
        member = {
            nvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
            nvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
            nvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
            nvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
        }.get(field.valueType, "ullVal")
        return int(getattr(field.value, member))

    def _energy(self, _: frozenset[int]) -> Found:
        return {"energy_mj": self._enveloped(int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)))}

    def _enveloped(self, raw_mj: int) -> int:
        resets = self.envelope.resets
        energy_mj = self.envelope.add(raw_mj)
        if self.envelope.resets > resets:
            self._note(f"the energy counter fell to {raw_mj} mJ: the driver was reloaded")
        return energy_mj

    def _power(self, _: frozenset[int]) -> Found:
        return {"power_mw": self._nvml.nvmlDeviceGetPowerUsage(self._handle)}

    def _utilisation(self, _: frozenset[int]) -> Found:
        rates = self._nvml.nvmlDeviceGetUtilizationRates(self._handle)
        return {
            "kernel_resident_pct": self._percent("kernel_resident_pct", rates.gpu),
            "memory_controller_pct": self._percent("memory_controller_pct", rates.memory),
        }

    def _percent(self, column: str, value: int) -> int | str:
        if value <= 100:
            return value
        self.discarded[column] = self.discarded.get(column, 0) + 1
        return _ABOVE_100

    def _memory(self, _: frozenset[int]) -> Found:
        nvml = self._nvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(self._handle, version=nvml.nvmlMemory_v2)
        except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            return {
                "memory_used_bytes": nvml.nvmlDeviceGetMemoryInfo(self._handle).used,
                "memory_reserved_bytes": "the driver counts it as used",
            }
        return {"memory_used_bytes": memory.used, "memory_reserved_bytes": memory.reserved}

    def _temperature(self, _: frozenset[int]) -> Found:
        nvml = self._nvml
        try:
            return {"temperature_c": nvml.nvmlDeviceGetTemperatureV(self._handle, nvml.NVML_TEMPERATURE_GPU)}
        except (AttributeError, nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            return {"temperature_c": nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU)}

    def _clock(self, column: str, clock: int) -> Found:
        return {column: self._nvml.nvmlDeviceGetClockInfo(self._handle, clock)}

    def _performance_state(self, _: frozenset[int]) -> Found:
        state = self._nvml.nvmlDeviceGetPerformanceState(self._handle)
        return {"performance_state": "the driver does not know it" if state == _UNKNOWN_STATE else state}

    def _clocks_event_reasons(self, _: frozenset[int]) -> Found:
        nvml = self._nvml
        try:
            reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle)
        except (AttributeError, nvml.NVMLError_FunctionNotFound):  # its name before CUDA 12.2
            reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(self._handle)
        return {"clocks_event_reasons": reasons}

    def _process_memory(self, tree_pids: frozenset[int]) -> Found:
        """Memory of the tree's processes. The driver speaks host PIDs: none of ours visible means unknown, not zero."""
        nvml = self._nvml
        try:  # by version: the unversioned name raises what is no NVMLError with drivers older than the binding
            entries = self._again(lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v3(self._handle))
        except nvml.NVMLError_FunctionNotFound:
            entries = self._again(lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v2(self._handle))
        sizes = [entry.usedGpuMemory for entry in entries if entry.pid in tree_pids]
        known = [size for size in sizes if size is not None]
        if not known:
            return {"processes_memory_bytes": "the driver does not tell it" if sizes else NOBODY_VISIBLE}
        return {"processes_memory_bytes": sum(known)}

    def _process_use(self, tree_pids: frozenset[int]) -> Found:
        """Multiprocessor use of the tree's processes since the last question: the latest sample of each, summed.

        `NOT_FOUND` says that there is no sample newer than the last one seen: no data, not 0.
        """
        nvml = self._nvml
        try:
            samples = self._again(lambda: nvml.nvmlDeviceGetProcessUtilization(self._handle, self._processes_seen_us))
        except nvml.NVMLError as error:
            if error.value not in (nvml.NVML_SUCCESS, nvml.NVML_ERROR_NOT_FOUND):  # the binding raises "success" too
                raise
            return {"processes_sm_pct": "the driver had no new sample of any process"}
        newest: dict[int, tuple[int, int]] = {}
        for sample in samples:
            self._processes_seen_us = max(self._processes_seen_us, sample.timeStamp)
            if sample.pid in tree_pids and isinstance(self._percent("processes_sm_pct", sample.smUtil), int):
                newest[sample.pid] = max(newest.get(sample.pid, (0, 0)), (sample.timeStamp, sample.smUtil))
        if not newest:
            return {"processes_sm_pct": NOBODY_VISIBLE}
        return {"processes_sm_pct": sum(use for _, use in newest.values())}

    def _again(self, ask: Callable[[], list[Any]]) -> list[Any]:
        """Ask for a list; anew when it grew between the question for its length and the question for its content."""
        for _ in range(_TRIES - 1):
            try:
                return ask()
            except self._nvml.NVMLError_InsufficientSize:
                continue
        return ask()

    def _pcie(self, _: frozenset[int]) -> Found:
        nvml = self._nvml
        return {
            "pcie_tx_kb_per_s": nvml.nvmlDeviceGetPcieThroughput(self._handle, nvml.NVML_PCIE_UTIL_TX_BYTES),
            "pcie_rx_kb_per_s": nvml.nvmlDeviceGetPcieThroughput(self._handle, nvml.NVML_PCIE_UTIL_RX_BYTES),
        }


def _monotonic_ns(timestamp_us: int) -> int | str:
    """A driver's timestamp (microseconds of the system clock) on CLOCK_MONOTONIC."""
    if timestamp_us <= 0:
        return "the driver gives no timestamp"
    least_ns = ahead_ns = 0
    for _ in range(_TRIES):  # a thread that is held up between two readings would shift one clock against the other
        before_ns, system_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if not least_ns or after_ns - before_ns < least_ns:
            least_ns = after_ns - before_ns
            ahead_ns = system_ns - (before_ns + after_ns) // 2
        if least_ns < _CLOSE_NS:
            break
    t_ns = timestamp_us * 1000 - ahead_ns
    apart = abs(t_ns - time.monotonic_ns()) > _CLOCKS_APART_NS
    return "the driver's timestamp is not of the system clock" if apart else t_ns
