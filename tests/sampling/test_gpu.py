"""GPUs through the real `nvidia-ml-py`, sampled by a real sampler process, against a stand-in driver (V14)."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from harness.paths import PROJECT_ROOT
from harness.sampling import decoding, schema
from harness.sampling.client import SamplerProcess
from harness.sampling.energy_check import energy_check
from harness.sampling.gpu_calls import GPU_MEASURES, NOBODY_VISIBLE
from tests.sampling.nvml_script import ALWAYS, Script, compile_stub, exact_energy_mj, sampling

MIB = 1 << 20
LOST, NO_PERMISSION, DRIVER_NOT_LOADED, NOT_SUPPORTED = 15, 4, 9, 3


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the stand-in, once for each set of flags."""
    built: dict[tuple[str, ...], Path] = {}

    def build(*flags: str) -> Path:
        if flags not in built:
            built[flags] = compile_stub(tmp_path_factory.mktemp("nvml"), *flags)
        return built[flags]

    return build


@pytest.fixture
def stub(library: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    """Put the stand-in where a sampler finds its driver; returns its script."""

    def put(*flags: str) -> Script:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library(*flags).parent))
        monkeypatch.setenv("STUB_SCRIPT", str(tmp_path / "nvml.script"))
        return Script(tmp_path / "nvml.script")

    return put


def test_constant_power_and_everything_else_that_a_device_tells(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    for uuid in ("GPU-one", "GPU-two"):
        script.gpu(uuid)
    for gpu in (0, 1):  # beside this process one that is not of the tree: a host number
        script.say(f"gpu {gpu} process {os.getpid()} {64 * MIB} 30", f"gpu {gpu} process 4000000 {1 << 30} 60")
    with sampling(tmp_path) as run:
        time.sleep(0.8)
    assert [gpu["uuid"] for gpu in run.report["gpus"]] == ["GPU-one", "GPU-two"]
    assert "gpu" not in run.report["not_measured"]
    assert run.report["errors"] == {}
    assert run.report["gpu_hangs"] == []
    assert len(run.of("seq")) == len(run.samples["seq"]) - run.report["gpu_ticks_skipped"]
    for number, gpu in enumerate(run.report["gpus"]):
        assert gpu["not_measured"] == {}
        assert gpu["name"] == "Stub GPU"
        assert (gpu["power_limit_mw"], gpu["mig"], gpu["ecc"], gpu["foreign"]) == (400_000, False, True, False)
        energy_mj, t_ns = run.of("energy_mj", number), run.of("energy_t_ns", number)
        assert (energy_mj[-1] - energy_mj[0]) / (t_ns[-1] - t_ns[0]) * 1e9 == pytest.approx(250_000, rel=0.001)
        expected = {
            "power_mw": 250_000,
            "power_average_mw": 125_000,
            "kernel_resident_pct": 37,
            "memory_controller_pct": 5,
            "memory_used_bytes": 1 << 30,
            "memory_reserved_bytes": 100 * MIB,
            "temperature_c": 42,
            "sm_clock_mhz": 1410,
            "memory_clock_mhz": 1215,
            "performance_state": 2,
            "clocks_event_reasons": 4,
            "processes_memory_bytes": 64 * MIB,
            "processes_sm_pct": 30,
            "pcie_tx_kb_per_s": 1000,
            "pcie_rx_kb_per_s": 3000,
        }
        assert {column: run.values(column, number) for column in expected} == {
            column: {value} for column, value in expected.items()
        }
        assert {*expected, "energy_mj", "energy_t_ns"} == set(GPU_MEASURES)


def test_a_ramp_has_its_exact_energy_and_agrees_with_its_power(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    power = ((0.0, 100_000), (1.0, 100_000), (4.0, 700_000), (30.0, 50_000))
    script.gpu("GPU-ramp", power, energy_period_s=0.04)
    for _ in range(3):  # where the machine let the sampler wait for long, the two energies cannot be compared
        with sampling(tmp_path) as run:
            time.sleep(1.6)
        energy_mj, at_ns = run.of("energy_mj"), run.of("energy_t_ns")
        period_ns = run.report["gpus"][0]["energy_update_period_ns"]
        check = energy_check(energy_mj, run.of("t_ns"), run.of("power_mw"), period_ns)
        if check.ratio is not None:
            break
    exact = [exact_energy_mj(power, (t - script.origin_ns) / 1e9) for t in at_ns.tolist()]
    assert numpy.abs(energy_mj - numpy.array(exact)).max() < 140
    # mJ: both sides compare the system's clock with the monotonic one, 0.2 ms of error at 700 W; a step is 4 J and more
    assert energy_mj[-1] > energy_mj[0] + 100_000
    assert period_ns == pytest.approx(40e6, rel=0.25)
    assert check.ratio is not None, check.reason
    assert check.ratio == pytest.approx(1, abs=0.08)
    assert not check.flag


def test_a_counter_that_never_moves_has_no_period(stub: Callable[..., Script], tmp_path: Path) -> None:
    stub().gpu("GPU-still", ((0.0, 0),))
    with sampling(tmp_path) as run:
        pass
    gpu = run.report["gpus"][0]
    assert gpu["energy_update_period_ns"] is None
    assert gpu["not_measured"]["energy_update_period_ns"] == "the counter changed 0 times in 2 s"


def test_ticks_go_on_while_a_call_takes_300_ms(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-slow")
    with sampling(tmp_path) as run:
        time.sleep(0.3)
        script.say(f"gpu 0 delay UtilizationRates 300 {ALWAYS}")
        time.sleep(1.5)
    assert run.report["gpus"][0]["demoted"] == ["kernel_resident_pct", "memory_controller_pct"]
    assert run.report["gpu_ticks_skipped"] >= 4  # each of them a tick of the CPU while the driver was busy
    assert len(run.samples["seq"]) - len(run.of("seq")) == run.report["gpu_ticks_skipped"]
    assert 0 < run.of("kernel_resident_pct").count() < run.of("energy_mj").count()
    assert run.report["gpu_hangs"] == []
    assert not run.samples["sampler_cpu_ns"].mask.any()


def test_a_call_that_never_returns_stops_neither_the_ticks_nor_the_end(
    stub: Callable[..., Script], tmp_path: Path
) -> None:
    script = stub()
    script.gpu("GPU-well")
    script.gpu("GPU-hangs")
    with sampling(tmp_path) as run:
        time.sleep(0.4)
        hung_from_ns = time.monotonic_ns()
        script.say(f"gpu 1 delay TemperatureV -1 {ALWAYS}")
        time.sleep(6.0)
    begin_ns = run.report["gpu_hangs"][0]["began_ns"]
    assert begin_ns > hung_from_ns
    assert run.report["gpu_hangs"][0]["returned_at_ns"] is None
    assert run.report["gpus"][1]["hung"] == "the driver has not answered for 5 s: temperature_c"
    assert run.report["gpus"][0]["hung"] is None
    assert run.report["errors"]["gpu"]["first"] == run.report["gpus"][1]["hung"]
    assert run.report["ended_by"] == "stop"
    assert run.sampler._process.returncode == 0
    during = (run.samples["t_start_ns"] > begin_ns).sum()
    assert during > 30  # of 120 at 20 Hz: the machine may be busy
    assert run.report["gpu_ticks_skipped"] > 30
    assert run.gpus["t_ns"].max() <= begin_ns
    assert run.of("energy_mj", 1).count() > 3


def test_a_call_that_hung_and_returned_is_not_made_again(stub: Callable[..., Script]) -> None:
    script = stub()
    script.gpu("GPU-late")
    script.say(f"gpu 0 delay TemperatureV 150 {ALWAYS}")
    program = """
import json
from harness.sampling import gpu, schema
from harness.sampling.gpu_watch import CallWatch, Notes
gpu.HUNG_NS = 100_000_000
reader = gpu.open_gpus(None, CallWatch(), Notes())
names = [column.name for column in schema.GPU_COLUMNS]
rows = [dict(zip(names, schema.GPU_RECORD.unpack(reader.read(seq, 3, frozenset())))) for seq in range(2)]
print(json.dumps([rows, reader.describe()]))
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    (first, second), (gpu,) = json.loads(run.stdout)
    assert first["temperature_c"] == 42
    assert second["temperature_c"] == schema.MISSING
    assert second["sm_clock_mhz"] == 1410
    assert gpu["given_up"].keys() == {"temperature_c"}
    assert gpu["given_up"]["temperature_c"].endswith("s to answer: not asked again")


def test_a_list_that_grows_while_it_is_asked_for(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-grows")
    script.say(*(f"gpu 0 process {pid} {MIB} 1" for pid in (os.getpid(), *range(4_000_000, 4_000_030))))
    script.say("gpu 0 understate 2")  # twice the list is longer than the binding has made room for
    with sampling(tmp_path) as run:
        time.sleep(0.3)
    assert run.values("processes_memory_bytes") == {MIB}
    assert run.report["errors"] == {}
    script.say("gpu 0 understate 1000000")
    with sampling(tmp_path) as run:
        time.sleep(0.3)
    assert run.of("processes_memory_bytes").count() == 0
    assert "GPU-grows: processes_memory_bytes:" in run.report["errors"]["gpu"]["first"]


def test_no_new_sample_of_a_process_is_no_data(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-quiet")
    script.say(f"gpu 0 process {os.getpid()} {MIB} 50", "gpu 0 use_period 1000")
    with sampling(tmp_path) as run:
        time.sleep(0.5)
    assert run.of("processes_sm_pct").count() == 0  # its one sample is older than the target
    reason = run.report["gpus"][0]["not_measured"]["processes_sm_pct"]
    assert reason == "the driver had no new sample of any process"
    assert run.report["errors"] == {}


def test_processes_that_the_tree_does_not_have_are_not_counted(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-others")
    script.say(f"gpu 0 process 4000000 {MIB} 50")
    with sampling(tmp_path) as run:
        time.sleep(0.5)
    assert run.report["gpus"][0]["not_measured"]["processes_memory_bytes"] == NOBODY_VISIBLE
    assert run.of("processes_memory_bytes").count() == run.of("processes_sm_pct").count() == 0


def test_values_above_100_are_discarded(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-absurd")
    script.say("gpu 0 use 5907 3", f"gpu 0 process {os.getpid()} {MIB} 4000")
    with sampling(tmp_path) as run:
        time.sleep(0.5)
    gpu = run.report["gpus"][0]
    assert run.of("kernel_resident_pct").count() == run.of("processes_sm_pct").count() == 0
    assert run.values("memory_controller_pct") == {3}
    assert gpu["discarded"]["kernel_resident_pct"] == len(run.of("seq"))
    assert gpu["discarded"]["processes_sm_pct"] > 0
    assert gpu["not_measured"]["kernel_resident_pct"] == "the driver gave a value above 100 %"


def test_a_counter_that_starts_anew_never_falls(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-reloaded")
    with sampling(tmp_path) as run:
        time.sleep(0.5)
        script.say(f"gpu 0 reset {script.seconds()}")
        time.sleep(0.5)
    energy_mj = run.of("energy_mj")
    assert (numpy.diff(energy_mj) >= 0).all()
    at_s = run.of("energy_t_ns") / 1e9
    lost_mj = (at_s[-1] - at_s[0]) * 250_000 - (energy_mj[-1] - energy_mj[0])
    assert 0 <= lost_mj < 250_000 * (numpy.diff(at_s).max() + 0.001)  # between the two samples around the restart
    assert run.report["gpus"][0]["energy_resets"] == 1
    assert "the energy counter fell to" in run.report["errors"]["gpu"]["first"]


def test_devices_are_known_by_uuid_and_only_the_trials_count(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-zzz", ((0.0, 300_000),))
    script.gpu("GPU-aaa", ((0.0, 100_000),))
    with sampling(tmp_path, gpu_uuids=["GPU-aaa", "GPU-gone"]) as run:
        time.sleep(0.2)
    told = [(gpu["uuid"], gpu["nvml_index"], gpu["foreign"]) for gpu in run.report["gpus"]]
    assert told == [("GPU-zzz", 0, True), ("GPU-aaa", 1, False)]
    assert run.values("power_mw", 0) == {300_000}
    assert run.values("power_mw", 1) == {100_000}
    assert run.report["errors"]["gpu"]["first"].startswith("GPU-gone, named as a GPU of the trial, is not here")


def test_mig_devices_have_rows_of_their_own(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-parent")
    script.say(f"gpu 0 mig 0 MIG-first {10 * MIB}", f"gpu 0 mig 3 MIG-second {20 * MIB}")
    script.gpu("GPU-whole")
    with sampling(tmp_path, gpu_uuids=["GPU-parent"]) as run:
        time.sleep(0.6)
    gpus = run.report["gpus"]
    assert [gpu["uuid"] for gpu in gpus] == ["GPU-parent", "MIG-first", "MIG-second", "GPU-whole"]
    assert [gpu["foreign"] for gpu in gpus] == [False, False, False, True]
    assert [(gpu["parent_uuid"], gpu["mig_index"]) for gpu in gpus[1:3]] == [("GPU-parent", 0), ("GPU-parent", 3)]
    assert run.values("memory_used_bytes", 1) == {10 * MIB}
    assert run.values("memory_used_bytes", 2) == {20 * MIB}
    for mig in (1, 2):
        assert run.of("kernel_resident_pct", mig).count() == run.of("energy_mj", mig).count() == 0
        assert gpus[mig]["not_measured"]["kernel_resident_pct"] == "NVML tells no utilisation of a MIG device"
        assert gpus[mig]["not_measured"]["energy_mj"] == "it belongs to the whole device: see the row of GPU-parent"
        assert gpus[mig]["energy_update_period_ns"] is None
    assert run.of("energy_mj", 0).count() == len(run.of("seq"))
    assert gpus[0]["not_measured"]["kernel_resident_pct"] == "NVML: Not Supported (MIG is enabled)"
    assert set(gpus[3]["not_measured"]) == {"processes_memory_bytes", "processes_sm_pct"}
    assert run.report["errors"] == {}
    with sampling(tmp_path, gpu_uuids=["MIG-second"]) as run:
        pass
    assert [gpu["foreign"] for gpu in run.report["gpus"]] == [True, True, False, True]


def test_an_old_driver(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub("-DOLD")
    script.gpu("GPU-old", energy_period_s=0.04)
    script.say(f"gpu 0 process {os.getpid()} {64 * MIB} 30")
    with sampling(tmp_path) as run:
        time.sleep(0.6)
    assert run.values("power_mw") == {250_000}
    assert run.of("energy_mj").count() == len(run.of("seq"))
    assert run.values("memory_used_bytes") == {1 << 30}
    assert run.values("temperature_c") == {41}
    assert run.values("clocks_event_reasons") == {8}
    assert run.values("processes_memory_bytes") == {64 * MIB}
    reasons = run.report["gpus"][0]["not_measured"]
    assert set(reasons) == {"power_average_mw", "energy_t_ns", "memory_reserved_bytes"}
    assert run.report["gpus"][0]["energy_update_period_ns"] == pytest.approx(40e6, rel=0.25)
    assert run.report["errors"] == {}


def test_a_driver_without_some_fields(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-fields")
    for number in (83, 186):
        script.say(f"gpu 0 error field{number} {NOT_SUPPORTED} {ALWAYS}")
    script.say(f"gpu 0 error PcieThroughput {NO_PERMISSION} {ALWAYS}")
    with sampling(tmp_path) as run:
        time.sleep(0.6)
    assert run.values("power_mw") == {250_000}
    assert run.values("power_average_mw") == {125_000}
    assert run.of("energy_mj").count() == len(run.of("seq"))
    reasons = run.report["gpus"][0]["not_measured"]
    assert reasons["energy_t_ns"] == "NVML, field 83: Not Supported"
    assert reasons["pcie_tx_kb_per_s"].startswith("NVML: ")
    assert run.report["errors"] == {}


def test_a_device_that_is_lost_becomes_null(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-lost")
    script.gpu("GPU-stays")
    with sampling(tmp_path) as run:
        time.sleep(0.4)
        script.say(f"gpu 0 error * {LOST} {ALWAYS}")
        time.sleep(0.4)
    energy_mj = run.of("energy_mj")
    assert energy_mj.count() > 2
    assert energy_mj.mask[-1]
    assert run.of("power_mw").mask[-1]
    assert run.of("energy_mj", 1).count() == len(run.of("seq", 1))
    assert run.report["gpus"][0]["lost_at_ns"] > 0
    assert run.report["gpus"][1]["lost_at_ns"] is None
    assert "GPU is lost" in run.report["errors"]["gpu"]["first"]
    assert run.report["errors"]["gpu"]["count"] == 1  # it is not asked again
    assert schema.ERROR_BITS["gpu"] in run.samples["errors"].tolist()


def test_a_driver_that_does_not_start(stub: Callable[..., Script], tmp_path: Path) -> None:
    script = stub()
    script.gpu("GPU-none")
    script.say(f"gpu 0 error Init {DRIVER_NOT_LOADED} {ALWAYS}")
    with sampling(tmp_path) as run:
        time.sleep(0.2)
    assert run.report["not_measured"]["gpu"].startswith("NVML: ")
    assert run.report["gpus"] == []
    assert len(run.samples["seq"]) > 2


def test_the_stand_in_has_the_layouts_of_the_binding(library: Callable[..., Path]) -> None:
    import pynvml

    stub = ctypes.CDLL(str(library()))
    structures = {
        "FieldValue": pynvml.c_nvmlFieldValue_t,
        "Memory": pynvml.c_nvmlMemory_t,
        "Memory_v2": pynvml.c_nvmlMemory_v2_t,
        "ProcessInfo_v2": pynvml.c_nvmlProcessInfo_v2_t,
        "ProcessInfo_v3": pynvml.c_nvmlProcessInfo_v3_t,
        "ProcessUtilizationSample": pynvml.c_nvmlProcessUtilizationSample_t,
        "Utilization": pynvml.c_nvmlUtilization_t,
        "Temperature_v1": pynvml.c_nvmlTemperature_v1_t,
    }
    stub.stub_sizeof.restype = ctypes.c_size_t
    sizes = {name: stub.stub_sizeof(name.encode()) for name in structures}
    assert sizes == {name: ctypes.sizeof(structure) for name, structure in structures.items()}


def test_without_a_driver_the_reason_is_given(tmp_path: Path) -> None:
    probe = [sys.executable, "-c", "import ctypes; ctypes.CDLL('libnvidia-ml.so.1')"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        pytest.skip("this machine has an NVIDIA driver")
    with SamplerProcess.start(tmp_path) as sampler:
        report = sampler.stop()
    assert report["not_measured"]["gpu"] == "no NVIDIA driver: libnvidia-ml.so.1 not found"
    assert report["gpus"] == []
    assert len(decoding.read_gpus(tmp_path / schema.GPUS_FILE)["seq"]) == 0
