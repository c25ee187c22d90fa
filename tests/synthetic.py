"""Synthetic stores for tests of analysis and reporting: records written as files, computed, never measured.

The numbers of a trial follow from its arguments by simple formulas, so a test can work them out by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from harness.records.manifest import MANIFEST_FILE
from harness.records.record import Record
from harness.records.schema import TABLES, arrow_schema
from harness.records.summary_keys import SUMMARY_KEYS
from harness.sampling.audit import audit

NS = 1_000_000_000
MIB = 1024 * 1024
SPEED = {"tensorflow": 80.0, "torch": 65.0, "caffe": 43.0, "theano": 40.0, "jax": 70.0}
"""Steps/s of a framework's synthetic trials."""

VERSIONS = {"tensorflow": "2.21.0", "torch": "2.13.0", "caffe": "1.0.0", "theano": "1.0.5", "jax": "0.7.0"}
MACHINE: dict[str, Any] = {
    "hostname": "bench-1",
    "cpu_model": "Example CPU 2.0 GHz",
    "logical_cpus": 2,
    "physical_cores": 1,
    "memory_bytes": 24 * 1024 * MIB,
    "architecture": "x86_64",
    "kernel": "6.1.0",
    "operating_system": "Example Linux 12",
}


def write_record(
    store: Path,
    framework: str = "torch",
    seed: int = 1,
    *,
    study: str = "demo",
    steps: int = 400,
    termination: str = "completed",
    reason: str | None = None,
    log_tail: tuple[str, ...] = (),
    content: str = "c0ffee" * 10,
    machine: Mapping[str, Any] | None = None,
    version: str | None = None,
    varied: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    setting: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
    time_limit_s: float = 3600.0,
    started_at: str | None = None,
    described: Mapping[str, Any] | None = None,
    code: str | None = "ab12" * 16,
    cpu_accounts: tuple[float | None, float | None, float | None] = (19.95, 19.8, 19.9),
    summary: Mapping[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
    disturbances: Sequence[Mapping[str, Any]] = (),
    not_measured: Mapping[str, str] | None = None,
    memory_source: str = "largest_process_vmhwm",
    samples: bool = True,
    name: str | None = None,
    certificate: str | None = "ce27" * 16,
    role: Mapping[str, Any] | None = None,
) -> Record:
    """Write one record and return it; what is not given is computed from `framework` and `seed`.

    `described` is added to what the worker says of itself, `role` to the specification; `cpu_accounts` are seconds by
    cgroup, tree and `wait4`.
    """
    version = version or VERSIONS.get(framework, "1.0")
    tables, phases = _tables(framework, seed, steps, termination == "completed", samples)
    values = {**dict.fromkeys(SUMMARY_KEYS), **_summary(framework, seed, steps), **(summary or {})}
    if termination != "completed":
        values = dict.fromkeys(SUMMARY_KEYS)
    specification = _specification(framework, version, seed, steps, content)
    specification["setting"].update(setting or {})
    specification["profile"].update(profile or {})
    specification["time_limit_s"] = time_limit_s
    specification.update(role or {})
    identity = json.dumps([specification, dict(varied or {})], sort_keys=True)
    trial = hashlib.sha256(identity.encode()).hexdigest()[:16]
    folder = store / study / (name or trial)
    folder.mkdir(parents=True)
    manifest = {
        "schema_version": 2,
        "dlgauge_version": "0.1.0",
        "trial": trial,
        "repetition": 1,
        "study": study,
        "label": f"{framework} · caffe-mnist · seed {seed}",
        "varied": dict(varied or {}),
        "overrides": dict(overrides or {}),
        "started_at": started_at or f"2026-03-01T10:{seed:02d}:{len(framework):02d}+00:00",
        "specification": specification,
        "termination": {
            "kind": termination,
            "reason": reason,
            "exit_status": 0 if termination == "completed" else 1,
            "signal": None,
            "log_tail": list(log_tail),
        },
        "framework": _description(framework, version) | dict(described or {}),
        "host": {"machine": dict(machine or MACHINE), "load_average_1min": 0.1},
        "environment": {"kind": specification["framework"]["environment"], "code_sha256": code},
        "clock_anchors": {},
        "phases": phases,
        "summary": values,
        "sources": {"cpu_seconds": "tree", "peak_memory_bytes": memory_source},
        "not_measured": dict({"gpu": "no NVIDIA driver: libnvidia-ml.so.1 not found"} | dict(not_measured or {})),
        "sampling": {
            "period_ns": NS // 10,
            "samples": tables["samples"].num_rows,
            "ticks": tables["samples"].num_rows,
            "coverage": 0.999,
            "sampler_cores": 0.004,
            "ticks_skipped": 0,
            "lateness_p50_ns": 150_000,
            "lateness_p99_ns": 900_000,
            "lateness_max_ns": 2_000_000,
            "sampler_cpu_seconds": 0.05,
            "audit": audit(*cpu_accounts, root_cpu_s=0.1),
            **(sampling or {}),
        },
        "disturbances": [dict(one) for one in disturbances],
        "notes": [],
        "parity": {"certificate": certificate},
        "files": {},
    }
    for table in TABLES:
        parquet.write_table(tables[table], folder / f"{table}.parquet", compression="zstd")
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return Record(folder, manifest)


def write_study(
    store: Path, frameworks: tuple[str, ...] = ("caffe", "tensorflow", "theano", "torch"), seeds: int = 3
) -> None:
    """A whole study: every framework with every seed."""
    for seed in range(1, seeds + 1):
        for framework in frameworks:
            write_record(store, framework, seed)


def _summary(framework: str, seed: int, steps: int) -> dict[str, float | int]:
    speed = SPEED.get(framework, 50.0) * (1 + 0.02 * (seed - 2))
    training = steps / speed
    return {
        "training_time_s": training,
        "test_time_s": 0.5 + 0.01 * seed,
        "top1_percent": 97.0 + 0.05 * seed,
        "top5_percent": 99.9,
        "test_loss": 0.1,
        "final_training_loss": 0.08,
        "steps_done": steps,
        "samples_per_s": 64 * speed,
        "achieved_flops_per_s": 64 * speed * 13e6,
        "step_time_median_s": 1 / speed,
        "step_time_p95_s": 1.2 / speed,
        "data_time_fraction": 0.01,
        "first_step_s": 0.7 + 0.05 * seed,
        "import_time_s": 2.0,
        "prepare_time_s": 0.2,
        "build_time_s": 0.3,
        "warm_up_time_s": 1.0,
        "cpu_seconds": 1.8 * training + 5,
        "training_cpu_seconds": 1.8 * training,
        "cores_used_mean": 1.8,
        "cores_used_max": 1.95,
        "peak_memory_bytes": (500 + seed) * MIB,
        "peak_resident_bytes": (480 + seed) * MIB,
        "disk_read_bytes": 4 * MIB,
        "disk_write_bytes": MIB,
        "foreign_cores_mean": 0.02,
        "sampler_cpu_seconds": 0.05,
        "overhead_s": 0.6,
        "sampling_rate_hz": 10.0,
        "sampling_coverage": 0.999,
        "lateness_p50_s": 0.00015 + 0.00001 * seed,
        "lateness_p99_s": 0.0009,
        "ticks_skipped": 0,
        "cpu_disagreement_fraction": 0.0025,
    }


def _specification(framework: str, version: str, seed: int, steps: int, content: str) -> dict[str, Any]:
    environment = "container" if framework in ("caffe", "theano") else "venv"
    return {
        "framework": {"name": framework, "version": version, "environment": environment, "environment_sha256": "e"},
        "workload": {
            "name": "lenet-mnist-subset",
            "dataset": {"name": "mnist-subset", "content_sha256": content, "train": 10000, "test": 2000},
        },
        "setting": {"name": "caffe-mnist", "steps": steps, "batch_size": 64},
        "profile": {"name": "local", "cpus": [0, 1], "gpus": 0, "price_per_hour": None},
        "seed": seed,
    }


def _description(framework: str, version: str) -> dict[str, Any]:
    return {
        "framework": framework,
        "version": version,
        "python": "3.11.2",
        "numpy": "2.4.6",
        "blas": [{"name": "openblas", "path": "/usr/lib/libopenblas.so.0", "version": "0.3.21"}],
        "devices": ["cpu"],
        "threads": {"intra_op": 2, "inter_op": 1},
        "affinity": [0, 1],
        "packages": {framework: version, "numpy": "2.4.6"},
        "compile_cache": {"modules": 30} if framework == "theano" else None,
    }


def _tables(
    framework: str, seed: int, steps: int, completed: bool, with_samples: bool
) -> tuple[dict[str, pa.Table], list[dict[str, Any]]]:
    """Tables and phases: import 2 s, prepare, build, warm up 1 s, then train, evaluated half way and at the end."""
    speed = SPEED.get(framework, 50.0) * (1 + 0.02 * (seed - 2))
    origin = 1000 * NS
    half = steps // 2 / speed
    plan = [("import", 2.0), ("prepare", 0.2), ("build", 0.3), ("warm_up", 1.0)]
    plan += (
        [("train", half), ("evaluate", 0.5), ("train", half), ("evaluate", 0.5), ("teardown", 0.1)] if completed else []
    )
    phases, t = [], float(origin)
    for phase, seconds in plan:
        end = t + seconds * NS
        phases.append(
            {"phase": phase, "begin_ns": int(t), "end_ns": int(end), "duration_s": seconds, "cpu_seconds": seconds}
        )
        t = end
    columns: dict[str, dict[str, list[Any]]] = {name: {} for name in TABLES}
    if completed:
        columns["steps"] = _steps(phases, steps, speed, seed)
        columns["evaluations"] = _evaluations(phases, steps, seed)
    if with_samples:
        columns["samples"] = _samples(phases, origin, t)
    return {name: _arrow(name, content) for name, content in columns.items()}, phases


def _steps(phases: list[dict[str, Any]], steps: int, speed: float, seed: int) -> dict[str, list[Any]]:
    random = np.random.default_rng(seed)
    begins = [phase["begin_ns"] for phase in phases if phase["phase"] == "train"]
    ends = [phases[3]["end_ns"]]
    for step in range(2, steps + 1):
        part = 0 if step <= steps // 2 else 1
        first = 1 if part == 0 else steps // 2
        ends.append(int(begins[part] + (step - first) / speed * NS))
    loss = [2.3 * math.exp(-step / (0.15 * steps)) + 0.1 + 0.03 * float(random.normal()) for step in range(steps)]
    return {
        "step": list(range(1, steps + 1)),
        "t_end_ns": ends,
        "data_ns": [100_000] * steps,
        "loss": loss,
        "learning_rate": [0.01] * steps,
    }


def _evaluations(phases: list[dict[str, Any]], steps: int, seed: int) -> dict[str, list[Any]]:
    ends = [phase["end_ns"] for phase in phases if phase["phase"] == "evaluate"]
    return {
        "step": [steps // 2, steps],
        "t_ns": ends,
        "split": ["test", "test"],
        "loss": [0.2, 0.1],
        "top1": [0.94, 0.97 + 0.0005 * seed],
        "top5": [0.99, 0.999],
        "images": [2000, 2000],
        "duration_ns": [NS // 2, NS // 2],
    }


def _samples(phases: list[dict[str, Any]], origin: int, end: float) -> dict[str, list[Any]]:
    times = list(range(origin - NS // 2, int(end) + NS // 2, NS // 10))
    rates = {"train": 1.8, "evaluate": 1.5, "warm_up": 1.2, "import": 0.9}
    cpu, total = [], 0.0
    for t in times:
        cpu.append(int(total))
        phase = next((p["phase"] for p in phases if p["begin_ns"] <= t < p["end_ns"]), None)
        total += rates.get(phase or "", 0.5 if phase else 0.0) * NS / 10
    memory = [int(min(480, 60 + 120 * max(0, (t - origin) / NS)) * MIB) for t in times]
    return {
        "seq": list(range(len(times))),
        "trigger": ["tick"] * len(times),
        "t_planned_ns": times,
        "t_start_ns": times,
        "t_end_ns": [t + 200_000 for t in times],
        "tree_processes": [1] * len(times),
        "tree_cpu_ns": cpu,
        "tree_resident_bytes": memory,
        "sampler_cpu_ns": [i * 100_000 for i in range(len(times))],
    }


def _arrow(name: str, content: Mapping[str, list[Any]]) -> pa.Table:
    schema = arrow_schema(name)
    rows = max((len(values) for values in content.values()), default=0)
    return pa.table(
        {field.name: pa.array(content.get(field.name, [None] * rows), type=field.type) for field in schema},
        schema=schema,
    )
