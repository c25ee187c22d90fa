"""Rows and records of learning-rate policies with known results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis.policies.columns import column_names
from harness.analysis.policies.naming import canonical_policy, function_of, scaled_policy, text_of
from harness.records import Record, new_trial_folder, publish
from harness.study.trial import canonical_json
from tests import factories

FIX = {"policy": "FIX", "k0": 0.01}
TRI = {"policy": "TRI", "k0": 0.001, "k1": 0.06, "l": 50}
EXP = {"policy": "EXP", "k0": 0.02, "gamma": 0.999}
HOT = {"policy": "FIX", "k0": 5.0}


def make_row(
    policy: dict[str, Any],
    seed: int = 1,
    top1: float | None = 98.0,
    *,
    scale: float = 1.0,
    curve: Sequence[tuple[float, int]] | None = None,
    diverged: tuple[int, float] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A row of the database.

    Args:
        policy: of which the trial ran `scale` times the rate.
        curve: (accuracy in percent, steps) of the best evaluations; default: `top1` after 100 steps.
        diverged: step and rate.
        changes: columns.
    """
    base, own = canonical_policy(policy), scaled_policy(policy, scale)
    points = curve if curve is not None else ([] if top1 is None or diverged else [(top1, 100)])
    row: dict[str, Any] = dict.fromkeys(column_names())
    row.update(
        trial=f"{abs(hash((canonical_json(own), seed, scale, json.dumps(changes, sort_keys=True)))):016x}"[:16],
        study="s",
        repetition=1,
        started_at=f"2026-01-01T10:{seed:02d}:00+00:00",
        dataset="mnist-subset",
        dataset_content_sha256="1" * 64,
        workload="lenet-mnist-subset",
        workload_sha256="w" * 64,
        network="lenet",
        framework="torch",
        framework_version="2.13.0",
        environment="venv",
        setting="caffe-mnist",
        setting_json='{"batch_size":64,"steps":200}',
        batch_size=64,
        steps=200,
        optimizer="{}",
        policy=text_of(own),
        policy_json=canonical_json(own),
        function=function_of(own),
        base_rate_scale=scale,
        base_policy_json=canonical_json(base),
        seed=seed,
        termination="completed",
        final_top1_percent=None if diverged else top1,
        best_top1_percent=None if diverged else top1,
        test_images=2000,
        evaluated_every_steps=50,
        average_confidence=0.9,
        cost_curve=[
            {"top1_percent": percent, "steps": step, "seconds": step / 100, "cpu_seconds": step / 50, "joules": None}
            for percent, step in points
        ],
        certificate="c" * 64,
        profile="local",
        profile_json="{}",
        host="h",
        machine="a machine",
        not_measured=json.dumps({"cost_curve.joules": "no RAPL"}),
    )
    if diverged:
        step, rate = diverged
        row.update(termination="diverged", diverged_step=step, diverged_learning_rate=rate)
    row.update(changes)
    return row


def make_rows(policy: dict[str, Any], top1s: Sequence[float], **changes: Any) -> list[dict[str, Any]]:
    """Rows of the seeds 1, 2, … with these accuracies."""
    return [make_row(policy, seed, top1, **changes) for seed, top1 in enumerate(top1s, 1)]


def publish_policy(
    store: Path,
    policy: dict[str, Any],
    top1s: Sequence[float],
    *,
    framework: str = "torch",
    seed: int = 1,
    termination: str = "completed",
    varied: dict[str, Any] | None = None,
    **of_trial: Any,
) -> Record:
    """A real record of a synthetic trial: 200 steps, evaluated every 100 with these accuracies (fractions)."""
    trial = factories.make_trial(framework, seed, varied={"learning_rate": policy, **(varied or {})}, **of_trial)
    folder = new_trial_folder(store, trial.id)
    timeline = factories.make_timeline(trial, jitter=0)
    evaluations = [event for event in timeline.events if event["event"] == "evaluation"]
    assert len(evaluations) == len(top1s)
    for event, top1 in zip(evaluations, top1s, strict=True):
        event["top1"] = top1
    if termination != "completed":
        factories.end_timeline(timeline, termination)
    factories.write_trial_folder(folder, trial, timeline)
    return publish(factories.make_outcome(folder, trial, timeline, termination), store)


def fill(store: Path, frameworks: Sequence[str] = ("torch",), **of_trial: Any) -> None:
    """FIX and TRI alike, EXP clearly worse, HOT diverged: three seeds each."""
    for framework in frameworks:
        for seed in (1, 2, 3):
            shift = 0.001 * seed
            for policy, first, last in ((FIX, 0.90, 0.97), (TRI, 0.95, 0.9705), (EXP, 0.70, 0.80)):
                last_top1 = round((last + shift + (0.001 if policy is TRI and seed == 2 else 0)) * 2000) / 2000
                publish_policy(store, policy, [first, last_top1], framework=framework, seed=seed, **of_trial)
            publish_policy(store, HOT, [0.1, 0.1], framework=framework, seed=seed, termination="diverged", **of_trial)
