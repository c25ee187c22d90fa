"""Which of the sampled GPUs count to the trial (the sampler reads all that there are), and is their energy sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.records.reading import TrialFiles
from harness.sampling.energy_check import energy_check

UNKNOWN = "the trial names its GPUs, and the sampler's report, which tells them apart, is missing"


def described(files: TrialFiles) -> list[dict[str, Any]]:
    """`gpus` of the sampler's report: the devices, in the order of the column `gpu`."""
    told = files.sampler_report.get("gpus")
    return [one if isinstance(one, dict) else {} for one in told] if isinstance(told, list) else []


def foreign_gpus(report: Mapping[str, Any]) -> set[int]:
    """Numbers of the devices in a sampler's report that are not the trial's, as in the column `gpu`."""
    told = report.get("gpus")
    devices = told if isinstance(told, list) else []
    return {number for number, one in enumerate(devices) if isinstance(one, Mapping) and one.get("foreign") is True}


def why_unknown(files: TrialFiles) -> str | None:
    """Why nobody can say which of the devices are the trial's; None where it is known."""
    return UNKNOWN if files.sampler_settings.get("gpu_uuids") and not described(files) else None


def rows_of_trial(files: TrialFiles, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows of the table of GPUs, each the device, what is told of it, and the columns; without others' devices."""
    table, devices = files.gpus or {}, described(files)
    if why_unknown(files):
        return
    numbers = table.get("gpu", ())
    of_columns = [table.get(column) or [None] * len(numbers) for column in columns]
    for gpu, *values in zip(numbers, *of_columns, strict=False):
        facts = devices[gpu] if isinstance(gpu, int) and 0 <= gpu < len(devices) else {}
        if facts.get("foreign") is not True:
            yield (gpu, facts, *values)


def energy_checks(files: TrialFiles) -> list[dict[str, Any]]:
    """`gpu_energy_check` in `sampling` of the manifest: each whole device of the trial, its counter against its power.

    `ratio`, `flag`, `uncertainty` and `reason` are those of `harness.sampling.energy_check.EnergyCheck`.
    """
    import numpy as np

    columns: dict[int, tuple[dict[str, Any], list[tuple[Any, ...]]]] = {}
    for gpu, facts, *values in rows_of_trial(files, ("energy_mj", "t_ns", "power_mw")):
        if not facts.get("parent_uuid"):
            columns.setdefault(gpu, (facts, []))[1].append(tuple(values))
    found = []
    for gpu, (facts, rows) in sorted(columns.items()):
        masked = [
            np.ma.MaskedArray([value or 0 for value in one], mask=[value is None for value in one], dtype="i8")
            for one in zip(*(row for row in rows if row[1] is not None), strict=True)
        ]
        period_ns = facts.get("energy_update_period_ns")
        energy_mj, t_ns, power_mw = masked or ([], [], [])
        check = energy_check(energy_mj, t_ns, power_mw, period_ns if isinstance(period_ns, int) else None)
        found.append({"gpu": gpu, "uuid": facts.get("uuid"), **check._asdict()})
    return found
