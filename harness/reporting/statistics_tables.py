"""All that the inference says, as tables of text that every form of a comparison shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.analysis.inference import Family, Judgement, Pair
from harness.analysis.inference.bounds import Bounds
from harness.analysis.inference.pairs import CAUTION_BELOW
from harness.reporting.numbers import NOT_AVAILABLE
from harness.reporting.verdicts import CANNOT, TOO_FEW, families_words, outcome_words, ranking_line, significant


@dataclass(frozen=True)
class TextTable:
    """A table with a title above and notes below it.

    Attributes:
        title: what it is of.
        headers, rows: texts.
        numeric: whether a column holds numbers.
        notes: lines below it.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    notes: tuple[str, ...]


HEADERS = ("row", "against", "blocks", "ratio", "95 % t", "95 % BCa", "p", "p Holm", "d_z", "verdict")
EQUIVALENCE_HEADER = "p equivalence"


def statistics_tables(judgement: Judgement) -> list[TextTable]:
    """A table for every outcome: all pairs of all sets of rows, the rankings below."""
    by_outcome: dict[str, list[Family]] = {}
    for family in judgement.families:
        by_outcome.setdefault(family.outcome, []).append(family)
    return [_table(families, judgement.margin) for families in by_outcome.values()]


def _table(families: Sequence[Family], margin: float | None) -> TextTable:
    headers = HEADERS if margin is None else (*HEADERS[:-1], EQUIVALENCE_HEADER, HEADERS[-1])
    pairs = [pair for family in families for pair in family.pairs]
    return TextTable(
        title=f"{outcome_words(families[0].outcome)}: {families_words(families)}",
        headers=headers,
        rows=tuple(_row(pair, margin is not None) for pair in pairs),
        numeric=tuple(header not in ("row", "against", "verdict") for header in headers),
        notes=tuple(_notes(families, pairs)),
    )


def _row(pair: Pair, with_equivalence: bool) -> tuple[str, ...]:
    texts = [
        pair.row,
        pair.reference,
        str(pair.n),
        _number(pair.ratio),
        _bounds(pair.t),
        _bounds(pair.bca),
        _p(pair.test.p if pair.test else None),
        _p(pair.p_holm),
        NOT_AVAILABLE if pair.d_z is None else f"{pair.d_z:.3g}",
    ]
    if with_equivalence:
        texts.append(_p(pair.equivalence.p_holm if pair.equivalence else None))
    more = f", about {pair.more_blocks} more" if pair.more_blocks else ""
    return (*texts, f"{pair.verdict}{_reason(pair)}{more}")


def _reason(pair: Pair) -> str:
    if CANNOT in pair.reason:
        return f", {TOO_FEW}"
    return f": {pair.reason}" if pair.reason else ""


def _notes(families: Sequence[Family], pairs: Sequence[Pair]) -> Iterable[str]:
    for family in families:
        if len(family.rows) > 2:
            yield ranking_line(family)
            for seed, rows in family.ranking.left_out.items():
                yield f"block {seed} is incomplete: no value of {', '.join(rows)}"
        for name, why in family.missing.items():
            yield f"{name}: {why}"
    for reason in dict.fromkeys(pair.reason for pair in pairs if CANNOT in pair.reason):
        yield f"{TOO_FEW}: {reason}"
    few = [pair.n for pair in pairs if pair.d_z is not None and pair.n < CAUTION_BELOW]
    if few:
        yield (
            "d_z (mean ÷ standard deviation of the log-ratios) is too large on average when it comes from few blocks, "
            f"{_bias(min(few))}: read the ratio first"
        )


def _bias(n: int) -> str:
    """How much too large a standardised effect of n pairs is, by Hedges' factor 1 - 3 / (4 (n - 1) - 1)."""
    if n <= 2:
        return "with 2 blocks without bounds"
    return f"with {n} blocks by about {100 / (1 - 3 / (4 * (n - 1) - 1)) - 100:.0f} %"


def _bounds(bounds: Bounds) -> str:
    if bounds.low is None or bounds.high is None:
        return NOT_AVAILABLE
    return f"{significant(bounds.low)} to {significant(bounds.high)}"


def _number(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else significant(value)


def _p(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.3g}"
