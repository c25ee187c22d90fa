"""Pressure stall information: for how long work stood still for want of CPU, memory or storage.

Only `total=` is kept: a counter in us. The averages over 10 s and more beside it cannot be differenced.
"""

from __future__ import annotations

import errno

from harness.sampling.procfs import KeptFile
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

RESOURCES = {"cpu": ("some",), "memory": ("some", "full"), "io": ("some", "full")}
"""Resource -> the shares that have a column; `full` of the CPU is not defined for the whole machine."""


def parse_pressure(content: bytes) -> dict[str, int]:
    """Share (`some`, `full`) -> total in us. Lines that are cut are left out; ValueError for anything else."""
    totals: dict[str, int] = {}
    for line in content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]:
        words = line.split()
        if len(words) < 2 or not words[-1].startswith(b"total="):
            raise ValueError(f"unexpected pressure: {content[:80]!r}")
        totals[words[0].decode("ascii")] = int(words[-1][len(b"total=") :])
    return totals


class PressureReader:
    """Reads the totals of one scope into sample records.

    Args:
        scope: `host` or `cgroup`, as the columns are named.
        pattern: path of the files with `{}` for the resource (`/proc/pressure/{}`); None for no such files.
        why_not: the reason when `pattern` is None.
    """

    def __init__(self, scope: str, pattern: str | None, troubles: Troubles, why_not: str = "") -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self._files: list[tuple[KeptFile, dict[str, int]]] = []
        for resource, shares in RESOURCES.items():
            columns = [f"{scope}_pressure_{resource}_{share}_us" for share in shares]
            failure = why_not
            if pattern is not None:
                path = pattern.format(resource)
                try:
                    self._open(
                        path, {share: SAMPLE_INDEX[f"{scope}_pressure_{resource}_{share}_us"] for share in shares}
                    )
                    continue
                except (OSError, ValueError) as error:
                    failure = f"{path}: {_explain(error)}"
            self.not_measured.update(dict.fromkeys(columns, failure))

    def read(self, values: list[int]) -> None:
        """The totals into a sample record."""
        for file, places in self._files:
            try:
                totals = parse_pressure(file.read(512))
            except (OSError, ValueError) as error:
                if not (isinstance(error, OSError) and error.errno in GONE):
                    self._troubles.note("pressure", error)
                continue
            for share, index in places.items():
                if share in totals:
                    values[index] = totals[share]

    def close(self) -> None:
        """Close all files."""
        for file, _ in self._files:
            file.close()
        self._files = []

    def _open(self, path: str, places: dict[str, int]) -> None:
        """A kernel without PSI lets the files be opened and refuses to read them: so they are read once."""
        file = KeptFile(path)
        try:
            parse_pressure(file.read(512))
        except (OSError, ValueError):
            file.close()
            raise
        self._files.append((file, places))


def _explain(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno == errno.EOPNOTSUPP:
        return "pressure stall information is switched off (boot with psi=1)"
    return f"{error.strerror} (a kernel before 4.20, or built without PSI)" if error.errno in GONE else str(error)
