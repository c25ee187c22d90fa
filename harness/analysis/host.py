"""Which machine a record comes from: its description for people and its identity for pooling."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

IDENTITY_KEYS = (
    "hostname",
    "cpu_model",
    "logical_cpus",
    "physical_cores",
    "memory_bytes",
    "architecture",
    "kernel",
    "frequency_governor",
)
"""Facts that make two machines different for a measurement: a new kernel is a new instrument."""

GIB = 1024.0**3


def host_identity(host: Mapping[str, Any]) -> str:
    """A short text, equal for records of the same machine and different otherwise; empty where nothing is known.

    Memory is rounded to 0.1 GiB: the total that a kernel shows moves by a few pages between boots.
    """
    machine = machine_facts(host)
    facts = {key: machine[key] for key in IDENTITY_KEYS if machine.get(key) is not None}
    if not facts:
        # An unknown kind of description: every word of it counts, so that nothing is pooled by mistake.
        facts = dict(machine)
    if not facts:
        return ""
    if isinstance(facts.get("memory_bytes"), int | float):
        facts["memory_bytes"] = round(facts["memory_bytes"] / GIB, 1)
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def machine_facts(host: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts that do not change while a study runs: the part `machine` of a record's `host`."""
    machine = host.get("machine")
    return machine if isinstance(machine, Mapping) else host


def describe_host(record_host: Mapping[str, Any]) -> str:
    """One line: CPU model, cores, memory, GPUs, system, kernel, name; a fact that is not known is left out."""
    host = machine_facts(record_host)
    if not host:
        return "machine not recorded"
    parts: list[str] = []
    if model := host.get("cpu_model"):
        parts.append(str(model))
    if cpus := logical_cpus(host):
        parts.append(f"{cpus} logical CPUs" if cpus != 1 else "1 logical CPU")
    if isinstance(memory := host.get("memory_bytes"), int | float):
        parts.append(f"{memory / GIB:.1f} GiB memory")
    parts.extend(_gpu_names(host))
    if system := host.get("operating_system"):
        parts.append(str(system))
    if kernel := host.get("kernel"):
        parts.append(f"kernel {kernel}")
    if name := host.get("hostname"):
        parts.append(f"host {name}")
    return ", ".join(parts) or "machine not described"


def logical_cpus(host: Mapping[str, Any]) -> int | None:
    """Number of logical CPUs of the machine; None where it was not recorded."""
    value = machine_facts(host).get("logical_cpus")
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _gpu_names(host: Mapping[str, Any]) -> list[str]:
    gpus = host.get("gpus")
    if not isinstance(gpus, list):
        return []
    return [str(gpu.get("name", "GPU")) if isinstance(gpu, Mapping) else str(gpu) for gpu in gpus]
