"""Reading a study file and expanding its matrix, with errors that point into the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import FileFormatError
from harness.paths import PROJECT_ROOT
from harness.study.canary_trial import make_canary
from harness.study.co_location import variants
from harness.study.frameworks import FrameworkDescription, load_frameworks
from harness.study.ingredients import Ingredients
from harness.study.matrix import expand
from harness.study.model import DEFAULT_PROFILE, OWN_SETTING, Canary, SeedRange, Study, StudyFile
from harness.study.profile import CpusNotThere, allowed_cpus, load_profile
from harness.validation import Problem, nearest, problems_of
from harness.workloads.settings import Setting, load_setting
from harness.workloads.workload import load_workload
from harness.yaml_files import (
    UnknownName,
    YamlDocument,
    combined_error,
    display_path,
    load_yaml,
    names_in,
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
    file, problems = _read(document)
    ingredients, unknown = _collect(document, load_frameworks() if frameworks is None else frameworks)
    if file:
        placements = variants(file.co_location)
        ingredients = replace(ingredients, length_share=file.length_share, co_locations=placements)
    found = [*problems, *unknown]
    usable = allowed_cpus() if cpus is None else tuple(cpus)
    by_name = {one.name: one for one in ingredients.frameworks}
    a_a = _a_a(document, file, found) if file else ()
    canary = _canary(document, file, by_name, usable, found) if file else None
    matrix = expand(document, ingredients, usable, found)
    if file is None:
        raise combined_error(found)  # `expand` has raised it: it does not return with problems
    return Study(
        name=file.study,
        title=file.title or file.study,
        path=document.path,
        seeds=_seeds(file),
        cells=matrix.cells,
        time_limit_s=file.time_limit,
        repeats=file.repeats,
        a_a=a_a,
        canary=canary,
        hypercube=matrix.hypercube,
        left_out=matrix.left_out,
        notes=matrix.notes,
    )


def _read(document: YamlDocument) -> tuple[StudyFile | None, list[tuple[str, str]]]:
    """The file's own content, or what is wrong with it, each at its line."""
    try:
        return StudyFile.model_validate(document.value), []
    except ValidationError as error:
        problems = problems_of(error, StudyFile)
    seeds = document.get(("seeds",))
    if isinstance(seeds, dict):
        try:
            SeedRange.model_validate(seeds)
        except ValidationError as error:
            problems = [one for one in problems if one.key_path != ("seeds",)]
            problems += [
                Problem(("seeds", *one.key_path), f"seeds: {one.message}") for one in problems_of(error, SeedRange)
            ]
    return None, [(document.where(one.key_path), one.message) for one in problems]


def _seeds(file: StudyFile) -> tuple[int, ...]:
    """The blocks that the file says by itself: all of them, or those of the pilot."""
    if file.repeats:
        return file.repeats.seeds(file.repeats.pilot)
    return tuple(dict.fromkeys(file.seeds or ()))


def _a_a(document: YamlDocument, file: StudyFile, problems: list[tuple[str, str]]) -> tuple[str, ...]:
    """The frameworks whose cells stand twice in a block; an unknown one is added to `problems`."""
    if isinstance(file.a_a, bool):
        return tuple(dict.fromkeys(file.frameworks)) if file.a_a else ()
    for index, name in enumerate(file.a_a):
        if name not in file.frameworks:
            message = f"a_a: framework {name!r} is none of the study's{nearest(name, file.frameworks)}"
            problems.append((document.where(("a_a", index)), message))
    return tuple(dict.fromkeys(file.a_a))


def _canary(
    document: YamlDocument,
    file: StudyFile,
    frameworks: Mapping[str, FrameworkDescription],
    cpus: Sequence[int],
    problems: list[tuple[str, str]],
) -> Canary | None:
    """The study's canary; what of it is unknown or does not fit the machine is added to `problems`."""
    if file.canary is None or not frameworks:
        return None
    try:
        return make_canary(file.canary, frameworks, cpus, document.path.resolve().parent)
    except UnknownName as error:
        key = "framework" if file.canary.framework not in (None, *frameworks) else "profile"
        problems.append((document.where(("canary", key)), f"canary: {error.what}"))
    except CpusNotThere as error:
        problems.append((document.where(("canary", "profile")), f"canary: profile {file.canary.profile!r}: {error}"))
    return None


def _names(document: YamlDocument, key: str) -> list[tuple[int, str]]:
    """Position and text of each name in a list of the study, of a list that is wrong elsewhere too."""
    value = document.get((key,))
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [(index, name) for index, name in enumerate(listed) if isinstance(name, str)]


def _collect(
    document: YamlDocument, frameworks: Mapping[str, FrameworkDescription]
) -> tuple[Ingredients, list[tuple[str, str]]]:
    """Everything that the study names, and all unknown names and broken files."""
    problems: list[tuple[str, str]] = []
    folder = document.path.resolve().parent

    def find_framework(name: str) -> FrameworkDescription:
        if name not in frameworks:
            raise UnknownName(f"unknown framework {name!r}{nearest(name, frameworks)}")
        return frameworks[name]

    def each(key: str, names: Iterable[tuple[int, str]], load: Callable[[str], T]) -> tuple[T, ...]:
        found = []
        for index, name in names:
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

    settings, profiles = _names(document, "settings"), _names(document, "profiles")
    placed = [
        (index, workload)
        for index, name in _names(document, "workloads")
        for workload in each("workloads", [(index, name)], _relative(load_workload, folder))
    ]
    ingredients = Ingredients(
        frameworks=each("frameworks", _names(document, "frameworks"), find_framework),
        workloads=tuple(workload for _, workload in placed),
        settings=each("settings", settings, find_setting),
        profiles=each("profiles", profiles or [(0, DEFAULT_PROFILE)], _relative(load_profile, folder)),
    )
    if OWN_SETTING in (name for _, name in settings):
        found = {one.name: setting for index, one in placed for setting in each("workloads", [(index, one.name)], own)}
        ingredients = replace(ingredients, own_settings=found)
    return ingredients, problems


def _relative(load: Callable[..., Any], folder: Path) -> Callable[[str], Any]:
    return lambda name: load(name, relative_to=folder)
