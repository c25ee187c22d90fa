"""Is a policy near-optimal: repeated runs of it against its neighbours.

Every neighbour's accuracy less the policy's own, paired by seed, has a t interval; the intervals of all m neighbours
hold together with 95 % (Bonferroni: each has the confidence 1 - 0.05 / m). With a margin stated beforehand the answer
is

* near-optimal: no interval reaches above the margin: no neighbour is better by more than that;
* not: some interval lies above zero, and its mean above the margin: that neighbour is better;
* undecided: anything else; said with how many more seeds would settle it at the deviation seen so far: the smallest
  number for one neighbour whose mean is above the margin (one that is better is enough for `not`), where there is none
  the largest for all. One seed allows no such estimate.

A neighbour that diverges with any seed is not better. A policy that itself diverges is not near-optimal. Nor is one
called so while a seed of it or of a neighbour lacks a result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis.policies.criteria import MEASURES
from harness.analysis.policies.grouping import Row
from harness.analysis.policies.intervals import (
    LEVEL,
    Difference,
    Interval,
    difference,
    interval,
    pair_deviation,
    seeds_until,
)

NEAR_OPTIMAL, NOT, UNDECIDED = "near-optimal", "not", "undecided"


@dataclass(frozen=True)
class Tried:
    """A neighbour and how it did.

    Attributes:
        difference: its accuracy less the policy's, in percentage points; None where it has no accuracy to compare.
        diverged: (seed, step, rate) of the seeds that diverged.
        missing: seeds that neither diverged nor have the accuracy.
    """

    name: str
    policy: str | None
    accuracy: Interval | None
    difference: Difference | None
    diverged: tuple[tuple[int, int | None, float | None], ...] = ()
    missing: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        answer: `near-optimal`, `not` or `undecided`.
        sentence: the answer in words, with numbers.
        measure: a key of `MEASURES`: which accuracy decided.
        margin_percent: percentage points.
        confidence: of each single interval.
        more_seeds: where undecided, further seeds that would settle it; None where no number up to 1,000 would, and
            where one seed or a missing result allows no estimate.
    """

    answer: str
    sentence: str
    measure: str
    margin_percent: float
    confidence: float
    accuracy: Interval | None
    tried: tuple[Tried, ...]
    more_seeds: int | None = None


def verify(
    policy: Sequence[Row],
    neighbours: Mapping[str, Sequence[Row]],
    *,
    seeds: Sequence[int],
    margin_percent: float,
    measure: str,
) -> Verdict:
    """The verdict on a policy.

    Args:
        policy: its trials, at most one a seed.
        neighbours: name -> trials.
        seeds: that were to run.
        margin_percent: what a neighbour may be better by, in percentage points.
        measure: a key of `MEASURES`.
    """
    column = MEASURES[measure]
    grain = _grain(policy, measure)
    own = _accuracies(policy, column)
    confidence = 1 - LEVEL / max(len(neighbours), 1)
    tried = [_tried(name, rows, own, column, grain, confidence, seeds) for name, rows in neighbours.items()]
    accuracy = interval(list(own.values()), grain)

    def answer(kind: str, sentence: str, more: int | None = None) -> Verdict:
        return Verdict(kind, sentence, measure, margin_percent, confidence, accuracy, tuple(tried), more)

    if diverged := _diverged(policy):
        seed, step, rate = diverged[0]
        return answer(NOT, f"the policy diverges: seed {seed} at step {step}, rate {_number(rate)}")
    compared = [one for one in tried if one.difference is not None]
    sure = [one for one in compared if _better(one.difference, margin_percent)]
    if sure:
        best = max(sure, key=lambda one: one.difference.mean if one.difference else 0.0)
        found = best.difference
        assert found is not None
        return answer(NOT, f"{best.name} ({best.policy}) is better by {_points(found)}")
    if not tried:
        return answer(UNDECIDED, "no neighbour was tried")
    gaps = [("the policy itself", _missing(policy, own, seeds)), *((one.name, one.missing) for one in tried)]
    if any(missing for _, missing in gaps):
        return answer(UNDECIDED, _no_result(gaps, {"the policy itself": policy, **neighbours}))
    open_ones = [one for one in compared if not _below(one.difference, margin_percent)]
    if not open_ones:
        return answer(
            NEAR_OPTIMAL, f"no neighbour is better by more than {margin_percent:g} points; {_rest(tried, seeds)}"
        )
    names = ", ".join(one.name for one in open_ones)
    if len(seeds) == 1:
        return answer(UNDECIDED, f"two seeds at least; no estimate from one ({names})")
    more, decisive = _enough([one for one in open_ones if one.difference], margin_percent, grain, confidence)
    how = f"about {more} more seeds" if more is not None else "more than 1,000 more seeds, or another margin"
    return answer(UNDECIDED, f"{how} would tell ({', '.join(decisive)})", more)


def _enough(
    open_ones: Sequence[Tried], margin: float, grain: float, confidence: float
) -> tuple[int | None, tuple[str, ...]]:
    """Further seeds that would settle it, None where no number up to 1,000 would; and the neighbours they depend on.

    One neighbour that is surely better makes the answer `not`; `near-optimal` needs all of them.
    """
    needed = {one.name: _more(one.difference, margin, grain, confidence) for one in open_ones}
    better = {one.name: needed[one.name] for one in open_ones if one.difference and one.difference.mean > margin}
    if better:
        known = {name: more for name, more in better.items() if more is not None}
        if not known:
            return None, tuple(better)
        first = min(known, key=lambda name: known[name])
        return known[first], (first,)
    found = [more for more in needed.values() if more is not None]
    return (max(found) if len(found) == len(needed) else None), tuple(needed)


def _no_result(gaps: Sequence[tuple[str, Sequence[int]]], rows: Mapping[str, Sequence[Row]]) -> str:
    """Which seeds lack a result; only those without a record can still be run."""
    said, open_ = [], False
    for name, missing in gaps:
        known = {row["seed"] for row in rows[name]}
        open_ = open_ or any(seed not in known for seed in missing)
        if missing:
            said.append(f"{name} (seed {', '.join(map(str, missing))})")
    rest = "the same command runs what is open" if open_ else "their records have no such accuracy"
    return f"no result of {'; '.join(said)}: {rest}"


def _rest(tried: Sequence[Tried], seeds: Sequence[int]) -> str:
    """How the neighbours of a near-optimal policy came out: the largest difference, and who diverged."""
    gone = [one for one in tried if len(one.diverged) == len(seeds)]
    if len(gone) == len(tried):
        return "all of them diverge"
    said = []
    if upper := [_upper(one.difference) for one in tried if one.difference is not None]:
        said.append(f"the largest difference may be {max(upper):+.3g} points")
    if gone:
        said.append(f"{', '.join(one.name for one in gone)} {'diverges' if len(gone) == 1 else 'diverge'}")
    for one in tried:
        if one.diverged and one not in gone:
            mean = f", mean of the others {one.accuracy.mean:.4g} %" if one.accuracy else ""
            said.append(f"{one.name} diverged in {len(one.diverged)} of {len(seeds)} seeds{mean}")
    return "; ".join(said)


def _tried(
    name: str,
    rows: Sequence[Row],
    own: Mapping[int, float],
    column: str,
    grain: float,
    confidence: float,
    seeds: Sequence[int],
) -> Tried:
    diverged = _diverged(rows)
    found = _accuracies(rows, column)
    return Tried(
        name=name,
        policy=rows[0]["policy"] if rows else None,
        accuracy=interval(list(found.values()), grain),
        difference=None if diverged else difference(found, own, grain, confidence),
        diverged=diverged,
        missing=_missing(rows, found, seeds),
    )


def _missing(rows: Sequence[Row], accuracies: Mapping[int, float], seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds that neither diverged nor have an accuracy."""
    known = {*accuracies, *(seed for seed, _, _ in _diverged(rows))}
    return tuple(seed for seed in seeds if seed not in known)


def _accuracies(rows: Sequence[Row], column: str) -> dict[int, float]:
    return {
        row["seed"]: float(row[column]) for row in rows if row["termination"] != "diverged" and row[column] is not None
    }


def _diverged(rows: Sequence[Row]) -> tuple[tuple[int, int | None, float | None], ...]:
    return tuple(
        (row["seed"], row["diverged_step"], row["diverged_learning_rate"])
        for row in rows
        if row["termination"] == "diverged"
    )


def _grain(rows: Sequence[Row], measure: str) -> float:
    column = "validation_images" if measure == "validation" else "test_images"
    return max((100.0 / row[column] for row in rows if row[column]), default=0.0)


def _better(found: Difference | None, margin: float) -> bool:
    return bool(found and found.half_width is not None and found.mean - found.half_width > 0 and found.mean > margin)


def _below(found: Difference | None, margin: float) -> bool:
    return bool(found and found.half_width is not None and found.mean + found.half_width <= margin)


def _upper(found: Difference) -> float:
    return found.mean + (found.half_width or 0.0)


def _more(found: Difference | None, margin: float, grain: float, confidence: float) -> int | None:
    """Seeds until the interval is clear of the margin, whichever side its mean is on."""
    if found is None or found.sd is None:
        return None
    distance = margin - found.mean if found.mean <= margin else found.mean
    return seeds_until(pair_deviation(found.sd, grain), distance, found.n, confidence)


def _points(found: Difference) -> str:
    return f"{found.mean:.3g} ± {found.half_width:.2g} points of accuracy"


def _number(value: Any) -> str:
    return "unknown" if value is None else f"{value:.6g}"
