"""Every key of a record's summary: its unit, what it means, which direction is better. The one place of record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SummaryKey:
    """One number of a summary.

    Attributes:
        name: the key.
        unit: `s`, `cpu_s` (seconds of CPU time), `bytes`, `percent`, `1/s`, `cores`, or `1` for a pure number.
        description: what it means and what it is made of.
        better: `lower`, `higher`, or None where neither direction is an advantage.
        title: short heading for a table.
        digits: significant digits worth showing to people; values themselves are never rounded.
        scale: show the value divided by this (bytes are shown in MiB).
        shown_unit: the unit after dividing by `scale`.
    """

    name: str
    unit: str
    description: str
    better: Literal["lower", "higher"] | None = None
    title: str = ""
    digits: int = 4
    scale: float = 1.0
    shown_unit: str = ""


MIB = float(1024 * 1024)


def _registry(*keys: SummaryKey) -> dict[str, SummaryKey]:
    return {key.name: key for key in keys}


SUMMARY_KEYS: dict[str, SummaryKey] = _registry(
    SummaryKey("training_time_s", "s", "sum of the `train` phases", "lower", "training time"),
    SummaryKey("test_time_s", "s", "duration of the last finished pass over the test split", "lower", "test time"),
    SummaryKey("top1_percent", "percent", "accuracy of the last evaluation on the test split", "higher", "top-1"),
    SummaryKey("top5_percent", "percent", "top-5 accuracy of the last evaluation", "higher", "top-5"),
    SummaryKey("test_loss", "1", "mean loss of the last evaluation on the test split", "lower", "test loss"),
    SummaryKey("final_training_loss", "1", "mean loss of the last 50 steps, or of all if fewer", "lower", "final loss"),
    SummaryKey(
        "average_confidence",
        "1",
        "mean of the largest probability over the correct images of the last evaluation on the test split",
        "higher",
        "confidence",
    ),
    SummaryKey(
        "confidence_deviation",
        "1",
        "standard deviation of the same over the correct images",
        "lower",
        "confidence SD",
    ),
    SummaryKey(
        "confidence_deviation_across_classes",
        "1",
        "standard deviation, over the classes, of the mean largest probability of their correct images",
        "lower",
        "confidence SD classes",
    ),
    SummaryKey(
        "loss_difference",
        "1",
        "`test_loss` minus the mean training loss of the steps of the last epoch, or of all if fewer",
        None,
        "loss difference",
    ),
    SummaryKey(
        "best_validation_step",
        "1",
        "finished steps at the best evaluation of the validation images: the first with the smallest error, or loss "
        "where the setting's `early_stopping` watches that",
        None,
        "best step",
        digits=9,
    ),
    SummaryKey(
        "best_validation_top1_percent",
        "percent",
        "accuracy on the validation images at that step",
        "higher",
        "val top-1",
    ),
    SummaryKey(
        "top1_at_best_validation_percent",
        "percent",
        "accuracy on the test split at that step: what a script with early stopping reports",
        "higher",
        "top-1 at best val",
    ),
    SummaryKey("steps_done", "1", "finished training steps, warm-up included", None, "steps", digits=9),
    SummaryKey(
        "samples_per_s",
        "1/s",
        "batch size times the steps in `train` phases, divided by the time of those phases; of a phase that the "
        "worker did not live to end, only the part up to the last recorded step counts",
        "higher",
        "samples/s",
    ),
    SummaryKey(
        "achieved_flops_per_s",
        "1/s",
        "`samples_per_s` times the floating-point operations of the network's multiply-adds in training (a "
        "multiply-add is two; forward, and backward to weights and inputs; `dlgauge network show` counts them)",
        "higher",
        "GFLOP/s",
        scale=1e9,
    ),
    SummaryKey("step_time_median_s", "s", "median time of a step in `train` phases", "lower", "step median"),
    SummaryKey("step_time_p95_s", "s", "95th percentile of the same; of 20 steps or more", "lower", "step p95"),
    SummaryKey(
        "data_time_fraction", "1", "part of the time of those steps spent getting mini-batches", "lower", "data time"
    ),
    SummaryKey(
        "first_step_s",
        "s",
        "the first training step: tracing, compiling, autotuning in frameworks that do it then",
        "lower",
        "first step",
        digits=3,
    ),
    SummaryKey("import_time_s", "s", "duration of the `import` phase", "lower", "import"),
    SummaryKey(
        "prepare_time_s",
        "s",
        "duration of the `prepare` phase: loading the prepared arrays and handing them to the framework",
        "lower",
        "prepare",
    ),
    SummaryKey(
        "build_time_s",
        "s",
        "duration of the `build` phase: building and, in frameworks that compile ahead such as Theano, compiling the "
        "network",
        "lower",
        "build",
        digits=3,
    ),
    SummaryKey(
        "warm_up_time_s",
        "s",
        "duration of the `warm_up` phase, without the wait for jobs side by side",
        "lower",
        "warm-up",
    ),
    SummaryKey("cpu_seconds", "cpu_s", "CPU time of the whole process tree over the whole trial", "lower", "CPU"),
    SummaryKey(
        "training_cpu_seconds", "cpu_s", "CPU time of the process tree within `train` phases", "lower", "training CPU"
    ),
    SummaryKey(
        "cores_used_mean", "cores", "`training_cpu_seconds` divided by `training_time_s`", None, "cores mean", digits=3
    ),
    SummaryKey(
        "cores_used_max",
        "cores",
        "highest mean over any 1 s window inside a `train` phase",
        None,
        "cores max",
        digits=3,
    ),
    SummaryKey(
        "peak_memory_bytes",
        "bytes",
        "kernel-kept peak memory of the job; `sources.peak_memory_bytes` in the manifest says whose: `cgroup` (all "
        "processes and page cache charged to the job) or `largest_process_vmhwm`",
        "lower",
        "peak memory",
        scale=MIB,
        shown_unit="MiB",
    ),
    SummaryKey(
        "peak_resident_bytes",
        "bytes",
        "largest kernel-kept `VmHWM` among the job's processes: comparable between venv and container",
        "lower",
        "peak resident",
        scale=MIB,
        shown_unit="MiB",
    ),
    SummaryKey(
        "disk_read_bytes",
        "bytes",
        "bytes the process tree had fetched from storage",
        "lower",
        "disk read",
        scale=MIB,
        shown_unit="MiB",
    ),
    SummaryKey(
        "disk_write_bytes",
        "bytes",
        "bytes the process tree caused to be sent to storage",
        "lower",
        "disk write",
        scale=MIB,
        shown_unit="MiB",
    ),
    SummaryKey(
        "foreign_cores_mean",
        "cores",
        "cores that others kept busy during `train` phases: host busy - job - sampler, and minus the jobs beside it. "
        "The host counts in ticks of 10 ms, so an undisturbed machine shows values around 0, also slightly below",
        "lower",
        "foreign cores",
        digits=2,
    ),
    SummaryKey(
        "overlap_fraction",
        "1",
        "of a trial with several jobs side by side: part of `training_time_s` in which all were in `train` phases",
        "higher",
        "overlap",
    ),
    SummaryKey(
        "overlap_samples_per_s",
        "1/s",
        "of a trial with several jobs side by side: samples/s of one job while all of them trained, mean over the jobs",
        "higher",
        "samples/s a job",
    ),
    SummaryKey("sampler_cpu_seconds", "cpu_s", "CPU time of the sampler itself", "lower", "sampler CPU", digits=3),
    SummaryKey(
        "overhead_s", "s", "wall time of the trial outside the worker's own phases", "lower", "overhead", digits=3
    ),
    SummaryKey(
        "sampling_rate_hz", "1/s", "ticks of the sampler per second, from the first to the last", None, "sampled Hz"
    ),
    SummaryKey(
        "sampling_coverage",
        "1",
        "part of the worker's time that is no further than a period from the sample before it",
        "higher",
        "coverage",
    ),
    SummaryKey(
        "lateness_p50_s",
        "s",
        "median time from a deadline of the sampler to the begin of its sample; of 5 ticks or more",
        "lower",
        "lateness p50",
        digits=3,
        scale=1e-3,
        shown_unit="ms",
    ),
    SummaryKey(
        "lateness_p99_s",
        "s",
        "99th percentile of the same; of 100 ticks or more",
        "lower",
        "lateness p99",
        digits=3,
        scale=1e-3,
        shown_unit="ms",
    ),
    SummaryKey(
        "ticks_skipped",
        "1",
        "deadlines of the sampler that passed without a sample",
        "lower",
        "ticks skipped",
        digits=9,
    ),
    SummaryKey(
        "cpu_disagreement_fraction",
        "1",
        "difference between the lowest and the highest account of the job's CPU time (cgroup, process tree, `wait4`), "
        "divided by the highest",
        "lower",
        "CPU disagreement",
        digits=2,
    ),
)
"""Keys of `summary`, in the order in which they are shown."""

CONFIDENCE_KEYS = (
    "average_confidence",
    "confidence_deviation",
    "confidence_deviation_across_classes",
    "loss_difference",
)
"""Those of the last evaluation that LRBench adds to loss and accuracy: formulas in `frameworks/worker/scores.py`."""
