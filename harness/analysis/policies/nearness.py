"""How near measured trials are to what a policy is asked for.

What differs between what is asked and what was measured is weighed by kind:

    dataset 16 · network 8 · content of the dataset of that name 4 · framework 2, or 1 where one parity certificate
    covers trials of both frameworks · batch size |log2(ratio)| · runs shorter than the budget |log2(ratio)|

The kinds are compared one after another, in this order, the two ratios together as the last: no ratio of batch sizes
outweighs another framework. The distance that is told is the sum. Without any difference the evidence is exact; runs
longer than the budget add 0 and are not exact. Of equally near trials those whose length is nearest to the budget go
first (in seconds by whole powers of two), without a budget the longest, then those of more seeds, then of more trials.
Trials that share neither dataset nor network are no evidence, however many.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.policies.grouping import Group, Row

DATASET, NETWORK, CONTENT, FRAMEWORK, SAME_CERTIFICATE = 16.0, 8.0, 4.0, 2.0, 1.0
AFTER_BUDGET = "diverged_after_budget"
"""Key of a row that `recommending` cut to the budget: the trial diverged, but not before the budget was spent."""
KINDS = ("dataset", "network", "content", "framework", "size")
"""Of differences, the heaviest first; `size` is the batch size and the length of the runs."""


@dataclass(frozen=True)
class Apart:
    """One thing in which trials differ from what is asked.

    Attributes:
        kind: of `KINDS`.
        adds: to the distance; 0 for runs that are longer than the budget.
    """

    kind: str
    adds: float
    text: str


@dataclass(frozen=True)
class Wanted:
    """What a policy is asked for.

    Attributes:
        content_sha256: of the dataset as this checkout describes it; None where it does not know the dataset.
        batch_size: None for any.
        budget_steps, budget_s: at most one of them; `budget_s` is training time.
    """

    dataset: str
    network: str
    framework: str
    content_sha256: str | None = None
    batch_size: int | None = None
    budget_steps: int | None = None
    budget_s: float | None = None

    @property
    def budget(self) -> float | None:
        """Steps or seconds, whichever is given."""
        return self.budget_s if self.budget_steps is None else float(self.budget_steps)


def differences_of(group: Group, wanted: Wanted, rows: Sequence[Row]) -> tuple[Apart, ...]:
    """In what a group differs from what is asked; nothing where it is exact."""
    first = group.first
    parts: list[Apart] = []
    if first["dataset"] != wanted.dataset:
        parts.append(Apart("dataset", DATASET, f"another dataset, {first['dataset']}"))
    elif wanted.content_sha256 and first["dataset_content_sha256"] != wanted.content_sha256:
        content = str(first["dataset_content_sha256"] or "unknown")
        text = f"other content of {wanted.dataset}: {content[:12]}, not {wanted.content_sha256[:12]}"
        parts.append(Apart("content", CONTENT, text))
    if first["network"] != wanted.network:
        parts.append(Apart("network", NETWORK, f"another network, {first['network']}"))
    if first["framework"] != wanted.framework:
        shared = _shared_certificate(group, wanted.framework, rows)
        how = f"under certificate {shared[:12]}" if shared else "without a certificate shared with it"
        adds = SAME_CERTIFICATE if shared else FRAMEWORK
        parts.append(Apart("framework", adds, f"another framework, {first['framework']}, {how}"))
    if wanted.batch_size and first["batch_size"] and first["batch_size"] != wanted.batch_size:
        ratio = abs(math.log2(first["batch_size"] / wanted.batch_size))
        parts.append(Apart("size", ratio, f"batch size {first['batch_size']}, not {wanted.batch_size}"))
    return (*parts, *_length_apart(group, wanted))


def _length_apart(group: Group, wanted: Wanted) -> list[Apart]:
    """How the length of the runs differs from the budget; nothing without a budget."""
    limit, unit = wanted.budget, "steps" if wanted.budget_steps is not None else "s of training"
    if limit is None:
        return []
    length = _length(group, wanted)
    if length is None:
        return [Apart("size", 0.0, f"runs of unknown length, budget {limit:.6g} {unit}")]
    if length == limit:
        return []
    adds = math.log2(limit / length) if length < limit else 0.0
    than = "shorter" if length < limit else "longer"
    return [Apart("size", adds, f"runs of {length:.6g} {unit}, {than} than the budget of {limit:.6g}")]


def _length(group: Group, wanted: Wanted) -> float | None:
    """Of the runs, in the budget's unit: the steps of the setting, or the median training time of what ran to its end.

    Without a budget in steps. None where it is not known.
    """
    if wanted.budget_s is None:
        return float(group.first["steps"]) if group.first["steps"] else None
    ended = [row for row in group.rows if row["termination"] == "completed" and not row.get(AFTER_BUDGET)]
    times = [float(row["training_time_s"]) for row in ended if row["training_time_s"]]
    return statistics.median(times) if times else None


def nearness(apart: Sequence[Apart]) -> tuple[float, ...]:
    """What each kind of difference adds, the heaviest first: the order of nearness."""
    return tuple(sum(one.adds for one in apart if one.kind == kind) for kind in KINDS)


def size_of(group: Group, wanted: Wanted) -> tuple[float, ...]:
    """What decides between equally near groups: length, seeds, trials; the smallest goes first."""
    budget, length = wanted.budget, _length(group, wanted) or 0.0
    of_length = -length
    if budget is not None:
        of_length = abs(math.log2(length / budget)) if length > 0 else math.inf
    if wanted.budget_s is not None and length > 0:
        of_length = float(round(of_length))  # times scatter: within a factor of about two the seeds decide
    seeds = len({row["seed"] for row in group.rows})
    return (of_length, -seeds, -len(group.rows))


def _shared_certificate(group: Group, framework: str, rows: Sequence[Row]) -> str | None:
    own = {row["certificate"] for row in group.rows if row["certificate"]}
    theirs = {row["certificate"] for row in rows if row["framework"] == framework and row["certificate"]}
    return min(own & theirs, default=None)
