"""`dlgauge lr verify` on a real framework: a rate that is far too small is seen to be worse than a good one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records import Store


@pytest.mark.slow
def test_a_rate_that_is_far_too_small_is_seen_and_nothing_runs_twice(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-c", "from harness.cli.main import main; main()", "lr", "verify", "lrPolicy_FIX+k0_0.0001"),
        *("--workload", "lenet-mnist-subset", "--setting", "caffe-mnist", "--framework", "torch", "--steps", "40"),
        *("--seeds", "1", "--hold-out", "1000", "--neighbours", "k0=50", "--store", str(tmp_path), "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    verdict = json.loads(done.stdout)
    assert done.returncode == 3, done.stderr
    assert verdict["answer"] == "undecided"  # one seed decides nothing
    differences = {one["name"]: one["difference"]["mean"] for one in verdict["tried"]}
    assert differences["k0 x 50"] > 10
    assert differences["k0 / 50"] < 10
    assert verdict["measure"] == "validation"
    assert {record.termination for record in Store(tmp_path).records()} == {"completed"}
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout) == verdict
    assert len(Store(tmp_path).records(latest=False)) == 3
