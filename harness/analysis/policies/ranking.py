"""Policies in order, with intervals, tiers that a test cannot tell apart, and the Pareto front.

Tiers: the best policy leads the first; every other is compared with it by a t test over the seeds (paired where two
seeds or more are shared, else Welch's), the p values are adjusted by Holm within this family of comparisons, and what
is not below 0.05 is not distinguishable from the leader: it shares its tier. The best of the others leads the next
tier, and so on. A policy with a value of one seed cannot be tested: it leads no tier and is in none. The leader is
chosen by the same results, so it profits from its luck; a tier of several policies means that any of them may be the
best.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.analysis.policies import scoring
from harness.analysis.policies.criteria import COST_UNITS, Settings, criterion
from harness.analysis.policies.entries import Divergence, Entry, Ranking, Standing, leaders_of
from harness.analysis.policies.grouping import Group, Row, certificate_note, framework_of, profile_note
from harness.analysis.policies.intervals import LEVEL, Difference, difference, holm, interval
from harness.analysis.policies.scoring import Scores

TEST = (
    "tiers: t tests over seeds against the tier's best, paired by seed where two or more are shared, else Welch's; "
    f"p adjusted by Holm within these comparisons; below {LEVEL:g} is distinguishable"
)


FURTHER = (
    "best_top1_percent",
    "final_top5_percent",
    "final_validation_top1_percent",
    "average_confidence",
    "confidence_deviation",
    "confidence_deviation_across_classes",
    "loss_difference",
    "training_time_s",
    "training_cpu_seconds",
    "training_joules",
)


def rank(group: Group, by: Mapping[str, float], settings: Settings) -> Ranking:
    """The ranking of a group.

    Args:
        by: criteria and weights (`parse_by`).

    Raises:
        DlgaugeError: cost without a threshold.
    """
    criteria = tuple(criterion(name, settings) for name in by)
    left_out: list[str] = []
    policies = dict(group.policies)
    if group.pooled:
        policies = _on_all_frameworks(group, left_out)
    scores = scoring.scores(group, policies, by, criteria, settings)
    lower = len(criteria) == 1 and criteria[0].lower_is_better
    made = [_entry(policy, rows, scores[policy], group) for policy, rows in policies.items()]
    ordered = sorted(made, key=lambda entry: _order(entry, lower))
    tiered = _tiers(ordered, scores)
    ranked = [replace(entry, rank=position) for position, entry in enumerate(tiered, 1)]
    no_cost = _no_cost(group, settings)
    threshold = None if no_cost else settings.threshold_percent or _chosen_threshold(ranked, group)
    priced = [_with_cost(entry, group, threshold, settings.cost_unit) for entry in ranked]
    notes = [
        *_notes(group, by, settings, ranked),
        *([no_cost] if no_cost else []),
        *left_out,
        *scoring.scale_notes(scores, by, criteria),
    ]
    return Ranking(
        group=group,
        by=dict(by),
        criteria=criteria,
        unit=criteria[0].unit if len(criteria) == 1 else "1",
        entries=tuple(_with_pareto(priced)),
        threshold_percent=threshold,
        threshold_is_chosen=settings.threshold_percent is None,
        cost_unit=COST_UNITS[settings.cost_unit],
        no_cost=no_cost,
        notes=tuple(notes),
    )


def _on_all_frameworks(group: Group, left_out: list[str]) -> dict[str, tuple[Row, ...]]:
    kept = {}
    for policy, rows in group.policies.items():
        missing = sorted(set(group.frameworks) - {framework_of(row) for row in rows})
        if missing:
            left_out.append(f"not pooled: {rows[0]['policy']} has no result on {', '.join(missing)}")
        else:
            kept[policy] = rows
    return kept


def _entry(policy: str, rows: Sequence[Row], scores: Scores, group: Group) -> Entry:
    diverged = tuple(
        Divergence(framework_of(row), row["seed"], row["diverged_step"], row["diverged_learning_rate"])
        for row in rows
        if row["termination"] == "diverged"
    )
    ran = {(framework_of(row), row["seed"]) for row in rows}
    seeds = sorted({seed for _, seed in ran if all((name, seed) in ran for name in group.frameworks)})
    values = list(scores.values.values())
    standing = Standing.FULL
    if diverged:
        standing = Standing.DIVERGED
    elif scores.missing:
        standing = Standing.PARTLY if values else Standing.NONE
    elif not values:
        standing = Standing.NONE
    accuracies = scoring.per_seed(rows, group.frameworks, scoring.final_accuracy)
    grain = max((100.0 / row["test_images"] for row in rows if row["test_images"]), default=0.0)
    return Entry(
        policy_json=policy,
        policy=rows[0]["policy"],
        function=rows[0]["function"],
        standing=standing,
        rank=0,
        tier=None,
        value=interval(values, scores.grain),
        reason=scores.reason if seeds else "no seed ran on all of these frameworks",
        against_leader=None,
        p_adjusted=None,
        accuracy=interval(list(accuracies.values()), grain),
        cost=None,
        cost_reached=(0, 0),
        further={name: _mean(rows, name) for name in FURTHER},
        diverged=diverged,
        seeds=tuple(seeds),
        trials=tuple(row["trial"] for row in rows),
    )


def _order(entry: Entry, lower_is_better: bool) -> tuple[float, ...]:
    """Standing first; then, where not all seeds have a value, the share that has; then the value, then the accuracy."""
    value = math.inf if entry.value is None else entry.value.mean if lower_is_better else -entry.value.mean
    share = len(entry.diverged) / len(entry.trials) if entry.standing is Standing.DIVERGED else 0.0
    if entry.standing is Standing.PARTLY and entry.value is not None:
        share = -entry.value.n / len(entry.seeds)
    accuracy = -entry.accuracy.mean if entry.accuracy else math.inf
    first_step = min((one.step for one in entry.diverged if one.step is not None), default=0)
    return (float(entry.standing), share, value, accuracy, -float(first_step))


def _tiers(ordered: Sequence[Entry], scores: Mapping[str, Scores]) -> list[Entry]:
    """The entries with the comparison to the best that can be tested, and with tiers where they can be tested.

    A policy of one seed leads no tier and is in none: nothing says whether it can be told from the leader.
    """
    found = {entry.policy_json: entry for entry in ordered}
    full = [entry for entry in ordered if entry.standing is Standing.FULL]
    remaining = [entry.policy_json for entry in full if entry.value is not None and entry.value.n >= 2]
    best = next(iter(remaining or [entry.policy_json for entry in full]), None)
    for entry in full:
        if best is not None and entry.policy_json != best and entry.policy_json not in remaining:
            found[entry.policy_json] = replace(entry, against_leader=_against(entry.policy_json, best, scores))
    tier = 0
    while remaining:
        tier += 1
        leader, *others = remaining
        compared = {one: _against(one, leader, scores) for one in others}
        tested = {one: test.p for one, test in compared.items() if test is not None and test.p is not None}
        adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
        if tier == 1:
            for one in others:
                found[one] = replace(found[one], against_leader=compared[one], p_adjusted=adjusted.get(one))
        for one in (leader, *(one for one in others if adjusted.get(one, 0.0) >= LEVEL)):
            found[one] = replace(found[one], tier=tier)
        remaining = [one for one in others if one in adjusted and adjusted[one] < LEVEL]
    return [found[entry.policy_json] for entry in ordered]


def _against(one: str, leader: str, scores: Mapping[str, Scores]) -> Difference | None:
    return difference(scores[one].values, scores[leader].values, max(scores[one].grain, scores[leader].grain))


def _chosen_threshold(entries: Sequence[Entry], group: Group) -> float | None:
    """The lowest final test accuracy of a trial of the leaders, rounded down to 0.1 %: all of them reach it."""
    rows = [row for entry in leaders_of(entries) for row in group.policies[entry.policy_json]]
    accuracies = [float(row["final_top1_percent"]) for row in rows if row["final_top1_percent"] is not None]
    chosen = math.floor(min(accuracies) * 10 + 1e-9) / 10 if accuracies else 0.0
    return chosen if chosen > 0 else None


def _no_cost(group: Group, settings: Settings) -> str | None:
    """A mean of the seconds of several frameworks is the cost of none of them; steps are the same on all."""
    if not group.pooled or settings.cost_unit == "steps":
        return None
    unit = COST_UNITS[settings.cost_unit]
    return f"no cost and no front: {unit} of several frameworks have no common mean; --cost steps has one"


def _with_cost(entry: Entry, group: Group, threshold: float | None, unit: str) -> Entry:
    if threshold is None:
        return entry
    rows = group.policies[entry.policy_json]
    costs = scoring.costs(rows, group.frameworks, threshold, unit)
    grain = max((row["evaluated_every_steps"] or 0 for row in rows), default=0) if unit == "steps" else 0.0
    seeds = len(entry.seeds)
    return replace(entry, cost=interval(list(costs.values()), float(grain)), cost_reached=(len(costs), seeds))


def _with_pareto(entries: Sequence[Entry]) -> list[Entry]:
    """Marks the front among the policies whose every seed reached the threshold."""
    points = {
        entry.policy_json: (entry.accuracy.mean, entry.cost.mean)
        for entry in entries
        if entry.standing is not Standing.DIVERGED
        and entry.accuracy is not None
        and entry.cost is not None
        and entry.cost_reached[0] == entry.cost_reached[1]
    }
    front = {policy for policy, point in points.items() if not any(_dominates(q, point) for q in points.values())}
    return [replace(entry, pareto=entry.policy_json in front) for entry in entries]


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = [float(row[name]) for row in rows if row[name] is not None]
    return statistics.fmean(values) if len(values) == len(rows) else None


def _notes(group: Group, by: Mapping[str, float], settings: Settings, entries: Sequence[Entry]) -> list[str]:
    notes = []
    if note := certificate_note(group):
        notes.append(note)
    if note := profile_note(group):
        notes.append(note)
    if "accuracy" in by and settings.measure != "validation":
        held_out = json.loads(group.first["setting_json"]).get("validation")
        way = "--measure validation ranks without it" if held_out else "a setting that holds images out avoids that"
        notes.append(f"by test accuracy: whoever chooses a policy by it tunes on the test images; {way}")
    if group.without_result:
        notes.append(f"without a result, not ranked: {_ended(group.without_result)}")
    if group.scaled and "robustness" not in by:
        notes.append(f"{len(group.scaled)} trials at other base-rate scales count for robustness only")
    single = [entry for entry in entries if entry.value is not None and entry.value.n == 1]
    if single:
        notes.append(
            f"{len(single)} of {len(entries)} policies have one seed: no interval and no test for them, so no tier"
        )
        leader = next((entry for entry in entries if entry.tier == 1), None)
        above = [str(entry.policy) for entry in single if leader is not None and entry.rank < leader.rank]
        if above:
            notes.append(f"above the first tier by one seed alone, untested: {', '.join(above)}")
    return notes


def _ended(rows: Sequence[Mapping[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["termination"]] = counts.get(row["termination"], 0) + 1
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
