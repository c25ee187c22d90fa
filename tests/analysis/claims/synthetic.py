"""Claims and records in memory, with values that a test chooses: nothing is measured and nothing written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.claims import Claim, Evaluation, evaluate_claim
from harness.analysis.claims.model import ClaimEntry, Published
from harness.analysis.observations import observe
from harness.records import SUMMARY_KEYS, Record
from tests.synthetic import MACHINE, VERSIONS

TIME = "training_time_s"
TOP1 = "top1_percent"


def record(
    framework: str = "torch",
    block: int = 1,
    outcomes: Mapping[str, float] | None = None,
    *,
    workload: str = "lenet-mnist",
    setting: str = "caffe-mnist",
    dataset: str = "mnist",
    content: str = "c0ffee" * 10,
    host: str = "bench-1",
    policy: str = "INV",
    batch_size: int = 64,
    steps: int = 100,
    profile: str = "local",
    version: str | None = None,
    study: str = "demo",
    termination: str = "completed",
    reason: str | None = None,
    certificate: str | None = "ce27" * 16,
    varied: Mapping[str, Any] | None = None,
    started_at: str = "2026-03-01T10:00:00+00:00",
    not_measured: Mapping[str, str] | None = None,
) -> Record:
    """A record of one trial."""
    specification = {
        "framework": {"name": framework, "version": version or VERSIONS[framework], "environment": "venv"},
        "workload": {
            "name": workload,
            "dataset": {"name": dataset, "content_sha256": content},
            "network": {"name": "lenet"},
        },
        "setting": {
            "name": setting,
            "steps": steps,
            "batch_size": batch_size,
            "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0},
            "learning_rate": {"policy": policy, "k0": 0.01},
        },
        "profile": {"name": profile, "cpus": [0, 1], "gpus": 0, "threads": {"intra_op": 2}, "precision": "float32"},
        "seed": block,
    }
    trial = hashlib.sha256(json.dumps([study, specification]).encode()).hexdigest()[:16]
    manifest = {
        "trial": trial,
        "repetition": 1,
        "study": study,
        "label": f"{framework} · {workload} · {setting} · seed {block}",
        "varied": dict(varied or {}),
        "overrides": {},
        "started_at": started_at,
        "specification": specification,
        "termination": {"kind": termination, "reason": reason, "exit_status": 0, "signal": None, "log_tail": []},
        "framework": {},
        "host": {"machine": {**MACHINE, "hostname": host}},
        "environment": {"code_sha256": "ab12" * 16},
        "summary": {**dict.fromkeys(SUMMARY_KEYS), **(outcomes or {})},
        "not_measured": dict(not_measured or {}),
        "parity": {"certificate": certificate},
    }
    return Record(Path("/no-such-store") / study / trial, manifest)


def records(framework: str, values: Sequence[float], outcome: str = TIME, **options: Any) -> list[Record]:
    """One record a block, blocks counted from 1."""
    return [record(framework, block, {outcome: value}, **options) for block, value in enumerate(values, 1)]


def claim(
    relation: Mapping[str, Any],
    cells: Sequence[str] | Mapping[str, Any] | None = None,
    outcome: str | None = TIME,
    *,
    published: Mapping[str, Any] | None = None,
    **entry: Any,
) -> Claim:
    """A claim; cells given as names are of the frameworks of these names."""
    if cells is not None:
        made = cells if isinstance(cells, Mapping) else {name: {"select": {"framework": name}} for name in cells}
        entry["cells"] = made
    values = {"claim": "c", "finding": "f", "source": {"place": "p"}, "relation": relation, **entry}
    if outcome is not None:
        values["outcome"] = outcome
    return Claim("t", "paper", Path("t.yaml"), 1, ClaimEntry.model_validate(values), Published(**(published or {})))


def verdict(one: Claim, found: Sequence[Record]) -> Evaluation:
    """The only evaluation of a claim on these records."""
    (evaluation,) = evaluate_claim(one, observe(found))
    return evaluation
