"""Short names for what stands in a figure: the rows of a chart and its panels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.analysis import Cell
from harness.analysis.cells import CellKey, differing_keys
from harness.errors import DlgaugeError

SEPARATOR = " · "
PARTS = ("workload", "setting", "profile")


def group_names(cells: Sequence[Cell], without: Collection[str] = (), frameworks: bool = False) -> list[str]:
    """A name for each cell, of what differs among them but the framework; equal names mean comparable cells.

    Workload, setting and profile where they differ (a setting that follows from its workload is left out), what the
    study varies, policies by their function alone where that tells them apart.

    Args:
        cells: of one study.
        without: varied keys, and of `workload`, `setting`, `profile`, what is on an axis.
        frameworks: whether the names begin with the framework.
    """
    keys = [cell.key for cell in cells]
    parts = [part for part in PARTS if part not in without and len({getattr(key, part) for key in keys}) > 1]
    if (
        "setting" in parts
        and "workload" in parts
        and len({(key.workload, key.setting) for key in keys}) == len({key.workload for key in keys})
    ):
        parts.remove("setting")
    short = _function_names(keys, without)
    names = []
    for key in keys:
        named = [key.framework] if frameworks else []
        named += [str(getattr(key, part)) for part in parts]
        for name, text in key.varied:
            if name not in without:
                named.append(short.get((name, text), f"{name} {text}"))
            elif functions := _several_functions(keys, name):
                named.append(functions.get(text, text))
        names.append(SEPARATOR.join(named))
    return names


def _differing_parts(keys: Sequence[CellKey], without: Collection[str] = ()) -> list[str]:
    """Workload, setting and profile where they differ; not the setting where it follows from the workload."""
    parts = [part for part in PARTS if part not in without and len({getattr(key, part) for key in keys}) > 1]
    pairs = {(key.workload, key.setting) for key in keys}
    if "setting" in parts and "workload" in parts and len(pairs) == len({key.workload for key in keys}):
        parts.remove("setting")
    return parts


def _function_names(keys: Sequence[CellKey], without: Collection[str]) -> dict[tuple[str, str], str]:
    """(varied key, text) -> name of the policy or optimizer, where the names tell the texts of that key apart."""
    texts: dict[str, dict[str, str]] = {}
    for key in keys:
        functions = dict(key.functions)
        for name, text in key.varied:
            if name in functions and name not in without:
                texts.setdefault(name, {})[text] = functions[name]
    return {
        (name, text): function if len(set(found.values())) == len(found) else text
        for name, found in texts.items()
        for text, function in found.items()
    }


def _several_functions(keys: Sequence[CellKey], name: str) -> dict[str, str]:
    """Text -> function of a key on an axis, where it has more than one function: they are not one line."""
    found = {
        text: dict(key.functions)[name]
        for key in keys
        for own, text in key.varied
        if own == name and name in dict(key.functions)
    }
    return found if len(set(found.values())) > 1 else {}


def refuse_equals(cells: Sequence[Cell], places: Sequence[tuple[Any, ...]]) -> None:
    """Two cells at one place of a figure would hide each other.

    Raises:
        DlgaugeError: naming in what they differ.
    """
    for place, count in Counter(places).items():
        if count > 1:
            alike = [cell for cell, own in zip(cells, places, strict=True) if own == place]
            paths = differing_keys([cell.key.specification for cell in alike])
            versions = sorted({cell.key.version for cell in alike})
            named = ", ".join(paths[:6]) or f"version {', '.join(versions)}"
            raise DlgaugeError(
                f"{count} cells of {alike[0].key.framework} would stand at one place of the figure; "
                f"they differ in {named}",
                hint="choose one: --where KEY=VALUE; keys: version, workload, setting, profile, batch_size, threads",
            )


def panels_of_conditions(cells: Sequence[Cell], letters: Mapping[str, Any]) -> dict[str, str]:
    """Letter of conditions -> title of its panels; one empty title where all cells share their conditions."""
    used = [letter for letter in letters if any(cell.conditions == letter for cell in cells)]
    if len(used) < 2:
        return dict.fromkeys(used, "")
    several_hosts = len({letters[letter].host for letter in used}) > 1
    titles = {}
    for letter in used:
        one = letters[letter]
        machine = f", host {one.host or 'not recorded'}" if several_hosts else ""
        titles[letter] = f"{letter}: {one.dataset} {one.content_sha256[:12]}{machine}"
    return titles


def group_title(cells: Sequence[Cell]) -> str:
    """What tells the groups of `group_names` apart, for the axis that they stand on: `workload`, `learning_rate`."""
    keys = [cell.key for cell in cells]
    parts = _differing_parts(keys)
    varied = {name: {dict(key.varied).get(name) for key in keys} for key in keys for name, _ in key.varied}
    names = [*parts, *(name for name, texts in varied.items() if len(texts) > 1)]
    return ", ".join(name.replace("_", " ") for name in names) or "cell"
