"""Energy of processors and memory from RAPL, as `/sys/class/powercap` shows it.

Zones nest and repeat: `psys` holds the packages, a package holds its cores, and the same package may be listed a
second time through another interface. So packages and memory are summed apart, each name once, `psys` never.
The counters wrap at `max_energy_range_uj`; the totals here do not. A zone that cannot be read makes the sum of that
sample null: an error is no energy of 0.
"""

from __future__ import annotations

import errno
import os

from harness.sampling.procfs import KeptFile, read_bytes
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import Troubles

_COLUMN_OF = {"package": "package_energy_uj", "dram": "dram_energy_uj"}


class Zone:
    """One RAPL zone; its total goes on where the counter wraps."""

    def __init__(self, folder: str) -> None:
        self._range_uj = int(read_bytes(f"{folder}/max_energy_range_uj", 64))
        self._file = KeptFile(f"{folder}/energy_uj")
        try:
            self._last_uj = self._total_uj = self._file.read_integer()
        except BaseException:
            self._file.close()
            raise

    def read(self) -> int:
        """Energy in uJ since an unknown moment before the sampler began. It must be read at least once a wrap."""
        now_uj = self._file.read_integer()
        grown_uj = now_uj - self._last_uj
        self._total_uj += grown_uj if grown_uj >= 0 else grown_uj + self._range_uj
        self._last_uj = now_uj
        return self._total_uj

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class EnergyReader:
    """Reads the sums of package and memory zones into sample records."""

    def __init__(self, sys_root: str, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self.zones: dict[str, list[str]] = {"package": [], "dram": []}
        """The names of the zones that are summed, for the report."""
        self._open: dict[str, list[Zone]] = {"package": [], "dram": []}
        powercap = f"{sys_root}/class/powercap"
        try:
            entries = sorted(os.listdir(powercap), key=_plain_interface_first)  # noqa: PTH208 (no pathlib: memory)
        except OSError as error:
            reason = f"{powercap}: {error.strerror}: no energy counters (a virtual machine, or no RAPL driver)"
            self.not_measured.update(dict.fromkeys(_COLUMN_OF.values(), reason))
            return
        failures = self._open_zones(powercap, entries)
        for kind, column in _COLUMN_OF.items():
            if kind in failures:
                self._drop(kind)
                self.not_measured[column] = failures[kind]
            elif not self._open[kind]:
                self.not_measured[column] = f"{powercap} has no {kind} zone"

    def read(self, values: list[int]) -> None:
        """The sums into a sample record."""
        for kind, zones in self._open.items():
            if not zones:
                continue
            total_uj, whole = 0, True
            for zone in zones:  # every one, whatever another says: none may miss its wrap
                try:
                    total_uj += zone.read()
                except (OSError, ValueError) as error:
                    self._troubles.note("machine", error)
                    whole = False
            if whole:
                values[SAMPLE_INDEX[_COLUMN_OF[kind]]] = total_uj

    def close(self) -> None:
        """Close all files."""
        for kind in self._open:
            self._drop(kind)

    def _open_zones(self, powercap: str, entries: list[str]) -> dict[str, str]:
        """Open each zone once. Returns kind -> why its sum cannot be had: one zone missing makes the sum wrong."""
        failures: dict[str, str] = {}
        for entry in entries:
            folder = f"{powercap}/{entry}"
            name = _name_of(folder)
            kind = "package" if name.startswith("package") else name
            if kind not in self._open:
                continue
            package = _name_of(f"{powercap}/{entry.rpartition(':')[0]}")
            label = f"{package}/{name}" if kind == "dram" else name  # every package has a zone named `dram`
            if label in self.zones[kind]:
                continue
            self.zones[kind].append(label)
            try:
                self._open[kind].append(Zone(folder))
            except (OSError, ValueError) as error:
                failures.setdefault(kind, f"{folder}/energy_uj: {_explain(error)}")
        return failures

    def _drop(self, kind: str) -> None:
        for zone in self._open[kind]:
            zone.close()
        self._open[kind] = []


def _name_of(folder: str) -> str:
    try:
        return read_bytes(f"{folder}/name", 64).decode("ascii", "replace").strip()
    except OSError:
        return ""  # the control type itself (`intel-rapl`) has no name


def _plain_interface_first(entry: str) -> tuple[bool, str]:
    """`intel-rapl` before `intel-rapl-mmio`: of two zones with one name the first is taken."""
    return "mmio" in entry, entry


def _explain(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{error.strerror} (since Linux 5.10 for root only)"
    return str(error.strerror)
