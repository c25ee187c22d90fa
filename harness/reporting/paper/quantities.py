"""Quantities in words with the units in which a figure shows them."""

from __future__ import annotations

from harness.analysis import Column

QUANTITY_UNITS = {"s": "s", "cpu_s": "CPU s", "percent": "%", "1/s": "1/s", "cores": "cores", "J": "J", "bytes": "MiB"}
RENAMED = {
    "training_time_s": "training time",
    "test_time_s": "test time",
    "top1_percent": "top-1 accuracy",
    "top5_percent": "top-5 accuracy",
    "samples_per_s": "throughput",
    "achieved_flops_per_s": "achieved arithmetic",
    "cpu_seconds": "CPU time of the trial",
    "training_cpu_seconds": "CPU time in training",
    "cores_used_mean": "cores used, mean",
    "cores_used_max": "cores used, highest in 1 s",
    "peak_memory_bytes": "peak memory of the job",
    "peak_resident_bytes": "peak resident memory",
    "test_loss": "test loss",
    "final_training_loss": "final training loss",
    "disk_read_bytes": "disk read",
    "disk_write_bytes": "disk written",
}
_OWN_UNITS = {"samples_per_s": "images/s", "achieved_flops_per_s": "GFLOP/s"}


def quantity_title(column: Column) -> str:
    """A quantity in words without its unit."""
    if column.key in RENAMED:
        return RENAMED[column.key]
    return column.title.removesuffix(" s" if column.unit == "cpu_s" else f" {quantity_unit(column)}")


def quantity_unit(column: Column) -> str:
    """The unit in which a figure shows a quantity; `no unit` for a pure number."""
    if column.key in _OWN_UNITS:
        return _OWN_UNITS[column.key]
    if column.unit == "s" and column.scale == 1e-3:
        return "ms"
    if column.unit == "1":
        return "steps" if column.key.startswith(("steps", "best_validation_step")) else "no unit"
    return QUANTITY_UNITS.get(column.unit, column.unit or "unit not described")


def quantity_axis(column: Column) -> str:
    """The label of its axis, with the unit."""
    return f"{quantity_title(column)} ({quantity_unit(column)})"
