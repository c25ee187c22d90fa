"""What the tests with containers share: the rule for machines without an engine, and a container full of mischief."""

from __future__ import annotations

import dataclasses
import socket
import threading
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFailed
from harness.execution.container_launch import LABEL
from harness.execution.containers import ContainerEnvironment
from harness.execution.engine import connect
from harness.study import FrameworkDescription, load_frameworks
from tests.requirements import require


def require_engine() -> None:
    """Skip (or, where containers are required, fail) when no engine answers."""
    try:
        connect().close()
    except EnvironmentFailed as error:
        require("containers", False, str(error))


class FakeInContainer(ContainerEnvironment):
    """The fake framework's adapter inside Caffe's image, as if it were a container framework."""

    def __init__(self, framework: FrameworkDescription) -> None:
        super().__init__(dataclasses.replace(framework, environment="container"))
        self.tag = ContainerEnvironment(load_frameworks()["caffe"]).tag


def our_containers() -> list[Any]:
    """Containers that dlgauge made and that are still there, running or not."""
    client = connect()
    try:
        found: list[Any] = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        return found
    finally:
        client.close()


class BreakableEngine:
    """A socket before the engine's own that can be cut, as if the engine had gone away."""

    def __init__(self, path: Path, target: str) -> None:
        self.path, self._target = path, target
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and break the open ones."""
        self.path.unlink()
        for one in [self._listener, *self._open]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self._target)
            self._open += [client, engine]
            for source, sink in ((client, engine), (engine, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
