"""What is known of a dataset without its files: names, sizes, checksums, source, mirrors, licence."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, model_validator

from harness.fields import FileModel, PositiveInt, Sha256
from harness.paths import cache_folder
from harness.yaml_files import find_named, load_yaml, names_in, validate

DATASETS_FOLDER = Path(__file__).resolve().parent
VARIANT_SIGN = "@"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}(@[a-z0-9][a-z0-9._-]{0,39})?")


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"should be of lower-case letters, digits, '.', '_' and '-', a variant as NAME@VARIANT, not {value!r}"
        )
    return value


DatasetName = Annotated[str, AfterValidator(_check_name)]
"""A name that is safe as a file name: a slug, or for a variant two of them, as in `cifar10@jpeg75`."""


class DataFile(FileModel):
    """A published file; `sha256` and `bytes` are of its uncompressed content. On disk it may also be `<name>.gz`."""

    name: str
    sha256: Sha256
    bytes: PositiveInt


class IdxFiles(FileModel):
    """The four files of a dataset in the idx format of MNIST."""

    train_images: DataFile
    train_labels: DataFile
    test_images: DataFile
    test_labels: DataFile

    @property
    def all(self) -> tuple[DataFile, ...]:
        """All files."""
        return (self.train_images, self.train_labels, self.test_images, self.test_labels)


class CifarFiles(FileModel):
    """The files of a dataset in the binary format of CIFAR-10, in the order in which their images are numbered."""

    train: tuple[DataFile, ...] = Field(min_length=1)
    test: tuple[DataFile, ...] = Field(min_length=1)

    @property
    def all(self) -> tuple[DataFile, ...]:
        """All files."""
        return (*self.train, *self.test)

    @property
    def content_sha256(self) -> str:
        """Identity of the content: SHA-256 over a line `<split> <sha256 of the file>` for each file, in order.

        The file of a split fixes labels and pixels; so the identity can be known where only checksums are published.
        """
        lines = [f"{split} {file.sha256}\n" for split in ("train", "test") for file in getattr(self, split)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


class Archive(FileModel):
    """A published archive (`.tar.gz`) that holds the dataset's files; checksums are of the archive as it is.

    Attributes:
        layout: `plain`, or `pickle` for CIFAR-10's Python version, whose members say the same in another form.
    """

    name: str
    bytes: PositiveInt
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    sha256: Sha256
    layout: Literal["plain", "pickle"] = "plain"


class DatasetDescription(FileModel):
    """A dataset's description.

    Attributes:
        variant_of: the dataset whose content this one is not, though it has its form; the name is then `<that>@<...>`.
        embedded: folder beside the description that holds the files, for a dataset that comes with the project.
        folders: sub-folders of the data folder in which the files are looked for, after the data folder itself.
        mirrors: addresses that a file's or archive's name is appended to, in the order in which they are tried.
        archives: published archives; the first one is what `dlgauge data fetch` gets. Without, it gets `<file>.gz`.
        shape: of one image, `(C, H, W)`.
        content_sha256: identity of the content, see `harness.workloads.datasets.content_sha256` (idx) and
            `CifarFiles.content_sha256`.
    """

    name: DatasetName = Field(validation_alias=AliasChoices("dataset", "name"))
    title: str
    source: str
    licence: str
    format: Literal["idx", "cifar10_binary"]
    variant_of: DatasetName | None = None
    embedded: str | None = None
    folders: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    train: PositiveInt
    test: PositiveInt
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: PositiveInt
    content_sha256: Sha256
    files: IdxFiles | CifarFiles

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        base = self.name.split(VARIANT_SIGN)[0] if VARIANT_SIGN in self.name else None
        if self.variant_of != base:
            raise ValueError(f"a variant is called NAME@VARIANT: {self.name!r} is a variant of {self.variant_of!r}")
        if isinstance(self.files, CifarFiles) != (self.format == "cifar10_binary"):
            raise ValueError(f"the files are not those of format {self.format!r}")
        if isinstance(self.files, CifarFiles) and self.content_sha256 != self.files.content_sha256:
            raise ValueError(f"content_sha256 should be {self.files.content_sha256}, as follows from the files'")
        return self


def data_home() -> Path:
    """Where datasets are fetched to and looked for: `DLGAUGE_DATA`, else `data` in the cache."""
    given = os.environ.get("DLGAUGE_DATA")
    return Path(given).absolute() if given else cache_folder() / "data"


def dataset_names() -> list[str]:
    """Names of the datasets that the project knows, and of the variants that were imported here."""
    return sorted({*names_in(DATASETS_FOLDER), *_imported_names()})


def load_description(name: str) -> DatasetDescription:
    """The description of a dataset.

    Raises:
        FileFormatError: unknown name, or a file that is not valid.
    """
    imported = name in _imported_names() and name not in names_in(DATASETS_FOLDER)
    path = find_named(name, data_home() if imported else DATASETS_FOLDER, "dataset")
    return validate(load_yaml(path), DatasetDescription)


def variants_of(name: str) -> list[str]:
    """Names of the known variants of a dataset."""
    return [other for other in dataset_names() if other.startswith(f"{name}{VARIANT_SIGN}")]


def _imported_names() -> list[str]:
    return [name for name in names_in(data_home()) if VARIANT_SIGN in name]
