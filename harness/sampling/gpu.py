"""NVIDIA GPUs through NVML (`nvidia-ml-py`, module `pynvml`), one row a sample and device.

NVML is initialised once: initialising for every sample costs milliseconds to seconds and wakes the device. What a
device cannot tell is found out once, by asking; a call that fails is null with the reason, never a number.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

from harness.sampling.schema import GPU_COLUMNS, GPU_RECORD, MISSING, TIER_FAST, TIER_MEDIUM
from harness.sampling.troubles import Troubles

_INDEX = {column.name: index for index, column in enumerate(GPU_COLUMNS)}
_FIELD_POWER_INSTANT = 186
_FIELD_POWER_AVERAGE = 185
SLOW_CALL_NS = 50_000_000
"""A fast-tier call that takes longer than this is made in the medium tier from then on."""

DRIVER_LIBRARY = "libnvidia-ml.so.1"

Reader = Callable[[Any, frozenset[int]], dict[str, int]]


def open_gpus(troubles: Troubles) -> GpuReader | str:
    """A reader of all GPUs, or the reason why there is none. `pynvml` is imported only where there is a driver."""
    try:
        ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return f"no NVIDIA driver: {DRIVER_LIBRARY} not found"
    try:
        import pynvml
    except ImportError as error:
        return f"nvidia-ml-py is not installed: {error}"
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return f"NVML: {error}"
    return GpuReader(pynvml, count, troubles) if count else "NVML: no device"


class _Call:
    """One NVML query of one device, and the tier it is made in (0: never again)."""

    __slots__ = ("columns", "read", "tier")

    def __init__(self, columns: tuple[str, ...], tier: int, read: Reader) -> None:
        self.columns = columns
        self.tier = tier
        self.read = read


class GpuReader:
    """Reads every device; `gpus` describes them, in the order of the column `gpu`."""

    def __init__(self, pynvml: Any, count: int, troubles: Troubles) -> None:
        self._nvml = pynvml
        self._troubles = troubles
        self.gpus: list[dict[str, Any]] = []
        self._devices: list[tuple[Any, list[_Call]]] = []
        self._lost: set[int] = set()
        self._seen: list[set[str]] = []
        self._reasons: list[dict[str, str]] = []
        for index in range(count):
            try:
                handle = pynvml.nvmlDeviceGetHandleByIndex(index)
                entry = {"uuid": _text(pynvml.nvmlDeviceGetUUID(handle)), "nvml_index": index}
            except pynvml.NVMLError as error:
                troubles.note("gpu", f"device {index}: {error}")
                continue
            self.gpus.append({**entry, **self._facts(handle), "demoted": []})
            self._seen.append(set())
            self._reasons.append({})
            self._devices.append((handle, self._calls()))

    def read(self, seq: int, tiers: int, tree_pids: frozenset[int]) -> bytes:
        """The packed records of all devices."""
        records = b""
        for gpu, (handle, calls) in enumerate(self._devices):
            values = [MISSING] * len(GPU_COLUMNS)
            values[0], values[1], values[2] = seq, gpu, time.monotonic_ns()
            for call in calls:
                if call.tier & tiers and gpu not in self._lost:
                    self._ask(gpu, handle, call, values, tree_pids)
            records += GPU_RECORD.pack(*values)
        return records

    def describe(self) -> list[dict[str, Any]]:
        """The devices for the report: facts, columns never measured and why, calls demoted to the slower tier."""
        return [
            {**gpu, "not_measured": {name: why for name, why in reasons.items() if name not in seen}}
            for gpu, reasons, seen in zip(self.gpus, self._reasons, self._seen, strict=True)
        ]

    def close(self) -> None:
        """Shut NVML down."""
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError as error:
            self._troubles.note("gpu", error)

    def _ask(self, gpu: int, handle: Any, call: _Call, values: list[int], tree_pids: frozenset[int]) -> None:
        begin_ns = time.monotonic_ns()
        try:
            found = call.read(handle, tree_pids)
            for name, value in found.items():
                values[_INDEX[name]] = value
            self._explain(gpu, call.columns, found)
        except self._nvml.NVMLError as error:
            self._failed(gpu, call, error)
        if call.tier == TIER_FAST and time.monotonic_ns() - begin_ns > SLOW_CALL_NS:
            call.tier = TIER_MEDIUM
            self.gpus[gpu]["demoted"].extend(call.columns)

    def _explain(self, gpu: int, columns: tuple[str, ...], found: dict[str, int]) -> None:
        for column in columns:
            if column in found:
                self._seen[gpu].add(column)
            elif column not in self._reasons[gpu]:
                nobody = column == "processes_memory_bytes"
                reason = "no process of the job is visible to the driver" if nobody else "the driver does not report it"
                self._reasons[gpu][column] = reason

    def _failed(self, gpu: int, call: _Call, error: Exception) -> None:
        nvml = self._nvml
        never = (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND, nvml.NVML_ERROR_NO_PERMISSION)
        code = getattr(error, "value", None)
        for column in call.columns:
            self._reasons[gpu].setdefault(column, f"NVML: {error}")
        if code in never:
            call.tier = 0  # asking again would give the same answer
            return
        self._troubles.note("gpu", f"{self.gpus[gpu]['uuid']}: {', '.join(call.columns)}: {error}")
        if code == nvml.NVML_ERROR_GPU_IS_LOST:
            self._lost.add(gpu)
            self.gpus[gpu]["lost_at_ns"] = time.monotonic_ns()

    def _facts(self, handle: Any) -> dict[str, Any]:
        """What does not change: asked once, null when the driver does not say."""
        nvml = self._nvml
        questions: dict[str, Callable[[], Any]] = {
            "name": lambda: _text(nvml.nvmlDeviceGetName(handle)),
            "driver_version": lambda: _text(nvml.nvmlSystemGetDriverVersion()),
            "power_limit_mw": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle),
            "persistence_mode": lambda: bool(nvml.nvmlDeviceGetPersistenceMode(handle)),
            "mig": lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0]),
            "memory_total_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total,
        }
        facts: dict[str, Any] = {}
        for key, question in questions.items():
            try:
                facts[key] = question()
            except nvml.NVMLError:
                facts[key] = None
        return facts

    def _calls(self) -> list[_Call]:
        return [
            _Call(("energy_mj",), TIER_FAST, self._energy),
            _Call(("power_mw", "power_average_mw"), TIER_FAST, self._power),
            _Call(("kernel_resident_pct",), TIER_FAST, self._utilisation),
            _Call(("memory_used_bytes", "memory_reserved_bytes"), TIER_FAST, self._memory),
            _Call(("temperature_c",), TIER_MEDIUM, self._temperature),
            _Call(("sm_clock_mhz",), TIER_MEDIUM, self._clock),
            _Call(("processes_memory_bytes",), TIER_MEDIUM, self._processes),
        ]

    def _energy(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        return {"energy_mj": self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)}

    def _power(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        """Instantaneous and average power by field; where the driver has no fields, its one (average) power reading."""
        nvml = self._nvml
        found: dict[str, int] = {}
        try:
            fields = nvml.nvmlDeviceGetFieldValues(handle, [_FIELD_POWER_INSTANT, _FIELD_POWER_AVERAGE])
            for name, field in zip(("power_mw", "power_average_mw"), fields, strict=True):
                if field.nvmlReturn == nvml.NVML_SUCCESS:
                    found[name] = int(field.value.uiVal)
        except nvml.NVMLError as error:
            if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
                raise
        if "power_mw" not in found:
            try:
                found["power_mw"] = nvml.nvmlDeviceGetPowerUsage(handle)
            except nvml.NVMLError_NotSupported:
                if not found:
                    raise
        return found

    def _utilisation(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        percent = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu
        return {"kernel_resident_pct": percent} if percent <= 100 else {}

    def _memory(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        nvml = self._nvml
        try:
            memory = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
        except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            return {"memory_used_bytes": nvml.nvmlDeviceGetMemoryInfo(handle).used}
        return {"memory_used_bytes": memory.used, "memory_reserved_bytes": memory.reserved}

    def _temperature(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        nvml = self._nvml
        try:
            return {"temperature_c": nvml.nvmlDeviceGetTemperatureV(handle, nvml.NVML_TEMPERATURE_GPU)}
        except (AttributeError, nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            return {"temperature_c": nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)}

    def _clock(self, handle: Any, _: frozenset[int]) -> dict[str, int]:
        return {"sm_clock_mhz": self._nvml.nvmlDeviceGetClockInfo(handle, self._nvml.NVML_CLOCK_SM)}

    def _processes(self, handle: Any, tree_pids: frozenset[int]) -> dict[str, int]:
        """Memory of the tree's processes. The driver speaks host PIDs: none of ours visible means unknown, not zero."""
        nvml = self._nvml
        try:  # by version: the unversioned name raises what is no NVMLError with drivers older than the binding
            entries = nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
        except nvml.NVMLError_FunctionNotFound:
            entries = nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle)
        ours = [entry for entry in entries if entry.pid in tree_pids]
        sizes = [entry.usedGpuMemory for entry in ours if entry.usedGpuMemory is not None]
        return {"processes_memory_bytes": sum(sizes)} if sizes else {}


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
