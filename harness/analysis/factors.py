"""Factors: what a study varies and what a trial's specification says, as one flat row for a table of observations.

A study's `vary` names keys of setting and profile in its own words (`rate`, `threads`, `learning_rate` with a whole
policy); here every record has the same columns, so that records of several studies stand in one table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.cells import STRING_FORM, plain_value
from harness.errors import DlgaugeError
from harness.schedules import PolicyError, plain_values
from harness.workloads import parameter_count, shapes, training_flops

IDENTITY_FACTORS = ("framework", "framework_version", "environment", "workload", "setting", "profile")
"""Factors by name: parts of the specification that a study lists rather than varies."""

FACTORS = (
    "batch_size",
    "learning_rate",
    "policy",
    "optimizer",
    "momentum",
    "weight_decay",
    "steps",
    "cpus",
    "threads",
    "blas",
    "precision",
    "memory_bytes",
    "price_per_hour",
    "network",
    "dataset",
)
"""Columns of the hyper-parameters and of the profile that every record has."""

NETWORK_COUNTS = ("parameters", "activation_values_per_sample", "flops_per_sample")
"""Columns that follow from the network alone."""

COLUMN_OF_KEY = {
    "rate": ("learning_rate",),
    "learning_rate": ("policy", "learning_rate"),
    "learning_rate.k0": ("learning_rate",),
    "learning_rate.policy": ("policy",),
    "optimizer": ("momentum", "weight_decay", "optimizer"),
    "optimizer.kind": ("optimizer",),
    "optimizer.momentum": ("momentum",),
    "optimizer.weight_decay": ("weight_decay",),
    "memory": ("memory_bytes",),
    "threads": ("threads",),
    "threads.intra_op": ("threads",),
}
"""Key of a study -> the columns that hold what it varies, where that is not the one of its name. Of a section that may
also be given as one plain value the last column is that value's."""

NO_NETWORK = "the specification has no network whose parts could be counted"


@dataclass(frozen=True)
class NetworkCounts:
    """What a network asks for, by itself.

    Attributes:
        parameters: numbers that are trained.
        activation_values_per_sample: elements of the outputs of all layers and of the input, for one image.
        flops_per_sample: floating-point operations of the multiply-adds for one image in training, a multiply-add
            counted as two (`harness.workloads.training_flops`): what `achieved_flops_per_s` counts.
        missing: why the three are None; None where they are known.
    """

    parameters: int | None
    activation_values_per_sample: int | None
    flops_per_sample: int | None
    missing: str | None = None


def network_counts(network: Any) -> NetworkCounts:
    """Count a specification's network; never an error: a network that cannot be counted says why."""
    if not isinstance(network, Mapping):
        return NetworkCounts(None, None, None, NO_NETWORK)
    try:
        outputs = shapes(network).values()
        values = sum(math.prod(shape) for shape in (tuple(network["input"]), *outputs))
        return NetworkCounts(parameter_count(network), values, training_flops(network))
    except (KeyError, TypeError, ValueError, DlgaugeError) as error:
        return NetworkCounts(None, None, None, f"{NO_NETWORK}: {error}")


def factors_of(specification: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `FACTORS` of a record; None where the specification does not tell.

    Args:
        specification: of the trial (docs/architecture.md, section 2).
        manifest: of its record; of it only what the worker found in force counts.
    """
    workload, setting = _part(specification, "workload"), _part(specification, "setting")
    profile, optimizer, rate = (
        _part(specification, "profile"),
        _part(setting, "optimizer"),
        _part(setting, "learning_rate"),
    )
    cpus = profile.get("cpus")
    return {
        "batch_size": setting.get("batch_size"),
        "learning_rate": rate.get("k0"),
        "policy": rate.get("policy"),
        "optimizer": optimizer.get("kind"),
        "momentum": optimizer.get("momentum"),
        "weight_decay": optimizer.get("weight_decay"),
        "steps": setting.get("steps"),
        "cpus": len(cpus) if isinstance(cpus, list | tuple) else None,
        "threads": _part(profile, "threads").get("intra_op"),
        "blas": blas_in_force(manifest) or profile.get("blas"),
        "precision": profile.get("precision"),
        "memory_bytes": profile.get("memory_bytes"),
        "price_per_hour": profile.get("price_per_hour"),
        "network": _part(workload, "network").get("name"),
        "dataset": _part(workload, "dataset").get("name"),
    }


def blas_in_force(manifest: Mapping[str, Any]) -> str | None:
    """The library that the worker found at work; None where the record does not tell."""
    told = _part(_part(manifest, "framework"), "library").get("name")
    if told:
        return str(told)
    keys = manifest.get("profile_in_force")
    for one in keys if isinstance(keys, list) else ():
        if isinstance(one, Mapping) and one.get("key") == "blas" and isinstance(one.get("found"), str):
            return str(one["found"])
    return None


def varied_columns(varied: Mapping[str, Any], taken: tuple[str, ...]) -> dict[str, Any]:
    """The columns that what a study varied adds to a row.

    A key whose value stands in a column of `FACTORS` adds `varied.NAME` with the value as text only where the value
    is a whole section (a policy, an optimizer, a list of CPUs), of which the column holds a part. Every other key adds
    its own value under its own name, or under `varied.NAME` where a column of that name exists.

    Args:
        varied: key -> value, as the record has them.
        taken: names of the columns that exist.
    """
    columns: dict[str, Any] = {}
    for name, value in varied.items():
        if targets_of(name):
            if not _is_plain(value) or _is_policy_text(value):
                columns[f"varied.{name}"] = section_text(value)
        else:
            columns[f"varied.{name}" if name in taken else name] = value if _is_plain(value) else section_text(value)
    return columns


def targets_of(name: str) -> tuple[str, ...]:
    """The columns of `FACTORS` that hold what a key of a study varies; empty where none does."""
    return COLUMN_OF_KEY.get(name, (name,) if name in FACTORS else ())


def section_text(value: Any) -> str:
    """A policy, an optimizer or a list as short text; a policy in LRBench's string form like the same as a mapping."""
    if _is_policy_text(value):
        try:
            value = plain_values(value)
        except PolicyError:
            return str(value)
    return plain_value(value)


def _is_policy_text(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(STRING_FORM)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def named_factors(specification: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `IDENTITY_FACTORS` of a record; None where the specification does not tell."""
    framework = _part(specification, "framework")
    return {
        "framework": framework.get("name"),
        "framework_version": framework.get("version"),
        "environment": framework.get("environment"),
        **{part: _part(specification, part).get("name") for part in ("workload", "setting", "profile")},
    }


def network_of(specification: Mapping[str, Any]) -> Any:
    """The network of a specification; None where it has none."""
    return _part(specification, "workload").get("network")


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}
