"""Values of every policy of a group, seed by seed, for one criterion or a weighting of several.

On several frameworks a seed's value is the mean over the frameworks, of the seeds that all of them have: the trials of
one seed share weights and mini-batches, so the seed, not the trial, is the unit.

A weighting adds up, seed by seed, what each criterion is worth between 0 and 1 in its group: (value - worst) /
(best - worst), where worst and best are means of policies of which no seed diverged; a threshold that was not reached
is worth 0.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis.policies.criteria import (
    Criterion,
    NotReached,
    Settings,
    cost_at,
    grain_of,
    robustness_of,
    value_of,
)
from harness.analysis.policies.grouping import Group, Row, framework_of

Value = Callable[[Row], float | str]


@dataclass(frozen=True)
class Scores:
    """A policy's values.

    Attributes:
        values: seed -> value.
        missing: seed -> why it has none.
        grain: the smallest step in which the values move.
        scales: of a weighting, criterion -> (worst, best) that stand for 0 and 1.
    """

    values: dict[int, float]
    missing: dict[int, str] = field(default_factory=dict)
    grain: float = 0.0
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def reason(self) -> str | None:
        """Why there is no value, or only for some seeds."""
        if not self.missing:
            return None
        why = dict.fromkeys(self.missing.values())
        return f"{len(self.missing)} of {len(self.missing) + len(self.values)} seeds: {'; '.join(list(why)[:2])}"


def scores(
    group: Group,
    policies: Mapping[str, Sequence[Row]],
    by: Mapping[str, float],
    criteria: Sequence[Criterion],
    settings: Settings,
) -> dict[str, Scores]:
    """The values of each policy (`policy_json`)."""
    single = {
        one.name: {p: _of(one.name, p, rows, group, settings) for p, rows in policies.items()} for one in criteria
    }
    if len(criteria) == 1:
        return single[criteria[0].name]
    return _weighted(single, by, criteria, _steady(policies))


def per_seed(rows: Sequence[Row], frameworks: Sequence[str], value: Value) -> dict[int, float]:
    """Seed -> mean over the frameworks, of the seeds that have a value on all of them."""
    return _reduce({(framework_of(row), row["seed"]): value(row) for row in rows}, frameworks)[0]


def final_accuracy(row: Row) -> float | str:
    """Test accuracy in percent of the last evaluation of a trial that did not diverge."""
    value = row["final_top1_percent"]
    return float(value) if row["termination"] != "diverged" and value is not None else "no accuracy"


def costs(rows: Sequence[Row], frameworks: Sequence[str], threshold_percent: float, unit: str) -> dict[int, float]:
    """Seed -> cost until the threshold, of the seeds that reached it on all frameworks."""
    return per_seed(
        [row for row in rows if row["termination"] != "diverged"], frameworks, _cost(threshold_percent, unit)
    )


def scale_notes(found: Mapping[str, Scores], by: Mapping[str, float], criteria: Sequence[Criterion]) -> list[str]:
    """How a weighted score is made, with the values that stand for 0 and 1."""
    scales = next((one.scales for one in found.values() if one.scales), None)
    if not scales:
        return []
    units = {one.name: one.unit for one in criteria}
    parts = [
        f"{by[name]:.3g} * {name} (0 at {worst:.6g} {units[name]}, 1 at {best:.6g})"
        for name, (worst, best) in scales.items()
    ]
    return [f"score = {' + '.join(parts)}; a threshold that was not reached is worth 0"]


def _of(name: str, policy: str, rows: Sequence[Row], group: Group, settings: Settings) -> Scores:
    grain = grain_of(rows, name, settings)
    if name == "robustness":
        kept = robustness_of(policy, group)
        if isinstance(kept, str):
            return Scores({}, {row["seed"]: kept for row in rows})
        values, missing = _reduce(dict(kept), group.frameworks)
        # A seed that ran at scale 1 only says nothing of robustness, and nothing against it.
        return Scores(values, {} if values else missing)
    converged = [row for row in rows if row["termination"] != "diverged"]
    values, missing = _reduce(
        {(framework_of(row), row["seed"]): value_of(row, name, settings) for row in converged}, group.frameworks
    )
    return Scores(values, missing, grain)


def _cost(threshold_percent: float, unit: str) -> Value:
    def cost(row: Row) -> float | str:
        return cost_at(row, threshold_percent, unit)

    return cost


def _reduce(
    found: Mapping[tuple[str, int], float | str], frameworks: Sequence[str]
) -> tuple[dict[int, float], dict[int, str]]:
    values: dict[int, float] = {}
    missing: dict[int, str] = {}
    for seed in sorted({seed for _, seed in found}):
        of_seed = [found[name, seed] for name in frameworks if (name, seed) in found]
        if len(of_seed) < len(frameworks):
            continue  # a seed that some framework has not run cannot be pooled; the others can
        why = [one for one in of_seed if isinstance(one, str)]
        if why:
            missing[seed] = why[0]
        else:
            values[seed] = statistics.fmean(one for one in of_seed if not isinstance(one, str))
    return values, missing


def _steady(policies: Mapping[str, Sequence[Row]]) -> set[str]:
    """Policies of which no seed diverged; all where there is none: what diverges sets no scale for what does not."""
    steady = {policy for policy, rows in policies.items() if all(row["termination"] != "diverged" for row in rows)}
    return steady or set(policies)


def _weighted(
    single: Mapping[str, Mapping[str, Scores]],
    by: Mapping[str, float],
    criteria: Sequence[Criterion],
    steady: set[str],
) -> dict[str, Scores]:
    scales = {
        one.name: _scale([single[one.name][policy] for policy in steady], one.lower_is_better) for one in criteria
    }
    found = {}
    for policy in single[criteria[0].name]:
        parts = {name: of_all[policy] for name, of_all in single.items()}
        found[policy] = _sum(parts, by, scales)
    return found


def _scale(of_all: Sequence[Scores], lower_is_better: bool) -> tuple[float, float]:
    means = [statistics.fmean(one.values.values()) for one in of_all if one.values]
    if not means:
        return 0.0, 0.0
    return (max(means), min(means)) if lower_is_better else (min(means), max(means))


def _sum(parts: Mapping[str, Scores], by: Mapping[str, float], scales: Mapping[str, tuple[float, float]]) -> Scores:
    values: dict[int, float] = {}
    missing: dict[int, str] = {}
    seeds = sorted({seed for one in parts.values() for seed in (*one.values, *one.missing)})
    for seed in seeds:
        total, why = 0.0, None
        for name, one in parts.items():
            if seed in one.values:
                total += by[name] * _worth(one.values[seed], scales[name])
            elif not isinstance(one.missing.get(seed), NotReached):
                why = one.missing.get(seed, f"no {name} for this seed")
        if why:
            missing[seed] = why
        else:
            values[seed] = total
    if values and "robustness" in parts:
        # Robustness is known of the seeds that ran at all scales; the others do not make a score partial.
        missing = {seed: why for seed, why in missing.items() if seed in parts["robustness"].values}
    grain = sum(by[name] * one.grain / width for name, one in parts.items() if (width := _width(scales[name])) > 0)
    return Scores(values, missing, grain, scales)


def _worth(value: float, scale: tuple[float, float]) -> float:
    worst, best = scale
    return 1.0 if worst == best else (value - worst) / (best - worst)


def _width(scale: tuple[float, float]) -> float:
    return abs(scale[1] - scale[0])
