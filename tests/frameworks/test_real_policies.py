"""`dlgauge lr verify` on a real framework: a rate that is far too small is told from a good one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.records import Store


@pytest.mark.slow
def test_a_rate_that_is_far_too_small_is_not_near_optimal(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-c", "from harness.cli.main import main; main()", "lr", "verify", "lrPolicy_FIX+k0_0.0001"),
        *("--workload", "lenet-mnist-subset", "--setting", "caffe-mnist", "--framework", "torch"),
        *("--steps", "40", "--seeds", "3", "--hold-out", "1000", "--neighbours", "k0=50", "--store", str(tmp_path)),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    verdict = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert verdict["answer"] == "not"
    assert verdict["sentence"].startswith("k0 x 50 (lrPolicy_FIX+k0_0.005) is better by ")
    assert verdict["measure"] == "validation"
    assert {record.termination for record in Store(tmp_path).records()} == {"completed"}
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert json.loads(again.stdout) == verdict  # from the records: nothing ran again
    assert len(Store(tmp_path).records()) == 9
