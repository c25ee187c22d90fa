"""What the programs of this folder have in common: the cases that the test has written for them.

They run on a framework's own interpreter. Its NumPy and its framework come first; what dlgauge needs and the
framework's environment lacks (pydantic) is found behind them.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np


class Case:
    """A policy, its trace, and the file that was exported."""

    def __init__(self, folder, name, policy):
        self.name = name
        self.policy = policy
        self.rates = np.load(folder / f"{name}.npy")
        self.path = folder / f"{name}.py"

    def module(self):
        """The exported file as a module, loaded as any user would."""
        spec = importlib.util.spec_from_file_location(f"exported_{self.name}", self.path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module


def cases():
    """The cases in the folder that the first argument names."""
    folder = Path(sys.argv[1])
    return [Case(folder, name, policy) for name, policy in json.loads((folder / "cases.json").read_text()).items()]


def find_dlgauge():
    """Let `harness` be imported."""
    sys.path += sys.argv[2:]


def equal(found, expected, what):
    """Every number the same; else an error that names the first step that is not."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    if not np.array_equal(found, expected):
        step = int(np.flatnonzero(found != expected)[0])
        raise AssertionError(f"{what}: step {step} has {found[step]!r}, not {expected[step]!r}")
