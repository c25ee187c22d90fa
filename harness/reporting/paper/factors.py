"""Factors with numeric levels: what can stand on the horizontal axis of a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis import Cell
from harness.errors import DlgaugeError
from harness.validation import nearest


@dataclass(frozen=True)
class Factor:
    """A hyper-parameter or profile key that can stand on a numeric axis.

    Attributes:
        name: as `--over` has it.
        title, unit: of the axis.
        takes_in: keys of `vary` that it stands for: they name no panel of their own.
        level: from a specification; None where it has none.
    """

    name: str
    title: str
    unit: str
    takes_in: tuple[str, ...]
    level: Callable[[Mapping[str, Any]], float | None]

    @property
    def axis(self) -> str:
        """The label of its axis, with the unit."""
        return f"{self.title} ({self.unit})"


def _at(specification: Mapping[str, Any], *path: str) -> Any:
    value: Any = specification
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _of(*path: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda specification: _number(_at(specification, *path))


def _epochs(specification: Mapping[str, Any]) -> float | None:
    """Passes over the images that train: steps × batch size ÷ (training images − those held out)."""
    steps, batch = _of("setting", "steps")(specification), _of("setting", "batch_size")(specification)
    images = _of("workload", "dataset", "train")(specification)
    held_out = _of("setting", "validation", "images")(specification) or 0.0
    if steps is None or batch is None or not images or images <= held_out:
        return None
    return steps * batch / (images - held_out)


def _cpus(specification: Mapping[str, Any]) -> float | None:
    cpus = _at(specification, "profile", "cpus")
    return float(len(cpus)) if isinstance(cpus, list) else _number(cpus)


def _gibibytes(specification: Mapping[str, Any]) -> float | None:
    size = _of("profile", "memory_bytes")(specification)
    return None if size is None else size / 1024**3


_LENGTHS = ("steps", "epochs", "length_share")
_RATE = ("learning_rate", "learning_rate.k0", "base_rate_scale")

FACTORS: dict[str, Factor] = {
    one.name: one
    for one in (
        Factor("batch_size", "batch size", "images", ("batch_size",), _of("setting", "batch_size")),
        Factor("learning_rate", "learning rate k0", "no unit", _RATE, _of("setting", "learning_rate", "k0")),
        Factor("epochs", "epochs", "passes over the training images", _LENGTHS, _epochs),
        Factor("steps", "training steps", "mini-batches", _LENGTHS, _of("setting", "steps")),
        Factor("momentum", "momentum", "no unit", ("optimizer.momentum",), _of("setting", "optimizer", "momentum")),
        Factor(
            "weight_decay",
            "weight decay",
            "no unit",
            ("optimizer.weight_decay",),
            _of("setting", "optimizer", "weight_decay"),
        ),
        Factor(
            "threads",
            "threads in an operation",
            "count",
            ("threads", "threads.intra_op"),
            _of("profile", "threads", "intra_op"),
        ),
        Factor("cpus", "CPUs", "count", ("cpus",), _cpus),
        Factor("memory", "memory limit", "GiB", ("memory",), _gibibytes),
    )
}
OF_THE_PROFILE = ("threads", "cpus", "memory")
"""Factors that a study may also vary by its profiles, whose names then name no panels."""


def own_factor(name: str) -> Factor:
    """A factor for a varied key without an entry above: its numbers as they are, the unit not known here."""
    return Factor(name, name, "as in the study", (name,), lambda _: None)


def level_of(cell: Cell, factor: Factor) -> float | None:
    """The level of a factor in a cell, from the specification, else from what the study varied."""
    found = factor.level(json.loads(cell.key.specification))
    if found is not None:
        return found
    try:
        return float(dict(cell.key.varied)[factor.name])
    except (KeyError, ValueError):
        return None


def choose_factor(cells: Sequence[Cell], name: str | None) -> Factor:
    """The factor that is named, or the only numeric one with several levels.

    Raises:
        DlgaugeError: an unknown name, none, or several.
    """
    varied = {key for cell in cells for key, _ in cell.key.varied}
    if name is not None:
        if name in FACTORS:
            return FACTORS[name]
        if name in varied:
            return own_factor(name)
        raise DlgaugeError(
            f"--over {name!r}: no such factor{nearest(name, {*FACTORS, *varied})}",
            hint=f"factors are: {', '.join(dict.fromkeys([*FACTORS, *sorted(varied)]))}",
        )
    found = _numeric_factors(cells)
    if not found:
        raise DlgaugeError(
            "the study varies no factor that is a number: there is nothing to sweep over",
            hint="a study with `vary: {batch_size: [16, 64, 256]}` has one; or name one: --over epochs",
        )
    if len(found) > 1:
        raise DlgaugeError(
            f"the study varies {len(found)} factors that are numbers: {', '.join(one.name for one in found)}",
            hint=f"--over {found[0].name}",
        )
    return found[0]


def _numeric_factors(cells: Sequence[Cell]) -> list[Factor]:
    """Factors that the study varies itself and that have two levels or more; epochs and steps count as one."""
    varied = {key for cell in cells for key, _ in cell.key.varied}
    candidates = [factor for factor in FACTORS.values() if varied & set(factor.takes_in)]
    known = {key for factor in candidates for key in factor.takes_in}
    candidates += [own_factor(key) for key in sorted(varied - known)]
    if len({cell.key.profile for cell in cells}) > 1 and not candidates:
        candidates = [FACTORS[name] for name in OF_THE_PROFILE]
    found = [one for one in candidates if len({level_of(cell, one) for cell in cells} - {None}) > 1]
    lengths = [one for one in found if one.name in ("epochs", "steps")]
    wanted = "steps" if "steps" in varied else "epochs"
    return [one for one in found if one not in lengths or one.name == wanted or len(lengths) == 1]


def factor_hint(cells: Sequence[Cell], tried: Factor) -> str:
    """What to type in place of a factor that gives no sweep."""
    found = [one.name for one in _numeric_factors(cells) if one.name != tried.name]
    return f"--over {found[0]}" if found else "a study with `vary: {batch_size: [16, 64, 256]}` gives one"


def not_in_a_panel(factor: Factor) -> set[str]:
    """Varied keys, and `profile`, that are on the axis and name no panel."""
    return {*factor.takes_in, *(["profile"] if factor.name in OF_THE_PROFILE else [])}
