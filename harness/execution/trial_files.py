"""What the harness writes into a trial folder before the worker starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from frameworks.worker.protocol import LEARNING_RATES_FILE, PROTOCOL_VERSION, START_PIPE, TRIAL_FILE, WEIGHTS_FILE
from harness.schedules import candidate_rates, usable_evaluations
from harness.study import Trial
from harness.study.frameworks import Honours
from harness.workloads import initial_weights, parameter_settings, resolve_network


def write_trial_files(
    folder: Path,
    trial: Trial,
    data_folder: str,
    honours: Honours,
    job: tuple[int, Mapping[str, Any]] | None = None,
) -> None:
    """Write `trial.json`, the initial weights and the learning rates: one a step, of a plateau rule for each candidate.

    Args:
        data_folder: the prepared arrays' folder as the worker sees it.
        honours: what of a profile the framework claims to honour, which the worker then verifies.
        job: of several jobs side by side, this one's number and what it is to run; it waits for the others before it
            trains. None for a trial of one job.
    """
    specification = trial.specification if job is None else job[1]
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
    if job is not None:
        content |= {"job": job[0], "start": START_PIPE}
    (folder / TRIAL_FILE).write_text(json.dumps(content, indent=1) + "\n")
    weights: dict[str, Any] = dict(initial_weights(network, setting, specification["seed"]))
    np.savez(folder / WEIGHTS_FILE, **weights)
    every = (setting.get("validation") or {}).get("every_steps")
    looks = usable_evaluations(setting["steps"], every, setting["warm_up_steps"])
    np.save(folder / LEARNING_RATES_FILE, candidate_rates(setting["learning_rate"], setting["steps"], looks))
