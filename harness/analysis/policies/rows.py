"""One row of the policy database from one record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.analysis.costs import training_joules
from harness.analysis.host import describe_host, host_identity
from harness.analysis.policies.columns import COLUMNS, COST_CURVE
from harness.analysis.policies.naming import base_of, canonical_policy, function_of, text_of
from harness.records.cost import cost_to_threshold
from harness.records.reading import integer, number
from harness.records.record import Record
from harness.study.trial import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa

SCALE_KEY = "base_rate_scale"
"""Key of a trial's `varied` under which a run at another base rate notes its factor."""

_SUMMARY = (
    "average_confidence",
    "confidence_deviation",
    "confidence_deviation_across_classes",
    "loss_difference",
    "best_validation_top1_percent",
    "steps_done",
    "training_time_s",
    "training_cpu_seconds",
)
"""Columns that are summary keys of the same name."""


@dataclass(frozen=True)
class _Read(Record):
    """A record whose tables are read once."""

    kept: dict[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> pa.Table:
        if name not in self.kept:
            self.kept[name] = super().table(name)
        return self.kept[name]


def row_of(record: Record) -> dict[str, Any]:
    """The row of a record: every column of `COLUMNS`; the reasons for what is null in `not_measured`.

    Raises:
        StoreError: a table of the record cannot be read.
    """
    read = _Read(record.path, record.manifest)
    reasons: dict[str, str] = {}
    row: dict[str, Any] = dict.fromkeys(column.name for column in COLUMNS)
    row.update(_identity(read))
    row.update(_policy(read, reasons))
    row.update(_divergence(read, reasons))
    row.update(_quality(read, reasons))
    row.update(_cost(read, reasons))
    row["not_measured"] = json.dumps(reasons, sort_keys=True)
    return row


def _identity(record: Record) -> dict[str, Any]:
    specification = record.specification
    workload, setting = _part(specification, "workload"), _part(specification, "setting")
    framework, profile = _part(specification, "framework"), _part(specification, "profile")
    dataset, host = _part(workload, "dataset"), _part(record.manifest, "host")
    described = _part(record.manifest, "framework")
    validation = _part(setting, "validation")
    shared = {key: value for key, value in setting.items() if key not in ("name", "learning_rate")}
    placed = {key: value for key, value in profile.items() if key != "price_per_hour"}
    if beside := specification.get("co_location"):
        placed["co_location"] = beside
    return {
        "trial": record.id,
        "study": record.study,
        "repetition": record.repetition,
        "started_at": record.started_at,
        "dataset": dataset.get("name"),
        "dataset_content_sha256": dataset.get("content_sha256"),
        "workload": workload.get("name"),
        "workload_sha256": _sha256({key: value for key, value in workload.items() if key != "name"}),
        "network": _part(workload, "network").get("name"),
        "framework": framework.get("name"),
        "framework_version": described.get("version") or framework.get("version"),
        "environment": framework.get("environment"),
        "setting": setting.get("name"),
        "setting_json": canonical_json(shared),
        "batch_size": integer(setting.get("batch_size")),
        "steps": integer(setting.get("steps")),
        "optimizer": canonical_json(setting.get("optimizer")),
        "seed": integer(specification.get("seed")),
        "termination": record.termination,
        "test_images": integer(dataset.get("test")),
        "validation_images": integer(validation.get("images")),
        "evaluated_every_steps": integer(_part(setting, "evaluation").get("every_steps")),
        "certificate": record.parity_certificate,
        "profile": profile.get("name"),
        "profile_json": canonical_json(placed),
        "host": host_identity(host),
        "machine": describe_host(host),
        "dlgauge_version": record.manifest.get("dlgauge_version"),
    }


def _policy(record: Record, reasons: dict[str, str]) -> dict[str, Any]:
    """The policy in all its forms; one that this version does not know keeps its JSON alone."""
    written = _part(record.specification, "setting").get("learning_rate")
    scale = number(record.varied.get(SCALE_KEY))
    scale = 1.0 if scale is None or scale <= 0 else scale
    try:
        found = canonical_policy(written)
        return {
            "policy": text_of(found),
            "policy_json": canonical_json(found),
            "function": function_of(found),
            SCALE_KEY: scale,
            "base_policy_json": canonical_json(base_of(found, scale)),
        }
    except (ValueError, TypeError, KeyError) as error:
        why = f"the policy is none that this version knows: {str(error).splitlines()[0]}"
        reasons.update(policy=why, function=why, base_policy_json=why)
        return {"policy_json": canonical_json(written), SCALE_KEY: scale}


def _divergence(record: Record, reasons: dict[str, str]) -> dict[str, Any]:
    if record.termination != "diverged":
        why = f"the trial ended {record.termination}"
        reasons.update(diverged_step=why, diverged_learning_rate=why)
        return {}
    steps = [row["step"] for row in record.table("events").to_pylist() if row["event"] == "diverged"]
    step = integer(steps[0]) if steps else None
    if step is None:
        why = "the worker did not say at which step"
        reasons.update(diverged_step=why, diverged_learning_rate=why)
        return {}
    table = record.table("steps")
    rates = dict(zip(table.column("step").to_pylist(), table.column("learning_rate").to_pylist(), strict=True))
    rate = number(rates.get(step))
    if rate is None:
        reasons["diverged_learning_rate"] = f"the table of steps has no step {step}"
    return {"diverged_step": step, "diverged_learning_rate": rate}


def _quality(record: Record, reasons: dict[str, str]) -> dict[str, Any]:
    summary, told = record.summary, record.not_measured
    found: dict[str, Any] = {}
    for column, key in (
        ("final_top1_percent", "top1_percent"),
        ("final_top5_percent", "top5_percent"),
        *((name, name) for name in _SUMMARY),
    ):
        found[column] = summary.get(key)
        if found[column] is None:
            reasons[column] = told.get(key, "the record is of a version that did not measure it")
    evaluations = record.table("evaluations").to_pylist()
    for split, column, choose in (
        ("test", "best_top1_percent", max),
        ("validation", "final_validation_top1_percent", _last),
    ):
        percents = [
            100.0 * top1
            for one in evaluations
            if (one["split"] or "test") == split and (top1 := number(one["top1"])) is not None
        ]
        found[column] = choose(percents) if percents else None
        if not percents:
            reasons[column] = f"no evaluation of the {split} images has a result"
    return found


def _cost(record: Record, reasons: dict[str, str]) -> dict[str, Any]:
    """The whole step function "cost to reach an accuracy": one item for every best evaluation so far."""
    curve, of = [], None
    for percent in _rising(record):
        cost = cost_to_threshold(record, percent)
        curve.append(
            {
                "top1_percent": percent,
                "steps": cost.steps,
                "seconds": cost.seconds,
                "cpu_seconds": cost.cpu_seconds,
                "joules": cost.joules,
            }
        )
        of = "+".join(cost.joules_of) or of
        reasons.update({f"{COST_CURVE}.{name}": why for name, why in cost.reasons.items()})
    if not curve:
        reasons[COST_CURVE] = "no evaluation of the test images found a correct answer"
    joules = training_joules(record)
    if joules.reason:
        reasons["training_joules"] = joules.reason
    return {COST_CURVE: curve, "joules_of": of, "training_joules": joules.value}


def _rising(record: Record) -> Iterator[float]:
    best = 0.0
    for one in record.table("evaluations").to_pylist():
        top1 = number(one["top1"]) if (one["split"] or "test") == "test" else None
        if top1 is not None and 100.0 * top1 > best:
            best = min(100.0 * top1, 100.0)
            yield best


def _last(values: Sequence[float]) -> float:
    return values[-1]


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
