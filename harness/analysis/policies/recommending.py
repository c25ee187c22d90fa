"""A policy from the database for a dataset, a network and a framework: with the evidence, and how near it is.

`nearness` says what is near. Within the nearest comparable trials (`grouping`) the policies are ranked by the accuracy
that they reached within the budget; what is recommended is the best and those a test cannot tell from it; which of them
is the cheapest is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.policies.columns import COST_CURVE
from harness.analysis.policies.criteria import Settings
from harness.analysis.policies.entries import Entry, Ranking
from harness.analysis.policies.grouping import Group, Row, group_rows
from harness.analysis.policies.nearness import AFTER_BUDGET, Apart, Wanted, differences_of, nearness, size_of
from harness.analysis.policies.ranking import rank


@dataclass(frozen=True)
class Recommendation:
    """What the database says.

    Attributes:
        ranking: of the nearest comparable trials; its `leaders` are recommended. None where there is no evidence.
        cheapest: `policy_json` of the leader that reaches the threshold first.
        distance: the sum of what the differences add.
        differences: what differs, in words, each with what it adds to the distance; none is exact.
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
    apart = [differences_of(group, wanted, listed) for group in groups]
    order = sorted(range(len(groups)), key=lambda index: (nearness(apart[index]), *size_of(groups[index], wanted)))
    for index in order:
        first = groups[index].first
        if first["dataset"] != wanted.dataset and first["network"] != wanted.network:
            continue
        ranking = rank(groups[index], {"accuracy": 1.0}, _settings(groups[index], wanted))
        if ranking.leaders:
            return _answer(wanted, ranking, apart[index], groups)
    return Recommendation(wanted, None, None, None, (), {"records": 0}, (), _why_none(listed, fitting, wanted))


def _within_budget(row: Row, wanted: Wanted) -> Row | None:
    """The row as it was when the budget was spent: its accuracy is the best one seen by then; None where there is none.

    A trial that diverged within the budget stays diverged; one that diverged later counts as completed and is marked.
    In seconds it diverged later where its whole training time is known and above the budget.
    """
    limit = wanted.budget
    if limit is None:
        return row
    in_steps = wanted.budget_steps is not None
    diverged = row["termination"] == "diverged"
    if diverged and ((row["diverged_step"] if in_steps else row["training_time_s"]) or 0) <= limit:
        return row
    unit = "steps" if in_steps else "seconds"
    curve = [point for point in row[COST_CURVE] or [] if point[unit] is not None and point[unit] <= limit]
    if not curve:
        return None
    cut = {**row, "final_top1_percent": curve[-1]["top1_percent"], COST_CURVE: curve}
    return {**cut, "termination": "completed", AFTER_BUDGET: True} if diverged else cut


def _answer(wanted: Wanted, ranking: Ranking, apart: Sequence[Apart], groups: Sequence[Group]) -> Recommendation:
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
        distance=sum(one.adds for one in apart),
        differences=tuple(f"{one.text} (+{one.adds:.3g})" for one in apart),
        evidence=evidence,
        notes=(*_elsewhere(ranking, wanted, groups), *_budget_notes(wanted, ranking)),
    )


def _settings(group: Group, wanted: Wanted) -> Settings:
    """By validation accuracy where every trial has one; of a budget only what test images gave within it is known."""
    budgeted = wanted.budget is not None
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
    if wanted.budget is None:
        return []
    notes = [note for entry in ranking.leaders if (note := _after_budget(entry, ranking.group))]
    steps = ranking.group.first["steps"]
    if wanted.budget_steps is not None and steps and steps > wanted.budget_steps:
        return [
            *notes,
            f"the trials ran {steps} steps; what counts is the best evaluation within the first {wanted.budget_steps}. "
            "A policy whose rate falls towards its end has to be fitted to the shorter run",
        ]
    return [*notes, "what counts is the best evaluation within the budget"]


def _after_budget(entry: Entry, group: Group) -> str | None:
    """That a recommended policy did not survive its whole run."""
    rows = group.policies[entry.policy_json]
    late = [row for row in rows if row.get(AFTER_BUDGET)]
    if not late:
        return None
    steps = [row["diverged_step"] for row in late if row["diverged_step"] is not None]
    where = f"at step {min(steps)}, counted from 1, " if steps else ""
    return f"{entry.policy} diverged {where}after the budget ({len(late)} of {len(rows)} trials)"


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
