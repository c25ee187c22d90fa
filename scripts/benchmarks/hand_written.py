"""Running the hand-written loops of `idiomatic/` in their frameworks' environments, on a trial's CPUs and threads."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from harness.execution import make_environment
from harness.execution.container_launch import LABEL
from harness.execution.containers import CODE_FOLDER, COMPILE_CACHE, DATA_FOLDER, ContainerEnvironment
from harness.execution.engine import connect
from harness.execution.environments import worker_variables
from harness.execution.venvs import VenvEnvironment
from harness.owner import describe_owner
from harness.paths import cache_folder
from harness.study import Trial, load_frameworks
from harness.workloads import PreparedData

LOOPS = Path(__file__).parent / "idiomatic"
LIMIT_S = 600


def loop_file(framework: str, network: str) -> Path:
    """Where the loop stands, if there is one."""
    return LOOPS / f"{framework}_{network.replace('-', '_')}.py"


def samples_per_s(loop: Path, trial: Trial, data: PreparedData, steps: int) -> float:
    """Samples/s of a loop without the harness, in the environment and under the profile of a trial."""
    environment = make_environment(load_frameworks()[trial.framework])
    arguments = [str(steps), str(trial.specification["profile"]["threads"]["intra_op"])]
    if isinstance(environment, VenvEnvironment):
        return _in_venv(environment, loop, trial, [str(data.folder), *arguments])
    assert isinstance(environment, ContainerEnvironment)
    return _in_container(environment, loop, trial, data, arguments)


def _in_venv(environment: VenvEnvironment, loop: Path, trial: Trial, arguments: list[str]) -> float:
    variables = worker_variables(environment.framework, trial.specification, {"PATH": "/usr/bin:/bin"})
    cpus = ",".join(map(str, trial.specification["profile"]["cpus"]))
    # Whatever happens to this script, the loop must not go on beside the next measurement for long.
    command = ["timeout", "--foreground", str(LIMIT_S), "taskset", "-c", cpus, str(environment.python), str(loop)]
    result = subprocess.run([*command, *arguments], env=variables, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"{loop.name} ended with status {result.returncode}:\n{result.stderr[-2000:]}")
    return float(result.stdout.split()[-2])


def _in_container(
    environment: ContainerEnvironment, loop: Path, trial: Trial, data: PreparedData, arguments: list[str]
) -> float:
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
