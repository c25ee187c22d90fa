"""Container images: built by the engine from a framework's Dockerfile, tagged with the folder's hash."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frameworks.worker.limits import visible_gpus
from harness.errors import EnvironmentFailed
from harness.execution.container_launch import LABEL, ContainerLaunch, remove_stale_containers
from harness.execution.engine import START_HINT, connect, engine_errors
from harness.execution.environments import EnvironmentState, Readiness, Say, worker_variables
from harness.execution.launching import write_launch_file
from harness.owner import describe_owner
from harness.paths import PROJECT_ROOT, cache_folder
from harness.study import FrameworkDescription

DATA_FOLDER = "/data"
TRIAL_FOLDER = "/trial"
CODE_FOLDER = "/dlgauge"
COMPILE_CACHE = "/compile_cache"
BASE_IMAGE = "debian:bullseye"
OPEN_FILES = 1024
PROCESSES = 4096
BUILD_LOG_LINES = 15


class ContainerEnvironment:
    """See `Environment`. Identity: the framework folder's hash, which is the image's tag."""

    def __init__(self, framework: FrameworkDescription) -> None:
        self.framework = framework
        self.tag = f"dlgauge/{framework.file_name}:{framework.environment_sha256[:12]}"
        self._running: list[ContainerLaunch] = []

    def state(self) -> EnvironmentState:
        """See `Environment`."""
        import docker.errors

        try:
            client = connect()
        except EnvironmentFailed as error:
            return EnvironmentState(Readiness.UNUSABLE, error.what, START_HINT)
        try:
            remove_stale_containers(client)
            with engine_errors(f"looking for the image {self.tag}"):
                client.images.get(self.tag)
        except EnvironmentFailed as error:
            if isinstance(error.__cause__, docker.errors.ImageNotFound):
                return EnvironmentState(
                    Readiness.NOT_PREPARED, "its image has not been built", f"dlgauge prepare {self.framework.name}"
                )
            return EnvironmentState(Readiness.UNUSABLE, error.what, error.hint)
        finally:
            client.close()
        return EnvironmentState(Readiness.READY)

    def prepare(self, say: Say) -> None:
        """See `Environment`."""
        import docker.errors

        client = connect()
        try:
            with engine_errors(f"looking for the image {self.tag}"):
                try:
                    client.images.get(self.tag)
                    return
                except docker.errors.ImageNotFound:
                    pass
            say(f"building an image with {self.framework.title} {self.framework.version}")
            self._build(client)
        finally:
            client.close()

    def _build(self, client: Any) -> None:
        import docker.errors

        client.api.timeout = 3600
        try:
            with engine_errors(f"building the image of {self.framework.title}"):
                # The build fetches Debian packages; the host's network has the host's proxies and name servers.
                client.images.build(
                    path=str(self.framework.folder), tag=self.tag, rm=True, forcerm=True, network_mode="host"
                )
        except EnvironmentFailed as error:
            cause = error.__cause__
            if not isinstance(cause, docker.errors.BuildError):
                raise
            lines = "".join(str(entry.get("stream") or entry.get("error") or "") for entry in cause.build_log)
            tail = "\n  ".join(lines.strip().splitlines()[-BUILD_LOG_LINES:])
            raise EnvironmentFailed(
                f"the image of {self.framework.title} could not be built:\n  {tail}",
                where=str(self.framework.folder / "Dockerfile"),
                hint=f"if the base image {BASE_IMAGE} is missing: scripts/container-engine base",
            ) from cause

    def facts(self) -> dict[str, Any]:
        """See `Environment`."""
        client = connect()
        try:
            with engine_errors("asking the engine for its version"):
                image = client.images.get(self.tag)
                version = client.version()
        finally:
            client.close()
        return {
            "kind": "container",
            "environment_sha256": self.framework.environment_sha256,
            "image": self.tag,
            "image_id": image.id,
            "engine": version.get("Version"),
            "api_version": version.get("ApiVersion"),
        }

    def data_folder_seen(self, data_folder: Path) -> str:
        """See `Environment`: where it is mounted."""
        del data_folder
        return DATA_FOLDER

    def launch(self, trial_folder: Path, data_folder: Path, specification: Mapping[str, Any]) -> ContainerLaunch:
        """See `Environment`."""
        base = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/tmp",
            "USER": "dlgauge",
            "LOGNAME": "dlgauge",
            "PYTHONPATH": CODE_FOLDER,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        write_launch_file(
            trial_folder,
            ["/usr/bin/python3", "-m", "frameworks.worker", TRIAL_FOLDER],
            worker_variables(self.framework, specification, base),
            time_limit_s=specification["time_limit_s"],
        )
        client = connect()
        try:
            self._running = [launch for launch in self._running if not launch.finished]
            remove_stale_containers(client, [launch.container_id for launch in self._running])
            with engine_errors("asking the engine what it is"):
                rootless = any("rootless" in option for option in client.info().get("SecurityOptions") or ())
            options = self._options(trial_folder, data_folder, specification["profile"], rootless=rootless)
            launch = ContainerLaunch(client, trial_folder, options)
            self._running.append(launch)
            return launch
        except BaseException:
            client.close()
            raise

    def _options(
        self, trial_folder: Path, data_folder: Path, profile: Mapping[str, Any], *, rootless: bool
    ) -> dict[str, Any]:
        """What a trial's container may do: no network, no privileges, one folder to write in, the profile's CPUs."""
        import docker.types

        compile_cache = cache_folder().absolute() / "compile" / self.tag.replace("/", "-").replace(":", "-")
        compile_cache.mkdir(parents=True, exist_ok=True)

        def mount(source: Path, target: str, read_only: bool) -> Any:
            return docker.types.Mount(target, str(source.absolute()), type="bind", read_only=read_only)

        options: dict[str, Any] = {
            "image": self.tag,
            "command": ["/usr/bin/python3", "-I", "-S", f"{CODE_FOLDER}/frameworks/worker/launcher.py", TRIAL_FOLDER],
            "labels": {LABEL: json.dumps(describe_owner())},
            "network_mode": "none",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "read_only": True,
            # exec: Theano asks its compiler for the processor's flags by running a program from the temporary folder.
            "tmpfs": {"/tmp": "mode=1777,exec"},
            # In a rootless engine the container's root is the caller, and the caller's number is somebody else.
            "user": "0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
            "ulimits": [
                docker.types.Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
                docker.types.Ulimit(name="core", soft=0, hard=0),
            ],
            "pids_limit": PROCESSES,
            "cpuset_cpus": ",".join(str(cpu) for cpu in profile["cpus"]),
            "mounts": [
                mount(trial_folder, TRIAL_FOLDER, False),
                mount(data_folder, DATA_FOLDER, True),
                mount(PROJECT_ROOT / "frameworks" / "worker", f"{CODE_FOLDER}/frameworks/worker", True),
                mount(self.framework.adapter_folder, f"{CODE_FOLDER}/frameworks/{self.framework.adapter}", True),
                mount(compile_cache, COMPILE_CACHE, False),
            ],
        }
        if profile.get("gpus"):
            names = visible_gpus(profile["gpus"])
            options["device_requests"] = [docker.types.DeviceRequest(device_ids=names, capabilities=[["gpu"]])]
        if profile.get("memory_bytes"):
            options["mem_limit"] = options["memswap_limit"] = profile["memory_bytes"]
        return options
