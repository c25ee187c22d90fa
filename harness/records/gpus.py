"""Which of the sampled GPUs count to the trial: the sampler reads all that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.records.reading import TrialFiles

UNKNOWN = "the trial names its GPUs, and the sampler's report, which tells them apart, is missing"


def described(files: TrialFiles) -> list[dict[str, Any]]:
    """`gpus` of the sampler's report: the devices, in the order of the column `gpu`."""
    told = files.sampler_report.get("gpus")
    return [one if isinstance(one, dict) else {} for one in told] if isinstance(told, list) else []


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
