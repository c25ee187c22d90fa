"""A policy from the database for a dataset, a network and a framework: with the evidence, and how near it is.

Nearness is a distance, the sum of what differs between what is asked and what was measured:

    dataset 16 · network 8 · content of the dataset of that name 4 · framework 2, or 1 where one parity certificate
    covers trials of both frameworks · batch size |log2(ratio)|

A distance of 0 is exact. Trials that share neither dataset nor network are no evidence, however many. Within the
nearest comparable trials (`grouping`) the policies are ranked by the accuracy that they reached within the budget; what
is recommended is the best and those a test cannot tell from it; which of them is the cheapest is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.policies.columns import COST_CURVE
from harness.analysis.policies.criteria import Settings
from harness.analysis.policies.grouping import Group, Row, group_rows
from harness.analysis.policies.ranking import Ranking, rank

DATASET, NETWORK, CONTENT, FRAMEWORK, SAME_CERTIFICATE = 16.0, 8.0, 4.0, 2.0, 1.0


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


@dataclass(frozen=True)
class Recommendation:
    """What the database says.

    Attributes:
        ranking: of the nearest comparable trials; its `leaders` are recommended. None where there is no evidence.
        cheapest: `policy_json` of the leader that reaches the threshold first.
        distance: 0 is exact.
        differences: what differs, in words, each with what it adds to the distance.
        evidence: key -> value: records, seeds, frameworks, certificates, dataset content, studies, imported.
        reason: why there is no recommendation.
    """

    wanted: Wanted
    ranking: Ranking | None
    cheapest: str | None
    distance: float | None
    differences: tuple[str, ...]
    evidence: Mapping[str, Any]
    notes: tuple[str, ...]
    reason: str | None = None

    @property
    def nearness(self) -> str:
        """The distance in words."""
        if self.distance is None:
            return "no evidence"
        return "exact" if not self.differences else "; ".join(self.differences)


def recommend(rows: Iterable[Row], wanted: Wanted) -> Recommendation:
    """The recommendation of the nearest comparable trials that have a policy which did not diverge."""
    listed = list(rows)
    within = [_within_budget(row, wanted) for row in listed]
    fitting = [row for row in within if row is not None]
    groups = group_rows(fitting, by_machine=wanted.budget_s is not None)
    by_distance = sorted(
        ((distance_of(group, wanted, listed), -len(group.rows), index) for index, group in enumerate(groups)),
        key=lambda one: (one[0][0], *one[1:]),
    )
    for (distance, differences), _, index in by_distance:
        first = groups[index].first
        if first["dataset"] != wanted.dataset and first["network"] != wanted.network:
            continue
        ranking = rank(groups[index], {"accuracy": 1.0}, _settings(groups[index], wanted))
        if ranking.leaders:
            return _answer(wanted, ranking, distance, differences, groups)
    return Recommendation(wanted, None, None, None, (), {"records": 0}, (), _why_none(listed, fitting, wanted))


def distance_of(group: Group, wanted: Wanted, rows: Sequence[Row]) -> tuple[float, tuple[str, ...]]:
    """The distance of a group from what is asked, and what makes it."""
    first = group.first
    parts: list[tuple[float, str]] = []
    if first["dataset"] != wanted.dataset:
        parts.append((DATASET, f"another dataset, {first['dataset']}"))
    elif wanted.content_sha256 and first["dataset_content_sha256"] != wanted.content_sha256:
        content = str(first["dataset_content_sha256"] or "unknown")
        parts.append((CONTENT, f"other content of {wanted.dataset}: {content[:12]}, not {wanted.content_sha256[:12]}"))
    if first["network"] != wanted.network:
        parts.append((NETWORK, f"another network, {first['network']}"))
    if first["framework"] != wanted.framework:
        shared = _shared_certificate(group, wanted.framework, rows)
        if shared:
            parts.append(
                (SAME_CERTIFICATE, f"another framework, {first['framework']}, under certificate {shared[:12]}")
            )
        else:
            parts.append((FRAMEWORK, f"another framework, {first['framework']}, without a certificate shared with it"))
    if wanted.batch_size and first["batch_size"] and first["batch_size"] != wanted.batch_size:
        steps = abs(math.log2(first["batch_size"] / wanted.batch_size))
        parts.append((steps, f"batch size {first['batch_size']}, not {wanted.batch_size}"))
    return sum(part for part, _ in parts), tuple(f"{text} (+{part:.3g})" for part, text in parts)


def _shared_certificate(group: Group, framework: str, rows: Sequence[Row]) -> str | None:
    own = {row["certificate"] for row in group.rows if row["certificate"]}
    theirs = {row["certificate"] for row in rows if row["framework"] == framework and row["certificate"]}
    return min(own & theirs, default=None)


def _within_budget(row: Row, wanted: Wanted) -> Row | None:
    """The row as it was when the budget was spent: its accuracy is the best one seen by then; None where there is none.

    A trial that diverged within the budget stays diverged.
    """
    if wanted.budget_steps is None and wanted.budget_s is None:
        return row
    unit, limit = ("steps", wanted.budget_steps) if wanted.budget_steps is not None else ("seconds", wanted.budget_s)
    assert limit is not None
    curve = [point for point in row[COST_CURVE] or [] if point[unit] is not None and point[unit] <= limit]
    if row["termination"] == "diverged" and unit == "steps" and (row["diverged_step"] or 0) > limit and curve:
        return {**row, "termination": "completed", "final_top1_percent": curve[-1]["top1_percent"], COST_CURVE: curve}
    if row["termination"] == "diverged":
        return row
    if not curve:
        return None
    return {**row, "final_top1_percent": curve[-1]["top1_percent"], COST_CURVE: curve}


def _answer(
    wanted: Wanted, ranking: Ranking, distance: float, differences: tuple[str, ...], groups: Sequence[Group]
) -> Recommendation:
    leaders = ranking.leaders
    priced = [entry for entry in leaders if entry.cost is not None and entry.cost_reached[0] == entry.cost_reached[1]]
    cheapest = min(priced, key=lambda entry: entry.cost.mean if entry.cost else math.inf, default=None)
    rows = [row for entry in leaders for row in ranking.group.policies[entry.policy_json]]
    everything = ranking.group.rows
    evidence = {
        "records": len(everything),
        "records_of_the_recommended": len(rows),
        "policies": len(ranking.entries),
        "seeds": sorted({row["seed"] for row in everything}),
        "frameworks": list(ranking.group.frameworks),
        "certificates": dict(ranking.group.certificates),
        "dataset_content_sha256": ranking.group.first["dataset_content_sha256"],
        "studies": sorted({row["study"] for row in everything}),
        "machines": sorted({row["machine"] for row in everything if row["machine"]}),
        "imported": sum(row["origin"] is not None for row in everything),
    }
    return Recommendation(
        wanted=wanted,
        ranking=ranking,
        cheapest=cheapest.policy_json if cheapest else None,
        distance=distance,
        differences=differences,
        evidence=evidence,
        notes=(*_elsewhere(ranking, wanted, groups), *_budget_notes(wanted, ranking)),
    )


def _settings(group: Group, wanted: Wanted) -> Settings:
    """By validation accuracy where every trial has one; of a budget only what test images gave within it is known."""
    budgeted = wanted.budget_steps is not None or wanted.budget_s is not None
    validated = all(
        row["final_validation_top1_percent"] is not None for row in group.rows if row["termination"] == "completed"
    )
    return Settings(measure="validation" if validated and not budgeted else "final")


def _elsewhere(ranking: Ranking, wanted: Wanted, groups: Sequence[Group]) -> list[str]:
    """What other trials of the same dataset and network say, which cannot be ranked together with these."""
    notes = []
    for group in groups:
        same = group.first["dataset"] == wanted.dataset and group.first["network"] == wanted.network
        if group is ranking.group or not same:
            continue
        other = rank(group, {"accuracy": 1.0}, _settings(group, wanted)).leaders
        if other:
            names = ", ".join(str(entry.policy) for entry in other[:3]) + (", …" if len(other) > 3 else "")
            notes.append(f"not ranked together with these, {group.title}: {names}")
    return notes


def _budget_notes(wanted: Wanted, ranking: Ranking) -> list[str]:
    if wanted.budget_steps is None and wanted.budget_s is None:
        return []
    steps = ranking.group.first["steps"]
    if wanted.budget_steps is not None and steps and steps > wanted.budget_steps:
        return [
            f"the trials ran {steps} steps; what counts is the best evaluation within the first {wanted.budget_steps}. "
            "A policy whose rate falls towards its end has to be fitted to the shorter run"
        ]
    return ["what counts is the best evaluation within the budget"]


def _why_none(rows: Sequence[Row], fitting: Sequence[Row], wanted: Wanted) -> str:
    if not rows:
        return "the database is empty"
    near = [row for row in rows if row["dataset"] == wanted.dataset or row["network"] == wanted.network]
    if not near:
        known = ", ".join(sorted({f"{row['network']} on {row['dataset']}" for row in rows}))
        return f"no trial of dataset {wanted.dataset} or network {wanted.network}; there are: {known}"
    if not any(row in fitting for row in near):
        return "no trial of this dataset or network was evaluated within the budget"
    return "no policy of this dataset or network completed"
