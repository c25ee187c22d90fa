"""Peak memory in the phases before training and from then on, from the phases of the trials' records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.records.manifest import read_manifest
from harness.records.reading import number

if TYPE_CHECKING:
    import pandas as pd

BEFORE, SINCE = "peak_before_training_bytes", "peak_since_training_bytes"
SINCE_PHASES = ("warm_up", "train", "evaluate")
"""Phases whose memory holds a training step; the others load, prepare and compile."""
CLOSE = 0.02
"""The larger of both parts is the peak of the trial up to this part of it; else the phases miss something."""


def with_phase_peaks(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the columns `BEFORE` and `SINCE`; NaN where a record does not tell both parts of its peak."""
    told = [
        _parts(Path(str(path)), float(peak)) for path, peak in zip(rows["path"], rows["peak_memory_bytes"], strict=True)
    ]
    return rows.assign(**{BEFORE: [one[0] for one in told], SINCE: [one[1] for one in told]})


def _parts(folder: Path, peak_bytes: float) -> tuple[float, float]:
    try:
        phases = read_manifest(folder).get("phases")
    except StoreError:
        return math.nan, math.nan
    before, since = 0.0, 0.0
    for phase in phases if isinstance(phases, list) else []:
        value = _peak(phase)
        if value is None:
            continue
        if phase.get("phase") in SINCE_PHASES:
            since = max(since, value)
        else:
            before = max(before, value)
    is_whole = abs(max(before, since) - peak_bytes) <= CLOSE * peak_bytes
    return (before, since) if before and since and is_whole else (math.nan, math.nan)


def _peak(phase: Any) -> float | None:
    return number(phase.get("memory_peak_bytes")) if isinstance(phase, Mapping) else None
