"""From a study to its plan: trials in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from frameworks.worker.order import derive_seed
from harness.study.model import Cell, Study
from harness.study.roles import CANARY_SEED, SECOND_ARM, CanaryPlace, Side
from harness.study.specification import FrameworkIdentity, Specification
from harness.study.trial import Plan, Trial, UnsupportedCell
from harness.workloads.settings import rules_without_layer


def make_plan(study: Study) -> Plan:
    """Randomised complete blocks: one block a seed, each with every cell once, in an order of its own.

    The order is drawn from the study's name and the seed, so that slow changes of the machine (heat, other users) meet
    all cells alike, and the same study has the same plan everywhere. Trials of equal specification run once. The cells
    of an A/A framework stand twice in every block, each arm at a place of its own. Of a study with `repeats` the plan
    is that of its pilot.
    """
    trials: dict[str, Trial] = {}
    notes: list[str] = [*study.notes, *_rules_for_nothing(study)]
    for trial in _in_order(study):
        if same := trials.get(trial.id):
            notes.append(f"{trial.label}: the same trial as {same.label} ({trial.id}); it runs once")
        else:
            trials[trial.id] = trial
    cells = [*study.cells, *([study.canary.cell] if study.canary else [])]
    unsupported = [
        UnsupportedCell(description=cell.label, what=cell.obstacle[0], why=cell.obstacle[1])
        for cell in cells
        if cell.obstacle
    ]
    return Plan(
        study=study.name,
        trials=tuple(trials.values()),
        unsupported=tuple(unsupported),
        left_out=study.left_out,
        notes=tuple(notes),
    )


def _in_order(study: Study) -> Iterator[Trial]:
    """All trials: block by block, canaries at their borders."""
    slots = _slots(study)
    for position, seed in enumerate(study.seeds):
        first, last = position == 0, position == len(study.seeds) - 1
        yield from _canary(study, seed, "before", at_end=first)
        for index in _block_order(study, seed, len(slots)):
            cell, arm = slots[index]
            if not cell.obstacle:
                yield _trial(study, cell, seed, arm)
        yield from _canary(study, seed, "after", at_end=last)


def _slots(study: Study) -> list[tuple[Cell, int | None]]:
    """The places of a block: every cell, then the second arms of those that have one."""
    second = [(cell, SECOND_ARM) for cell in study.cells if cell.framework.name in study.a_a]
    return [*((cell, None) for cell in study.cells), *second]


def _rules_for_nothing(study: Study) -> list[str]:
    """Rules of a setting that no layer of the network is named in: a slip, or a setting made for another network."""
    pairs = {(cell.workload.name, cell.setting.name): cell for cell in study.cells}
    return [
        f"setting {setting!r} has a rule for {', '.join(rule.layers)}, which network {cell.workload.network.name!r} of "
        f"workload {workload!r} does not have; it is not applied there"
        for (workload, setting), cell in pairs.items()
        for rule in rules_without_layer(cell.workload.network, cell.setting)
    ]


def _block_order(study: Study, seed: int, slots: int) -> list[int]:
    """The order of a block's places; unsupported cells take part, so that the others keep theirs without them."""
    random = np.random.RandomState(derive_seed(seed, f"plan/{study.name}"))
    return [int(index) for index in random.permutation(slots)]


def _trial(study: Study, cell: Cell, seed: int, arm: int | None = None) -> Trial:
    parts = [cell.label, *([f"arm {arm}"] if arm else []), f"seed {seed}"]
    return _made(study, cell, " · ".join(parts), seed=seed, arm=arm)


def _canary(study: Study, block: int, side: Side, *, at_end: bool) -> Iterator[Trial]:
    """The canary on one side of a block, where there is one; `at_end`: whether it is an end of the study too."""
    canary = study.canary
    if canary and not canary.cell.obstacle and (at_end or canary.around == "block"):
        label = f"{canary.cell.label} · {side} seed {block}"
        yield _made(study, canary.cell, label, seed=CANARY_SEED, canary=CanaryPlace(block=block, when=side))


def _made(study: Study, cell: Cell, label: str, *, seed: int, **role: Any) -> Trial:
    specification = Specification(
        framework=FrameworkIdentity.of(cell.framework),
        workload=cell.workload,
        setting=cell.setting,
        profile=cell.profile,
        seed=seed,
        time_limit_s=study.time_limit_s,
        co_location=cell.co_location,
        **role,
    )
    return Trial(
        study=study.name,
        label=label,
        specification=specification.as_json(),
        varied=cell.varied,
        overrides=cell.overrides,
    )
