"""A study made by a program: some learning-rate policies on one workload, setting and framework."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import DlgaugeError, FileFormatError
from harness.study.loading import study_of
from harness.study.model import DEFAULT_TIME_LIMIT_S, Cell, Study
from harness.study.trial import canonical_json
from harness.yaml_files import YamlDocument


@dataclass(frozen=True)
class PolicyStudy:
    """What is asked for.

    Attributes:
        purpose: the first part of the study's name, such as `lr-verify`.
        policies: as plain values.
        setting: a name, a file, or `own`.
        overrides: keys of `overrides` in a study file.
        seeds: 1 to `seeds`.
    """

    purpose: str
    title: str
    policies: Sequence[Mapping[str, Any]]
    workload: str
    setting: str
    framework: str
    profile: str = "local"
    seeds: int = 3
    overrides: Mapping[str, Any] = field(default_factory=dict)
    time_limit_s: float = DEFAULT_TIME_LIMIT_S


def make_policy_study(asked: PolicyStudy, key: Any) -> Study:
    """The study, as if it stood in a file.

    Args:
        key: what the study is about, as plain values: the same key and the same content of workload, setting and
            profile, overrides in them, give the same name, so that a later call with more seeds goes on where this one
            stopped, and one after a file was edited does not.

    Raises:
        DlgaugeError: something is unknown, or values do not fit.
    """
    if asked.seeds < 1:
        raise DlgaugeError(f"the number of seeds should be at least 1, not {asked.seeds}")
    content = {
        "study": asked.purpose,
        "title": asked.title,
        "frameworks": [asked.framework],
        "workloads": [asked.workload],
        "settings": [asked.setting],
        "profiles": [asked.profile],
        "seeds": {"count": asked.seeds},
        "overrides": dict(asked.overrides),
        "vary": {"learning_rate": [dict(policy) for policy in asked.policies]},
        "time_limit": asked.time_limit_s,
    }
    document = YamlDocument(Path("command line"), content, {})
    try:
        study = study_of(document)
    except FileFormatError as error:
        # There is no file whose lines could be named.
        raise DlgaugeError(error.what.replace(f"{document.where()}: ", "")) from None
    return replace(study, name=_name(asked, key, study.cells[0]))


def _name(asked: PolicyStudy, key: Any, cell: Cell) -> str:
    about = [
        key,
        cell.workload.model_dump(mode="json"),
        cell.setting.model_dump(mode="json", exclude={"learning_rate"}),
        cell.profile.model_dump(mode="json"),
    ]
    return f"{asked.purpose}-{hashlib.sha256(canonical_json(about).encode()).hexdigest()[:10]}"
