"""Reading a study file and expanding its matrix, with errors that point into the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import FileFormatError
from harness.paths import PROJECT_ROOT
from harness.study.frameworks import FrameworkDescription, load_frameworks
from harness.study.matrix import Ingredients, expand
from harness.study.model import OWN_SETTING, Study, StudyFile
from harness.study.profile import allowed_cpus, load_profile
from harness.validation import nearest
from harness.workloads.settings import Setting, load_setting
from harness.workloads.workload import load_workload
from harness.yaml_files import (
    UnknownName,
    YamlDocument,
    combined_error,
    display_path,
    load_yaml,
    names_in,
    validate,
)

STUDIES_FOLDER = PROJECT_ROOT / "studies"
T = TypeVar("T")


def study_names() -> list[str]:
    """Names of the studies that come with the project."""
    return names_in(STUDIES_FOLDER)


def find_study(study: str | Path) -> Path:
    """The file of a study given as a path or as the name of one in `studies/`.

    Raises:
        FileFormatError: neither; the message has the nearest known name or all of them.
    """
    path = Path(study)
    if path.is_file():
        return path
    if str(study) in study_names():
        return STUDIES_FOLDER / f"{study}.yaml"
    what = f"no such study{nearest(path.stem, study_names())}"
    raise FileFormatError(what, where=str(study), hint="give the path of a study file, or a name of `studies/`")


def load_study(
    path: str | Path,
    *,
    frameworks: Mapping[str, FrameworkDescription] | None = None,
    cpus: Sequence[int] | None = None,
) -> Study:
    """Read and validate a study; no data and no framework is needed.

    Args:
        path: a file, or the name of a study in `studies/`.
        frameworks: what can be measured; default `load_frameworks()`.
        cpus: CPUs that may be used; default those of this process.

    Raises:
        FileFormatError: every problem of the study, with file, line, key and value.
    """
    return study_of(load_yaml(find_study(path)), frameworks=frameworks, cpus=cpus)


def study_of(
    document: YamlDocument,
    *,
    frameworks: Mapping[str, FrameworkDescription] | None = None,
    cpus: Sequence[int] | None = None,
) -> Study:
    """The study that a document describes, whether it is a file's or was put together by a command.

    Args, Raises: as `load_study`; places in errors are those of the document's `where`.
    """
    file = validate(document, StudyFile)
    ingredients = _collect(document, file, load_frameworks() if frameworks is None else frameworks)
    cells = expand(document, file, ingredients, allowed_cpus() if cpus is None else tuple(cpus))
    return Study(
        name=file.study,
        title=file.title or file.study,
        path=document.path,
        seeds=tuple(dict.fromkeys(file.seeds)),
        cells=cells,
        time_limit_s=file.time_limit,
    )


def _collect(document: YamlDocument, file: StudyFile, frameworks: Mapping[str, FrameworkDescription]) -> Ingredients:
    """Everything that the study names; all unknown names, and all broken files, in one error."""
    problems: list[tuple[str, str]] = []
    folder = document.path.resolve().parent

    def find_framework(name: str) -> FrameworkDescription:
        if name not in frameworks:
            raise UnknownName(f"unknown framework {name!r}{nearest(name, frameworks)}")
        return frameworks[name]

    def each(key: str, names: Sequence[str], load: Callable[[str], T]) -> tuple[T, ...]:
        found = []
        for index, name in enumerate(names):
            try:
                found.append(load(name))
            except UnknownName as error:
                problems.append((document.where((key, index)), error.what))
            except FileFormatError as error:
                problems.append((error.where or display_path(document.path), error.what))
        return tuple(found)

    def find_setting(name: str) -> Setting | None:
        return None if name == OWN_SETTING else load_setting(name, relative_to=folder)

    def own(name: str) -> Setting:
        try:
            return load_setting(name.split("@")[0])  # a workload on a variant of its dataset has the same setting
        except UnknownName:
            raise UnknownName(f"workload {name!r} has no setting of its own name; name one in place of 'own'") from None

    ingredients = Ingredients(
        frameworks=each("frameworks", file.frameworks, find_framework),
        workloads=each("workloads", file.workloads, _relative(load_workload, folder)),
        settings=each("settings", file.settings, find_setting),
        profiles=each("profiles", file.profiles, _relative(load_profile, folder)),
        length_share=file.length_share,
    )
    if OWN_SETTING in file.settings:
        names = [workload.name for workload in ingredients.workloads]
        ingredients = replace(ingredients, own_settings=dict(zip(names, each("workloads", names, own), strict=False)))
    if problems:
        raise combined_error(problems)
    return ingredients


def _relative(load: Callable[..., Any], folder: Path) -> Callable[[str], Any]:
    return lambda name: load(name, relative_to=folder)
