"""From each version of the manifest to the next: older records stay readable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import DlgaugeError
from harness.records.overlap import ALONE
from harness.records.quality import SUMMARY_OF_QUALITY, quality_flags
from harness.records.summary_keys import CONFIDENCE_KEYS
from harness.records.validation import NO_VALIDATION, VALIDATION_KEYS
from harness.workloads import training_flops

NOT_BEFORE_4 = "records of schema version 3 and older did not hold it"


OVERLAP_KEYS = ("overlap_fraction", "overlap_samples_per_s")

NOT_BEFORE_5 = "records of schema version 4 and older did not hold it"


def specified_training_flops(specification: Mapping[str, Any]) -> int | None:
    """Operations of the network for one image in training; None where there is no network to count."""
    try:
        return training_flops(specification["workload"]["network"])
    except (KeyError, TypeError, ValueError, DlgaugeError):  # a specification that no plan of this version made
        return None


def _from_1(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has `parity` and the summary key `achieved_flops_per_s`, which follows from what version 1 has."""
    summary, reasons = manifest.get("summary"), manifest.get("not_measured")
    if isinstance(summary, dict) and isinstance(reasons, dict):
        flops, samples_per_s = (
            specified_training_flops(manifest.get("specification") or {}),
            summary.get("samples_per_s"),
        )
        achieved = None if flops is None or samples_per_s is None else flops * samples_per_s
        summary = {**summary, "achieved_flops_per_s": achieved}
        if achieved is None:
            why = reasons.get("samples_per_s", "the specification has no network whose work could be counted")
            reasons = {**reasons, "achieved_flops_per_s": why}
        manifest = {**manifest, "summary": summary, "not_measured": reasons}
    return {**manifest, "parity": {"certificate": None}}


def _from_2(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has the summary keys of validation; before it no setting could hold images out."""
    summary, reasons = manifest.get("summary"), manifest.get("not_measured")
    if isinstance(summary, dict) and isinstance(reasons, dict):
        none = dict.fromkeys(VALIDATION_KEYS)
        why = dict.fromkeys(VALIDATION_KEYS, NO_VALIDATION)
        manifest = {**manifest, "summary": {**none, **summary}, "not_measured": {**why, **reasons}}
    return manifest


def _from_3(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 4 says more of the sampling; what version 3 held of it stays, the rest it never measured."""
    summary, reasons = manifest.get("summary"), manifest.get("not_measured")
    if not isinstance(summary, dict) or not isinstance(reasons, dict):
        return manifest
    told = manifest.get("sampling")
    sampling = dict(told) if isinstance(told, dict) else {}
    audit = sampling.get("audit")
    known = {
        "ticks_skipped": sampling.get("ticks_skipped"),
        "cpu_disagreement_fraction": audit.get("disagreement_fraction") if isinstance(audit, dict) else None,
    }
    values = {key: known.get(key) for key in SUMMARY_OF_QUALITY}
    why = {key: NOT_BEFORE_4 for key, value in values.items() if value is None and summary.get(key) is None}
    if manifest.get("disturbances") is None:
        why["disturbances"] = NOT_BEFORE_4
    return {
        **{"unmarked": [], "phase_sums": {}, "disturbances": None},
        **manifest,
        "summary": {**values, **summary},
        "not_measured": {**why, **reasons},
        "sampling": {**sampling, "flags": quality_flags(sampling)},
    }


def _from_4(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 5 has the confidences of the last evaluation, which nobody can work out without its probabilities."""
    summary, reasons = manifest.get("summary"), manifest.get("not_measured")
    if isinstance(summary, dict) and isinstance(reasons, dict):
        none, why = dict.fromkeys(CONFIDENCE_KEYS), dict.fromkeys(CONFIDENCE_KEYS, NOT_BEFORE_5)
        manifest = {**manifest, "summary": {**none, **summary}, "not_measured": {**why, **reasons}}
    return manifest


def _from_5(manifest: dict[str, Any]) -> dict[str, Any]:
    """Version 6 has the overlap of jobs side by side; before it every trial was one job."""
    summary, reasons = manifest.get("summary"), manifest.get("not_measured")
    if isinstance(summary, dict) and isinstance(reasons, dict):
        none, why = dict.fromkeys(OVERLAP_KEYS), dict.fromkeys(OVERLAP_KEYS, ALONE)
        manifest = {**manifest, "summary": {**none, **summary}, "not_measured": {**why, **reasons}}
    return manifest


UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
}
"""Version -> what makes a manifest of that version one of the next."""
