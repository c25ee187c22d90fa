"""Known differences are named where they can be the cause, and only there."""

from __future__ import annotations

import pytest

from harness.parity.causes import known_causes
from harness.parity.comparing import Difference
from harness.parity.contract_cases import network
from harness.workloads import parse_network

CONV = {"name": "conv", "kind": "convolution", "filters": 4, "kernel": 3}
POOLED = parse_network(network(CONV, {"name": "pool", "kind": "max_pool", "kernel": 7, "stride": 1}))
AVERAGED = parse_network(network(CONV, {"name": "pool", "kind": "average_pool", "kernel": 7, "stride": 1}))
PLAIN = parse_network(network(CONV))


@pytest.mark.parametrize(
    ("found_in", "quantity", "name", "optimizer", "causes"),
    [
        (POOLED, "gradients", "conv.weights", "sgd", ["max-pool ties"]),
        (POOLED, "loss", "step 2", "sgd", ["max-pool ties"]),
        (POOLED, "activations_before", "pool", "sgd", ["rounding of pools"]),
        (POOLED, "activations_before", "conv", "sgd", []),
        (AVERAGED, "activations_before", "pool", "sgd", ["padding of average pools", "rounding of pools"]),
        (AVERAGED, "gradients", "conv.weights", "sgd", []),
        (PLAIN, "updates", "conv.weights", "adam", ["placement of epsilon"]),
        (PLAIN, "updates", "conv.weights", "sgd", []),
        (PLAIN, "weights_before", "conv.weights", "adam", []),
    ],
)
def test_causes(found_in, quantity: str, name: str, optimizer: str, causes: list[str]) -> None:
    difference = Difference(quantity, name, 1e-4, 0.1)
    assert [cause.name for cause in known_causes(difference, found_in, optimizer)] == causes
