"""The case of a workload: its own network and setting, on inputs without ties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import DlgaugeError
from harness.parity.case import Case
from harness.schedules import learning_rates, starting_policy
from harness.workloads import Network, Setting, Workload, load_network, load_setting, load_workload, shapes
from harness.workloads.networks import network_names
from harness.workloads.settings import setting_names
from harness.workloads.workload import workload_names

BATCH_SIZE = 16
"""The largest mini-batch of a case: every operation runs as in training, and twenty steps take seconds.

The rate is scaled with the batch (Goyal et al., arXiv 1706.02677)."""

LARGEST_RATE = 0.002
"""No learning rate of a case is higher: at 0.1, rounding alone decides where a network such as ResNet-32 goes."""

PATCH = 7
"""Side of the patches of one brightness in a case's images."""

EVALUATION_BATCH_SIZE = 16


PAPER_WORKLOADS = (
    "tensorflow-mnist",
    "caffe-mnist",
    "torch-mnist",
    "theano-mnist",
    "tensorflow-cifar10",
    "caffe-cifar10",
    "torch-cifar10",
    "theano-cifar10",
    "cnn3",
    "resnet-32",
)
"""The eight defaults of GTDLBench (arXiv 1810.12210), and CNN3 and ResNet-32 of LRBench (arXiv 1908.06477)."""


def find_case(name: str, *, setting: str | None = None, steps: int = 20) -> Case:
    """The case of a workload, or of a network (by name, or a file that ends in `.yaml`).

    Args:
        setting: name or file; default: the setting of the same name.

    Raises:
        DlgaugeError: nothing of that name; no setting given and none of that name.
    """
    network, classes = _network(name)
    chosen = _setting(name, setting)
    return make_case(name.removesuffix(".yaml").rsplit("/", 1)[-1], network, chosen, classes=classes, steps=steps)


def make_case(name: str, network: Network, setting: Setting, *, classes: int, steps: int) -> Case:
    """The case on drawn images without ties; labels are drawn too: only that all agree matters, not what is learned."""
    batch_size = min(setting.batch_size, BATCH_SIZE)
    resolved = setting.model_copy(
        update={
            "steps": steps,
            "epochs": None,
            "samples": None,
            "batch_size": batch_size,
            "evaluation": setting.evaluation.model_copy(update={"batch_size": EVALUATION_BATCH_SIZE}),
        }
    )
    random = np.random.RandomState(2018)

    def images(count: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        return draw_images(random, (count, *network.input)), random.randint(0, classes, count).astype(np.int32)

    # More images than steps need, so that the order of the batches matters; two epochs for the smallest batches.
    count = max(batch_size * steps // 2, EVALUATION_BATCH_SIZE)
    highest = float(learning_rates(starting_policy(setting.learning_rate), steps).max())
    scale = min(batch_size / setting.batch_size, LARGEST_RATE / highest if highest else 1.0)
    return Case(name, network, resolved, images(count), images(EVALUATION_BATCH_SIZE), steps, rate_scale=scale)


def draw_images(random: np.random.RandomState, shape: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Images in [0, 1) without ties: patches of one brightness each, with noise on every pixel.

    Of noise alone all images would look the same to a deep network; batch normalisation would then blow up rounding.
    """
    count, channels, height, width = shape
    rows, columns = -(-height // PATCH), -(-width // PATCH)
    patches = random.uniform(0.0, 0.75, (count, channels, rows, columns)).repeat(PATCH, axis=2).repeat(PATCH, axis=3)
    return (patches[:, :, :height, :width] + random.uniform(0.0, 0.25, shape)).astype(np.float32)


def _network(name: str) -> tuple[Network, int]:
    if not name.endswith(".yaml") and name in workload_names():
        workload: Workload = load_workload(name)
        return workload.network, workload.dataset.classes
    if name.endswith(".yaml") or name in network_names():
        network = load_network(name, relative_to=Path.cwd())
        return network, shapes(network)[network.layers[-1].name][0]
    raise DlgaugeError(
        f"no workload and no network is called {name!r}",
        hint=f"workloads: {', '.join(workload_names())}; networks: {', '.join(network_names())}; or name a .yaml file",
    )


def _setting(name: str, setting: str | None) -> Setting:
    if setting is None and name not in setting_names():
        raise DlgaugeError(
            f"no setting is called {name!r}",
            hint=f"name one with --setting: {', '.join(setting_names())}, or a .yaml file",
        )
    return load_setting(setting or name, relative_to=Path.cwd())
