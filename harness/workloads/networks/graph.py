"""A network: an input shape and layers, read from a file and checked as a graph."""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, model_validator

from harness.errors import FileFormatError
from harness.fields import FileModel, PositiveInt, Slug
from harness.validation import nearest
from harness.workloads.networks.layer import ShapeError
from harness.workloads.networks.layers import Layer
from harness.yaml_files import YamlDocument, find_named, load_yaml, names_in, validate

NETWORKS_FOLDER = Path(__file__).resolve().parent
INPUT = "input"


class LayerError(FileFormatError):
    """A layer that does not fit into its network; `.layer` is its name."""

    def __init__(self, layer: str, what: str, *, where: str | None = None) -> None:
        super().__init__(f"layer {layer!r}: {what}", where=where)
        self.layer = layer


class Network(FileModel):
    """A framework-neutral network; the last layer gives the logits.

    Attributes:
        input: shape of one image, `(C, H, W)`.
        layers: in an order in which each comes after its inputs; `inputs` defaults to the layer before.
    """

    name: Slug = Field(validation_alias=AliasChoices("network", "name"))
    input: tuple[PositiveInt, PositiveInt, PositiveInt]
    layers: tuple[Layer, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _default_inputs(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not isinstance(value.get("layers"), list | tuple):
            return value
        layers, previous = [], INPUT
        for layer in value["layers"]:
            if isinstance(layer, Mapping):
                layers.append({"inputs": [previous], **layer})
                previous = layer.get("name", previous)
            else:
                layers.append(layer)
        return {**value, "layers": layers}


def parse_network(value: Network | Mapping[str, Any]) -> Network:
    """The network that a specification holds as plain values, checked as a graph."""
    network = Network.model_validate(value)
    check_graph(network)
    return network


def network_names() -> list[str]:
    """Names of the networks that come with the project."""
    return names_in(NETWORKS_FOLDER)


def load_network(name: str, *, relative_to: Path | None = None) -> Network:
    """A network by name, or from a file where the name ends in `.yaml`.

    Raises:
        FileFormatError: unknown name; a file that is not valid; layers that do not fit (file, layer and shapes named).
    """
    document = load_yaml(find_named(name, NETWORKS_FOLDER, "network", relative_to=relative_to))
    network = validate(document, Network)
    try:
        check_graph(network)
    except LayerError as error:
        raise LayerError(error.layer, _bare(error), where=_where(document, network, error.layer)) from None
    return network


def check_graph(network: Network) -> None:
    """Raise `LayerError` for repeated names, unknown inputs, cycles, unused layers and shapes that do not fit."""
    _check_names(network)
    _check_order(network)
    _check_all_used(network)
    infer_shapes(network)


def infer_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Output shape of `input` and of every layer, without the batch."""
    found: dict[str, tuple[int, ...]] = {INPUT: network.input}
    for layer in network.layers:
        try:
            found[layer.name] = layer.output_shape(*(found[name] for name in layer.inputs))
        except ShapeError as error:
            given = ", ".join(f"input {name!r} has shape {'x'.join(map(str, found[name]))}" for name in layer.inputs)
            raise LayerError(layer.name, f"{error} ({given})") from None
    return found


def _check_names(network: Network) -> None:
    seen = {INPUT}
    for layer in network.layers:
        if layer.name in seen:
            raise LayerError(
                layer.name, "the name is used twice" if layer.name != INPUT else "'input' names the images"
            )
        seen.add(layer.name)
    for layer in network.layers:
        for name in layer.inputs:
            if name not in seen:
                raise LayerError(layer.name, f"unknown input {name!r}{nearest(name, seen)}")


def _check_order(network: Network) -> None:
    graph = {layer.name: layer.inputs for layer in network.layers}
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        cycle = error.args[1]
        raise LayerError(cycle[0], f"is part of a cycle: {' -> '.join(cycle)}") from None
    earlier = {INPUT}
    for layer in network.layers:
        if late := [name for name in layer.inputs if name not in earlier]:
            raise LayerError(layer.name, f"stands before its input {late[0]!r}; list layers after their inputs")
        earlier.add(layer.name)


def _check_all_used(network: Network) -> None:
    used = {name for layer in network.layers for name in layer.inputs}
    for layer in network.layers[:-1]:
        if layer.name not in used:
            raise LayerError(layer.name, "no layer uses its output, and it is not the last one")


def _bare(error: LayerError) -> str:
    return error.what.removeprefix(f"layer {error.layer!r}: ")


def _where(document: YamlDocument, network: Network, layer: str) -> str:
    names = [candidate.name for candidate in network.layers]
    index = len(names) - 1 - names[::-1].index(layer) if layer in names else 0
    return document.where(("layers", index))
