"""The trials that a model may be fitted to, in groups that share what a model does not explain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError

if TYPE_CHECKING:
    import pandas as pd

    from harness.analysis.observations import Observations

AT_THE_LIMIT = 0.98
"""A peak above this part of the profile's memory limit was held down by it: the job's need is not known then."""

EXPLAINED = {
    "batch_size",
    "cpus",
    "threads",
    "jobs",
    "cores_shared",
    "network",
    "dataset",
    "workload",
    "framework",
    "profile",
    "memory_bytes",
    "price_per_hour",
    "blas",
    "precision",
    "optimizer",
    "parameters",
    "activation_values_per_sample",
}
"""Factors that a model has a term for, or that decide its group."""

TOGETHER = "overlap_samples_per_s"
NETWORK = ("parameters", "activation_values_per_sample")
NEEDED = ("trial", "framework", "workload", "batch_size", "cpus", "threads", "profile")


@dataclass(frozen=True)
class Group:
    """What the trials behind one model share.

    Attributes:
        framework, framework_version, environment: of the framework.
        optimizer, precision, blas: decide how many bytes and operations a step takes; empty where not told.
        host: identity of the machine.
        workload, content_sha256: of models of one workload alone; empty for those over several.
    """

    framework: str
    framework_version: str
    environment: str
    optimizer: str
    precision: str
    blas: str
    host: str
    workload: str = ""
    content_sha256: str = ""

    @property
    def title(self) -> str:
        """For people: framework and version, workload, and of the others what is told."""
        parts = [f"{self.framework} {self.framework_version}".strip(), self.workload, self.environment]
        parts += [self.optimizer, self.precision, self.blas]
        return " · ".join(part for part in parts if part)


OVER_WORKLOADS = tuple(one.name for one in fields(Group) if one.name not in ("workload", "content_sha256"))
OF_A_WORKLOAD = tuple(one.name for one in fields(Group))


@dataclass(frozen=True)
class Omitted:
    """Trials that a model leaves out, and why."""

    why: str
    records: tuple[str, ...]


def check_frame(observations: Observations) -> None:
    """Raise `DlgaugeError` where there is nothing to fit at all."""
    frame = observations.frame
    if not len(frame):
        failed = len(observations.excluded)
        more = f"; {failed} trials did not complete: {observations.excluded[0].reason}" if failed else ""
        raise DlgaugeError(f"no completed trial to fit a model to{more}", hint="dlgauge run STUDY --store FOLDER")
    if missing := [name for name in NEEDED if name not in frame.columns]:
        raise DlgaugeError(f"the observations lack {', '.join(missing)}")


def usable(observations: Observations, outcome: str) -> tuple[pd.DataFrame, tuple[Omitted, ...]]:
    """Rows with a positive outcome and all that the models explain it by, and what is left out.

    The rows get `workers`: how many CPUs compute, `min(cpus, threads)`, and `side_by_side`: how many jobs, 1 for one
    alone. Trials with more threads than CPUs are left out: their threads wait for each other in a way of its own. The
    `samples_per_s` of jobs side by side are those of one job while all trained (`TOGETHER`): what the last one does
    when the others have ended is no interference.
    """
    import pandas as pd

    frame = observations.frame
    omitted: list[Omitted] = []
    kept = pd.Series(True, index=frame.index)

    def drop(where: Any, why: str) -> None:
        nonlocal kept
        where = pd.Series(where, index=frame.index).fillna(False).astype(bool) & kept
        if where.any():
            omitted.append(Omitted(why, tuple(frame.loc[where, "trial"].astype(str))))
            kept &= ~where

    if outcome not in frame.columns:
        drop([True] * len(frame), f"{outcome} is in none of the records")
    else:
        values = pd.to_numeric(frame[outcome], errors="coerce")
        reasons = "; ".join(f"{why} ({n})" for why, n in observations.not_measured.get(outcome, {}).items())
        drop(values.isna(), f"{outcome} was not measured: {reasons or 'the records do not say why'}")
        drop(values <= 0, f"{outcome} is not above 0")
    beside = _numbers(frame, "jobs").fillna(1.0)
    together = _numbers(frame, TOGETHER)
    if outcome == "samples_per_s":
        drop((beside > 1) & together.isna(), f"{TOGETHER} of jobs side by side was not measured")
    numbers = {key: pd.to_numeric(frame[key], errors="coerce") for key in ("batch_size", "cpus", "threads")}
    for key in ("batch_size", "cpus"):
        drop(numbers[key].isna(), f"{key} is not in the record")
    drop(numbers["threads"] > numbers["cpus"], "more threads than CPUs")
    for key in NETWORK if outcome == "peak_memory_bytes" else ():
        reasons = "; ".join(observations.not_measured.get(key, {}))
        drop(_numbers(frame, key).isna(), f"{key} of the network is not known: {reasons or 'not recorded'}")
    if outcome == "peak_memory_bytes" and "memory_bytes" in frame.columns and outcome in frame.columns:
        limit = pd.to_numeric(frame["memory_bytes"], errors="coerce")
        held = pd.to_numeric(frame[outcome], errors="coerce") > AT_THE_LIMIT * limit
        drop(held, f"the peak is within {100 * (1 - AT_THE_LIMIT):.0f} % of the memory limit, which held it down")
    rows = frame.loc[kept].copy()
    for key, column in numbers.items():
        rows[key] = column[kept].astype(float)
    rows["workers"] = rows["threads"].fillna(rows["cpus"]).clip(upper=rows["cpus"])
    rows["side_by_side"] = beside[kept]
    if outcome == "samples_per_s":
        rows[outcome] = together[kept].where(rows["side_by_side"] > 1, rows[outcome])
    return rows.reset_index(drop=True), tuple(omitted)


def alone(rows: pd.DataFrame) -> pd.DataFrame:
    """The trials that ran with no other job beside them."""
    return rows[rows["side_by_side"] == 1].reset_index(drop=True)


def _numbers(rows: pd.DataFrame, key: str) -> pd.Series:
    import pandas as pd

    if key in rows.columns:
        return pd.to_numeric(rows[key], errors="coerce")
    return pd.Series(float("nan"), index=rows.index)


def groups(rows: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[Group, pd.DataFrame]]:
    """The rows of each group, groups in order of their names; what is not told is empty text."""
    named = {key: _texts(rows, key) for key in keys}
    for _, positions in rows.groupby([column.to_numpy() for column in named.values()], sort=True).indices.items():
        first = {key: str(column.iloc[positions[0]]) for key, column in named.items()}
        yield Group(**first), rows.iloc[positions].reset_index(drop=True)


def _texts(rows: pd.DataFrame, key: str) -> pd.Series:
    import pandas as pd

    if key not in rows.columns:
        return pd.Series("", index=rows.index)
    return rows[key].map(lambda value: "" if value is None or value != value else str(value))


def levels_of(rows: pd.DataFrame, key: str) -> tuple[float, ...]:
    """The different values of a numeric column, ascending."""
    return tuple(sorted({float(value) for value in _numbers(rows, key).dropna()}))


def records_of(rows: pd.DataFrame) -> tuple[str, ...]:
    """Ids of the trials."""
    return tuple(rows["trial"].astype(str))


def group_notes(rows: pd.DataFrame, varied: Sequence[str]) -> tuple[str, ...]:
    """What a reader of a model of these rows must know: factors it does not know, certificates that differ."""
    notes = []
    for key in varied:
        if key in EXPLAINED or key not in rows.columns:
            continue
        levels = {str(value) for value in rows[key].dropna()}
        if len(levels) > 1:
            notes.append(f"{key} varies over {len(levels)} levels and has no term: its effect is in the error")
    if "content_sha256" in rows.columns:
        contents = rows.groupby("dataset")["content_sha256"].nunique()
        notes += [f"the dataset {name} has {n} contents in the trials" for name, n in contents.items() if n > 1]
    if "certificate" in rows.columns:
        certificates = {None if value != value else value for value in rows["certificate"]}
        if len(certificates) > 1:
            notes.append(f"the trials have {len(certificates)} different parity certificates, none counted as one")
        elif certificates == {None}:
            notes.append("no parity certificate covers these trials")
    if "code_sha256" in rows.columns and rows["code_sha256"].nunique(dropna=False) > 1:
        notes.append(f"{rows['code_sha256'].nunique(dropna=False)} versions of the adapter's code")
    return tuple(notes)
