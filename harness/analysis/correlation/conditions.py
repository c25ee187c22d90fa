"""What must be said before a number is believed: conditions that were mixed, cells that failed, what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.comparison import Excluded
from harness.analysis.correlation.factors import LEVELS_A_PART, Factor, cells_of, find_factors
from harness.analysis.correlation.jackknife import FEWEST_BLOCKS
from harness.analysis.correlation.scopes import POOLED, Scope

if TYPE_CHECKING:
    import pandas as pd

SEED_IN_LABEL = re.compile(r"\s*·?\s*seed \d+\s*$")


@dataclass(frozen=True)
class Problem:
    """Something that limits what the numbers say.

    Attributes:
        kind: `mixed_content`, `mixed_hosts`, `mixed_certificates`, `mixed_versions`, `failed_cells`, `failed_trials`,
            `too_few_blocks`, `incomplete_blocks`, `one_level`, `together`, `missing_outcome`, `superseded`, `not_read`.
        sentence: what, for people.
        trials: ids of the trials concerned, where it is about some.
    """

    kind: str
    sentence: str
    trials: tuple[str, ...] = ()


def split_by_conditions(frame: pd.DataFrame) -> tuple[list[tuple[str, pd.DataFrame]], list[Problem]]:
    """The trials, apart by machine and by content of a dataset that came with more than one; and what was found.

    Two datasets of different names are two levels of a factor; two contents of one name are two experiments.

    Returns:
        (what the part's trials share, or an empty text where there is one part; its observations), the largest first.
    """
    problems: list[Problem] = []
    contents = frame.groupby("dataset", dropna=False)["content_sha256"].nunique(dropna=False)
    mixed = {str(name) for name, count in contents.items() if count > 1}
    dataset, content = frame["dataset"].astype(str), frame["content_sha256"].fillna("").astype(str)
    part = content.where(dataset.isin(mixed), "")
    host = frame["host"].fillna("").astype(str)
    several = host.nunique() > 1
    names = [
        ", ".join(_part_words(one, several, name, text, mixed))
        for one, name, text in zip(host, dataset, part, strict=True)
    ]
    if mixed:
        what = f"more than one content of dataset {', '.join(sorted(mixed))}: the trials of each are looked at apart"
        problems.append(Problem("mixed_content", what, _ids(frame[dataset.isin(mixed)])))
    if several:
        what = f"trials of {host.nunique()} machines: those of each are looked at apart"
        problems.append(Problem("mixed_hosts", what, _ids(frame)))
    labelled = frame.assign(_part=names)
    parts = [(str(name), own.drop(columns="_part")) for name, own in labelled.groupby("_part", sort=True)]
    return sorted(parts, key=lambda one: -len(one[1])), problems


def _part_words(host: str, several: bool, dataset: str, content: str, mixed: set[str]) -> list[str]:
    words = [f"machine {host or 'not recorded'}"] if several else []
    if dataset in mixed:
        words.append(f"{dataset} with content {content[:12] or 'not recorded'}")
    elif mixed:
        words.append("other datasets")
    return words


def mixed_conditions(frame: pd.DataFrame) -> list[Problem]:
    """Versions and parity certificates that differ among the trials of one framework and workload."""
    problems = []
    named = frame["framework"].astype(str) + " on " + frame["workload"].astype(str)
    for where, own in frame.groupby(named, sort=True):
        certificates = own["certificate"].fillna("none").astype(str).value_counts()
        if len(certificates) > 1:
            told = ", ".join(f"{str(name)[:12]} for {count} trials" for name, count in certificates.items())
            problems.append(
                Problem("mixed_certificates", f"{where}: more than one parity certificate: {told}", _ids(own))
            )
        elif certificates.index[0] == "none":
            problems.append(
                Problem("mixed_certificates", f"{where}: no parity certificate covers its {len(own)} trials", _ids(own))
            )
        versions = own["framework_version"].astype(str).value_counts()
        if len(versions) > 1:
            told = ", ".join(f"{name} in {count} trials" for name, count in versions.items())
            problems.append(Problem("mixed_versions", f"{where}: more than one version: {told}", _ids(own)))
    return problems


def failed(excluded: Sequence[Excluded], frame: pd.DataFrame) -> list[Problem]:
    """Trials that did not complete, and the cells of which none did."""
    there = {_cell(label) for label in frame["label"].astype(str)}
    problems = []
    lost: dict[str, list[Excluded]] = {}
    partly: dict[str, list[Excluded]] = {}
    for one in excluded:
        group, key = (partly, one.termination) if _cell(one.label) in there else (lost, _cell(one.label))
        group.setdefault(key, []).append(one)
    for cell, own in sorted(lost.items()):
        reasons = "; ".join(sorted({f"{one.termination}: {one.reason}" for one in own}))
        what = f"cell with only failed trials, in no number here: {cell} ({len(own)} trials; {reasons})"
        problems.append(Problem("failed_cells", what, tuple(one.trial.id for one in own)))
    for termination, own in sorted(partly.items()):
        told = ", ".join(one.label for one in own[:5]) + (f" and {len(own) - 5} more" if len(own) > 5 else "")
        what = f"{len(own)} trials {termination}, in no number here: {told}"
        problems.append(Problem("failed_trials", what, tuple(one.trial.id for one in own)))
    return problems


def of_design(scopes: Sequence[Scope], factors: Sequence[Factor], single: Sequence[str]) -> list[Problem]:
    """Factors with one level or that move together, scopes with too few blocks, blocks that lack trials."""
    problems = []
    if single:
        what = f"one level only, so nothing can be said of: {', '.join(single)}"
        problems.append(Problem("one_level", what))
    for factor in factors:
        if factor.together_with:
            names = ", ".join((factor.name, *factor.together_with))
            what = f"{factor.name} stands for {names}: their levels change together"
            problems.append(Problem("together", what))
    within = [factor for factor in factors if factor.name != "framework"]
    cells = len(np.unique(cells_of(scopes[-1].frame, within)))
    if len(within) > 1 and cells < LEVELS_A_PART * len(within):
        names = ", ".join(factor.name for factor in within)
        what = (
            f"{cells} combinations of levels for {len(within)} factors ({names}): too few to tell their effects and "
            "shares apart; name few of them with --factors"
        )
        problems.append(Problem("together", what))
    if not any(scope.factors for scope in scopes):
        problems.append(Problem("one_level", "no factor varies within a framework: nothing can be correlated"))
    for scope in scopes:
        if scope.name == POOLED and len(scopes) > 1:
            continue
        _, alone = find_factors(scope.frame, [f.name for f in factors if f.name != "framework"])
        if alone:
            problems.append(Problem("one_level", f"{scope.name}: one level only of {', '.join(alone)}"))
        if scope.block_count < FEWEST_BLOCKS:
            what = (
                f"{scope.name}: too few blocks, {scope.block_count}: no intervals and no p-values below "
                f"{FEWEST_BLOCKS}; "
                "run the study with more seeds"
            )
            problems.append(Problem("too_few_blocks", what, _ids(scope.frame)))
        cells = scope.frame.groupby([f.name for f in scope.factors], dropna=False).ngroups if scope.factors else 1
        absent = cells * scope.block_count - len(scope.frame)
        if absent > 0:
            what = (
                f"{scope.name}: incomplete blocks: {len(scope.frame)} trials of {cells} cells × "
                f"{scope.block_count} blocks, "
                f"{absent} absent"
            )
            problems.append(Problem("incomplete_blocks", what))
    return problems


def missing_outcomes(
    frame: pd.DataFrame, outcomes: Sequence[str], reasons: Mapping[str, Mapping[str, int]]
) -> list[Problem]:
    """Outcomes that some or all trials lack, with the reasons that their records give."""
    problems = []
    for key in outcomes:
        absent = frame[frame[key].isna()]
        if len(absent) == 0:
            continue
        told = "; ".join(f"{reason} ({count})" for reason, count in sorted(reasons.get(key, {}).items()))
        how = "no trial has it" if len(absent) == len(frame) else f"{len(absent)} of {len(frame)} trials lack it"
        problems.append(Problem("missing_outcome", f"{key}: {how}: {told or 'no reason recorded'}", _ids(absent)))
    return problems


def _cell(label: str) -> str:
    return SEED_IN_LABEL.sub("", label)


def _ids(frame: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(one) for one in frame["trial"])
