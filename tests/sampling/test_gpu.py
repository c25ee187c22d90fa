"""The GPU reader through the real `nvidia-ml-py` against a stand-in driver (validity suite V14)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from harness.sampling import schema
from harness.sampling.client import SamplerProcess
from tests.requirements import require

SOURCE = Path(__file__).parent / "nvml_stub.c"
MIB = 1 << 20


@pytest.fixture(scope="module")
def build_stub(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Compile the stand-in; returns its folder, for LD_LIBRARY_PATH."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    require("compiler", compiler is not None, "no C compiler for the stand-in GPU driver")

    def build(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("nvml")
        output = folder / "libnvidia-ml.so.1"
        command = [str(compiler), "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", *flags, "-o", output, SOURCE]
        subprocess.run(command, check=True)
        return folder

    return build


@pytest.fixture
def sample(
    build_stub: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Sample stand-in GPUs for a while: the report, the gpus table, the samples table."""

    def run(duration_s: float, *flags: str, target: int | None = None, **environment: object) -> Any:
        monkeypatch.setenv("LD_LIBRARY_PATH", str(build_stub(*flags)))
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        with SamplerProcess.start(tmp_path, {"period_ns": 50_000_000}) as sampler:
            if target is not None:
                sampler.set_target(target, None, False)
            time.sleep(duration_s)
            report = sampler.stop()
        gpus = schema.read_gpus(tmp_path / schema.GPUS_FILE)
        return report, gpus, schema.read_samples(tmp_path / schema.SAMPLES_FILE)

    return run


def test_constant_power(sample: Callable[..., Any]) -> None:
    report, gpus, samples = sample(0.8, STUB_GPUS=2, STUB_WATTS=250, STUB_PID=os.getpid(), target=os.getpid())
    assert [gpu["uuid"] for gpu in report["gpus"]] == ["GPU-stub-0", "GPU-stub-1"]
    assert report["gpus"][0]["name"] == "Stub GPU"
    assert report["gpus"][0]["not_measured"] == {}
    assert "gpu" not in report["not_measured"]
    assert set(gpus["seq"].tolist()) == set(samples["seq"].tolist())
    one = gpus["gpu"] == 1
    energy_mj, t_ns = gpus["energy_mj"][one], gpus["t_ns"][one]
    watts = (energy_mj[-1] - energy_mj[0]) / (t_ns[-1] - t_ns[0]) * 1e6
    assert watts == pytest.approx(250, rel=0.01)
    assert set(gpus["power_mw"].tolist()) == {250_000}
    assert set(gpus["power_average_mw"].tolist()) == {125_000}
    assert set(gpus["kernel_resident_pct"].tolist()) == {37}
    assert set(gpus["memory_used_bytes"].tolist()) == {1 << 30}
    assert set(gpus["memory_reserved_bytes"].tolist()) == {100 * MIB}
    assert set(gpus["temperature_c"].compressed().tolist()) == {42}
    assert set(gpus["sm_clock_mhz"].compressed().tolist()) == {1410}
    assert set(gpus["processes_memory_bytes"].compressed().tolist()) == {64 * MIB}


def test_ramp(sample: Callable[..., Any]) -> None:
    _, gpus, _ = sample(0.8, STUB_WATTS=100, STUB_RAMP=200)
    seconds = gpus["t_ns"] / 1e9
    integral_j = numpy.trapezoid(gpus["power_mw"] / 1e3, seconds)
    assert gpus["power_mw"][-1] > gpus["power_mw"][0] + 100_000
    assert integral_j == pytest.approx((gpus["energy_mj"][-1] - gpus["energy_mj"][0]) / 1e3, rel=0.02)


def test_a_device_that_is_lost_becomes_null(sample: Callable[..., Any]) -> None:
    report, gpus, samples = sample(0.8, STUB_LOST_AFTER_S=0.4)
    assert gpus["energy_mj"].count() > 2
    assert gpus["energy_mj"].mask[-1]
    assert gpus["power_mw"].mask[-1]
    assert report["gpus"][0]["lost_at_ns"] > 0
    assert "lost" in report["errors"]["gpu"]["first"].lower()
    assert schema.ERROR_BITS["gpu"] in samples["errors"].tolist()
    assert len(gpus["seq"]) == len(samples["seq"])


def test_an_old_driver(sample: Callable[..., Any]) -> None:
    report, gpus, _ = sample(0.3, "-DOLD")
    assert set(gpus["power_mw"].tolist()) == {250_000}
    assert gpus["power_average_mw"].count() == 0
    assert set(gpus["memory_used_bytes"].tolist()) == {1 << 30}
    assert set(gpus["temperature_c"].compressed().tolist()) == {41}
    reasons = report["gpus"][0]["not_measured"]
    assert set(reasons) == {"power_average_mw", "memory_reserved_bytes", "processes_memory_bytes"}
    assert report["errors"] == {}


def test_a_slow_call_goes_to_the_slower_tier(sample: Callable[..., Any]) -> None:
    report, gpus, _ = sample(1.2, STUB_SLOW_MS=80)
    assert report["gpus"][0]["demoted"] == ["kernel_resident_pct"]
    assert gpus["kernel_resident_pct"].count() < gpus["energy_mj"].count() / 3


def test_the_stand_in_has_the_layouts_of_the_binding(build_stub: Callable[..., Path]) -> None:
    import pynvml

    library = ctypes.CDLL(str(build_stub() / "libnvidia-ml.so.1"))
    assert library.stub_field_value_size() == ctypes.sizeof(pynvml.c_nvmlFieldValue_t)
    assert library.stub_memory_size() == ctypes.sizeof(pynvml.c_nvmlMemory_v2_t)
    assert library.stub_process_size() == ctypes.sizeof(pynvml.c_nvmlProcessInfo_v3_t)


def test_without_a_driver_the_reason_is_given(tmp_path: Path) -> None:
    probe = [sys.executable, "-c", "import ctypes; ctypes.CDLL('libnvidia-ml.so.1')"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        pytest.skip("this machine has an NVIDIA driver")
    with SamplerProcess.start(tmp_path) as sampler:
        report = sampler.stop()
    assert report["not_measured"]["gpu"] == "no NVIDIA driver: libnvidia-ml.so.1 not found"
    assert report["gpus"] == []
    assert len(schema.read_gpus(tmp_path / schema.GPUS_FILE)["seq"]) == 0
