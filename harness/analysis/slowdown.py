"""How much slower a job is with others beside it: the same job alone against each of k, block by block.

slowdown = samples/s of the job alone ÷ samples/s of one of k jobs while all k trained (mean over the k), both of the
same seed. Each block gives one ratio; the interval is that of their mean logarithm. All k jobs together get through
k ÷ slowdown times what one alone does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.analysis.cells import CellKey, group_into_cells, row_names, seed_of
from harness.analysis.references import TrialReference, reference_to
from harness.analysis.statistics import PairedRatio, paired_ratio

if TYPE_CHECKING:
    from harness.records import Record

COMPLETED = "completed"
PLACEMENT_KEYS = ("jobs", "cores")
"""What a study with `co_location` varies beside its `vary` keys."""

LEAST_OVERLAP = 0.9
"""A smaller part of the training time that all jobs shared is told: the number is that of a short window."""


@dataclass(frozen=True)
class Slowdown:
    """One placement of jobs against the same job alone.

    Attributes:
        job: what ran, in words as short as tell it from the other jobs.
        key: the cell of the jobs side by side.
        jobs: how many.
        cores: `split` or `shared`.
        ratio: samples/s alone ÷ samples/s of one of the jobs, over the blocks that have both; None where none has.
        by_seed: the ratio of each block.
        samples_per_s: of one of the jobs while all trained, by seed.
        alone_samples_per_s: of the job alone, by seed.
        overlap: smallest part, over the blocks, of the first job's training time in which all jobs trained; None where
            it was not measured.
        trials, alone_trials: behind the two.
        disturbed: how many of all these trials something else disturbed.
        missing: why there is no ratio, or none for some of the blocks; empty where nothing is missing.
    """

    job: str
    key: CellKey
    jobs: int
    cores: str
    ratio: PairedRatio | None
    by_seed: Mapping[int, float]
    samples_per_s: Mapping[int, float]
    alone_samples_per_s: Mapping[int, float]
    overlap: float | None
    trials: tuple[TrialReference, ...]
    alone_trials: tuple[TrialReference, ...]
    disturbed: int
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """The row in words."""
        return f"{self.job} · {self.jobs} jobs, {self.cores} cores"

    @property
    def total(self) -> PairedRatio | None:
        """What all jobs get through together ÷ what one alone does: jobs ÷ slowdown, with its interval."""
        if self.ratio is None:
            return None
        low, high = self.ratio.low, self.ratio.high
        return PairedRatio(
            self.ratio.n,
            self.jobs / self.ratio.ratio,
            None if high is None else self.jobs / high,
            None if low is None else self.jobs / low,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of this row, as sentences."""
        found = [f"{self.name}: {why}" for why in self.missing]
        if self.overlap is not None and self.overlap < LEAST_OVERLAP:
            found.append(
                f"{self.name}: the jobs trained at the same time for only {100 * self.overlap:.0f} % of the training "
                "time in one block: longer trainings (steps) would overlap for longer"
            )
        if self.disturbed:
            count = len(self.trials) + len(self.alone_trials)
            found.append(f"{self.name}: disturbed: {self.disturbed} of {count} trials, see `dlgauge compare`")
        return tuple(found)


@dataclass(frozen=True)
class Slowdowns:
    """All placements of one study.

    Attributes:
        study: its name.
        rows: in the order of framework, workload, setting, profile, varied values.
        failed: label and reason of the trials of several jobs that did not complete.
    """

    study: str
    rows: tuple[Slowdown, ...]
    failed: tuple[tuple[str, str], ...]


def slowdowns(study: str, records: Iterable[Record]) -> Slowdowns:
    """What co-location cost in one study.

    Args:
        study: the study's name.
        records: of that study, one a trial (the repetition that counts).
    """
    every = [record for record in records if record.role is None]
    cells = group_into_cells(record for record in every if record.termination == COMPLETED)
    side_by_side = [key for key in cells if _placement(key.specification)]
    jobs = {key: _job(key) for key in side_by_side}
    names = row_names(jobs.values())
    alone = _alone(cells)
    failed = [
        (record.label, f"{record.termination}: {record.manifest['termination'].get('reason') or 'no reason recorded'}")
        for record in every
        if record.termination != COMPLETED and record.specification.get("co_location")
    ]
    rows = [_row(names[job], key, cells[key], alone.get(_pairing(key), [])) for key, job in jobs.items()]
    rows.sort(key=lambda row: (row.key.framework, row.key.version, row.key.workload, row.jobs, row.cores, row.name))
    return Slowdowns(study, tuple(rows), tuple(failed))


def _alone(cells: Mapping[CellKey, Sequence[Record]]) -> dict[tuple[str, tuple[str, str, str]], list[Record]]:
    """The job alone of each pairing, of every seed the latest record.

    Trials from before the study had `co_location` are the same trials, but of a cell that varies no `jobs`.
    """
    latest: dict[tuple[str, tuple[str, str, str]], dict[int, Record]] = {}
    for key, members in cells.items():
        if not _placement(key.specification):
            by_seed = latest.setdefault(_pairing(key), {})
            for record in members:
                other = by_seed.get(seed_of(record))
                if other is None or other.started_at < record.started_at:
                    by_seed[seed_of(record)] = record
    return {pairing: [by_seed[seed] for seed in sorted(by_seed)] for pairing, by_seed in latest.items()}


def _row(job: str, key: CellKey, records: Sequence[Record], alone: Sequence[Record]) -> Slowdown:
    placed = _placement(key.specification)
    ours, theirs = _by_seed(records, "overlap_samples_per_s"), _by_seed(alone, "samples_per_s")
    overlaps = _by_seed(records, "overlap_fraction").values()
    shared = sorted(ours.keys() & theirs.keys())
    return Slowdown(
        job=job,
        key=key,
        jobs=int(placed["jobs"]),
        cores=str(placed["cores"]),
        ratio=paired_ratio(theirs, ours),
        by_seed={seed: theirs[seed] / ours[seed] for seed in shared if ours[seed] > 0},
        samples_per_s=ours,
        alone_samples_per_s=theirs,
        overlap=min(overlaps, default=None),
        trials=tuple(map(reference_to, records)),
        alone_trials=tuple(map(reference_to, alone)),
        disturbed=sum(bool(record.manifest.get("disturbances")) for record in (*records, *alone)),
        missing=tuple(_missing(records, alone, ours, theirs)),
    )


def _missing(
    records: Sequence[Record], alone: Sequence[Record], ours: Mapping[int, float], theirs: Mapping[int, float]
) -> Iterable[str]:
    if not alone:
        yield "no completed trial of the same job alone: add 1 to `co_location.jobs` of the study and run it"
    elif lacking := sorted(ours.keys() - theirs.keys()):
        yield f"no job alone in block{'s' * (len(lacking) > 1)} {', '.join(map(str, lacking))}, left out"
    if unpaired := sorted(theirs.keys() - {seed_of(record) for record in records}):
        yield f"the job alone only in block{'s' * (len(unpaired) > 1)} {', '.join(map(str, unpaired))}, left out"
    for record in records:
        if seed_of(record) not in ours:
            why = record.not_measured.get("overlap_samples_per_s", "no reason recorded")
            yield f"no samples/s side by side in block {seed_of(record)}: {why}"


def _by_seed(records: Iterable[Record], key: str) -> dict[int, float]:
    found = {seed_of(record): record.summary.get(key) for record in records}
    return {seed: float(value) for seed, value in found.items() if value is not None}


def _placement(specification: str) -> Mapping[str, Any]:
    found = json.loads(specification).get("co_location")
    return found if isinstance(found, Mapping) else {}


def _pairing(key: CellKey) -> tuple[str, tuple[str, str, str]]:
    """What a job and the same job with others beside it share: all but the others, and data and machine."""
    return _job(key).specification, key.conditions


def _job(key: CellKey) -> CellKey:
    """The cell without what it says of the other jobs: the same for every placement of one job."""
    shared = {name: value for name, value in json.loads(key.specification).items() if name != "co_location"}
    varied = tuple((name, value) for name, value in key.varied if name not in PLACEMENT_KEYS)
    return replace(key, varied=varied, specification=json.dumps(shared, sort_keys=True))
