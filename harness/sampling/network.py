"""Bytes over the network, of the network namespace that the root of the tree is in.

The kernel counts by interface, not by process: in a namespace of its own the figures are the job's, in the host's
they are everybody's. `scope` says which.
"""

from __future__ import annotations

import os

from harness.sampling.procfs import KeptFile
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

COLUMNS = ("network_receive_bytes", "network_transmit_bytes")
_RECEIVE, _TRANSMIT = (SAMPLE_INDEX[name] for name in COLUMNS)
_LARGE = 1 << 18


def parse_net_dev(content: bytes) -> tuple[int, int]:
    """Bytes received and sent by all interfaces but `lo`, from `/proc/PID/net/dev`; whole lines only.

    Raises:
        ValueError: it is not such a file, or a line has too few fields.
    """
    lines = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
    if len(lines) < 2 or b"|" not in lines[0] or b"|" not in lines[1]:
        raise ValueError(f"unexpected net/dev: {content[:80]!r}")
    received = sent = 0
    for line in lines[2:]:
        name, separator, rest = line.rpartition(b":")  # an alias has a colon in its name
        fields = rest.split()
        if not separator or len(fields) < 9:
            raise ValueError(f"unexpected line in net/dev: {line[:80]!r}")
        if name.strip() != b"lo":
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent


class NetworkReader:
    """Reads the interfaces of one process's network namespace into sample records.

    The file stays open and keeps the namespace alive: it can be read when the process has ended.
    """

    def __init__(self, pid: int, proc_root: str, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self.scope: str | None = _scope(pid, proc_root)
        """`container` (a namespace of its own), `host` (the sampler's), or None where it cannot be told."""
        self._file: KeptFile | None = None
        path = f"{proc_root}/{pid}/net/dev"
        try:
            self._file = KeptFile(path)
        except OSError as error:
            self.not_measured = dict.fromkeys(COLUMNS, f"{path}: {error.strerror}")

    def read(self, values: list[int]) -> None:
        """Bytes received and sent into a sample record."""
        if self._file is None:
            return
        try:
            values[_RECEIVE], values[_TRANSMIT] = parse_net_dev(self._file.read(_LARGE))
        except (OSError, ValueError) as error:
            if not (isinstance(error, OSError) and error.errno in GONE):
                self._troubles.note("network", error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _scope(pid: int, proc_root: str) -> str | None:
    try:
        own, target = (os.readlink(f"{proc_root}/{who}/ns/net") for who in ("self", pid))  # noqa: PTH115
    except OSError:
        return None
    return "host" if own == target else "container"
