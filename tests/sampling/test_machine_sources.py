"""Energy, frequency, temperature, throttling and pressure of machines that are only files (validity suite V10)."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sampling import energy, machine, schema
from harness.sampling.energy import EnergyReader, Zone
from harness.sampling.machine import MachineReader
from harness.sampling.pressure import PressureReader
from harness.sampling.procfs import KeptFile
from harness.sampling.troubles import Troubles

from .test_machines import INDEX, blank, columns, put, put_pressure

RANGE_UJ = 262_143_328_850


def put_zone(sys: Path, entry: str, name: str, energy_uj: int) -> Path:
    """A powercap zone; returns its counter file."""
    folder = sys / "class/powercap" / entry
    put(folder / "name", f"{name}\n")
    put(folder / "max_energy_range_uj", f"{RANGE_UJ}\n")
    put(folder / "energy_uj", f"{energy_uj}\n")
    return folder / "energy_uj"


def put_two_packages(sys: Path) -> None:
    """psys above all, two packages with cores and memory, and the first package again through MMIO."""
    (sys / "class/powercap/intel-rapl").mkdir(parents=True)
    put_zone(sys, "intel-rapl:2", "psys", 10**9)
    for package in range(2):
        put_zone(sys, f"intel-rapl:{package}", f"package-{package}", 1000 * (package + 1))
        put_zone(sys, f"intel-rapl:{package}:0", "core", 10**8)
        put_zone(sys, f"intel-rapl:{package}:1", "dram", 50 * (package + 1))
    put_zone(sys, "intel-rapl-mmio:0", "package-0", 77)
    put_zone(sys, "intel-rapl-mmio:0:0", "dram", 88)


def read_energy(reader: EnergyReader) -> list[int]:
    values = blank()
    reader.read(values)
    return columns(values, "package_energy_uj", "dram_energy_uj")


def test_packages_and_memory_count_once_and_psys_never(tmp_path: Path) -> None:
    put_two_packages(tmp_path)
    reader = EnergyReader(str(tmp_path), Troubles())
    assert read_energy(reader) == [3000, 150]
    assert reader.zones == {"package": ["package-0", "package-1"], "dram": ["package-0/dram", "package-1/dram"]}
    assert reader.not_measured == {}
    reader.close()


def test_dies_of_a_package_are_summed(tmp_path: Path) -> None:
    put_zone(tmp_path, "intel-rapl:0", "package-0-die-0", 5)
    put_zone(tmp_path, "intel-rapl:1", "package-0-die-1", 6)
    put_zone(tmp_path, "intel-rapl:2", "package-0-die-1", 7)
    reader = EnergyReader(str(tmp_path), Troubles())
    assert read_energy(reader) == [11, schema.MISSING]
    assert reader.not_measured == {"dram_energy_uj": f"{tmp_path}/class/powercap has no dram zone"}
    reader.close()


@settings(deadline=None)  # it writes files, and the machine may be busy
@given(st.lists(st.integers(min_value=0, max_value=RANGE_UJ - 1), max_size=20), st.integers(0, RANGE_UJ - 1))
def test_the_total_goes_on_where_the_counter_wraps(
    tmp_path_factory: pytest.TempPathFactory, grown: list[int], at_start: int
) -> None:
    file = put_zone(tmp_path_factory.mktemp("zone"), "intel-rapl:0", "package-0", at_start)
    zone = Zone(str(file.parent))
    total = at_start
    for growth in grown:
        total += growth
        file.write_text(f"{total % RANGE_UJ}\n")
        assert zone.read() == total
    zone.close()


def test_a_zone_that_fails_makes_the_sum_missing_and_not_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_two_packages(tmp_path)
    troubles = Troubles()
    reader = EnergyReader(str(tmp_path), troubles)
    file = tmp_path / "class/powercap/intel-rapl:1/energy_uj"
    file.write_text("\n")
    assert read_energy(reader) == [schema.MISSING, 150]
    assert troubles.take_bits() == schema.ERROR_BITS["machine"]
    file.write_text("2500\n")
    assert read_energy(reader) == [3500, 150]  # no wrap is made of the failure
    reader.close()


def test_counters_for_root_only_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_two_packages(tmp_path)

    def refuse(path: str) -> KeptFile:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(energy, "KeptFile", refuse)
    reader = EnergyReader(str(tmp_path), Troubles())
    assert read_energy(reader) == [schema.MISSING] * 2
    for column in ("package_energy_uj", "dram_energy_uj"):
        assert "Permission denied (since Linux 5.10 for root only)" in reader.not_measured[column]


def test_a_machine_without_any_sensor_gives_reasons(tmp_path: Path) -> None:
    values, reader = blank(), MachineReader(str(tmp_path), Troubles())
    reader.read(values)
    names = (
        *("cpu_frequency_mean_khz", "cpu_frequency_min_khz", "cpu_temperature_millicelsius"),
        *("thermal_throttles", "package_energy_uj", "dram_energy_uj"),
    )
    assert columns(values, *names) == [schema.MISSING] * 6
    assert set(reader.not_measured) == set(names)


def put_cpus(sys: Path) -> None:
    """Four CPUs in two packages; the fourth is offline."""
    for cpu, khz in enumerate((3_000_000, 2_000_000, 1_000_000)):
        folder = sys / f"devices/system/cpu/cpu{cpu}"
        put(folder / "cpufreq/scaling_cur_freq", f"{khz}\n")
        put(folder / "topology/physical_package_id", f"{cpu // 2}\n")
        put(folder / "thermal_throttle/package_throttle_count", f"{5 + cpu // 2}\n")
    (sys / "devices/system/cpu/cpu3").mkdir()
    (sys / "devices/system/cpu/cpuidle").mkdir()


def test_frequency_of_the_jobs_cpus_and_throttling_of_each_package_once(tmp_path: Path) -> None:
    put_cpus(tmp_path)
    values, reader = blank(), MachineReader(str(tmp_path), Troubles())
    reader.read(values)
    frequency = ("cpu_frequency_mean_khz", "cpu_frequency_min_khz")
    assert columns(values, *frequency) == [2_000_000, 1_000_000]
    assert values[INDEX["thermal_throttles"]] == 5 + 6
    reader.set_cpus({0, 1})
    reader._due_ns = 0
    reader.read(values)
    assert columns(values, *frequency) == [2_500_000, 2_000_000]
    reader.close()


def test_slow_sensors_are_read_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_cpus(tmp_path)
    reader = MachineReader(str(tmp_path), Troubles())
    clock = iter((0, 20_000_000, 1_000_000_000, 21_000_000_000, 21_000_001_000))
    monkeypatch.setattr(machine.time, "monotonic_ns", lambda: next(clock))
    found = []
    for _ in range(3):  # the first read took 20 ms: at a duty of 0.1 % the next may come 20 s later
        values = blank()
        reader.read(values)
        assert values[INDEX["thermal_throttles"]] == 11  # counters are never left out
        found.append(values[INDEX["cpu_frequency_min_khz"]])
    assert found == [1_000_000, schema.MISSING, 1_000_000]
    reader.close()


def test_the_hottest_sensor_of_the_processor(tmp_path: Path) -> None:
    hwmon = tmp_path / "class/hwmon"
    put(hwmon / "hwmon0/name", "nvme\n")
    put(hwmon / "hwmon0/temp1_input", "90000\n")
    put(hwmon / "hwmon1/name", "k10temp\n")
    for number, (label, temperature) in enumerate((("Tctl", 70_000), ("Tdie", 50_000), ("Tccd1", 51_000)), start=1):
        put(hwmon / f"hwmon1/temp{number}_label", f"{label}\n")
        put(hwmon / f"hwmon1/temp{number}_input", f"{temperature}\n")
    put(hwmon / "hwmon1/temp4_input", "\n")  # listed, and answers nothing
    put(tmp_path / "class/thermal/thermal_zone0/type", "x86_pkg_temp\n")
    put(tmp_path / "class/thermal/thermal_zone0/temp", "99000\n")
    values, reader = blank(), MachineReader(str(tmp_path), Troubles())
    reader.read(values)
    assert values[INDEX["cpu_temperature_millicelsius"]] == 51_000  # Tctl has an offset where there is a Tdie
    reader.close()


def test_thermal_zones_where_there_is_no_chip(tmp_path: Path) -> None:
    for number, (kind, temperature) in enumerate((("acpitz", 90_000), ("x86_pkg_temp", 45_000), ("cpu-0-1", 46_000))):
        put(tmp_path / f"class/thermal/thermal_zone{number}/type", f"{kind}\n")
        put(tmp_path / f"class/thermal/thermal_zone{number}/temp", f"{temperature}\n")
    values, reader = blank(), MachineReader(str(tmp_path), Troubles())
    reader.read(values)
    assert values[INDEX["cpu_temperature_millicelsius"]] == 46_000
    reader.close()


def test_pressure_that_is_switched_off_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_pressure(tmp_path, "")
    (tmp_path / "io").unlink()

    def read(file: KeptFile, size: int = 4096) -> bytes:
        if file.path.endswith("memory"):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported", file.path)
        return Path(file.path).read_bytes()[:size]

    monkeypatch.setattr(KeptFile, "read", read)
    values, reader = blank(), PressureReader("host", f"{tmp_path}/{{}}", Troubles())
    reader.read(values)
    assert values[INDEX["host_pressure_cpu_some_us"]] == 1
    assert "switched off" in reader.not_measured["host_pressure_memory_full_us"]
    assert "a kernel before 4.20" in reader.not_measured["host_pressure_io_some_us"]
    assert len(reader.not_measured) == 4
    reader.close()
