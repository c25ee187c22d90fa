"""The outcomes that are correlated: summary keys, and what a record holds beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.columns import column_for
from harness.errors import DlgaugeError
from harness.records.summary_keys import SUMMARY_KEYS

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_OUTCOMES = (
    "training_time_s",
    "samples_per_s",
    "cpu_seconds",
    "cpu_user_seconds",
    "cpu_system_seconds",
    "cores_used_mean",
    "cores_used_max",
    "peak_memory_bytes",
    "peak_resident_bytes",
    "disk_read_bytes",
    "disk_write_bytes",
    "package_energy_joules",
    "gpu_energy_joules",
    "gpu_utilisation_percent",
    "gpu_memory_bytes",
    "top1_percent",
)

OF_PHASES = {
    "cpu_user_seconds": ("CPU time user", "s", "CPU time in user mode, sum of the phases"),
    "cpu_system_seconds": ("CPU time system", "s", "CPU time in the kernel, sum of the phases"),
    "package_energy_joules": ("package energy", "J", "energy of the processor package, sum of the phases"),
    "gpu_energy_joules": ("GPU energy", "J", "energy of the trial's GPUs, sum of the phases"),
}
OF_GPUS = {
    "gpu_utilisation_percent": ("GPU utilisation", "%", "mean share of time with a kernel resident in `train` phases"),
    "gpu_memory_bytes": ("GPU memory", "MiB", "largest device memory in use, sum of the trial's GPUs"),
}
MIB = float(1024 * 1024)
MOST_READ = 2_000
"""Trials whose manifests are read for the outcomes that are no summary keys, unless those are asked for by name."""


def outcome_words(key: str) -> str:
    """An outcome for people, without its unit."""
    extra = {**OF_PHASES, **OF_GPUS}.get(key)
    if extra:
        return extra[0]
    known = SUMMARY_KEYS.get(key)
    words = (known.title or key.replace("_", " ")) if known else key
    if known and known.unit == "cpu_s":
        return f"{words} time"
    return words.replace("cores m", "cores used m") if known and known.unit == "cores" else words


def outcome_unit(key: str) -> str:
    """Unit as shown; empty for a pure number and where the words hold it (`samples/s`)."""
    extra = {**OF_PHASES, **OF_GPUS}.get(key)
    if extra:
        return extra[1]
    known = SUMMARY_KEYS.get(key)
    unit = (known.shown_unit or known.unit) if known else ""
    return {"cpu_s": "s", "percent": "%", "1": "", "1/s": "", "cores": ""}.get(unit, unit)


def outcome_title(key: str) -> str:
    """The same with the unit in brackets, where it has one."""
    unit = outcome_unit(key)
    return f"{outcome_words(key)} ({unit})" if unit else outcome_words(key)


def shown_scale(key: str) -> float:
    """A value is divided by this before it is shown."""
    return MIB if key == "gpu_memory_bytes" else column_for(key).scale


def select_outcomes(frame: pd.DataFrame, names: Sequence[str] | None) -> tuple[str, ...]:
    """The outcomes asked for, or the default ones.

    Raises:
        DlgaugeError: an outcome that is unknown.
    """
    known = {*SUMMARY_KEYS, *OF_PHASES, *OF_GPUS}
    for name in names or ():
        if name not in known and name not in frame.columns:
            raise DlgaugeError(f"unknown outcome {name!r}", hint=f"outcomes are: {', '.join(sorted(known))}")
    return tuple(dict.fromkeys(names or DEFAULT_OUTCOMES))


def with_derived(
    frame: pd.DataFrame, outcomes: Sequence[str], asked_for: bool
) -> tuple[pd.DataFrame, dict[str, dict[str, int]], str | None]:
    """The observations with a column for each outcome that is no summary key, read from the records.

    Args:
        frame: observations with a column `path`.
        outcomes: those wanted.
        asked_for: whether the user named them: of more than `MOST_READ` trials they are read only then.

    Returns:
        The frame; outcome -> reason -> number of trials without a value; and what was left out, as a sentence, or None.
    """
    wanted = [key for key in outcomes if key in {**OF_PHASES, **OF_GPUS} and key not in frame.columns]
    if not wanted or "path" not in frame.columns:
        return frame, {}, None
    if len(frame) > MOST_READ and not asked_for:
        empty = frame.assign(**dict.fromkeys(wanted, np.nan))
        why = f"{', '.join(wanted)}: not read of {len(frame)} trials, more than {MOST_READ}; name them with --outcomes"
        return empty, {key: {"not read: too many trials": len(frame)} for key in wanted}, why
    rows: list[dict[str, float]] = []
    missing: dict[str, dict[str, int]] = {}
    for path in frame["path"]:
        values, reasons = _of_record(Path(str(path)), wanted)
        rows.append(values)
        for key, reason in reasons.items():
            counts = missing.setdefault(key, {})
            counts[reason] = counts.get(reason, 0) + 1
    columns = {key: [row[key] for row in rows] for key in wanted}
    return frame.assign(**columns), missing, None


def _of_record(path: Path, wanted: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return dict.fromkeys(wanted, np.nan), dict.fromkeys(wanted, f"the manifest cannot be read: {error}")
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    phases = [one for one in manifest.get("phases") or [] if isinstance(one, Mapping)]
    told = manifest.get("not_measured") or {}
    for key in wanted:
        if key in OF_PHASES:
            values[key] = _sum(phases, key)
            reason = str(told.get(f"phases.{key}") or told.get(key) or "a phase has no value")
        else:
            values[key], reason = _of_gpus(path, manifest, phases, key)
        if np.isnan(values[key]):
            reasons[key] = reason
    return values, reasons


def _sum(phases: Sequence[Mapping[str, Any]], key: str) -> float:
    """Sum over the phases; NaN where one that lasted 10 ms or more has no value, or none has."""
    found = [one.get(key) for one in phases if one.get(key) is not None or (one.get("duration_s") or 0) >= 0.01]
    if not found or any(value is None for value in found):
        return float("nan")
    return float(sum(float(value) for value in found if value is not None))


def _of_gpus(
    path: Path, manifest: Mapping[str, Any], phases: Sequence[Mapping[str, Any]], key: str
) -> tuple[float, str]:
    told = manifest.get("not_measured") or {}
    wanted = ((manifest.get("specification") or {}).get("profile") or {}).get("gpus")
    if not wanted:
        return float("nan"), "the trial uses no GPU: its profile has none"
    from harness.errors import StoreError
    from harness.records import Record

    try:
        table = Record.read(path).table("gpus")
    except StoreError as error:
        return float("nan"), error.what
    column = "kernel_resident_pct" if key == "gpu_utilisation_percent" else "memory_used_bytes"
    if table.num_rows == 0 or column not in table.column_names:
        return float("nan"), str(told.get("gpu") or "no GPU was sampled")
    from harness.records.gpus import foreign_gpus

    report = (manifest.get("sampling") or {}).get("report")
    foreign = foreign_gpus(report) if isinstance(report, Mapping) else set()
    rows = [row for row in table.select(["gpu", "t_ns", column]).to_pylist() if row["gpu"] not in foreign]
    if key == "gpu_utilisation_percent":
        spans = [(one["begin_ns"], one["end_ns"]) for one in phases if one.get("phase") == "train"]
        inside = [row for row in rows if any(begin <= row["t_ns"] < end for begin, end in spans)]
        numbers = [float(row[column]) for row in inside if row[column] is not None]
        return (float(np.mean(numbers)), "") if numbers else (float("nan"), "no sample of a GPU in a `train` phase")
    highest: dict[int, float] = {}
    for row in rows:
        if row[column] is not None:
            highest[row["gpu"]] = max(highest.get(row["gpu"], 0.0), float(row[column]))
    return (sum(highest.values()), "") if highest else (float("nan"), "no GPU memory was sampled")
