"""Which parity certificate covers a trial."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.records.certificates import covering_certificate, keep_certificate, subject_sha256
from harness.workloads import load_setting, load_workload

CODE = "c0de" * 16


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLGAUGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def specification() -> dict[str, Any]:
    return {
        "framework": {"name": "torch", "version": "2.13.0", "environment": "venv", "environment_sha256": "e" * 64},
        "workload": load_workload("lenet-mnist-subset").model_dump(mode="json"),
        "setting": load_setting("caffe-mnist").model_dump(mode="json"),
    }


def certificate(specification: dict[str, Any], **changes: Any) -> dict[str, Any]:
    own = {
        **{key: specification["framework"][key] for key in ("version", "environment_sha256")},
        "code_sha256": CODE,
        "verdict": "agrees",
        **changes,
    }
    workload = specification["workload"]
    subject = subject_sha256(workload["network"], specification["setting"], workload["loss"])
    return {"subject_sha256": subject, "made_at": "2026-03-01T10:00:00+00:00", "frameworks": {"torch": own}}


def test_a_certificate_covers_the_trial_it_is_about(specification: dict[str, Any]) -> None:
    assert covering_certificate(specification, CODE) is None
    sha256, path = keep_certificate(certificate(specification))
    assert path.name == f"{sha256}.json"
    assert covering_certificate(specification, CODE) == sha256


@pytest.mark.parametrize(
    "changes", [{"verdict": "differs"}, {"version": "2.12.0"}, {"environment_sha256": "f" * 64}, {"code_sha256": "0"}]
)
def test_of_another_version_or_verdict_it_does_not(specification: dict[str, Any], changes: dict[str, Any]) -> None:
    keep_certificate(certificate(specification, **changes))
    assert covering_certificate(specification, CODE) is None


def more_filters(specification: dict[str, Any]) -> None:
    specification["workload"]["network"]["layers"][0]["filters"] = 21


def other_decay(specification: dict[str, Any]) -> None:
    specification["setting"]["optimizer"]["weight_decay"] = 0.001


def other_multiplier(specification: dict[str, Any]) -> None:
    specification["setting"]["multipliers"]["biases"]["rate"] = 1.0


@pytest.mark.parametrize("change", [more_filters, other_decay, other_multiplier])
def test_of_another_network_or_optimizer_it_does_not(
    specification: dict[str, Any], change: Callable[[dict[str, Any]], None]
) -> None:
    keep_certificate(certificate(specification))
    changed = copy.deepcopy(specification)
    change(changed)
    assert covering_certificate(changed, CODE) is None


def test_rates_batches_and_lengths_are_the_harness_s_and_need_no_certificate_of_their_own(
    specification: dict[str, Any],
) -> None:
    sha256, _ = keep_certificate(certificate(specification))
    specification["setting"].update(steps=17, batch_size=32, learning_rate={"policy": "FIX", "k0": 0.5})
    assert covering_certificate(specification, CODE) == sha256


@pytest.mark.parametrize(
    ("proven", "trial", "covers"),
    [
        (None, {"blas": None, "precision": "float32"}, True),
        (None, {"blas": "mkl", "precision": "float32"}, False),
        (None, {"blas": None, "precision": "float64"}, False),
        ({"name": "mkl", "blas": "mkl", "precision": "float32"}, {"blas": "mkl", "precision": "float32"}, True),
        ({"name": "mkl", "blas": "mkl", "precision": "float32"}, {"blas": None, "precision": "float32"}, False),
        ({"name": "mkl", "blas": "mkl", "precision": "float32"}, {"blas": "openblas", "precision": "float32"}, False),
        ({"name": "f64", "blas": None, "precision": "float64"}, {"blas": None, "precision": "float32"}, False),
    ],
)
def test_it_covers_trials_of_its_own_library_and_precision(
    specification: dict[str, Any], proven: dict[str, Any] | None, trial: dict[str, Any], covers: bool
) -> None:
    sha256, _ = keep_certificate({**certificate(specification), "profile": proven})
    specification["profile"] = {"name": "any", "threads": {"intra_op": 3, "inter_op": 1}, **trial}
    assert covering_certificate(specification, CODE) == (sha256 if covers else None)


def test_a_damaged_certificate_proves_nothing(specification: dict[str, Any]) -> None:
    _, path = keep_certificate(certificate(specification))
    path.write_text(path.read_text()[:-20])
    assert covering_certificate(specification, CODE) is None
