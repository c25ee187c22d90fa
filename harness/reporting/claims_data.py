"""Verdicts on claims as CSV and JSON, unrounded."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import harness
from harness.analysis.claims import Evaluation, Part
from harness.reporting.claims import next_commands, sentence

FORMAT_VERSION = 1
"""Version of the JSON form. History: 1, the first form."""

CSV_FIELDS = (
    "claim",
    "verdict",
    "more_blocks",
    "dataset",
    "content_sha256",
    "host",
    "profile",
    "of",
    "outcome",
    "scale",
    "value",
    "low",
    "high",
    "level",
    "low_95",
    "high_95",
    "claimed_low",
    "claimed_high",
    "p",
    "decided",
    "blocks",
    "reasons",
    "notes",
    "records",
)


def claims_csv(found: Sequence[Evaluation]) -> str:
    """One line a comparison, one of a claim without any; values unrounded; reasons, notes and records as JSON lists."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for one in found:
        for part in one.parts or (None,):
            values = _csv_row(one, part)
            writer.writerow({key: "" if value is None else value for key, value in values.items()})
    return buffer.getvalue()


def claims_json(found: Sequence[Evaluation], store: Path | str) -> str:
    """Everything, unrounded; a bound that is not there is null."""
    content = {
        "format_version": FORMAT_VERSION,
        "dlgauge_version": harness.__version__,
        "store": str(store),
        "correction": "Holm: of m comparisons the k-th by p has an interval of level 1 - 0.05 / (m - k + 1)",
        "claims": [_plain(one, store) for one in found],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _csv_row(one: Evaluation, part: Part | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(CSV_FIELDS)
    row.update({name: one.conditions.get(name) for name in ("dataset", "content_sha256", "host", "profile")})
    row.update(
        claim=one.claim.name,
        verdict=one.verdict.value,
        more_blocks=one.more_blocks,
        reasons=_list(one.reasons),
        notes=_list(one.notes),
        records=_list(record.id for record in one.records),
    )
    if part is not None:
        row.update(
            {
                "of": part.name,
                "outcome": part.outcome,
                "scale": part.scale,
                "value": part.value,
                "low": part.low,
                "high": part.high,
                "level": 1 - part.alpha,
                "low_95": part.low_95,
                "high_95": part.high_95,
                "claimed_low": _finite(part.claimed_low),
                "claimed_high": _finite(part.claimed_high),
                "p": part.p,
                "decided": {True: "inside", False: "outside", None: None}[part.decided],
                "blocks": part.n,
            }
        )
    return row


def _list(values: Iterable[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False)


def _plain(one: Evaluation, store: Path | str) -> dict[str, Any]:
    entry = one.claim.entry
    parts = []
    for part in one.parts:
        values = asdict(part)
        values["level"] = 1 - values.pop("alpha")
        values["claimed_low"], values["claimed_high"] = _finite(part.claimed_low), _finite(part.claimed_high)
        parts.append(values)
    return {
        "claim": one.claim.name,
        "paper": one.claim.paper,
        "where": f"{one.claim.path}:{one.claim.line}",
        "finding": sentence(entry.finding),
        "reading": sentence(entry.reading) if entry.reading else None,
        "source": entry.source.model_dump(),
        "relation": entry.relation.model_dump(),
        "scope": entry.scope.model_dump(),
        "published": {name: cell.published for name, cell in (entry.cells or {}).items()},
        "verdict": one.verdict.value,
        "more_blocks": one.more_blocks,
        "blocks": one.n,
        "conditions": {key: _null(value) for key, value in one.conditions.items()},
        "comparisons": parts,
        "reasons": list(one.reasons),
        "notes": list(one.notes),
        "records": [asdict(record) for record in one.records],
        "next": [{"command": command, "gives": gives} for command, gives in next_commands(one, store)],
    }


def _null(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.item() if hasattr(value, "item") else value
