"""A worker in a container: start it, watch it, end it, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFailed
from harness.execution.engine import connect, engine_errors
from harness.execution.in_force import peak_memory_bytes
from harness.execution.launching import KILL_GRACE_S, LaunchEnd, ProcessWatch, end_from_launcher_log
from harness.owner import describe_owner, owner_is_gone
from harness.sampling.cgroups import cgroup_of

LABEL = "dlgauge.owner"
REMOVE_WAIT_S = 10.0


class ContainerLaunch:
    """See `Launch`. The container's first process is the launcher."""

    def __init__(self, client: Any, folder: Path, options: Mapping[str, Any]) -> None:
        self._client = client
        self._folder = folder
        self.engine_error: str | None = None
        self._peak_memory_bytes: int | None = None
        with engine_errors("creating the container"):
            self._container = client.containers.create(**options)
        try:
            with engine_errors("starting the container"):
                self._container.start()
                self._container.reload()
            self.root_pid = int(self._container.attrs["State"]["Pid"])
            self._watch = self._watch_root()
            self.cgroup_paths: Mapping[str, str | None] | None = dict(cgroup_of(self.root_pid)[0]) or None
        except BaseException:
            self._remove()
            raise
        self.finished = False

    @property
    def container_id(self) -> str:
        """The engine's name for it."""
        return str(self._container.id)

    def _watch_root(self) -> ProcessWatch:
        try:
            return ProcessWatch(self.root_pid)
        except OSError as error:
            if self.root_pid == 0:
                status = self._container.attrs["State"]["ExitCode"]
                text = self._container.logs(tail=5).decode("utf-8", "backslashreplace").strip()
                raise EnvironmentFailed(f"the container ended at once with status {status}: {text}") from error
            raise EnvironmentFailed(
                "the container's processes cannot be seen from here, so nothing can be measured: "
                "the engine runs on another machine or in a virtual machine",
                hint="run dlgauge on the machine of the engine",
            ) from error

    def wait(self, timeout_s: float) -> bool:
        """See `Launch`."""
        ended = self._watch.wait(timeout_s)
        # The engine removes the cgroup soon after the end, and with it the kernel's account of the peak;
        # before that the sampler may set it back at phase marks.
        known = [peak for peak in (peak_memory_bytes(self.cgroup_paths), self._peak_memory_bytes) if peak is not None]
        self._peak_memory_bytes = max(known, default=None)
        return ended

    def kill(self) -> None:
        """See `Launch`: the launcher kills its tree; if it does not answer, the engine kills the container."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(EnvironmentFailed), engine_errors("stopping the container"):
                self._container.kill(signal=int(number))
            if self._watch.wait(KILL_GRACE_S):
                return

    def finish(self) -> LaunchEnd:
        """See `Launch`."""
        self.finished = True
        self._watch.close()
        status: int | None = None
        out_of_memory = False
        try:
            state = self._final_state()
            status, out_of_memory = state["ExitCode"], bool(state.get("OOMKilled"))
        except EnvironmentFailed as error:
            self.engine_error = error.what
        self._remove()
        return end_from_launcher_log(self._folder, status, out_of_memory, self._peak_memory_bytes)

    def _final_state(self) -> dict[str, Any]:
        """The container's state once the engine has noticed the end of its first process."""
        deadline = time.monotonic() + REMOVE_WAIT_S
        while True:
            with engine_errors("asking how the container ended"):
                self._container.reload()
            state: dict[str, Any] = self._container.attrs["State"]
            if not state["Running"] or time.monotonic() > deadline:
                return state
            time.sleep(0.02)

    def _remove(self) -> None:
        try:
            with engine_errors("removing the container"):
                self._container.remove(force=True, v=True)
        except EnvironmentFailed as error:
            self.engine_error = self.engine_error or error.what
        self._client.close()


def remove_stale_containers(client: Any, keep: Collection[str] = ()) -> int:
    """Remove containers that nobody waits for; returns how many.

    Their dlgauge process is gone, or it is this one, which runs one trial at a time: then the engine was away when the
    container should have been removed.

    Args:
        keep: ids of this process's containers that run now, beside which another job of the same trial is to start.
    """
    removed = 0
    with contextlib.suppress(EnvironmentFailed), engine_errors("looking for left-over containers"):
        for container in _containers(client):
            if container.id not in keep and _is_stale(_owner_of(container)):
                container.remove(force=True, v=True)
                removed += 1
    return removed


def end_containers_of(owner: Mapping[str, Any]) -> bool:
    """End and remove the containers of a dead dlgauge process; whether none of them runs any more.

    Where no engine answers there is none that could run one.
    """
    try:
        client = connect()
    except EnvironmentFailed:
        return True
    try:
        with engine_errors("ending a left-over container"):
            for container in _containers(client):
                if _owner_of(container) == owner:
                    container.remove(force=True, v=True)
    except EnvironmentFailed:
        return False
    finally:
        client.close()
    return True


def _containers(client: Any) -> list[Any]:
    """Those of any dlgauge, running or not."""
    return list(client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True))


def _owner_of(container: Any) -> Any:
    """As `describe_owner` described it; None where the label is not by dlgauge."""
    try:
        return json.loads(container.labels.get(LABEL, ""))
    except ValueError:
        return None


def _is_stale(owner: Any) -> bool:
    try:
        return bool(owner == describe_owner()) or owner_is_gone(owner)
    except (ValueError, KeyError, TypeError):
        return False
