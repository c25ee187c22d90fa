"""`scripts/container-engine` against engines that are not there, only talk, or refuse to start."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.paths import PROJECT_ROOT
from tests.scripts.fake_engine import FakeEngine, running_engine

SCRIPT = PROJECT_ROOT / "scripts" / "container-engine"

# Refuses to start until it is told to do without a bridge, as Docker does where it may not change the packet filter.
DOCKERD = """\
    #!{python}
    import socketserver, sys
    from http.server import BaseHTTPRequestHandler
    if "--bridge=none" not in sys.argv:
        sys.exit("failed to register bridge driver: permission denied")
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{{"Version": "9", "ApiVersion": "1.41"}}')
        def address_string(self):
            return "socket"
    socket, = [a.removeprefix("--host=unix://") for a in sys.argv if a.startswith("--host=")]
    socketserver.ThreadingUnixStreamServer(socket, Handler).serve_forever()
"""


def call(cache: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with its state in `cache` and these variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DLGAUGE_", "DOCKER_"))}
    return subprocess.run(
        [str(SCRIPT), *arguments],
        env={**kept, "DLGAUGE_CACHE": str(cache), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_status_without_engine_names_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    result = call(tmp_path, "status", DOCKER_HOST=f"unix://{tmp_path}/dead.sock")
    assert result.returncode == 1
    assert f"unix://{tmp_path}/dead.sock" in result.stderr
    assert "scripts/container-engine start" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_of_an_address_that_cannot_be_spoken_to(tmp_path: Path) -> None:
    result = call(tmp_path, "status", DOCKER_HOST="ssh://somewhere")
    assert result.returncode == 1
    assert "'ssh://somewhere'" in result.stderr


def test_status_names_engine_and_missing_image(tmp_path: Path) -> None:
    with running_engine(FakeEngine()) as engine:
        result = call(tmp_path, "status", DOCKER_HOST=engine.address)
    assert result.returncode == 0
    assert f"Fake 1.2.3, API 1.41 answers at {engine.address}" in result.stderr
    assert "scripts/container-engine base" in result.stderr


@pytest.mark.parametrize("command", ["base", "start"])
def test_image_that_is_there_is_left_alone(tmp_path: Path, command: str) -> None:
    with running_engine(FakeEngine(images={"debian:bullseye"})) as engine:
        result = call(tmp_path, command, DOCKER_HOST=engine.address)
    assert result.returncode == 0, result.stderr
    assert not [request for request in engine.requests if request.startswith("POST")]


def test_image_is_pulled_where_it_can_be(tmp_path: Path) -> None:
    with running_engine(FakeEngine()) as engine:
        result = call(tmp_path, "base", DOCKER_HOST=engine.address)
    assert result.returncode == 0, result.stderr
    assert engine.requests[-1] == "POST /images/create?fromImage=debian&tag=bullseye"


def test_no_mirror_is_said_plainly(tmp_path: Path) -> None:
    """A pull that fails in the middle of its stream, and then no mirror with that release."""
    helper = Path("/usr/lib/apt/apt-helper")
    debootstrap = Path("/usr/sbin/debootstrap")
    if not (helper.exists() and debootstrap.exists() and os.getuid() == 0):
        pytest.skip("needs root, apt and debootstrap")
    with running_engine(FakeEngine(pull_error="toomanyrequests")) as engine:
        mirror = f"file://{tmp_path}/nothing"
        result = call(tmp_path, "base", DOCKER_HOST=engine.address, DLGAUGE_DEBIAN_MIRROR=mirror)
    assert result.returncode == 1
    assert "toomanyrequests" in result.stderr
    assert mirror in result.stderr
    assert "docker load" in result.stderr


def test_start_does_not_start_an_engine_on_another_machine(tmp_path: Path) -> None:
    result = call(tmp_path, "start", DOCKER_HOST="tcp://127.0.0.1:1")
    assert result.returncode == 1
    assert "unset DOCKER_HOST" in result.stderr


def test_stop_leaves_an_engine_alone_that_it_did_not_start(tmp_path: Path) -> None:
    with running_engine(FakeEngine()) as engine:
        result = call(tmp_path, "stop", DOCKER_HOST=engine.address)
        assert result.returncode == 0
        assert "nothing to stop" in result.stderr
        assert call(tmp_path, "status", DOCKER_HOST=engine.address).returncode == 0


@pytest.mark.skipif(os.getuid() != 0, reason="starting an engine needs root")
def test_start_falls_back_to_no_bridge_and_stop_ends_it(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    dockerd = programs / "dockerd"
    dockerd.write_text(textwrap.dedent(DOCKERD).format(python=sys.executable))
    dockerd.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{tmp_path}/engine.sock",
        "DLGAUGE_DOCKER_ROOT": str(tmp_path / "root"),
    }
    started = call(tmp_path / "cache", "start", **environment)
    try:
        assert started.returncode == 0, started.stderr
        assert "no bridge network" in started.stderr
        assert "permission denied" in (tmp_path / "cache" / "engine" / "dockerd.log").read_text()
        again = call(tmp_path / "cache", "start", **environment)
        assert "using the engine that runs" in again.stderr
    finally:
        stopped = call(tmp_path / "cache", "stop", **environment)
    assert stopped.returncode == 0
    assert "the engine was stopped" in stopped.stderr
    assert call(tmp_path / "cache", "status", **environment).returncode == 1


def test_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    result = call(tmp_path, "destroy")
    assert result.returncode == 2
    assert "destroy" in result.stderr
    assert "usage:" in result.stderr
