"""From a study to its plan: trials in the order in which they run."""

from __future__ import annotations

import numpy as np

from frameworks.worker.order import derive_seed
from harness.study.model import Cell, Study
from harness.study.specification import FrameworkIdentity, Specification
from harness.study.trial import Plan, Trial, UnsupportedCell
from harness.workloads.settings import rules_without_layer


def make_plan(study: Study) -> Plan:
    """Randomised complete blocks: one block a seed, each with every cell once, in an order of its own.

    The order is drawn from the study's name and the seed, so that slow changes of the machine (heat, other users) meet
    all cells alike, and the same study has the same plan everywhere. Trials of equal specification run once.
    """
    trials: dict[str, Trial] = {}
    notes: list[str] = _rules_for_nothing(study)
    for seed in study.seeds:
        for index in _block_order(study, seed):
            cell = study.cells[index]
            if cell.obstacle:
                continue
            trial = _trial(study, cell, seed)
            if same := trials.get(trial.id):
                notes.append(f"{trial.label}: the same trial as {same.label} ({trial.id}); it runs once")
            else:
                trials[trial.id] = trial
    unsupported = [
        UnsupportedCell(description=cell.label, what=cell.obstacle[0], why=cell.obstacle[1])
        for cell in study.cells
        if cell.obstacle
    ]
    return Plan(study=study.name, trials=tuple(trials.values()), unsupported=tuple(unsupported), notes=tuple(notes))


def _rules_for_nothing(study: Study) -> list[str]:
    """Rules of a setting that no layer of the network is named in: a slip, or a setting made for another network."""
    pairs = {(cell.workload.name, cell.setting.name): cell for cell in study.cells}
    return [
        f"setting {setting!r} has a rule for {', '.join(rule.layers)}, which network {cell.workload.network.name!r} of "
        f"workload {workload!r} does not have; it is not applied there"
        for (workload, setting), cell in pairs.items()
        for rule in rules_without_layer(cell.workload.network, cell.setting)
    ]


def _block_order(study: Study, seed: int) -> list[int]:
    """The order of all cells in a block; unsupported ones take part, so that the others keep theirs without them."""
    random = np.random.RandomState(derive_seed(seed, f"plan/{study.name}"))
    return [int(index) for index in random.permutation(len(study.cells))]


def _trial(study: Study, cell: Cell, seed: int) -> Trial:
    specification = Specification(
        framework=FrameworkIdentity.of(cell.framework),
        workload=cell.workload,
        setting=cell.setting,
        profile=cell.profile,
        seed=seed,
        time_limit_s=study.time_limit_s,
        co_location=cell.co_location,
    )
    label = f"{cell.label} · seed {seed}"
    return Trial(
        study=study.name,
        label=label,
        specification=specification.as_json(),
        varied=cell.varied,
        overrides=cell.overrides,
    )
