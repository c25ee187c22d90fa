"""A trial over time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from harness.analysis.timelines import timeline
from harness.records.schema import arrow_schema
from tests.synthetic import write_record

SECOND_NS = 1_000_000_000


def test_devices_of_others_are_not_drawn(tmp_path: Path) -> None:
    gpus = [{"uuid": "GPU-0", "foreign": False}, {"uuid": "GPU-1", "foreign": True}, {"uuid": "GPU-2"}]
    record = write_record(tmp_path, sampling={"report": {"gpus": gpus}})
    schema = arrow_schema("gpus")
    rows = [
        {"gpu": gpu, "t_ns": (1000 + second) * SECOND_NS, "power_mw": 1000 * (gpu + 1)}
        for second in range(3)
        for gpu in range(3)
    ]
    columns = {field.name: pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema}
    parquet.write_table(pa.table(columns, schema=schema), record.path / "gpus.parquet")
    drawn = timeline(record)
    assert drawn is not None
    assert [(line.name, line.values) for line in drawn.gpus] == [
        ("GPU 0 power W", (1.0, 1.0, 1.0)),
        ("GPU 2 power W", (3.0, 3.0, 3.0)),
    ]
