"""Which GPUs there are, MIG devices among them, what they are, and which of them are the job's.

Devices are known by UUID: NVML's order is by PCI bus, CUDA's need not be, and a container sees a part of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.sampling.gpu_calls import NOT_ON_MIG
from harness.sampling.gpu_watch import CallWatch, Notes


class Device:
    """One device or MIG device. `facts` are for the report; `unknown` says why a fact is null."""

    __slots__ = ("facts", "handle", "parent", "unknown", "uuid")

    def __init__(self, handle: Any, uuid: str, parent: str | None) -> None:
        self.handle = handle
        self.uuid = uuid
        self.parent = parent
        self.facts: dict[str, Any] = {}
        self.unknown: dict[str, str] = {}


def find_devices(nvml: Any, uuids: list[str] | None, watch: CallWatch, notes: Notes) -> list[Device]:
    """All devices in NVML's order, each followed by its MIG devices; a device that cannot be opened is noted.

    Args:
        nvml: the module `pynvml`, initialised.
        uuids: the job's devices (`GPU-...` or `MIG-...`; a device stands for its MIG devices too); None: all are.
        watch: told of each call.
        notes: told of what went wrong.
    """
    devices: list[Device] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        watch.begin(f"opening of device {index}")
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            device = Device(handle, _text(nvml.nvmlDeviceGetUUID(handle)), None)
        except nvml.NVMLError as error:
            notes.note(f"device {index}: {error}")
            continue
        finally:
            watch.end()
        device.facts = {"uuid": device.uuid, "nvml_index": index, "parent_uuid": None, "mig_index": None}
        _ask(nvml, device, _questions(nvml, handle), watch)
        devices.append(device)
        if device.facts["mig"]:
            devices += _mig_devices(nvml, device, watch, notes)
    known = {device.uuid for device in devices}
    for uuid in uuids or ():
        if uuid not in known:
            notes.note(f"{uuid}, named as a GPU of the trial, is not here; here are: {', '.join(sorted(known))}")
    for device in devices:
        device.facts["foreign"] = uuids is not None and not {device.uuid, device.parent} & set(uuids)
    return devices


def _mig_devices(nvml: Any, parent: Device, watch: CallWatch, notes: Notes) -> list[Device]:
    found: list[Device] = []
    watch.begin(f"MIG devices of {parent.uuid}")
    try:
        for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(parent.handle)):
            try:
                handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(parent.handle, index)
            except nvml.NVMLError_NotFound:
                continue  # a place for a MIG device that has not been made
            device = Device(handle, _text(nvml.nvmlDeviceGetUUID(handle)), parent.uuid)
            device.facts = {"uuid": device.uuid, "parent_uuid": parent.uuid, "mig_index": index}
            device.facts["nvml_index"] = parent.facts["nvml_index"]
            found.append(device)
    except nvml.NVMLError as error:
        notes.note(f"{parent.uuid}: MIG devices: {error}")
    finally:
        watch.end()
    for device in found:
        questions = _questions(nvml, device.handle)
        own = {key: questions.pop(key) for key in ("name", "driver_version", "memory_total_bytes")}
        _ask(nvml, device, own, watch)
        device.facts.update(dict.fromkeys(questions))
        device.unknown.update(dict.fromkeys(questions, NOT_ON_MIG.format(parent=parent.uuid)))
    return found


def _questions(nvml: Any, handle: Any) -> dict[str, Callable[[], Any]]:
    return {
        "name": lambda: _text(nvml.nvmlDeviceGetName(handle)),
        "driver_version": lambda: _text(nvml.nvmlSystemGetDriverVersion()),
        "memory_total_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total,
        "power_limit_mw": lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle),
        "persistence_mode": lambda: bool(nvml.nvmlDeviceGetPersistenceMode(handle)),
        "ecc": lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0]),
        "compute_mode": lambda: int(nvml.nvmlDeviceGetComputeMode(handle)),
        "mig": lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0]),
    }


def _ask(nvml: Any, device: Device, questions: dict[str, Callable[[], Any]], watch: CallWatch) -> None:
    """What does not change: asked once, null with the reason when the driver does not say."""
    for key, question in questions.items():
        watch.begin(f"{key} of {device.uuid}")
        try:
            device.facts[key] = question()
        except nvml.NVMLError as error:
            device.facts[key] = None
            device.unknown[key] = f"NVML: {error}"
        finally:
            watch.end()


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
