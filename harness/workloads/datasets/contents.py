"""Finding a dataset's files, in whatever published form they are there, and verifying their content."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.workloads.datasets.cifar import pickle_name, records_from_pickle
from harness.workloads.datasets.description import (
    DATASETS_FOLDER,
    Archive,
    DataFile,
    DatasetDescription,
    data_home,
    load_description,
    variants_of,
)
from harness.workloads.datasets.idx import decompress

_Decode = Callable[[bytes], bytes]


class Contents:
    """The uncompressed content of a dataset's files.

    Looked for in this order, in each folder: `<name>`, `<name>.gz`, the file of CIFAR-10's Python version, archives.

    Args:
        folders: where to look; default: those of `search_folders`.
        verify: whether content of another checksum than the described one is refused.
    """

    def __init__(
        self, description: DatasetDescription, folders: Sequence[Path] | None = None, *, verify: bool = True
    ) -> None:
        self._description = description
        self._folders = list(folders if folders is not None else search_folders(description, None))
        self._verify = verify
        self._members: dict[Path, dict[str, bytes]] = {}

    def read(self, file: DataFile) -> tuple[bytes, Path]:
        """A file's uncompressed content, and the path it comes from.

        Raises:
            DataError: it is missing, cannot be read, or has another content than the described one.
        """
        for folder in self._folders:
            for path, decode in self._forms(folder, file):
                if path.is_file():
                    return self._checked(file, path, _read(path, file, decode)), path
            for archive in self._description.archives:
                if (path := folder / archive.name).is_file():
                    return self._checked(file, path, self._member(path, archive, file)), path
        raise self._missing(file)

    def has(self, file: DataFile) -> bool:
        """Whether a file is there in some form, right or wrong."""
        return any(
            path.is_file()
            for folder in self._folders
            for path in [
                *(path for path, _ in self._forms(folder, file)),
                *(folder / archive.name for archive in self._description.archives),
            ]
        )

    def _forms(self, folder: Path, file: DataFile) -> list[tuple[Path, _Decode]]:
        forms: list[tuple[Path, _Decode]] = [(folder / file.name, bytes), (folder / f"{file.name}.gz", decompress)]
        if self._description.format == "cifar10_binary":
            forms.append((folder / pickle_name(file.name), records_from_pickle))
        return forms

    def _member(self, path: Path, archive: Archive, file: DataFile) -> bytes:
        if path not in self._members:
            self._members[path] = _read_archive(path, [member.name for member in self._description.files.all], archive)
        try:
            return self._members[path][file.name]
        except KeyError:
            raise DataError(f"the archive holds no {file.name}", where=str(path), hint=_GET_AGAIN) from None

    def _checked(self, file: DataFile, path: Path, content: bytes) -> bytes:
        if not self._verify:
            return content
        if len(content) != file.bytes:
            problem = "is truncated" if len(content) < file.bytes else "is too long"
            what = f"{problem}: {len(content)} bytes uncompressed; {_expected(file)}"
            raise DataError(what, where=str(path), hint=_GET_AGAIN)
        if (actual := hashlib.sha256(content).hexdigest()) != file.sha256:
            what = f"wrong checksum: sha256 {actual}; {_expected(file)}"
            raise DataError(what, where=str(path), hint=_other_content(self._description, actual))
        return content

    def _missing(self, file: DataFile) -> DataError:
        tried = " or ".join(str(folder) for folder in self._folders)
        return DataError(
            f"dataset {self._description.name!r}: file {file.name} (or {file.name}.gz) is missing; looked in {tried}; "
            f"{_expected(file)}",
            hint=_get_it(self._description),
        )


def search_folders(description: DatasetDescription, data_folder: Path | None) -> list[Path]:
    """Folders in which a dataset's files are looked for.

    Args:
        data_folder: default `data_home()`.
    """
    if description.embedded:
        return [DATASETS_FOLDER / description.embedded]
    root = data_folder or data_home()
    return [root, *(root / name for name in dict.fromkeys((*description.folders, description.name)))]


_GET_AGAIN = "remove the file and get it again from its source"


def _expected(file: DataFile) -> str:
    return f"expected {file.bytes} bytes uncompressed with sha256 {file.sha256}"


def _get_it(description: DatasetDescription) -> str:
    if description.embedded:
        return "the installation is damaged: install dlgauge anew (the file is part of the package)"
    fetch = f"`dlgauge data fetch {description.name}` gets it; or " if description.mirrors else ""
    text = (
        f"{fetch}put the files ({description.source}) into one folder and name it with --data DIR or DLGAUGE_DATA; "
        "or use a workload on an embedded dataset, such as lenet-mnist-subset"
    )
    if known := variants_of(description.name):
        text += f"; or one on a variant ({', '.join(known)}), as WORKLOAD@VARIANT"
    return text


def _other_content(description: DatasetDescription, actual: str) -> str:
    base = description.variant_of or description.name
    for name in (base, *variants_of(base)):
        if name != description.name and any(file.sha256 == actual for file in load_description(name).files.all):
            return f"this is the content of the dataset {name!r}: name that one"
    return (
        f"{_GET_AGAIN}; other content is accepted only as a variant, under a name of its own: "
        f"`dlgauge data import FOLDER --dataset {base} --variant NAME`"
    )


def _read(path: Path, file: DataFile, decode: _Decode) -> bytes:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot be read: {error}; {_expected(file)}", where=str(path)) from None
    except ValueError as error:
        raise DataError(f"{error}; {_expected(file)}", where=str(path), hint=_GET_AGAIN) from None


def _read_archive(path: Path, names: Sequence[str], archive: Archive) -> dict[str, bytes]:
    """The archive's wanted members by the names of the files that they stand for."""
    by_member = {pickle_name(name) if archive.layout == "pickle" else name: name for name in names}
    decode: _Decode = records_from_pickle if archive.layout == "pickle" else bytes
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                name = by_member.get(Path(member.name).name)
                if name is not None and member.isfile() and (stream := tar.extractfile(member)):
                    found[name] = decode(stream.read())
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(f"the archive is cut off or damaged: {error}", where=str(path), hint=_GET_AGAIN) from None
    return found
