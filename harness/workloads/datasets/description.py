"""What is known of a dataset without its files: names, sizes, checksums, source, licence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field

from harness.fields import FileModel, PositiveInt, Sha256, Slug
from harness.yaml_files import find_named, load_yaml, names_in, validate

DATASETS_FOLDER = Path(__file__).resolve().parent


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


class DatasetDescription(FileModel):
    """A dataset's description.

    Attributes:
        embedded: folder beside the description that holds the files, for a dataset that comes with the project.
        folders: sub-folders of the data folder in which the files are looked for, after the data folder itself.
        shape: of one image, `(C, H, W)`.
        content_sha256: over the arrays, see `harness.workloads.datasets.content_sha256`.
    """

    name: Slug = Field(validation_alias=AliasChoices("dataset", "name"))
    title: str
    source: str
    licence: str
    format: Literal["idx"]
    embedded: str | None = None
    folders: tuple[str, ...] = ()
    train: PositiveInt
    test: PositiveInt
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: PositiveInt
    content_sha256: Sha256
    files: IdxFiles


def dataset_names() -> list[str]:
    """Names of the datasets that the project knows."""
    return names_in(DATASETS_FOLDER)


def load_description(name: str) -> DatasetDescription:
    """The description of a dataset.

    Raises:
        FileFormatError: unknown name, or a file that is not valid.
    """
    return validate(load_yaml(find_named(name, DATASETS_FOLDER, "dataset")), DatasetDescription)
