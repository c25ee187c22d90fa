#!/usr/bin/env python3
"""Does the harness slow a framework down? Samples/s in the harness over samples/s of a hand-written loop without it.

The same network, setting, data, environment, CPUs and threads. One pair is one trial through the harness (sampler on)
and one run of `scripts/benchmarks/idiomatic/<framework>_lenet.py` (no harness, no sampler), in turn and in changing
order, so that a change of the machine's speed meets both. The first step is outside of both figures.
Usage: .venv/bin/python scripts/benchmarks/adapter_efficiency.py [--pairs 5] [--steps 400] [FRAMEWORK ...]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import report_line
import yaml

from harness.cli.run import StoreKeeper
from harness.execution import make_environment
from harness.execution.container_launch import LABEL
from harness.execution.containers import CODE_FOLDER, COMPILE_CACHE, DATA_FOLDER, ContainerEnvironment
from harness.execution.engine import connect
from harness.execution.environments import worker_variables
from harness.execution.trial_runner import run_trial
from harness.execution.venvs import VenvEnvironment
from harness.owner import describe_owner
from harness.paths import cache_folder
from harness.records import publish
from harness.study import Trial, load_frameworks, load_study, make_plan
from harness.workloads import PreparedData, prepare

TARGET = 0.97
LOOP_LIMIT_S = 600
LOOPS = Path(__file__).parent / "idiomatic"


class Silent:
    """An observer that says nothing."""

    def on_event(self, event: object) -> None:
        """Nothing."""

    def on_step(self, step: object) -> None:
        """Nothing."""


def main() -> int:
    """Measure every framework; exit status 1 when a median is under the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", default=["tensorflow", "torch", "jax", "caffe", "theano"])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()
    report_line.print_machine()
    missed = False
    for name in arguments.frameworks:
        with tempfile.TemporaryDirectory() as folder:
            pairs = measure(name, arguments.pairs, arguments.steps, Path(folder))
        ratios = [harness / loop for harness, loop in pairs]
        by_harness, by_loop = (report_line.spread(values, 0) for values in zip(*pairs, strict=True))
        report_line.print_figure(f"{name}: harness / hand-written", report_line.spread(ratios), f">= {TARGET}")
        print(f"    samples/s in the harness: {by_harness}; hand-written: {by_loop}", flush=True)
        missed = missed or statistics.median(ratios) < TARGET
    return 1 if missed else 0


def measure(name: str, pairs: int, steps: int, folder: Path) -> list[tuple[float, float]]:
    """(samples/s in the harness, samples/s of the hand-written loop) of every pair."""
    trial = make_trial(name, steps, folder)
    data = prepare(trial.specification["workload"])
    results = []
    for number in range(pairs):
        halves = [lambda: in_harness(trial, data, folder), lambda: by_hand(name, trial, data, steps)]
        order = (0, 1) if number % 2 == 0 else (1, 0)
        figures = {half: halves[half]() for half in order}
        results.append((figures[0], figures[1]))
    return results


def make_trial(name: str, steps: int, folder: Path) -> Trial:
    """LeNet on the embedded digits, evaluated once at the end."""
    study = {
        "study": "efficiency",
        "frameworks": [name],
        "workloads": ["lenet-mnist-subset"],
        "settings": ["caffe-mnist"],
        "seeds": [1],
        "overrides": {"steps": steps, "evaluation.every_steps": steps},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return make_plan(load_study(folder / "study.yaml")).trials[0]


def in_harness(trial: Trial, data: PreparedData, folder: Path) -> float:
    """Samples/s of one trial."""
    environment = make_environment(load_frameworks()[trial.framework])
    keeper = StoreKeeper(folder / "store")
    record = publish(run_trial(trial, environment, data, keeper.new_folder(trial), Silent()), folder / "store")
    if record.termination != "completed":
        raise SystemExit(f"{trial.label}: {record.manifest['termination']}")
    return float(record.summary["samples_per_s"])


def by_hand(name: str, trial: Trial, data: PreparedData, steps: int) -> float:
    """Samples/s of the hand-written loop, in the same environment."""
    environment = make_environment(load_frameworks()[name])
    loop, profile = LOOPS / f"{name}_lenet.py", trial.specification["profile"]
    threads = str(profile["threads"]["intra_op"])
    if isinstance(environment, VenvEnvironment):
        variables = worker_variables(environment.framework, trial.specification, {"PATH": "/usr/bin:/bin"})
        cpus = ",".join(map(str, profile["cpus"]))
        # Whatever happens to this script, the loop must not go on beside the next measurement for long.
        command = ["timeout", "--foreground", str(LOOP_LIMIT_S), "taskset", "-c", cpus, str(environment.python)]
        result = subprocess.run(
            [*command, str(loop), str(data.folder), str(steps), threads], env=variables, capture_output=True, text=True
        )
        if result.returncode:
            raise SystemExit(f"{loop.name} ended with status {result.returncode}:\n{result.stderr[-2000:]}")
        return float(result.stdout.split()[-2])
    assert isinstance(environment, ContainerEnvironment)
    return in_container(environment, loop, trial, data, [str(steps), threads])


def in_container(
    environment: ContainerEnvironment, loop: Path, trial: Trial, data: PreparedData, arguments: list[str]
) -> float:
    """Samples/s of a hand-written loop in a framework's container."""
    variables = worker_variables(environment.framework, trial.specification, {"HOME": "/tmp", "USER": "dlgauge"})
    cache = cache_folder().absolute() / "compile" / environment.tag.replace("/", "-").replace(":", "-")
    client = connect()
    client.api.timeout = 3600
    try:
        output = client.containers.run(
            environment.tag,
            ["/usr/bin/python3", f"{CODE_FOLDER}/{loop.name}", DATA_FOLDER, *arguments],
            environment=variables,
            volumes={
                str(loop.parent.absolute()): {"bind": CODE_FOLDER, "mode": "ro"},
                str(data.folder.absolute()): {"bind": DATA_FOLDER, "mode": "ro"},
                str(cache): {"bind": COMPILE_CACHE, "mode": "rw"},
            },
            tmpfs={"/tmp": "mode=1777,exec"},
            user=f"{os.getuid()}:{os.getgid()}",
            labels={LABEL: json.dumps(describe_owner())},
            cpuset_cpus=",".join(map(str, trial.specification["profile"]["cpus"])),
            network_mode="none",
            remove=True,
        )
    finally:
        client.close()
    return float(output.decode().split()[-2])


if __name__ == "__main__":
    sys.exit(main())
