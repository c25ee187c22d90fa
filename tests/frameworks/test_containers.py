"""Trials in containers: what they may do, how they end, and that no container stays behind."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.execution.engine import connect, engine_addresses
from harness.execution.outcome import TerminationKind as Kind
from harness.owner import describe_owner
from harness.records import Store
from tests.execution.fake_study import only_record, run_study, write_study
from tests.frameworks.engine import BreakableEngine, FakeInContainer, our_containers, require_engine

pytestmark = [pytest.mark.containers, pytest.mark.slow]


@pytest.fixture(autouse=True)
def engine() -> Iterator[None]:
    require_engine()
    yield
    assert our_containers() == []


def run_one(tmp_path: Path, behaviour: str = "", **options: Any) -> Any:
    study = write_study(tmp_path, behaviour=behaviour, **options)
    run_study(study, tmp_path / "store", environment=FakeInContainer)
    return only_record(tmp_path / "store")


def test_a_trial_in_a_container_is_measured_like_any_other(tmp_path: Path) -> None:
    record = run_one(tmp_path)
    assert record.termination == "completed"
    assert record.manifest["environment"]["kind"] == "container"
    assert record.manifest["framework"]["python"].startswith("3.9")
    assert record.summary["cpu_seconds"] > 0.1
    assert record.summary["peak_memory_bytes"] > 10e6
    assert record.manifest["sampling"]["audit"]["flag"] is False
    assert record.manifest["notes"] == []


@pytest.mark.parametrize(
    ("behaviour", "kind", "reason"),
    [
        ("exit", Kind.CRASHED, "exited with status 3"),
        ("killed", Kind.KILLED, "SIGKILL"),
        ("double_fork", Kind.COMPLETED, None),
    ],
)
def test_ends_are_told_as_outside_of_containers(tmp_path: Path, behaviour: str, kind: Kind, reason: str | None) -> None:
    record = run_one(tmp_path, behaviour)
    assert record.termination == kind
    assert (reason or "") in (record.manifest["termination"]["reason"] or "")


def test_a_hanging_container_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    assert run_one(tmp_path, "hang", time_limit="4 s").termination == "timed_out"


def test_a_container_s_memory_limit_is_kept_and_named(tmp_path: Path) -> None:
    assert run_one(tmp_path, "memory", profile={"memory": "600 MiB"}).termination == "out_of_memory"


def test_jobs_side_by_side_have_a_container_each_and_one_start(tmp_path: Path) -> None:
    record = run_one(tmp_path, "slow", co_location={"jobs": 2, "cores": "shared"})
    assert record.termination == "completed"
    (other,) = record.other_jobs()
    assert other.termination == "completed"
    assert other.manifest["framework"]["python"].startswith("3.9")
    ready = []
    for one in (record, other):
        table = one.table("events")
        rows = zip(table.column("event").to_pylist(), table.column("t_ns").to_pylist(), strict=True)
        ready.append(next(t_ns for event, t_ns in rows if event == "ready"))
    for one in (record, other):
        assert next(phase["begin_ns"] for phase in one.phases if phase["phase"] == "train") > max(ready)


def test_a_container_that_fails_ends_the_one_beside_it(tmp_path: Path) -> None:
    environment = {"FAKE_BEHAVIOUR": "exit", "FAKE_JOB": "2", "FAKE_OTHERS": "slow"}
    record = run_one(
        tmp_path, co_location={"jobs": 2, "cores": "shared"}, profile={"environment": environment}, steps=2000
    )
    assert record.termination == "crashed"
    assert record.manifest["termination"]["reason"] == "job 2 of 2: the worker exited with status 3"
    assert record.co_location["by_job"][0]["termination"]["kind"] == "cancelled"


def test_a_container_that_somebody_kills_is_told_so(tmp_path: Path) -> None:
    def kill_it() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if list((tmp_path / "store").glob(".running/*/steps.bin")):
                for container in our_containers():
                    container.kill()
                return
            time.sleep(0.1)

    killer = threading.Thread(target=kill_it)
    killer.start()
    record = run_one(tmp_path, "slow", steps=2000)
    killer.join()
    assert record.termination == "killed"


def test_an_engine_that_goes_away_fails_the_trial_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (address,) = engine_addresses()[:1]
    breakable = BreakableEngine(tmp_path / "engine.sock", address.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{breakable.path}")

    def go_away() -> None:
        deadline = time.monotonic() + 60
        while not list((tmp_path / "store").glob(".running/*/steps.bin")) and time.monotonic() < deadline:
            time.sleep(0.1)
        breakable.cut()
        # As when an engine is stopped: its containers end with it.
        client = connect_directly(address)
        for container in client.containers.list(filters={"label": "dlgauge.owner"}):
            container.kill()
        client.close()

    breaker = threading.Thread(target=go_away)
    breaker.start()
    record = run_one(tmp_path, "slow", steps=2000)
    breaker.join()
    assert record.termination == "environment_failed"
    assert "engine" in record.manifest["termination"]["reason"]
    monkeypatch.setenv("DOCKER_HOST", address)
    assert len(our_containers()) == 1, "the engine was away when it should have been removed"
    store = Store(tmp_path / "store")
    run_study(write_study(tmp_path, steps=30), tmp_path / "store", environment=FakeInContainer)
    assert [r.termination for r in store.records()][-1] == "completed"


def connect_directly(address: str) -> Any:
    import docker

    return docker.DockerClient(base_url=address)


def test_a_left_over_container_is_removed_by_the_next_launch(tmp_path: Path) -> None:
    client = connect()
    tag = FakeInContainer(load_fake()).tag
    client.containers.create(
        tag,
        ["sleep", "1000"],
        labels={"dlgauge.owner": json.dumps({**describe_owner(), "pid": 999999999})},
        network_mode="none",
    ).start()
    client.close()
    assert len(our_containers()) == 1
    run_one(tmp_path)
    assert our_containers() == []


def load_fake() -> Any:
    from tests.execution.fake_study import fake_frameworks

    return fake_frameworks()["fake"]


def test_a_container_may_do_nothing_but_train(tmp_path: Path) -> None:
    """Asked of the engine while the trial runs: no network, no capabilities, a read-only root, the caller's uid."""
    seen: dict[str, Any] = {}

    def look() -> None:
        deadline = time.monotonic() + 60
        while not seen and time.monotonic() < deadline:
            for container in our_containers():
                seen.update(container.attrs)
            time.sleep(0.1)

    looker = threading.Thread(target=look)
    looker.start()
    run_one(tmp_path, "slow", steps=100)
    looker.join()
    host = seen["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ReadonlyRootfs"] is True
    assert {mount["Destination"] for mount in seen["Mounts"] if mount["RW"]} == {"/trial", "/compile_cache"}
    assert {limit["Name"] for limit in host["Ulimits"]} == {"nofile", "core"}
