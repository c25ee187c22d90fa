"""The form of a record: its version and that version's history, and the columns of every table with unit and kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 6
"""Version of manifest and tables. A record of an older version stays readable: `manifest.UPGRADES` has a step for each.

History:
    1: the first form: manifest.json and the tables steps, evaluations, events, samples, processes, gpus.
    2: the manifest has `parity` (the certificate that covers the trial), its summary `achieved_flops_per_s`.
    3: the summary has what the best evaluation of the validation images says; settings have `validation`.
    4: more columns of samples; the manifest says more of sampling quality, phases and the profile in force.
    5: evaluations and summary have the confidences and the loss difference; the rate of a step is the one applied.
    6: trials of several jobs side by side: `co_location`, records of the other jobs in `jobs/`, overlap in the summary.
"""

TABLES = ("steps", "evaluations", "events", "samples", "processes", "gpus")
KINDS = ("counter", "gauge", "state", "identity")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: with the unit in it where there is one.
        type: `int64`, `float64` or `string`, Arrow's names.
        unit: `ns`, `bytes`, `s`, `1` for a pure number or fraction, `` for text and identities.
        kind: `counter` (only grows; take differences), `gauge` (a level or a value of its moment), `state`, `identity`.
        description: one sentence.
    """

    name: str
    type: str
    unit: str
    kind: str
    description: str


STEP_COLUMNS = (
    Column("step", "int64", "1", "identity", "training step, counted from 1"),
    Column("t_end_ns", "int64", "ns", "identity", "end of the step on CLOCK_MONOTONIC"),
    Column(
        "data_ns",
        "int64",
        "ns",
        "gauge",
        "time within the step spent getting the mini-batch; null where the framework does it inside its compiled step",
    ),
    Column("loss", "float64", "1", "gauge", "mean loss of the mini-batch before the update"),
    Column(
        "learning_rate",
        "float64",
        "1",
        "state",
        "learning rate that the update of this step used, as the framework holds it",
    ),
)

EVALUATION_COLUMNS = (
    Column("step", "int64", "1", "identity", "finished training steps at the time of the evaluation"),
    Column("t_ns", "int64", "ns", "identity", "when the result was written, on CLOCK_MONOTONIC"),
    Column("split", "string", "", "identity", "the images evaluated: `test` or `validation`"),
    Column("loss", "float64", "1", "gauge", "mean loss over the images"),
    Column("top1", "float64", "1", "gauge", "fraction of images whose class ranks first"),
    Column("top5", "float64", "1", "gauge", "fraction of images whose class is among the first five"),
    Column("average_confidence", "float64", "1", "gauge", "mean largest probability of the correct images"),
    Column("confidence_deviation", "float64", "1", "gauge", "standard deviation of the same over the correct images"),
    Column(
        "confidence_deviation_across_classes",
        "float64",
        "1",
        "gauge",
        "standard deviation over the classes of the mean largest probability of their correct images",
    ),
    Column("training_loss", "float64", "1", "gauge", "mean loss of the steps of the last epoch, or of all if fewer"),
    Column("loss_difference", "float64", "1", "gauge", "`loss` - `training_loss`"),
    Column("images", "int64", "1", "gauge", "number of images"),
    Column("duration_ns", "int64", "ns", "gauge", "duration of the pass"),
)

EVENT_COLUMNS = (
    Column("t_ns", "int64", "ns", "identity", "time of the event on CLOCK_MONOTONIC"),
    Column("event", "string", "", "identity", "what happened: docs/architecture.md, section 3"),
    Column("phase", "string", "", "state", "of a `phase` event: the phase that begins"),
    Column("step", "int64", "1", "state", "last finished training step"),
    Column("process_cpu_ns", "int64", "ns", "counter", "CPU time of the worker process itself"),
    Column("duration_ns", "int64", "ns", "gauge", "duration, of an event that has one"),
    Column("data", "string", "", "state", "all other keys of the event, as JSON"),
)

_OWN_COLUMNS = {"steps": STEP_COLUMNS, "evaluations": EVALUATION_COLUMNS, "events": EVENT_COLUMNS}


def columns_of(table: str) -> tuple[Column, ...]:
    """Return the columns of a table of this version.

    Raises:
        KeyError: there is no such table.
    """
    if table in _OWN_COLUMNS:
        return _OWN_COLUMNS[table]
    from harness.sampling import schema as sampled

    theirs = {
        "samples": sampled.SAMPLE_COLUMNS,
        "processes": sampled.PROCESS_COLUMNS,
        "gpus": sampled.GPU_COLUMNS,
    }
    return tuple(_of_sampler(column) for column in theirs[table])


def _of_sampler(column: Any) -> Column:
    is_text = column.unit in ("name", "text")
    unit = "" if is_text else column.unit
    return Column(column.name, "string" if is_text else "int64", unit, column.kind, column.description)


def arrow_schema(table: str) -> pa.Schema:
    """Return a table's Arrow schema; unit, kind and description stand in the metadata of each field."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(
                column.name,
                pa.type_for_alias(column.type),
                metadata={"unit": column.unit, "kind": column.kind, "description": column.description},
            )
            for column in columns_of(table)
        ],
        metadata={"dlgauge_schema_version": str(SCHEMA_VERSION), "table": table},
    )
