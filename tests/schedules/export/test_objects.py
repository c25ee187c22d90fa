"""Exports where no framework is, and long ones."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

from harness.errors import DlgaugeError
from harness.schedules import parse_policy
from harness.schedules.export import csv_lines, keras_schedule, objects, optax_schedule, python_file, torch_scheduler

FIX = {"policy": "FIX", "k0": 0.1}


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("torch", lambda: torch_scheduler(FIX, None, 5)),
        ("keras", lambda: keras_schedule(FIX, 5)),
        ("jax", lambda: optax_schedule(FIX, 5)),
    ],
)
def test_a_missing_framework_is_named_with_the_way_out(package: str, call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DlgaugeError, match=f"no {package}\n.*dlgauge lr export"):
        call()


def test_another_missing_module_is_not_blamed_on_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'typing_extensions'", name="typing_extensions")

    monkeypatch.setattr(objects.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="typing_extensions"):
        keras_schedule(FIX, 5)


def test_steps_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="steps=0 should be at least 1"):
        keras_schedule(FIX, 0)


def test_importing_the_exports_imports_no_framework() -> None:
    program = (
        "import sys, harness.schedules.export, harness.cli.main; "
        "print([name for name in ('torch', 'keras', 'tensorflow', 'jax', 'optax') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_csv_is_whole_over_its_pieces() -> None:
    rates = parse_policy("lrPolicy_SINEXP+k0_0.1+k1_0.3+gamma_0.999+l_77").trace(25_001)
    lines = "".join(csv_lines(rates)).splitlines()
    assert lines[0] == "step,learning_rate"
    assert lines[10_001].startswith("10000,")
    assert np.array_equal([float(line.split(",")[1]) for line in lines[1:]], rates)


@pytest.mark.parametrize("target", ["torch", "keras", "optax"])
def test_what_a_file_says_about_its_policy_is_data(target: str) -> None:
    source = python_file(target, '"""\nimport os', np.array([0.1, 0.2]))
    assert "\nimport os" not in source
    compile(source, "exported.py", "exec")
