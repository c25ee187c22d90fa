"""NVIDIA GPUs through NVML (`nvidia-ml-py`, module `pynvml`), one row a sample and device.

NVML is initialised once: initialising for every sample costs milliseconds to seconds and wakes the device. What a
device cannot tell is found out once, by asking; a call that fails is null with the reason, never a number.
All of this runs in the thread of `gpu_thread`, so that a driver that hangs does not hold up the sampler.
"""

from __future__ import annotations

import time
from typing import Any

from harness.sampling.gpu_calls import GPU_MEASURES, Call, DeviceCalls, Found
from harness.sampling.gpu_devices import find_devices
from harness.sampling.gpu_energy import calibrate
from harness.sampling.gpu_watch import HUNG_NS, CallWatch, Notes
from harness.sampling.schema import GPU_COLUMNS, GPU_RECORD, MISSING, TIER_FAST, TIER_MEDIUM

_INDEX = {column.name: index for index, column in enumerate(GPU_COLUMNS)}
_T_NS = _INDEX["t_ns"]
SLOW_CALL_NS = 50_000_000
"""A fast-tier call that takes longer than this is made in the medium tier from then on."""


def open_gpus(uuids: list[str] | None, watch: CallWatch, notes: Notes) -> GpuReader | str:
    """A reader of all GPUs, or the reason why there is none. Takes up to 2 s to learn the energy counters' steps.

    Args:
        uuids: the job's devices; None: all of them.
        watch: told of each call.
        notes: told of what went wrong.
    """
    try:
        import pynvml
    except ImportError as error:
        return f"nvidia-ml-py is not installed: {error}"
    watch.begin("nvmlInit")
    try:
        pynvml.nvmlInit()
        watch.end()
        devices = find_devices(pynvml, uuids, watch, notes)
    except pynvml.NVMLError as error:
        return f"NVML: {error}"
    if not devices:
        return "NVML: no device" + "".join(f"; {note}" for note in notes.take())
    return GpuReader(pynvml, devices, watch, notes)


class _Gpu:
    """One row's device: the questions to it and what came of them."""

    def __init__(self, nvml: Any, device: Any, notes: Notes) -> None:
        self.uuid: str = device.uuid
        self.questions = DeviceCalls(
            nvml, device.handle, device.parent, lambda message: notes.note(f"{device.uuid}: {message}")
        )
        self.facts: dict[str, Any] = {**device.facts, "lost_at_ns": None}
        self.demoted: list[str] = []
        self.given_up: dict[str, str] = {}
        self.seen: set[str] = set()
        self.reasons: dict[str, str] = {**device.unknown, **self.questions.reasons}
        self.is_mig = device.parent is not None

    @property
    def lost(self) -> bool:
        return self.facts["lost_at_ns"] is not None


class GpuReader:
    """Reads every device."""

    def __init__(self, nvml: Any, devices: list[Any], watch: CallWatch, notes: Notes) -> None:
        self._nvml = nvml
        self._watch = watch
        self._notes = notes
        self._gpus: list[_Gpu] = []
        for index, device in enumerate(devices):
            watch.begin(f"supported fields of {device.uuid}", index)
            self._gpus.append(_Gpu(nvml, device, notes))
            watch.end()
        self._calibrate()

    def read(self, seq: int, tiers: int, tree_pids: frozenset[int], boundary: bool = True) -> bytes:
        """The packed records of all devices. The fast tier of all comes first: the medium one takes its time.

        Args:
            seq: number of the sample.
            tiers: what to read.
            tree_pids: processes of the job.
            boundary: the sample is not a tick: leave out what would delay another one.
        """
        rows: list[list[int]] = []
        for index, gpu in enumerate(self._gpus):
            row = [MISSING] * len(GPU_COLUMNS)
            row[_INDEX["seq"]], row[_INDEX["gpu"]], row[_T_NS] = seq, index, time.monotonic_ns()
            rows.append(row)
            self._ask_all(index, gpu, TIER_FAST & tiers, row, tree_pids, boundary)
        for index, gpu in enumerate(self._gpus):
            self._ask_all(index, gpu, TIER_MEDIUM & tiers, rows[index], tree_pids, boundary)
        return b"".join(GPU_RECORD.pack(*row) for row in rows)

    def describe(self) -> list[dict[str, Any]]:
        """The devices for the report: facts, columns never measured and why, calls demoted to the slower tier.

        May be called from another thread: it works on copies, made in one step each.
        """
        described: list[dict[str, Any]] = []
        for gpu in self._gpus:
            seen, reasons = frozenset(gpu.seen), dict(gpu.reasons)
            for column in GPU_MEASURES:
                reasons.setdefault(column, "no sample in which it is read was taken")
            described.append(
                {
                    **gpu.facts,
                    "demoted": list(gpu.demoted),
                    "given_up": dict(gpu.given_up),
                    "energy_resets": gpu.questions.envelope.resets,
                    "discarded": dict(gpu.questions.discarded),
                    "not_measured": {name: why for name, why in reasons.items() if name not in seen},
                }
            )
        return described

    def close(self) -> None:
        """Shut NVML down."""
        self._watch.begin("nvmlShutdown")
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError as error:
            self._notes.note(f"nvmlShutdown: {error}")
        finally:
            self._watch.end()

    def _calibrate(self) -> None:
        whole = [gpu for gpu in self._gpus if not gpu.is_mig]
        self._watch.begin("calibration of the energy counters")
        found = calibrate([gpu.questions.raw_energy for gpu in whole], self._nvml.NVMLError)
        self._watch.end()
        for gpu, facts in zip(whole, found, strict=True):
            why = facts.pop("energy_update_period_unknown")
            gpu.facts.update(facts)
            if why is not None:
                gpu.reasons["energy_update_period_ns"] = why
        for gpu in self._gpus:
            if gpu.is_mig:
                nulls = ("energy_update_period_ns", "energy_calibration_steps", "energy_calibration_poll_ns")
                gpu.facts.update(dict.fromkeys(nulls))
                gpu.reasons.update(dict.fromkeys(nulls, gpu.reasons["energy_mj"]))
            elif gpu.facts["energy_update_period_ns"] is not None:
                gpu.seen.add("energy_update_period_ns")

    def _ask_all(
        self, index: int, gpu: _Gpu, tier: int, row: list[int], tree_pids: frozenset[int], boundary: bool
    ) -> None:
        for call in gpu.questions.calls:
            if call.tier & tier and not gpu.lost and not (boundary and call.tick_only):
                self._ask(index, gpu, call, row, tree_pids)

    def _ask(self, index: int, gpu: _Gpu, call: Call, row: list[int], tree_pids: frozenset[int]) -> None:
        self._watch.begin(", ".join(call.columns), index)
        try:
            found = call.read(tree_pids)
        except self._nvml.NVMLError as error:
            found = {}
            self._failed(gpu, call, error)
        took_ns = self._watch.end()
        self._take(gpu, found, row)
        if took_ns > HUNG_NS:
            call.tier = 0
            why = f"the driver took {took_ns / 1e9:.1f} s to answer: not asked again"
            gpu.given_up.update(dict.fromkeys(call.columns, why))
        elif call.tier == TIER_FAST and took_ns > SLOW_CALL_NS:
            call.tier = TIER_MEDIUM
            gpu.demoted.extend(call.columns)

    def _take(self, gpu: _Gpu, found: Found, row: list[int]) -> None:
        for column, value in found.items():
            if isinstance(value, str):
                gpu.reasons[column] = value
            elif not MISSING < value < -MISSING:
                gpu.reasons[column] = f"the driver gave {value}, which cannot be"
            else:
                row[_INDEX[column]] = value
                gpu.seen.add(column)

    def _failed(self, gpu: _Gpu, call: Call, error: Any) -> None:
        nvml = self._nvml
        never = (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND, nvml.NVML_ERROR_NO_PERMISSION)
        why = f"NVML: {error}" + (" (MIG is enabled)" if gpu.facts.get("mig") else "")
        for column in call.columns:
            gpu.reasons[column] = why
        if error.value in never:
            call.tier = 0  # asking again would give the same answer
            return
        self._notes.note(f"{gpu.uuid}: {', '.join(call.columns)}: {error}")
        if error.value == nvml.NVML_ERROR_GPU_IS_LOST:
            gpu.facts["lost_at_ns"] = time.monotonic_ns()
