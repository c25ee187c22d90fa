"""The tables of a record as Arrow tables, from a trial's files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from frameworks.worker.protocol import DATA_NS_UNKNOWN
from harness.records.reading import TrialFiles, integer, number, text
from harness.records.schema import TABLES, Column, arrow_schema, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

_CONVERT = {"int64": integer, "float64": number, "string": text}


def tables_of(files: TrialFiles) -> dict[str, pa.Table]:
    """Return all tables by name; one without rows where the trial left nothing."""
    content: dict[str, Mapping[str, Sequence[Any]]] = {
        "steps": _steps(files),
        "evaluations": _evaluations(files),
        "events": _events(files),
        "samples": files.samples or {},
        "processes": files.processes or {},
        "gpus": files.gpus or {},
    }
    return {name: _table(name, content[name]) for name in TABLES}


def _table(name: str, content: Mapping[str, Sequence[Any]]) -> pa.Table:
    import pyarrow as pa

    schema = arrow_schema(name)
    rows = max((len(values) for values in content.values()), default=0)
    arrays = [
        pa.array(content[field.name] if field.name in content else [None] * rows, type=field.type) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _steps(files: TrialFiles) -> Mapping[str, Sequence[Any]]:
    data_ns = [None if value == DATA_NS_UNKNOWN else int(value) for value in files.steps["data_ns"]]
    return {**files.steps, "data_ns": data_ns}


def _evaluations(files: TrialFiles) -> Mapping[str, Sequence[Any]]:
    events = [event for event in files.events if event["event"] == "evaluation"]
    return _columns(columns_of("evaluations"), events)


def _events(files: TrialFiles) -> Mapping[str, Sequence[Any]]:
    columns = columns_of("events")
    table = _columns(columns, files.events)
    named = {column.name for column in columns}
    rest = [{key: value for key, value in event.items() if key not in named} for event in files.events]
    return {**table, "data": [json.dumps(other) if other else None for other in rest]}


def _columns(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of JSON as columns; a value of the wrong type becomes null (the line itself stays in events.jsonl)."""
    return {column.name: [_CONVERT[column.type](row.get(column.name)) for row in rows] for column in columns}
