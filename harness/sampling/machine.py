"""How fast and how hot the processors are: frequency, temperature, thermal throttling, energy.

Frequency and temperature ask the hardware and may be slow on some machines, so their share of the time is capped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from harness.sampling.energy import EnergyReader
from harness.sampling.procfs import KeptFile, read_bytes
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import Troubles

_MEAN = SAMPLE_INDEX["cpu_frequency_mean_khz"]
_LEAST = SAMPLE_INDEX["cpu_frequency_min_khz"]
_TEMPERATURE = SAMPLE_INDEX["cpu_temperature_millicelsius"]
_THROTTLES = SAMPLE_INDEX["thermal_throttles"]

DUTY = 0.001
_PROCESSOR_SENSORS = ("coretemp", "k10temp", "k8temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal")
_PROCESSOR_ZONES = ("x86_pkg_temp", "cpu", "soc")


class MachineReader:
    """Reads the machine's sensors into sample records; what it lacks is in `not_measured`."""

    def __init__(self, sys_root: str, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self._due_ns = 0
        self._cpus: frozenset[int] | None = None
        self._frequencies = self._open_frequencies(sys_root)
        self._sensors = self._open_sensors(sys_root)
        self._throttles = self._open_throttles(sys_root)
        self.energy = EnergyReader(sys_root, troubles)
        self.not_measured.update(self.energy.not_measured)

    def set_cpus(self, cpus: Iterable[int] | None) -> None:
        """The CPUs that the job may run on; None for all."""
        self._cpus = None if cpus is None else frozenset(cpus)

    def read(self, values: list[int]) -> None:
        """Energy and throttling always, frequency and temperature when they may cost time again."""
        self.energy.read(values)
        if self._throttles:
            self._read_into(values, _THROTTLES, self._throttles, sum)
        begin_ns = time.monotonic_ns()
        if begin_ns < self._due_ns:
            return
        if self._frequencies:
            frequencies = self._integers([file for cpu, file in self._frequencies.items() if self._is_the_jobs(cpu)])
            if frequencies:
                values[_MEAN], values[_LEAST] = sum(frequencies) // len(frequencies), min(frequencies)
        if self._sensors:
            self._read_into(values, _TEMPERATURE, self._sensors, max)
        end_ns = time.monotonic_ns()
        self._due_ns = end_ns + int((end_ns - begin_ns) / DUTY)

    def close(self) -> None:
        """Close all files."""
        for file in (*self._frequencies.values(), *self._sensors, *self._throttles):
            file.close()
        self.energy.close()

    def _is_the_jobs(self, cpu: int) -> bool:
        return self._cpus is None or cpu in self._cpus

    def _read_into(self, values: list[int], index: int, files: list[KeptFile], combine: object) -> None:
        assert callable(combine)
        if numbers := self._integers(files):
            values[index] = combine(numbers)

    def _integers(self, files: list[KeptFile]) -> list[int] | None:
        """The number in each file, or None when one cannot be read: the sum of the rest would be another thing."""
        try:
            return [file.read_integer() for file in files]
        except (OSError, ValueError) as error:
            self._troubles.note("machine", error)
            return None

    def _open_frequencies(self, sys_root: str) -> dict[int, KeptFile]:
        folder = f"{sys_root}/devices/system/cpu"
        files: dict[int, KeptFile] = {}
        for cpu in _cpu_numbers(folder):
            try:
                files[cpu] = KeptFile(f"{folder}/cpu{cpu}/cpufreq/scaling_cur_freq")
            except OSError:
                continue  # offline, or the kernel does not manage its frequency
        if not files:
            reason = f"{folder}/cpu*/cpufreq/scaling_cur_freq: none: the kernel does not see the frequency (a VM?)"
            self.not_measured.update(dict.fromkeys(("cpu_frequency_mean_khz", "cpu_frequency_min_khz"), reason))
        return files

    def _open_sensors(self, sys_root: str) -> list[KeptFile]:
        files = [*_hwmon(f"{sys_root}/class/hwmon")] or [*_thermal_zones(f"{sys_root}/class/thermal")]
        if not files:
            self.not_measured["cpu_temperature_millicelsius"] = (
                f"{sys_root}/class/hwmon and {sys_root}/class/thermal: no sensor of the processor"
            )
        return files

    def _open_throttles(self, sys_root: str) -> list[KeptFile]:
        """One counter a package: all its CPUs show the same."""
        folder = f"{sys_root}/devices/system/cpu"
        files: dict[bytes, KeptFile] = {}
        for cpu in _cpu_numbers(folder):
            try:
                package = read_bytes(f"{folder}/cpu{cpu}/topology/physical_package_id", 64).strip()
                if package not in files:
                    files[package] = KeptFile(f"{folder}/cpu{cpu}/thermal_throttle/package_throttle_count")
            except OSError:
                continue
        if not files:
            self.not_measured["thermal_throttles"] = (
                f"{folder}/cpu*/thermal_throttle: none: the kernel counts no throttling here (a VM, or not Intel)"
            )
        return list(files.values())


def _cpu_numbers(folder: str) -> list[int]:
    return sorted(int(name[3:]) for name in _entries(folder) if name.startswith("cpu") and name[3:].isdigit())


def _hwmon(folder: str) -> Iterable[KeptFile]:
    """The temperature inputs of processor chips. AMD's `Tctl` may have an offset: left out where `Tdie` exists."""
    for chip in _entries(folder):
        if _text(f"{folder}/{chip}/name") not in _PROCESSOR_SENSORS:
            continue
        inputs = [name for name in _entries(f"{folder}/{chip}") if name.startswith("temp") and name.endswith("_input")]
        labels = {name: _text(f"{folder}/{chip}/{name.replace('_input', '_label')}") for name in inputs}
        has_die = "Tdie" in labels.values()
        for name in inputs:
            if not (has_die and labels[name] == "Tctl"):
                yield from _readable(f"{folder}/{chip}/{name}")


def _thermal_zones(folder: str) -> Iterable[KeptFile]:
    for zone in _entries(folder):
        if zone.startswith("thermal_zone") and _text(f"{folder}/{zone}/type").startswith(_PROCESSOR_ZONES):
            yield from _readable(f"{folder}/{zone}/temp")


def _readable(path: str) -> Iterable[KeptFile]:
    """The file, if it gives a number: some sensors are listed and answer an error."""
    try:
        file = KeptFile(path)
    except OSError:
        return
    try:
        file.read_integer()
    except (OSError, ValueError):
        file.close()
        return
    yield file


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 (no pathlib in the sampler: memory)
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        return read_bytes(path, 64).decode("ascii", "replace").strip()
    except OSError:
        return ""
