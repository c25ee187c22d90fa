"""What a worker finds in its trial folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from frameworks.worker.protocol import PROTOCOL_VERSION
from harness.execution.trial_files import write_trial_files
from harness.schedules import learning_rates
from harness.study import load_study, make_plan
from harness.study.frameworks import Honours
from harness.workloads import initial_weights, parameters, resolve_network


def test_the_resolved_network_weights_and_rates(tmp_path: Path) -> None:
    trial = make_plan(load_study("quickstart", cpus=(0, 1))).trials[0]
    write_trial_files(tmp_path, trial, "/data", Honours(threads=("intra_op",)))
    content = json.loads((tmp_path / "trial.json").read_text())
    assert set(content) == {"protocol", "trial", "study", "specification", "network", "data_folder", "honours"}
    assert content["honours"]["threads"] == ["intra_op"]
    assert (content["protocol"], content["trial"], content["data_folder"]) == (PROTOCOL_VERSION, trial.id, "/data")
    assert content["specification"] == trial.specification

    network, setting = trial.specification["workload"]["network"], trial.specification["setting"]
    own = content["network"].pop("parameters")
    assert content["network"] == json.loads(json.dumps(resolve_network(network)))
    assert list(own) == list(parameters(network))
    assert own["conv1.weights"] == {"rate": 1.0, "weight_decay": 0.0005}
    assert own["conv1.biases"] == {"rate": 2.0, "weight_decay": 0.0005}

    weights = initial_weights(network, setting, trial.specification["seed"])
    with np.load(tmp_path / "weights.npz") as archive:
        assert archive.files == list(weights)
        for name, array in weights.items():
            np.testing.assert_array_equal(archive[name], array)
    rates = np.load(tmp_path / "learning_rates.npy")
    np.testing.assert_array_equal(rates, learning_rates(setting["learning_rate"], setting["steps"]))
