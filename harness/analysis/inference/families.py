"""All pairs of a set of rows in one outcome: a family, corrected together; and all families of a comparison.

The family of Holm's correction is: all pairwise comparisons of one outcome of one set of rows. That covers the choice
of the reference: whichever row is taken, its comparisons are among those corrected for. Other outcomes and other sets
are other families; each holds its own 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.analysis.columns import column_for
from harness.analysis.comparison import Cell, Comparison
from harness.analysis.inference.pairs import UNDECIDED, Pair, judged, new_pair
from harness.analysis.inference.pareto import Front, fronts
from harness.analysis.inference.planning import fewest_blocks
from harness.analysis.inference.ranking import Ranking, rank
from harness.analysis.inference.sets import RowSet, row_sets
from harness.analysis.policies.intervals import holm
from harness.analysis.stability import WANTED_HALF_WIDTH

DEFAULT_OUTCOMES = ("training_time_s",)

MOST_ROWS = 100
"""Rows of a set of which all pairs are worked out; of more only those with the reference, corrected for all of them."""

TOO_MANY = f"more than {MOST_ROWS} rows: only pairs with the reference are worked out, corrected for all pairs"


@dataclass(frozen=True)
class Options:
    """What is asked of a comparison.

    Attributes:
        outcomes: summary keys and costs; None for all quantities that the comparison shows.
        reference: framework or name of a row; None for the fastest of each set.
        margin: of equivalence, as a fraction; None where it is not asked for.
        fronts: whether Pareto fronts are worked out.
        bootstrap: whether BCa intervals are worked out where they are not the ones shown.
    """

    outcomes: tuple[str, ...] | None = DEFAULT_OUTCOMES
    reference: str | None = None
    margin: float | None = None
    fronts: bool = False
    bootstrap: bool = True


@dataclass(frozen=True)
class Family:
    """The rows of one set in one outcome.

    Attributes:
        outcome: a summary key, or the name of a cost.
        rows: names of the rows, in the order of the table.
        reference: the one that the others are held against.
        pairs: all pairs; those with the reference first, with it as the pair's `reference`.
        comparisons: pairs that could be tested: what is corrected for.
        ranking: of the rows by mean rank over the blocks.
        seeds: blocks of any of the rows.
        unstable: row -> why its interval does not count as stable; empty where all are.
        missing: row -> why it has no value, or lacks some.
    """

    outcome: str
    rows: tuple[str, ...]
    reference: str
    pairs: tuple[Pair, ...]
    comparisons: int
    ranking: Ranking
    seeds: tuple[int, ...]
    unstable: Mapping[str, str]
    missing: Mapping[str, str]

    @property
    def with_reference(self) -> tuple[Pair, ...]:
        """The pairs with the reference."""
        return tuple(pair for pair in self.pairs if pair.reference == self.reference)

    @property
    def undecided(self) -> tuple[Pair, ...]:
        """Pairs whose verdict is open."""
        return tuple(pair for pair in self.pairs if pair.verdict == UNDECIDED)

    @property
    def fewest_blocks(self) -> int:
        """Blocks below which no pair of this family can be told apart."""
        return fewest_blocks(max(1, self.comparisons))


@dataclass(frozen=True)
class Judgement:
    """What can be said about the rows of a comparison.

    Attributes:
        families: one a set of rows and outcome, sets in the order of the table.
        fronts: Pareto fronts; empty where they were not asked for.
        alone: rows that no other row may be compared with.
        problems: what stands in the way, as sentences.
        margin: of equivalence, as a fraction.
    """

    families: tuple[Family, ...]
    fronts: tuple[Front, ...]
    alone: tuple[str, ...]
    problems: tuple[str, ...]
    margin: float | None


def judge(comparison: Comparison, options: Options | None = None) -> Judgement:
    """Judge the rows of a comparison: by default in training time, against the fastest."""
    asked = options or Options()
    outcomes = asked.outcomes or tuple(column.key for column in comparison.columns)
    sets, alone = row_sets(comparison, asked.reference)
    families = tuple(_family(one, outcome, asked) for one in sets for outcome in outcomes)
    problems = dict.fromkeys(one.problem for one in sets if one.problem)
    problems |= dict.fromkeys(f"{one.reference}: {TOO_MANY}" for one in sets if len(one.rows) > MOST_ROWS)
    for name in alone if len(comparison.cells) > 1 else ():
        problems[f"{name} stands alone: no other row ran the same work on the same data and machine"] = None
    return Judgement(families, fronts(comparison) if asked.fronts else (), alone, tuple(problems), asked.margin)


def _family(rows: RowSet, outcome: str, asked: Options) -> Family:
    reference = (rows.reference, rows.rows[rows.reference])
    others = [(name, cell) for name, cell in rows.rows.items() if name != rows.reference]
    wanted = [(row, reference) for row in others]
    all_pairs = len(rows.rows) <= MOST_ROWS
    wanted += [(second, first) for first, second in combinations(others, 2)] if all_pairs else []
    most = math.comb(len(rows.rows), 2)
    pairs = [new_pair(outcome, *both, asked.margin, bootstrap=asked.bootstrap, comparisons=most) for both in wanted]
    tested = sum(pair.test is not None for pair in pairs)
    comparisons = tested if all_pairs else (tested + 1) * tested // 2
    corrected = _corrected(pairs, comparisons)
    values = {name: _values(cell, outcome) for name, cell in rows.rows.items()}
    ranked = {name: own for name, own in values.items() if own}
    lower = column_for(outcome).better != "higher"
    return Family(
        outcome=outcome,
        rows=tuple(rows.rows),
        reference=rows.reference,
        pairs=corrected,
        comparisons=comparisons,
        ranking=rank(ranked, lower_is_better=lower) if all_pairs else Ranking((), (), (), reason=TOO_MANY),
        seeds=tuple(sorted({trial.seed for cell in rows.rows.values() for trial in cell.trials})),
        unstable=_unstable(corrected, rows),
        missing={name: why for name, cell in rows.rows.items() if (why := _missing(cell, outcome))},
    )


def _corrected(pairs: Sequence[Pair], comparisons: int) -> tuple[Pair, ...]:
    """Pairs with corrected p values: by Holm; by Bonferroni where the family has more pairs than were worked out."""
    tested = [pair for pair in pairs if pair.test is not None]
    of_margin = [pair.equivalence.p if pair.equivalence else None for pair in tested]
    by_test = _corrected_p([pair.test.p for pair in tested if pair.test], comparisons)
    proven = _corrected_p([1.0 if p is None else p for p in of_margin], comparisons)
    known = {
        id(pair): judged(pair, p, margin_p if raw is not None else None, comparisons)
        for pair, p, margin_p, raw in zip(tested, by_test, proven, of_margin, strict=True)
    }
    return tuple(known.get(id(pair), pair) for pair in pairs)


def _corrected_p(p_values: Sequence[float], comparisons: int) -> list[float]:
    return holm(p_values) if comparisons == len(p_values) else [min(1.0, comparisons * p) for p in p_values]


def _unstable(pairs: Sequence[Pair], rows: RowSet) -> dict[str, str]:
    """Rows whose ratio to the reference is not known to 5 %, or whose trials were disturbed."""
    found: dict[str, str] = {}
    for pair in pairs:
        if pair.reference != rows.reference:
            continue
        bounds = pair.shown
        if pair.ratio is None:
            found[pair.row] = "not compared"
        elif bounds.low is None or bounds.high is None:
            found[pair.row] = bounds.reason or "no interval"
        else:
            wider = max(bounds.high / pair.ratio, pair.ratio / bounds.low) - 1
            if wider > WANTED_HALF_WIDTH:
                found[pair.row] = f"known to {100 * wider:.{0 if wider >= 0.1 else 1}f} %"
    for name, cell in rows.rows.items():
        if cell.is_disturbed:
            found[name] = f"{found[name]}, disturbed" if name in found else "disturbed"
    return found


def _values(cell: Cell, outcome: str) -> Mapping[int, float]:
    value = cell.values.get(outcome)
    return {seed: number for seed, number in value.by_seed.items() if math.isfinite(number)} if value else {}


def _missing(cell: Cell, outcome: str) -> str | None:
    value = cell.values.get(outcome)
    if value is None:
        return "no record has this quantity"
    if not value.missing:
        return None
    listed = "; ".join(f"{reason} ({count} of {cell.n})" for reason, count in value.missing.items())
    return f"not measured: {listed}"
