"""Taking published datasets in: from mirrors, or from a folder; other content only as a named variant."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from harness.errors import DataError
from harness.workloads.datasets.contents import Contents, search_folders
from harness.workloads.datasets.dataset import identity_of, read_arrays
from harness.workloads.datasets.description import (
    VARIANT_SIGN,
    Archive,
    CifarFiles,
    DataFile,
    DatasetDescription,
    dataset_names,
    load_description,
)
from harness.workloads.datasets.fetching import Check, Patience, Progress, download
from harness.workloads.datasets.idx import decompress

ARRIVING = ".arriving"
"""Folder within a dataset's own that holds what is being fetched."""


def fetch_dataset(
    name: str,
    home: Path,
    *,
    mirrors: Sequence[str] = (),
    progress: Progress = lambda *_: None,
    patience: Patience | None = None,
) -> Path:
    """Get a dataset's published files into `home/<name>`; what is there and right is not got again.

    Args:
        mirrors: tried before those of the description.

    Returns:
        The folder with the verified files.

    Raises:
        DataError: the dataset has no public address; no mirror gave the right files.
    """
    description = load_description(name)
    sources = [*(mirror.rstrip("/") + "/" for mirror in mirrors), *description.mirrors]
    if not sources:
        why = "it comes with the project" if description.embedded else "no public address is known"
        raise DataError(f"dataset {name!r} cannot be fetched: {why}")
    folder = home / name
    contents = Contents(description, search_folders(description, home))
    missing = [file for file in description.files.all if not _is_right(contents, file)]
    wanted: dict[str, tuple[Check, int | None]] = {f"{file.name}.gz": (_gzip_check(file), None) for file in missing}
    if missing and description.archives:
        archive = description.archives[0]
        wanted = {archive.name: (_archive_check(archive), archive.bytes)}
    arrived = folder / ARRIVING
    for file_name, (check, size) in wanted.items():
        download(file_name, sources, arrived, check, expected_bytes=size, progress=progress, patience=patience)
    _install(missing, Contents(description, [arrived]), folder)
    shutil.rmtree(arrived, ignore_errors=True)
    for file in missing:
        contents.read(file)  # a wrong file in another place of the data folder would still be found first: say so
    return folder


def import_dataset(
    folder: Path, home: Path, *, name: str | None = None, variant: str | None = None
) -> DatasetDescription:
    """Take a dataset's files from a folder into `home/<name>`, verified.

    Args:
        name: which dataset; default: the one whose files lie there.
        variant: take other content than the published one, as the dataset `<name>@<variant>`.

    Raises:
        DataError: no dataset's files are there; their content is not the published one, and no variant is named; the
            variant's name stands for other content already.
    """
    found = [load_description(known) for known in ([name] if name else dataset_names())]
    candidates = [description for description in found if not description.embedded]
    here = [known for known in candidates if _has_all(known, folder)] or (candidates if name else [])
    if not here:
        files = "; ".join(f"{known.name}: {known.files.all[0].name}, …" for known in candidates)
        raise DataError("no dataset's files are there", where=str(folder), hint=f"looked for {files}")
    if variant is not None:
        return _import_variant(here[0].variant_of or here[0].name, variant, folder, home)
    problems = []
    for description in here:
        try:
            contents = Contents(description, search_folders(description, folder))
            _install(description.files.all, contents, home / description.name)
            return description
        except DataError as error:
            problems.append(error)
    raise problems[0]


def _import_variant(base: str, variant: str, folder: Path, home: Path) -> DatasetDescription:
    full = f"{base}{VARIANT_SIGN}{variant}"
    contents = Contents(load_description(base), search_folders(load_description(base), folder), verify=False)
    description = _described(load_description(base), full, contents)
    if full in dataset_names():
        known = load_description(full)
        if known.content_sha256 != description.content_sha256:
            raise DataError(
                f"{full!r} has other content already: {known.content_sha256}, not {description.content_sha256}",
                hint="choose another name for this variant",
            )
        description = known
    else:
        values = description.model_dump(mode="json", exclude={"name"}, exclude_none=True)
        home.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({"dataset": full, **values}, sort_keys=False, allow_unicode=True)
        (home / f"{full}.yaml").write_text(text, encoding="utf-8")
    _install(description.files.all, contents, home / full)
    return description


def _described(base: DatasetDescription, name: str, contents: Contents) -> DatasetDescription:
    """The description of a variant with the content that is there."""
    if name.removeprefix(f"{base.name}{VARIANT_SIGN}") == "" or VARIANT_SIGN in base.name:
        raise DataError(f"{name!r} is no name of a variant", hint="it should be like cifar10@jpeg75")
    actual = {file.name: _actual(file, contents) for file in base.files.all}
    values = base.model_dump(mode="json", exclude={"mirrors", "archives", "folders"})
    values["files"] = _replaced(values["files"], actual)
    arrays = read_arrays(base, contents)
    if (largest := max(int(arrays[f"{split}_labels"].max()) for split in ("train", "test"))) >= base.classes:
        raise DataError(f"there is a label {largest}, and {base.name!r} has {base.classes} classes")
    changed = {
        "name": name,
        "variant_of": base.name,
        "title": f"A variant of {base.name}, imported",
        "source": f"imported; the published dataset: {base.source}",
        "train": len(arrays["train_labels"]),
        "test": len(arrays["test_labels"]),
    }
    files = type(base.files).model_validate(values["files"])
    identity = files.content_sha256 if isinstance(files, CifarFiles) else identity_of(base, arrays)
    return DatasetDescription.model_validate({**values, **changed, "content_sha256": identity})


def _actual(file: DataFile, contents: Contents) -> dict[str, object]:
    content, _ = contents.read(file)
    return {"name": file.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _replaced(files: dict[str, object], actual: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        key: [actual[file["name"]] for file in value] if isinstance(value, list) else actual[value["name"]]  # type: ignore[index]
        for key, value in files.items()
    }


def _install(files: Sequence[DataFile], contents: Contents, folder: Path) -> None:
    """Write files uncompressed into a folder, each visible only when it is whole."""
    ready = [(file, contents.read(file)[0]) for file in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in ready:
            part = folder / f"{file.name}.part"
            part.write_bytes(content)
            part.replace(folder / file.name)
    except OSError as error:
        raise DataError(f"cannot be written: {error}", where=str(folder)) from None


def _has_all(description: DatasetDescription, folder: Path) -> bool:
    contents = Contents(description, search_folders(description, folder))
    return all(contents.has(file) for file in description.files.all)


def _is_right(contents: Contents, file: DataFile) -> bool:
    try:
        contents.read(file)
    except DataError:
        return False
    return True


def _archive_check(archive: Archive) -> Check:
    def check(path: Path) -> str | None:
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        return None if actual == archive.sha256 else f"wrong bytes: sha256 {actual} instead of {archive.sha256}"

    return check


def _gzip_check(file: DataFile) -> Check:
    def check(path: Path) -> str | None:
        try:
            actual = hashlib.sha256(decompress(path.read_bytes())).hexdigest()
        except ValueError as error:
            return f"wrong bytes: {error}"
        return None if actual == file.sha256 else f"wrong bytes: sha256 {actual} instead of {file.sha256}, uncompressed"

    return check
