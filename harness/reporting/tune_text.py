"""The result of a search for policies in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.tuning.results import Ranking, Row

MOST_ROWS = 10
"""Completed candidates in the table; `--json` has all."""


def ranking_text(ranking: Ranking, store: Path) -> str:
    """The best candidates, what ended early, and how sure the order is."""
    lines = [f"{ranking.framework}: {_counts(ranking)}"]
    completed = [row for row in ranking.rows if row.outcome == "completed"]
    lines += _table(completed[:MOST_ROWS])
    if len(completed) > MOST_ROWS:
        lines.append(f"  and {len(completed) - MOST_ROWS} more that completed (--json has all)")
    lines += _certainty(ranking, completed)
    for row in ranking.rows:
        if row.outcome != "completed":
            lines.append(f"  {row.policy}: {_how(row)}")
    if ranking.best:
        lines.append(f"  records of the best: {', '.join(str(path) for path in ranking.best.records)}")
    lines.append(f"  records: {store}")
    return "\n".join(lines)


def _how(row: Row) -> str:
    reason = row.reason or ""
    return reason if reason.startswith(row.outcome) else f"{row.outcome}: {reason}"


def _counts(ranking: Ranking) -> str:
    parts = [f"{ranking.count(kind)} {kind}" for kind in ("completed", "pruned", "diverged", "failed")]
    return f"{len(ranking.rows)} policies: " + ", ".join(part for part in parts if not part.startswith("0 "))


def _table(rows: list[Row]) -> Iterator[str]:
    if not rows:
        yield "  no policy completed"
        return
    width = max(len("policy"), *(len(row.policy) for row in rows))
    yield f"  rank  {'policy'.ljust(width)}  val top-1 %  val loss  record"
    for place, row in enumerate(rows, start=1):
        top1 = "-" if row.top1 is None else f"{100 * row.top1:.2f}"
        loss = "-" if row.validation_loss is None else f"{row.validation_loss:.4f}"
        yield f"  {place:>4}  {row.policy.ljust(width)}  {top1:>11}  {loss:>8}  {', '.join(row.trials)}"


def _certainty(ranking: Ranking, completed: list[Row]) -> Iterator[str]:
    if ranking.margin is None:
        return
    alike = sum(row.as_good for row in completed)
    points = 100 * ranking.margin
    if alike > 1:
        yield f"  the first {alike} are not told apart: closer than {points:.2f} points (95 %, image sampling)"
    elif len(completed) > 1:
        yield f"  the first leads by more than {points:.2f} points (95 %, image sampling); other seeds may still differ"
