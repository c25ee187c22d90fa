"""Every function as an object of Torch, Keras and optax, in the real framework, against its trace."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.execution.venvs import VenvEnvironment
from harness.paths import PROJECT_ROOT
from harness.schedules import FUNCTIONS, learning_rates, parse_policy, string_form
from harness.schedules.export import python_file
from harness.study.frameworks import FrameworkDescription, load_framework

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
STEPS = 130
TIME_LIMIT_S = 900
PLACES = {
    "torch": PROJECT_ROOT / "frameworks" / "torch",
    "keras": PROJECT_ROOT / "frameworks" / "tensorflow",
    "optax": HERE / "environments" / "optax",
}


def policies() -> dict[str, Any]:
    """Every function with the parameters of its example, made short, and what is no function of the table."""
    found: dict[str, Any] = {name: {"policy": name, **_shortened(function.example)} for name, function in FUNCTIONS.items()}
    found["COS_in_code"] = {**found["COS"], "compat": "lrbench"}
    found["composite"] = "lrPolicy_SINEXP+k0_0.1+k1_0.3+gamma_0.94+l_5-lrPolicy_FIX+k0_0.5-AT-11"
    found["warm_up"] = {"policy": "WARM_UP", "start": 0.0, "steps": 10, "then": found["POLY"]}
    return found


def _shortened(example: Mapping[str, Any]) -> dict[str, Any]:
    """Corners and restarts lie within the steps of the test, at no round place."""
    lengths = example.get("l")
    if lengths is None:
        return dict(example)
    return {**example, "l": [13, 40, 77] if isinstance(lengths, (list, tuple)) else 37}


def environment(framework: FrameworkDescription) -> VenvEnvironment:
    made = VenvEnvironment(framework)
    made.prepare(print)
    return made


@pytest.mark.parametrize("target", PLACES)
def test_every_policy_is_its_trace(target: str, tmp_path: Path) -> None:
    python = environment(load_framework(PLACES[target])).python
    written = policies()
    for name, value in written.items():
        policy = parse_policy(value)
        rates = learning_rates(policy, STEPS)
        np.save(tmp_path / f"{name}.npy", rates)
        (tmp_path / f"{name}.py").write_text(python_file(target, string_form(policy), rates))
    (tmp_path / "cases.json").write_text(json.dumps(written))
    paths = [str(PROJECT_ROOT), sysconfig.get_path("purelib")]
    result = subprocess.run(
        [str(python), str(PROGRAMS / f"with_{target}.py"), str(tmp_path), *paths],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"{len(written)} cases" in result.stdout


def test_jax_is_the_one_that_is_measured() -> None:
    measured = (PROJECT_ROOT / "frameworks" / "jax" / "requirements.txt").read_text().split()
    here = (PLACES["optax"] / "requirements.txt").read_text().split()
    assert set(measured) <= set(here)
