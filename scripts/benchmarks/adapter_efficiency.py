#!/usr/bin/env python3
"""Does the harness slow a framework down? Samples/s in the harness over samples/s of a hand-written loop without it.

The same network, setting, data, environment, CPUs and threads. One pair is one trial through the harness (sampler on)
and one run of `scripts/benchmarks/idiomatic/<framework>_<network>.py` (no harness, no sampler), in turn and in changing
order, so that a change of the machine's speed meets both. The first step is outside of both figures.

LeNet trains on the embedded digits, cifar10_quick and ResNet-32 on `cifar10@jpeg75`, whose files lie in the folder that
`--data` names. ResNet-32 runs without its augmentation on both sides: the harness makes that in NumPy beside the
training, and the ratio is to tell the adapter's cost, not the augmentation's (`augmentation_ahead.py` tells that).
On TensorFlow's ResNet-32 an adapter's cost may hide: its loop is of Keras layers, as people write it, and Keras 3 does
not use TensorFlow's fused batch normalisation, which the adapter calls.

Usage: .venv/bin/python scripts/benchmarks/adapter_efficiency.py [FRAMEWORK ...]
       [--networks lenet cifar10_quick resnet-32] [--data DIR] [--pairs 5] [--steps N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import hand_written
import report_line
import yaml
from single_trials import figure, make_trial, run_once

from harness.errors import DlgaugeError
from harness.study import Trial
from harness.workloads import PreparedData, prepare
from harness.workloads.workload import WORKLOADS_FOLDER
from harness.yaml_files import load_yaml

TARGETS = {"tensorflow": 0.97, "torch": 0.97, "jax": 0.97, "caffe": 0.95, "theano": 0.95}
CIFAR10 = "cifar10@jpeg75"
PLAIN_RESNET = "resnet-32-plain"


@dataclass(frozen=True)
class Subject:
    """A network as it is measured.

    Attributes:
        workload: a name, or that of the file that `write_plain_resnet` makes.
        steps: default length of a trial and of a loop: 10 to 20 s on two cores.
        embedded: whether the dataset comes with the project.
    """

    workload: str
    setting: str
    steps: int
    embedded: bool


SUBJECTS = {
    "lenet": Subject("lenet-mnist-subset", "caffe-mnist", 400, embedded=True),
    "cifar10_quick": Subject("caffe-cifar10@jpeg75", "caffe-cifar10", 150, embedded=False),
    "resnet-32": Subject(f"{PLAIN_RESNET}.yaml", "resnet-32", 25, embedded=False),
}


def main() -> int:
    """Measure every framework on every network; exit status 1 when a median is under its target."""
    arguments = parse_arguments()
    report_line.print_machine()
    missed = False
    for network in arguments.networks:
        for name in arguments.frameworks:
            if not hand_written.loop_file(name, network).exists():
                print(f"{name}, {network}: skipped, no hand-written loop", flush=True)
                continue
            try:
                missed = not report(name, network, measure(name, network, arguments)) or missed
            except DlgaugeError as error:
                raise SystemExit(f"{name}, {network}: {error}") from None
    return 1 if missed else 0


def parse_arguments() -> argparse.Namespace:
    """The command line; what cannot work is refused before anything is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", default=list(TARGETS), metavar="FRAMEWORK")
    parser.add_argument("--networks", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    parser.add_argument("--data", type=Path, metavar="DIR", help=f"folder with the files of {CIFAR10}")
    parser.add_argument("--pairs", type=int, default=5)
    lengths = ", ".join(f"{name} {subject.steps}" for name, subject in SUBJECTS.items())
    parser.add_argument("--steps", type=int, help=f"default: {lengths}")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.frameworks if name not in TARGETS]:
        parser.error(f"no hand-written loops for {', '.join(unknown)}; there are for {', '.join(TARGETS)}")
    needy = [name for name in arguments.networks if not SUBJECTS[name].embedded]
    if needy and arguments.data is None:
        parser.error(
            f"{' and '.join(needy)}: trained on {CIFAR10}; name the folder of its files with --data DIR, "
            "or measure LeNet alone with --networks lenet"
        )
    return arguments


def measure(name: str, network: str, arguments: argparse.Namespace) -> list[tuple[float, float]]:
    """(samples/s in the harness, samples/s of the hand-written loop) of every pair."""
    subject = SUBJECTS[network]
    steps = arguments.steps or subject.steps
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_plain_resnet(folder)
        trial = make_trial(name, subject.workload, subject.setting, steps, folder)
        data = prepare(trial.specification["workload"], data_folder=arguments.data)
        loop = hand_written.loop_file(name, network)
        return [measure_pair(number, trial, data, loop, steps, folder) for number in range(arguments.pairs)]


def measure_pair(
    number: int, trial: Trial, data: PreparedData, loop: Path, steps: int, folder: Path
) -> tuple[float, float]:
    """The two halves of a pair; which one is first changes from pair to pair."""
    halves = (
        lambda: figure(run_once(trial, data, folder), "samples_per_s"),
        lambda: hand_written.samples_per_s(loop, trial, data, steps),
    )
    figures = {half: halves[half]() for half in ((0, 1) if number % 2 == 0 else (1, 0))}
    return figures[0], figures[1]


def report(name: str, network: str, pairs: list[tuple[float, float]]) -> bool:
    """Print the figures; whether the median reaches the target."""
    ratios = [harness / loop for harness, loop in pairs]
    by_harness, by_loop = (report_line.spread(values, 0) for values in zip(*pairs, strict=True))
    title = f"{name}, {network}: harness / hand-written"
    report_line.print_figure(title, report_line.spread(ratios), f">= {TARGETS[name]}")
    print(f"    samples/s in the harness: {by_harness}; hand-written: {by_loop}", flush=True)
    return statistics.median(ratios) >= TARGETS[name]


def write_plain_resnet(folder: Path) -> None:
    """The workload `resnet-32` on the variant of its dataset and without augmentation, as a file."""
    workload = load_yaml(WORKLOADS_FOLDER / "resnet-32.yaml").value
    del workload["augmentation"]
    text = yaml.safe_dump({**workload, "workload": PLAIN_RESNET, "dataset": CIFAR10})
    (folder / f"{PLAIN_RESNET}.yaml").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
