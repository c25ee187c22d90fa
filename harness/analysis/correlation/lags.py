"""Inside a run: does use follow the phases, and how long after?

A trial's samples are cut into windows of the sampler's period. In each window stands what the job used (cores, from a
counter of CPU time; growth of resident memory) and what it did (share of the window in a phase; samples trained on per
second). The correlation of the one with the other shifted by every lag up to `LARGEST_LAG_S` is looked at; positive
lags mean that use follows.

Windows of one run are not independent. Inside a run the interval takes the effective number of windows

    n / (1 + 2 sum over k of (1 - k/n) r_activity(k) r_use(k))

(M. S. Bartlett, J. R. Statist. Soc. 98 (1935); as in C. S. Bretherton et al., Journal of Climate 12 (1999)). Between
runs the trial is the unit and the block is what repeats: a framework's number is the mean over blocks with its t
interval. A lag is not known better than to one window, whatever its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.correlation.associations import too_few_blocks
from harness.analysis.correlation.jackknife import CONFIDENCE, FEWEST_BLOCKS, over_blocks
from harness.errors import StoreError
from harness.records.counters import series

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from harness.records import Record

LARGEST_LAG_S = 2.0
FEWEST_WINDOWS = 30
MOST_TRIALS = 20
"""Trials of a framework whose samples are read, evenly from all of them."""
MEMORY_GROWTH, CORES = "resident memory growth MiB/s", "cores used"
THROUGHPUT = "samples/s"
PHASES_LOOKED_AT = ("train", "evaluate")
MIB = 1024.0 * 1024.0


@dataclass(frozen=True)
class RunLag:
    """One trial: how its use goes with what it did.

    Attributes:
        trial, path, framework, block: which trial.
        activity, use: what is correlated: a phase (share of each window in it) or `samples/s`; a use.
        at_zero: correlation without lag.
        lag_s: the lag of the largest absolute correlation, s; positive: use follows.
        at_lag: that correlation; as the largest of many it is high by choice.
        low, high: interval of `at_zero` inside this run, from the effective number of windows; None where that is 3 or
            less.
        windows, effective: number of windows, and the effective one.
        window_s: width of a window: the sampler's period.
    """

    trial: str
    path: str
    framework: str
    block: Any
    activity: str
    use: str
    at_zero: float
    lag_s: float
    at_lag: float
    low: float | None
    high: float | None
    windows: int
    effective: float
    window_s: float


@dataclass(frozen=True)
class Lag:
    """A framework: mean over blocks of its trials.

    Attributes:
        id: names the row, such as `lag-3`.
        framework, activity, use: as in `RunLag`.
        at_zero, at_zero_low, at_zero_high: correlation without lag (mean of Fisher's z over blocks).
        lag_s, lag_low_s, lag_high_s: lag of the largest correlation, s.
        resolution_s: a lag is not known better than this: the width of a window.
        trials, blocks: how many it is of.
        runs: the single trials.
        reason: why something is None.
    """

    id: str
    framework: str
    activity: str
    use: str
    at_zero: float | None
    at_zero_low: float | None
    at_zero_high: float | None
    lag_s: float | None
    lag_low_s: float | None
    lag_high_s: float | None
    resolution_s: float
    trials: int
    blocks: int
    runs: tuple[RunLag, ...]
    reason: str | None = None


def lags(frame: pd.DataFrame, read: Callable[[Path], Record]) -> tuple[tuple[Lag, ...], tuple[str, ...]]:
    """The lags of every framework, and sentences about trials that were not looked at.

    Args:
        frame: observations with `path`, `trial`, `framework` and `block`.
        read: reads a record's folder.
    """
    rows: list[Lag] = []
    notes: list[str] = []
    for framework, own in frame.groupby("framework", sort=True):
        taken = own.iloc[np.unique(np.linspace(0, len(own) - 1, min(len(own), MOST_TRIALS)).round().astype(int))]
        if len(taken) < len(own):
            notes.append(f"time lags on {framework}: {len(taken)} of its {len(own)} trials were read, evenly spread")
        runs, problems = _read_runs(taken, read)
        notes += [f"time lags on {framework}: {one}" for one in problems]
        for activity, use in sorted({(run.activity, run.use) for run in runs}):
            rows.append(_of_framework(str(framework), [r for r in runs if (r.activity, r.use) == (activity, use)]))
    return tuple(replace(row, id=f"lag-{number}") for number, row in enumerate(rows, 1)), tuple(notes)


def _read_runs(frame: pd.DataFrame, read: Callable[[Path], Record]) -> tuple[list[RunLag], list[str]]:
    runs: list[RunLag] = []
    reasons: dict[str, list[str]] = {}
    for row in frame.itertuples():
        try:
            own, why = lags_of_run(read(Path(str(row.path))))
        except StoreError as error:
            own, why = [], error.what
        if why:
            reasons.setdefault(why, []).append(str(row.trial))
        runs += [replace(run, framework=str(row.framework), block=row.block) for run in own]
    return runs, [f"{len(ids)} left out: {why} ({', '.join(ids)})" for why, ids in reasons.items()]


def lags_of_run(record: Record) -> tuple[list[RunLag], str | None]:
    """All pairs of one trial; and why there are none."""
    table = record.table("samples")
    phases = [one for one in record.phases if one.get("begin_ns") is not None and one.get("end_ns") is not None]
    if table.num_rows < 2 or not phases:
        return [], "it has no samples or no phases"
    wanted = ["t_start_ns", "t_end_ns", "cgroup_cpu_ns", "tree_cpu_ns", "tree_resident_bytes"]
    samples = {name: table.column(name).to_pylist() for name in wanted if name in table.column_names}
    window_ns = int((record.manifest.get("sampling") or {}).get("period_ns") or 0) or _median_gap(samples)
    edges = np.arange(phases[0]["begin_ns"], phases[-1]["end_ns"], window_ns, dtype=np.int64)
    if len(edges) - 1 < FEWEST_WINDOWS:
        return [], f"fewer than {FEWEST_WINDOWS} windows of {window_ns / 1e6:g} ms"
    uses = _uses(record, samples, edges)
    activities = {name: _share_in(phases, name, edges) for name in PHASES_LOOKED_AT}
    throughput = _throughput(record, edges)
    if throughput is not None:
        activities[THROUGHPUT] = throughput
    window_s = window_ns / 1e9
    found = []
    for use, values in uses.items():
        for activity, signal in activities.items():
            if signal.std() > 0 and values.std() > 0:
                found.append(lag_of(signal, values, window_s, record, activity, use))
    return found, None if found else "nothing varies over time in it"


def lag_of(
    signal: NDArray[np.float64],
    use: NDArray[np.float64],
    window_s: float,
    record: Record | None,
    activity: str,
    name: str,
) -> RunLag:
    """The lag of two series of equal length.

    Args:
        signal, use: (n,) one number a window.
        window_s: width of a window.
        record: whose they are.
        activity, name: what they are.
    """
    from scipy import special

    reach = min(round(LARGEST_LAG_S / window_s), len(signal) // 4)
    shifts = np.arange(-reach, reach + 1)
    found = np.array([_shifted(signal, use, int(shift)) for shift in shifts])
    at_zero = float(found[reach])
    # Of equal peaks the one nearest to no lag.
    best = min(range(len(shifts)), key=lambda i: (-round(abs(float(found[i])), 12), abs(int(shifts[i]))))
    effective = effective_windows(signal, use)
    low = high = None
    if effective > 3 and abs(at_zero) < 1:
        half = float(special.ndtri((1 + CONFIDENCE) / 2)) / np.sqrt(effective - 3)
        low, high = float(np.tanh(np.arctanh(at_zero) - half)), float(np.tanh(np.arctanh(at_zero) + half))
    trial, path = (record.id, str(record.path)) if record is not None else ("", "")
    return RunLag(
        *(trial, path, "", None, activity, name, at_zero, float(shifts[best] * window_s), float(found[best])),
        *(low, high, len(signal), effective, window_s),
    )


def effective_windows(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How many independent windows two autocorrelated series are worth, at most their number."""
    n = len(one)
    most = n // 4
    products = _autocorrelation(one, most) * _autocorrelation(other, most)
    weights = 1 - np.arange(1, most + 1) / n
    inflation = 1 + 2 * float((weights * products[1:]).sum())
    return float(min(n, n / inflation)) if inflation > 0 else float(n)


def _autocorrelation(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    centred = values - values.mean()
    length = 1 << (2 * len(values) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, length)) ** 2
    found = np.fft.irfft(power, length)[: most + 1]
    return np.asarray(found / found[0])


def _shifted(signal: NDArray[np.float64], use: NDArray[np.float64], shift: int) -> float:
    """Correlation of `signal` with `use` so many windows later."""
    first = signal[: len(signal) - shift] if shift >= 0 else signal[-shift:]
    second = use[shift:] if shift >= 0 else use[: len(use) + shift]
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _uses(
    record: Record, samples: Mapping[str, Sequence[Any]], edges: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    found = {}
    width_ns = float(edges[1] - edges[0])
    source = str((record.manifest.get("sources") or {}).get("cpu_seconds", ""))
    columns = sorted(("cgroup_cpu_ns", "tree_cpu_ns"), key=lambda name: name != f"{source}_cpu_ns")
    counter = next((one for one in (series(samples, name) for name in columns) if one and len(one.values) > 1), None)
    if counter is not None:
        at = np.interp((edges - counter.origin_ns).astype(float), counter.offsets_ns, counter.values)
        found[CORES] = np.diff(at) / width_ns
    points = [
        (int(t), float(value))
        for t, value in zip(samples["t_start_ns"], samples.get("tree_resident_bytes", ()), strict=False)
        if t is not None and value is not None
    ]
    if len(points) > 1:
        times, values = np.array([t for t, _ in points], dtype=np.int64), np.array([value for _, value in points])
        held = np.interp((edges - edges[0]).astype(float), (times - edges[0]).astype(float), values)
        found[MEMORY_GROWTH] = np.diff(held) / MIB / (width_ns / 1e9)
    return found


def _share_in(phases: Sequence[Mapping[str, Any]], name: str, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each window that lies in phases of this name."""
    total = np.zeros(len(edges) - 1)
    for one in phases:
        if one.get("phase") == name:
            begin, end = np.maximum(edges[:-1], int(one["begin_ns"])), np.minimum(edges[1:], int(one["end_ns"]))
            total += np.maximum(end - begin, 0)
    return np.asarray(total / float(edges[1] - edges[0]))


def _throughput(record: Record, edges: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Samples per second in each window: finished steps, those across an edge in part."""
    ends = record.table("steps").column("t_end_ns").to_numpy()
    batch = ((record.specification.get("setting") or {}).get("batch_size")) or None
    if len(ends) < 2 or not isinstance(batch, int | float):
        return None
    trains = [
        (int(one["begin_ns"]), int(one["end_ns"])) for one in record.phases if one.get("phase") in ("train", "warm_up")
    ]
    # A step begins where the one before it ended, or with its phase: between phases no step is under way.
    points: list[tuple[int, float]] = [(int(edges[0]), 0.0)]
    done = 0
    for begin, end in trains:
        inside = ends[(ends > begin) & (ends <= end)]
        points.append((begin, float(done)))
        points += [(int(t), float(done + i)) for i, t in enumerate(inside, 1)]
        done += len(inside)
        points.append((end, float(done)))
    points.sort()
    times = np.array([t for t, _ in points], dtype=np.int64) - edges[0]
    counts = np.array([count for _, count in points])
    at = np.interp((edges - edges[0]).astype(float), times.astype(float), counts)
    return np.asarray(np.diff(at) * float(batch) / (float(edges[1] - edges[0]) / 1e9))


def _median_gap(samples: Mapping[str, Sequence[Any]]) -> int:
    times = np.array(sorted(int(t) for t in samples["t_start_ns"] if t is not None))
    return max(1, int(np.median(np.diff(times))))


def _of_framework(framework: str, runs: Sequence[RunLag]) -> Lag:
    by_block: dict[Any, list[RunLag]] = {}
    for run in runs:
        by_block.setdefault(run.block, []).append(run)
    most = 1 - 1e-12
    z = np.array([np.mean([np.arctanh(np.clip(r.at_zero, -most, most)) for r in own]) for own in by_block.values()])
    times = np.array([np.mean([run.lag_s for run in own]) for own in by_block.values()])
    mean, spread = over_blocks(np.stack([z, times], axis=1))
    z_ends, lag_ends = ([_number(part[i]) for part in (mean, spread.low, spread.high)] for i in (0, 1))
    back = [None if one is None else float(np.tanh(one)) for one in z_ends]
    return Lag(
        id="",
        framework=framework,
        activity=runs[0].activity,
        use=runs[0].use,
        at_zero=back[0],
        at_zero_low=back[1],
        at_zero_high=back[2],
        lag_s=lag_ends[0],
        lag_low_s=lag_ends[1],
        lag_high_s=lag_ends[2],
        resolution_s=max(run.window_s for run in runs),
        trials=len(runs),
        blocks=len(by_block),
        runs=tuple(runs),
        reason=None if len(by_block) >= FEWEST_BLOCKS else too_few_blocks(len(by_block)),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
