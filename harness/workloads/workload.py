"""A workload: dataset + preprocessing + network + loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from harness.errors import FileFormatError
from harness.fields import FileModel, PositiveInt, Sha256, Slug
from harness.workloads.augmentation import Augmentation, augmented_shape
from harness.workloads.datasets.description import (
    VARIANT_SIGN,
    DatasetDescription,
    DatasetName,
    load_description,
)
from harness.workloads.networks import Network, load_network, shapes
from harness.workloads.preprocessing import Preprocessing, Shape, StepError, preprocessed_shape
from harness.yaml_files import UnknownName, YamlDocument, find_named, load_yaml, names_in, validate

WORKLOADS_FOLDER = Path(__file__).resolve().parent / "workloads"


class DatasetIdentity(FileModel):
    """What a specification says of its dataset: enough to know it again without its files."""

    name: DatasetName
    content_sha256: Sha256
    train: PositiveInt
    test: PositiveInt
    shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    classes: PositiveInt


class Workload(FileModel):
    """A workload, complete: its JSON is the part `workload` of a specification.

    On a variant of its dataset it is called after both: `caffe-cifar10@jpeg75`.

    Attributes:
        preprocessing: done to both splits, once.
        augmentation: done to every mini-batch of training, after the preprocessing.
    """

    name: DatasetName
    dataset: DatasetIdentity
    preprocessing: tuple[Preprocessing, ...]
    augmentation: tuple[Augmentation, ...] = ()
    network: Network
    loss: Literal["softmax_cross_entropy"]


class _WorkloadFile(FileModel):
    """A workload as it stands in a file: dataset and network by name."""

    workload: Slug
    dataset: str
    preprocessing: tuple[Preprocessing, ...] = ()
    augmentation: tuple[Augmentation, ...] = ()
    network: str
    loss: Literal["softmax_cross_entropy"]


def parse_workload(value: Workload | Mapping[str, Any]) -> Workload:
    """The workload that a specification holds as plain values."""
    return Workload.model_validate(value)


def workload_names() -> list[str]:
    """Names of the workloads that come with the project."""
    return names_in(WORKLOADS_FOLDER)


def load_workload(name: str, *, relative_to: Path | None = None) -> Workload:
    """A workload by name, or from a file where the name ends in `.yaml`.

    `NAME@VARIANT` is the workload on that variant of its dataset: `caffe-cifar10@jpeg75` is on `cifar10@jpeg75`.

    Raises:
        FileFormatError: unknown name; a file that is not valid; dataset and network that do not fit together.
    """
    base, variant = name, ""
    if not name.endswith((".yaml", ".yml")):
        base, _, variant = name.partition(VARIANT_SIGN)
    document = load_yaml(find_named(base, WORKLOADS_FOLDER, "workload", relative_to=relative_to))
    file = validate(document, _WorkloadFile)
    if variant:
        changed = {"workload": f"{file.workload}@{variant}", "dataset": f"{file.dataset}@{variant}"}
        file = file.model_copy(update=changed)
    dataset = _dataset(document, file)
    network = _network(document, file)
    _check_fit(document, file, dataset, network)
    identity = DatasetIdentity(**{key: getattr(dataset, key) for key in DatasetIdentity.model_fields})
    return Workload(
        name=file.workload,
        dataset=identity,
        preprocessing=file.preprocessing,
        augmentation=file.augmentation,
        network=network,
        loss=file.loss,
    )


def _dataset(document: YamlDocument, file: _WorkloadFile) -> DatasetDescription:
    try:
        return load_description(file.dataset)
    except UnknownName as error:
        raise FileFormatError(error.what, where=document.where(("dataset",))) from None


def _network(document: YamlDocument, file: _WorkloadFile) -> Network:
    try:
        return load_network(file.network, relative_to=document.path.parent)
    except UnknownName as error:
        raise FileFormatError(error.what, where=document.where(("network",))) from None


def _check_fit(document: YamlDocument, file: _WorkloadFile, dataset: DatasetDescription, network: Network) -> None:
    shape = _input_shape(document, file, dataset)
    if network.input != shape:
        given = f"has {_text(dataset.shape)}"
        if file.preprocessing or file.augmentation:
            given += f", after {'augmentation' if file.augmentation else 'preprocessing'} {_text(shape)}"
        raise FileFormatError(
            f"network {network.name!r} takes images of shape {_text(network.input)}, dataset {dataset.name!r} {given}",
            where=document.where(("network",)),
        )
    last = network.layers[-1].name
    output = shapes(network)[last]
    if output != (dataset.classes,):
        raise FileFormatError(
            f"the last layer {last!r} of network {network.name!r} has shape {_text(output)}, "
            f"dataset {dataset.name!r} has {dataset.classes} classes",
            where=document.where(("network",)),
        )


def _input_shape(document: YamlDocument, file: _WorkloadFile, dataset: DatasetDescription) -> Shape:
    key = "preprocessing"
    try:
        shape = preprocessed_shape(dataset.shape, file.preprocessing)
        key = "augmentation"
        return augmented_shape(shape, file.augmentation)
    except StepError as error:
        raise FileFormatError(str(error), where=document.where((key,))) from None


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)
