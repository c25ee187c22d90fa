"""All that the inference says, as tables of text that every form of a comparison shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.analysis.inference import Family, Judgement, Pair
from harness.analysis.inference.bounds import Bounds
from harness.analysis.inference.pairs import CAUTION_BELOW
from harness.reporting.numbers import NOT_AVAILABLE
from harness.reporting.verdicts import outcome_words, ranking_line


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
    """A table for every family: all pairs, the ranking below."""
    return [_table(family, judgement.margin) for family in judgement.families]


def _table(family: Family, margin: float | None) -> TextTable:
    headers = HEADERS if margin is None else (*HEADERS[:-1], EQUIVALENCE_HEADER, HEADERS[-1])
    rows = [_row(pair, margin is not None) for pair in family.pairs]
    corrected = f"Holm over {family.comparisons} comparison{'' if family.comparisons == 1 else 's'}"
    return TextTable(
        title=f"{outcome_words(family.outcome)}, reference {family.reference} ({corrected})",
        headers=headers,
        rows=tuple(rows),
        numeric=tuple(header not in ("row", "against", "verdict") for header in headers),
        notes=tuple(_notes(family)),
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
    more = f", about {pair.more_blocks} more blocks" if pair.more_blocks else ""
    reason = f": {pair.reason}" if pair.reason else ""
    return (*texts, f"{pair.verdict}{reason}{more}")


def _notes(family: Family) -> Iterable[str]:
    yield ranking_line(family)
    found = family.ranking
    for seed, rows in found.left_out.items():
        yield f"block {seed} is incomplete: no value of {', '.join(rows)}"
    for name, why in family.missing.items():
        yield f"{name}: {why}"
    if any(pair.d_z is not None and pair.n < CAUTION_BELOW for pair in family.pairs):
        yield (
            "d_z (mean ÷ standard deviation of the log-ratios) is too large on average when it comes from few blocks, "
            f"{_bias(min(pair.n for pair in family.pairs if pair.d_z is not None))}: read the ratio first"
        )


def _bias(n: int) -> str:
    """How much too large a standardised effect of n pairs is, by Hedges' factor 1 - 3 / (4 (n - 1) - 1)."""
    if n <= 2:
        return "with 2 blocks without bounds"
    return f"with {n} blocks by about {100 / (1 - 3 / (4 * (n - 1) - 1)) - 100:.0f} %"


def _bounds(bounds: Bounds) -> str:
    if bounds.low is None or bounds.high is None:
        return NOT_AVAILABLE
    return f"{bounds.low:.4g} to {bounds.high:.4g}"


def _number(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.4g}"


def _p(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.3g}"
