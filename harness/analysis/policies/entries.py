"""The form of a ranking: its policies in order, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from harness.analysis.policies.criteria import Criterion
from harness.analysis.policies.grouping import Group
from harness.analysis.policies.intervals import Difference, Interval


class Standing(IntEnum):
    """How far a policy's result goes; the order of a ranking before any value."""

    FULL = 0
    PARTLY = 1
    NONE = 2
    DIVERGED = 3


@dataclass(frozen=True)
class Divergence:
    """A trial that diverged: in which step, counted from 1, and at which rate; policies count steps from 0."""

    framework: str
    seed: int
    step: int | None
    learning_rate: float | None


@dataclass(frozen=True)
class Entry:
    """One policy of a ranking.

    Attributes:
        policy_json: its key; `policy`: LRBench's string form; `function`: its name.
        standing: FULL where every seed has a value; PARTLY and NONE where the threshold was not reached in some or all.
        rank: 1 for the best; a policy whose standing is NONE or DIVERGED has one too, behind all others.
        tier: 1 for the best policy of two seeds or more and those not distinguishable from it; None where no test is
            possible.
        value: of what is ranked by.
        reason: why there is no value, or only in part.
        against_leader: the difference to the leader of tier 1; `p_adjusted` by Holm within the ranking.
        accuracy, cost: test accuracy in percent and cost until the threshold.
        further: means of other columns.
        seeds: that ran on every framework of the group.
        pareto: no other policy is both as accurate and as cheap, and better in one.
        trials: ids of the trials behind it.
    """

    policy_json: str
    policy: str | None
    function: str | None
    standing: Standing
    rank: int
    tier: int | None
    value: Interval | None
    reason: str | None
    against_leader: Difference | None
    p_adjusted: float | None
    accuracy: Interval | None
    cost: Interval | None
    cost_reached: tuple[int, int]
    further: Mapping[str, float | None]
    diverged: tuple[Divergence, ...]
    seeds: tuple[int, ...]
    trials: tuple[str, ...]
    pareto: bool = False


@dataclass(frozen=True)
class Ranking:
    """All policies of a group in order.

    Attributes:
        by: criteria and weights, which add up to 1.
        criteria: their definitions.
        unit: of the values ranked by; `1` for a weighted score.
        threshold_percent: of the costs; `threshold_is_chosen` where nobody gave one.
        no_cost: why there is no cost and no front for any policy.
    """

    group: Group
    by: Mapping[str, float]
    criteria: tuple[Criterion, ...]
    unit: str
    entries: tuple[Entry, ...]
    threshold_percent: float | None
    threshold_is_chosen: bool
    cost_unit: str
    no_cost: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def leaders(self) -> tuple[Entry, ...]:
        """The best policy of two seeds or more and those not distinguishable from it; else the best of one seed."""
        return leaders_of(self.entries)


def leaders_of(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The first tier; where no policy has two seeds the best alone."""
    full = [entry for entry in entries if entry.standing is Standing.FULL]
    return tuple(entry for entry in full if entry.tier == 1) or tuple(full[:1])
