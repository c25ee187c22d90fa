"""The columns of the policy database: one row a trial, each column with unit, kind and meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.schema import Column

if TYPE_CHECKING:
    import pyarrow as pa

DATABASE_VERSION = 1
"""Version of the columns and of the Parquet file that shares them.

History:
    1: the first form.
"""

VERSION_KEY = b"dlgauge_policy_database_version"
"""Key of the Arrow schema's metadata that makes a Parquet file an export."""

IDENTITY = ("trial", "study", "repetition", "started_at", "host")
"""Columns that tell one run of a trial from every other: a row that is known already is not imported again."""

COST_CURVE = "cost_curve"

COLUMNS: tuple[Column, ...] = (
    Column("trial", "string", "", "identity", "id of the trial: the hash of its whole specification"),
    Column("study", "string", "", "identity", "name of the study"),
    Column("repetition", "int64", "1", "identity", "1 for the first record of the trial"),
    Column("started_at", "string", "", "identity", "ISO 8601, UTC"),
    Column("dataset", "string", "", "identity", "name of the dataset"),
    Column("dataset_content_sha256", "string", "", "identity", "hash of the dataset's uncompressed content"),
    Column("workload", "string", "", "identity", "name of the workload"),
    Column("workload_sha256", "string", "", "identity", "hash of all of the workload but its name"),
    Column("network", "string", "", "identity", "name of the network"),
    Column("framework", "string", "", "identity", "name of the framework"),
    Column("framework_version", "string", "", "identity", "its version"),
    Column("environment", "string", "", "identity", "`venv` or `container`"),
    Column("setting", "string", "", "identity", "name of the setting"),
    Column("setting_json", "string", "", "identity", "the setting without its name and policy, canonical JSON"),
    Column("batch_size", "int64", "1", "identity", "images a step"),
    Column("steps", "int64", "1", "identity", "steps that the setting asks for"),
    Column("optimizer", "string", "", "identity", "the optimizer, canonical JSON"),
    Column("policy", "string", "", "identity", "the learning-rate policy in LRBench's string form"),
    Column("policy_json", "string", "", "identity", "the same as canonical JSON, numbers to 12 significant digits"),
    Column("function", "string", "", "identity", "name of the policy's function; of a composite all, joined by `-`"),
    Column("base_rate_scale", "float64", "1", "identity", "factor on the rates of the policy that was to be examined"),
    Column("base_policy_json", "string", "", "identity", "that policy; the policy itself where the factor is 1"),
    Column("seed", "int64", "1", "identity", "seed of the trial"),
    Column("termination", "string", "", "state", "how the trial ended"),
    Column("diverged_step", "int64", "1", "state", "step whose loss was not finite, counted from 1"),
    Column("diverged_learning_rate", "float64", "1", "state", "learning rate applied in that step"),
    Column("final_top1_percent", "float64", "percent", "gauge", "accuracy of the last evaluation of the test images"),
    Column("best_top1_percent", "float64", "percent", "gauge", "highest of all evaluations of the test images"),
    Column("final_top5_percent", "float64", "percent", "gauge", "top-5 accuracy of the last evaluation"),
    Column("final_validation_top1_percent", "float64", "percent", "gauge", "the last one of the validation images"),
    Column("best_validation_top1_percent", "float64", "percent", "gauge", "accuracy at the best validation"),
    Column("test_images", "int64", "1", "gauge", "images of the test split"),
    Column("validation_images", "int64", "1", "gauge", "training images held out"),
    Column("evaluated_every_steps", "int64", "1", "identity", "steps between evaluations of the test images"),
    Column("average_confidence", "float64", "1", "gauge", "AC: mean confidence of the correct predictions"),
    Column("confidence_deviation", "float64", "1", "gauge", "CD: standard deviation of the same"),
    Column("confidence_deviation_across_classes", "float64", "1", "gauge", "CDAC: deviation of the classes' means"),
    Column("loss_difference", "float64", "1", "gauge", "test loss less training loss at the end"),
    Column("steps_done", "int64", "1", "counter", "finished training steps"),
    Column("training_time_s", "float64", "s", "counter", "sum of the `train` phases"),
    Column("training_cpu_seconds", "float64", "cpu_s", "counter", "CPU time within them"),
    Column("training_joules", "float64", "J", "counter", "energy within them, of what `joules_of` names"),
    Column("joules_of", "string", "", "state", "`package` (RAPL), `gpu`, or both; the counters are the machine's"),
    Column(
        COST_CURVE,
        COST_CURVE,
        "percent, 1, s, cpu_s, J",
        "gauge",
        "of every evaluation of the test images that was the best so far: accuracy, and what it cost to get there",
    ),
    Column("certificate", "string", "", "identity", "hash of the parity certificate that covers the trial"),
    Column("profile", "string", "", "identity", "name of the hardware profile"),
    Column(
        "profile_json", "string", "", "identity", "the profile, and `co_location` of jobs side by side, canonical JSON"
    ),
    Column("host", "string", "", "identity", "identity of the machine"),
    Column("machine", "string", "", "state", "the machine in words"),
    Column("not_measured", "string", "", "state", "JSON: column that is null -> why"),
    Column("dlgauge_version", "string", "", "identity", "version that made the record"),
    Column("origin", "string", "", "state", "file that the row was imported from; null for a record of this store"),
)


def column_names() -> list[str]:
    """Names of all columns, in their order."""
    return [column.name for column in COLUMNS]


def database_schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    """The Arrow schema: unit, kind and description in each field's metadata, the version in the schema's."""
    import pyarrow as pa

    curve = pa.list_(
        pa.struct(
            [
                ("top1_percent", pa.float64()),
                ("steps", pa.int64()),
                ("seconds", pa.float64()),
                ("cpu_seconds", pa.float64()),
                ("joules", pa.float64()),
            ]
        )
    )
    fields = [
        pa.field(
            column.name,
            curve if column.type == COST_CURVE else pa.type_for_alias(column.type),
            metadata={"unit": column.unit, "kind": column.kind, "description": column.description},
        )
        for column in COLUMNS
    ]
    return pa.schema(fields, metadata={VERSION_KEY.decode(): str(DATABASE_VERSION), **(metadata or {})})
