"""Network counters of a namespace of its own and of the host's (validity suite V6)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sampling import decoding, schema
from harness.sampling.client import SamplerProcess
from harness.sampling.network import NetworkReader
from harness.sampling.troubles import Troubles
from tests.requirements import require

from .test_machines import INDEX, blank, columns, put

NAMES = ("network_receive_bytes", "network_transmit_bytes")

TRAFFIC = """
import fcntl, os, socket, struct, subprocess, sys
ip = sys.argv[1]
def run(*words): subprocess.run([ip, *words], check=True)
run("link", "set", "lo", "up")
run("link", "add", "wire", "type", "veth", "peer", "name", "other")
run("addr", "add", "10.99.0.1/24", "dev", "wire")
run("link", "set", "wire", "up")
run("link", "set", "other", "up")
run("neigh", "add", "10.99.0.2", "lladdr", "02:00:00:00:00:02", "dev", "wire", "nud", "permanent")
print("ready", flush=True)
sys.stdin.readline()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for address in ("127.0.0.1", "10.99.0.2"):
        for _ in range(100):
            sender.sendto(bytes(1000), (address, 9))
print("sent", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def private() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a network namespace of its own that has said it is ready: it sends when it gets a line."""
    ip, unshare = shutil.which("ip"), shutil.which("unshare")
    require("network-namespace", bool(ip and unshare), "there is no `ip` or no `unshare`")
    assert ip is not None
    assert unshare is not None
    process = subprocess.Popen(
        [unshare, "-n", sys.executable, "-S", "-c", TRAFFIC, ip],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = process.stdout.readline() == b"ready\n"
    try:
        if not ready:
            _, said = process.communicate(timeout=10)
            require("network-namespace", False, f"it is not permitted: {said.decode(errors='replace').strip()[-200:]}")
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_namespace_of_its_own_has_the_jobs_bytes_and_not_those_of_lo(
    private: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with SamplerProcess.start(tmp_path, {"gpu": False}) as sampler:
        sampler.set_target(private.pid, None, False)
        assert private.stdin is not None
        assert private.stdout is not None
        private.stdin.write(b"go\n")
        private.stdin.flush()
        assert private.stdout.readline() == b"sent\n"
        report: dict[str, Any] = sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    assert report["capabilities"]["network_scope"] == "container"
    # 1000 bytes, 8 of UDP, 20 of IP, 14 of Ethernet; over lo as many again, which do not count. The wire's other end
    # is in the namespace too, so all of it is received there. The kernel adds a few packets of its own (IPv6).
    for name in NAMES:
        assert int(samples[name].compressed()[-1]) == pytest.approx(100 * 1042, abs=10_000), name


def test_the_hosts_interfaces_are_called_the_hosts() -> None:
    reader, values = NetworkReader(os.getpid(), "/proc", Troubles()), blank()
    reader.read(values)
    assert reader.scope == "host"
    assert min(columns(values, *NAMES)) >= 0
    reader.close()


def test_the_counters_outlive_the_process() -> None:
    process = subprocess.Popen(["sleep", "30"])
    reader = NetworkReader(process.pid, "/proc", Troubles())
    process.kill()
    process.wait()
    values = blank()
    reader.read(values)
    assert values[INDEX[NAMES[0]]] != schema.MISSING
    reader.close()


def test_no_such_process(tmp_path: Path) -> None:
    reader, values = NetworkReader(7, str(tmp_path), Troubles()), blank()
    reader.read(values)
    assert columns(values, *NAMES) == [schema.MISSING] * 2
    assert set(reader.not_measured) == set(NAMES)
    assert reader.scope is None


def test_what_cannot_be_parsed_is_missing_with_an_error_bit(tmp_path: Path) -> None:
    put(tmp_path / "7/net/dev", "nonsense\n")
    troubles, values = Troubles(), blank()
    reader = NetworkReader(7, str(tmp_path), troubles)
    reader.read(values)
    assert columns(values, *NAMES) == [schema.MISSING] * 2
    assert troubles.take_bits() == schema.ERROR_BITS["network"]
    reader.close()
