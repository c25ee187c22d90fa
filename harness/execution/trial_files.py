"""What the harness writes into a trial folder before the worker starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from frameworks.worker.protocol import LEARNING_RATES_FILE, PROTOCOL_VERSION, TRIAL_FILE, WEIGHTS_FILE
from harness.schedules import candidate_rates, usable_evaluations
from harness.study import Trial
from harness.study.frameworks import Honours
from harness.workloads import initial_weights, parameter_settings, resolve_network


def write_trial_files(folder: Path, trial: Trial, data_folder: str, honours: Honours) -> None:
    """Write `trial.json`, the initial weights and the learning rates: one a step, of a plateau rule for each candidate.

    Args:
        data_folder: the prepared arrays' folder as the worker sees it.
        honours: what of a profile the framework claims to honour, which the worker then verifies.
    """
    specification = trial.specification
    setting, network = specification["setting"], specification["workload"]["network"]
    content: dict[str, Any] = {
        "protocol": PROTOCOL_VERSION,
        "trial": trial.id,
        "study": trial.study,
        "specification": specification,
        "honours": honours.model_dump(mode="json"),
        "network": {**resolve_network(network), "parameters": parameter_settings(network, setting)},
        "data_folder": data_folder,
    }
    (folder / TRIAL_FILE).write_text(json.dumps(content, indent=1) + "\n")
    weights: dict[str, Any] = dict(initial_weights(network, setting, specification["seed"]))
    np.savez(folder / WEIGHTS_FILE, **weights)
    every = (setting.get("validation") or {}).get("every_steps")
    looks = usable_evaluations(setting["steps"], every, setting["warm_up_steps"])
    np.save(folder / LEARNING_RATES_FILE, candidate_rates(setting["learning_rate"], setting["steps"], looks))
