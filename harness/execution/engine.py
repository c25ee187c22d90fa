"""The container engine: any that speaks the Docker API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFailed

START_HINT = "scripts/container-engine start"
CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 60


def engine_addresses() -> list[str]:
    """Where an engine may listen: `DOCKER_HOST` alone if it is set, else Docker's and Podman's sockets that exist."""
    if explicit := os.environ.get("DOCKER_HOST"):
        return [explicit]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    docker, podman = ("/var/run/docker.sock", f"{runtime}/docker.sock"), (f"{runtime}/podman/podman.sock",)
    sockets = [*docker, *podman, "/run/podman/podman.sock"]
    return [f"unix://{path}" for path in sockets if Path(path).exists()]


def connect() -> Any:
    """A `docker.DockerClient` whose engine has answered.

    Raises:
        EnvironmentFailed: no engine answers; the message lists what was tried.
    """
    import docker
    import docker.errors

    tried = []
    for address in engine_addresses():
        try:
            client = docker.DockerClient(base_url=address, timeout=CONNECT_TIMEOUT_S)
            client.ping()
        except (docker.errors.DockerException, OSError, ValueError) as error:
            tried.append(f"{address}: {_short(error)}")
            continue
        client.api.timeout = REQUEST_TIMEOUT_S
        return client
    what = "; ".join(tried) if tried else "no Docker or Podman socket here"
    raise EnvironmentFailed(f"no container engine answers ({what})", hint=f"start one: {START_HINT}")


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn every way in which an engine can fail into `EnvironmentFailed`.

    Args:
        doing: what was being done, such as `building the image of Caffe`.
    """
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        yield
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ) as error:
        hint = f"is the engine still running? {START_HINT}" if not isinstance(error, docker.errors.APIError) else None
        raise EnvironmentFailed(f"{doing}: {_short(error)}", hint=hint) from error


def _short(error: BaseException) -> str:
    text = str(getattr(error, "explanation", None) or error).strip()
    return (text or type(error).__name__)[:500]
