"""The frameworks that can be measured: one folder with an `environment.yaml` each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from harness.errors import FileFormatError
from harness.fields import FileModel, FrameworkName
from harness.paths import frameworks_folders
from harness.study.profile import Blas, Profile
from harness.workloads.networks import Network
from harness.yaml_files import YamlDocument, display_path, load_yaml, validate

ENVIRONMENT_FILE = "environment.yaml"
ADAPTER_FILE = "adapter.py"
HASHED_FILES = (ENVIRONMENT_FILE, "requirements*.txt", "Dockerfile")


class Honours(FileModel):
    """What of a profile a framework can honour.

    Attributes:
        threads: thread pools whose size it takes (`intra_op`, `inter_op`).
        blas: numerical libraries that it can be switched to; none where there is no choice.
        one_thread_blas: those of them with which it has one thread only.
        precision: precisions it can train in.
        gpus: whether it can use any.
    """

    threads: tuple[Literal["intra_op", "inter_op"], ...] = ()
    blas: tuple[Blas, ...] = ()
    one_thread_blas: tuple[Blas, ...] = ()
    precision: tuple[str, ...] = ("float32",)
    gpus: bool = False


class EnvironmentFile(FileModel):
    """The content of an `environment.yaml`.

    Attributes:
        adapter: the framework whose adapter runs in this environment; by default its own.
    """

    framework: FrameworkName
    adapter: FrameworkName | None = None
    title: str
    version: str
    environment: Literal["venv", "container"]
    honours: Honours
    unsupported_layers: tuple[str, ...] = ()
    environment_variables: dict[str, str] = {}
    blas_folders: dict[Blas, str] = {}
    blas_variables: dict[Blas, dict[str, str]] = {}

    @model_validator(mode="after")
    def _check_blas(self) -> EnvironmentFile:
        """A library is chosen by folder, variables or adapter; one that stands here but is not honoured is a slip."""
        named = {
            "blas_folders": tuple(self.blas_folders),
            "blas_variables": tuple(self.blas_variables),
            "honours.one_thread_blas": self.honours.one_thread_blas,
        }
        for key, names in named.items():
            if unknown := [name for name in names if name not in self.honours.blas]:
                raise ValueError(f"{key} names {', '.join(unknown)}, which honours.blas does not")
        return self


@dataclass(frozen=True)
class FrameworkDescription:
    """A framework under measurement.

    Attributes:
        adapter: name of the framework whose adapter runs it; its own but for the same framework in another environment.
        environment: `venv` or `container`.
        unsupported_layers: layer kinds that the adapter cannot run.
        environment_variables: for the worker; `{intra_op}` and `{inter_op}` stand for thread counts.
        blas_folders: BLAS name -> folder inside the environment that is searched first for its library.
        blas_variables: BLAS name -> further variables where that library is asked for.
        folder: holds `environment.yaml`, and `requirements*.txt` or `Dockerfile`.
        adapter_folder: holds `adapter.py`; `folder` where the adapter is its own.
        environment_sha256: over the files that decide the environment, see `environment_hash`.
    """

    name: str
    adapter: str
    title: str
    version: str
    environment: Literal["venv", "container"]
    honours: Honours
    unsupported_layers: tuple[str, ...]
    environment_variables: dict[str, str]
    blas_folders: Mapping[Blas, str]
    blas_variables: Mapping[Blas, Mapping[str, str]]
    folder: Path
    adapter_folder: Path
    environment_sha256: str

    @property
    def file_name(self) -> str:
        """The name as a part of names that allow no `@`: those of images, and of environments' folders beside them."""
        return self.name.replace("@", "-")

    def variables(self, profile: Profile) -> dict[str, str]:
        """Environment variables of the worker under a profile: the framework's, its library's, then the profile's."""
        counts = {"{intra_op}": str(profile.threads.intra_op), "{inter_op}": str(profile.threads.inter_op)}
        variables = dict(self.environment_variables)
        if profile.blas:
            variables.update(self.blas_variables.get(profile.blas, {}))
        for name, template in variables.items():
            for placeholder, count in counts.items():
                template = template.replace(placeholder, count)
            variables[name] = template
        return {**variables, **profile.environment}


def load_frameworks(folders: Iterable[Path] | None = None) -> dict[str, FrameworkDescription]:
    """Every framework found in `folders` (default: the project's own and those of `DLGAUGE_FRAMEWORKS`), by name.

    Raises:
        FileFormatError: an `environment.yaml` that is not valid, or a framework that is found twice.
    """
    found: dict[str, FrameworkDescription] = {}
    for parent in frameworks_folders() if folders is None else folders:
        for file in sorted(parent.glob(f"*/{ENVIRONMENT_FILE}")):
            description = load_framework(file.parent)
            if description.name in found:
                first = display_path(found[description.name].folder)
                raise FileFormatError(f"framework {description.name!r} stands in {first} too", where=display_path(file))
            found[description.name] = description
    return found


def load_framework(folder: Path) -> FrameworkDescription:
    """The framework described in a folder.

    Raises:
        FileFormatError: its `environment.yaml` is not valid, names another framework than the folder, or names
            an adapter that is nowhere.
    """
    document = load_yaml(folder / ENVIRONMENT_FILE)
    file = validate(document, EnvironmentFile)
    if file.framework != folder.name:
        raise FileFormatError(
            f"framework {file.framework!r} should stand in a folder of that name, not in {folder.name!r}",
            where=document.where(("framework",)),
        )
    adapter = file.adapter or file.framework
    return FrameworkDescription(
        name=file.framework,
        adapter=adapter,
        title=file.title,
        version=file.version,
        environment=file.environment,
        honours=file.honours,
        unsupported_layers=file.unsupported_layers,
        environment_variables=file.environment_variables,
        blas_folders=file.blas_folders,
        blas_variables=file.blas_variables,
        folder=folder,
        adapter_folder=folder if adapter == file.framework else _find_adapter(adapter, folder, document),
        environment_sha256=environment_hash(folder),
    )


def _find_adapter(adapter: str, folder: Path, document: YamlDocument) -> Path:
    """The folder of another framework's adapter: beside the one that names it, else where frameworks are looked for."""
    parents = [folder.parent, *frameworks_folders()]
    for parent in parents:
        if (parent / adapter / ADAPTER_FILE).is_file():
            return parent / adapter
    raise FileFormatError(
        f"no folder {adapter!r} with an {ADAPTER_FILE} in {' or '.join(dict.fromkeys(map(display_path, parents)))}",
        where=document.where(("adapter",)),
        hint="name a framework that has an adapter of its own, or its folder's parent in DLGAUGE_FRAMEWORKS",
    )


def environment_hash(folder: Path) -> str:
    """SHA-256 over names and contents of `environment.yaml`, `requirements*.txt` and `Dockerfile`, sorted by name."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in HASHED_FILES for path in folder.glob(pattern)}):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def obstacle(framework: FrameworkDescription, profile: Profile, network: Network) -> tuple[str, str] | None:
    """Why a framework cannot run a network under a profile: (what, why), None where it can.

    One thread between operations is what every framework does by itself; more have to be honoured.
    """
    if refused := profile_obstacle(framework, profile):
        return refused
    for layer in network.layers:
        if layer.kind in framework.unsupported_layers:
            what = f"layer {layer.name!r} of kind {layer.kind}"
            return what, f"framework {framework.name!r} cannot run layers of kind {layer.kind}"
    return None


def profile_obstacle(framework: FrameworkDescription, profile: Profile) -> tuple[str, str] | None:
    """What of a profile a framework cannot honour, and why: (what, why); None where it honours all of it."""
    for what, wanted, honoured, why in _demands(framework, profile):
        if wanted and not honoured:
            return what, f"framework {framework.name!r} {why}"
    return None


def _demands(framework: FrameworkDescription, profile: Profile) -> list[tuple[str, bool, bool, str]]:
    honours, threads = framework.honours, profile.threads
    key = f"profile {profile.name!r}, "
    blas = f"honours blas {_either(honours.blas)}" if honours.blas else "honours no choice of blas"
    return [
        (
            f"{key}threads.intra_op: {threads.intra_op}",
            threads.intra_op > 1,
            "intra_op" in honours.threads,
            "honours no threads.intra_op",
        ),
        (
            f"{key}threads.inter_op: {threads.inter_op}",
            threads.inter_op > 1,
            "inter_op" in honours.threads,
            "honours no threads.inter_op",
        ),
        (
            f"{key}threads.intra_op: {threads.intra_op}",
            threads.intra_op > 1 and profile.blas is not None,
            profile.blas not in honours.one_thread_blas,
            f"has one thread only with blas {profile.blas}",
        ),
        (f"{key}blas: {profile.blas}", profile.blas is not None, profile.blas in honours.blas, blas),
        (
            f"{key}precision: {profile.precision}",
            True,
            profile.precision in honours.precision,
            f"honours precision {_either(honours.precision)}",
        ),
        (f"{key}gpus: {profile.gpus}", profile.gpus > 0, honours.gpus, "honours no gpus"),
    ]


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
