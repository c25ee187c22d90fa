"""Start, stop, and every way to die (validity suite V8, V12)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from harness.paths import PROJECT_ROOT
from harness.sampling import decoding, schema
from harness.sampling.client import SamplerError, SamplerProcess
from harness.sampling.sampler import DEFAULTS

PERIOD_NS = 20_000_000
QUICK = {"period_ns": PERIOD_NS, "gpu": False}


def wait_until(condition: object, timeout_s: float = 5.0) -> None:
    """Wait until the callable is true."""
    deadline = time.monotonic() + timeout_s
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)


def test_samples_are_taken_on_a_grid_without_drift(tmp_path: Path) -> None:
    begin_s = time.monotonic()
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        time.sleep(1.5)
        report = sampler.stop()
    longest_s = time.monotonic() - begin_s
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    ticks = numpy.array([trigger == "tick" for trigger in samples["trigger"]])
    planned = samples["t_planned_ns"][ticks].compressed()
    assert set(((planned - planned[0]) % PERIOD_NS).tolist()) == {0}
    expected = (planned[-1] - planned[0]) // PERIOD_NS + 1
    assert len(planned) + report["ticks_skipped"] == pytest.approx(expected, abs=1)
    assert 1.5e9 / PERIOD_NS - 2 <= expected <= longest_s * 1e9 / PERIOD_NS + 2
    assert report["samples"] == len(samples["seq"]) == samples["seq"][-1] + 1
    assert numpy.all(samples["t_start_ns"] >= samples["t_planned_ns"])
    assert numpy.all(samples["t_end_ns"] >= samples["t_start_ns"])
    assert samples["trigger"][0] == "start"
    assert samples["trigger"][-1] == "stop"
    assert report["ended_by"] == "stop"
    assert report["sampler_resident_peak_bytes"] < 20 * (1 << 20)


@pytest.mark.slow
def test_the_grid_does_not_drift_in_30_seconds(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        time.sleep(30)
        report = sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    ticks = numpy.array([trigger == "tick" for trigger in samples["trigger"]])
    planned, started = samples["t_planned_ns"][ticks].compressed(), samples["t_start_ns"][ticks].compressed()
    assert set(((planned - planned[0]) % PERIOD_NS).tolist()) == {0}
    assert len(planned) + report["ticks_skipped"] == pytest.approx(30e9 / PERIOD_NS, abs=10)
    third = len(planned) // 3
    early, late = (numpy.median((started - planned)[part]) for part in (slice(third), slice(-third, None)))
    assert abs(late - early) < PERIOD_NS / 4  # a sleep after each sample would be off by seconds
    assert report["lateness_p99_ns"] is not None


def test_a_sampler_that_was_held_up_skips_and_says_so(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        time.sleep(0.2)
        os.kill(sampler.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(sampler.pid, signal.SIGCONT)
        time.sleep(0.2)
        report = sampler.stop()
    assert report["ticks_skipped"] >= 20
    assert report["gaps"] >= 1
    assert max(gap["duration_ns"] for gap in report["gap_list"]) >= 400_000_000
    # Stopped while it waited, the next sample is late; stopped while it read, that sample takes long.
    assert max(report["lateness_max_ns"], report["duration_max_ns"]) >= 400_000_000
    assert "ticks_skipped" in report["flags"]


def test_killed_outright_its_samples_are_readable(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        sampler.set_target(os.getpid(), None, False)
        time.sleep(2.3)
        os.kill(sampler.pid, signal.SIGKILL)
        with pytest.raises(SamplerError, match="without a report"):
            sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    assert (samples["t_end_ns"][-1] - samples["t_start_ns"][0]) / 1e9 > 1.0
    assert os.getpid() in decoding.read_processes(tmp_path / schema.PROCESSES_FILE)["pid"]


def test_it_ends_by_itself_when_the_harness_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from harness.sampling.client import SamplerProcess\n"
        f"sampler = SamplerProcess.start(pathlib.Path(sys.argv[1]), {QUICK!r})\n"
        "print(sampler.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    harness = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert harness.returncode == -signal.SIGKILL
    report_file = tmp_path / schema.REPORT_FILE
    wait_until(report_file.exists)
    report = json.loads(report_file.read_text())
    assert report["ended_by"] == "harness_gone"
    assert report["flags"] == ["ended_by_harness_gone"]
    assert decoding.read_samples(tmp_path / schema.SAMPLES_FILE)["trigger"][-1] == "stop"
    wait_until(lambda: not _runs(int(harness.stdout)))


def test_sigterm_ends_it_in_good_order_and_ctrl_c_does_not(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        os.kill(sampler.pid, signal.SIGINT)
        time.sleep(0.3)
        os.kill(sampler.pid, signal.SIGTERM)
        wait_until((tmp_path / schema.REPORT_FILE).exists)
        report = sampler.stop()
    assert report["ended_by"] == "terminated"
    assert report["samples"] >= 10


def test_the_end_of_the_target_is_sampled_at_once(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, {"period_ns": 100_000_000_000, "gpu": False}) as sampler:
        target = subprocess.Popen(["sleep", "1"])
        sampler.set_target(target.pid, None, False)
        target.wait()
        time.sleep(0.5)
        sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    assert samples["trigger"] == ["start", "target", "exit", "stop"]
    assert samples["tree_processes"].compressed()[0] == 1
    assert samples["tree_processes"].compressed()[-1] == 0


def test_a_target_that_is_not_there(tmp_path: Path) -> None:
    target = subprocess.Popen(["true"])
    target.wait()
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        sampler.set_target(target.pid, None)
        report = sampler.stop()
    assert f"process {target.pid} was not found" in report["not_measured"]["tree_cpu_ns"]
    assert decoding.read_samples(tmp_path / schema.SAMPLES_FILE)["tree_cpu_ns"].count() == 0


def test_every_column_has_values_or_a_reason(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        report = sampler.stop()
    samples = decoding.read_samples(tmp_path / schema.SAMPLES_FILE)
    for column in schema.SAMPLE_COLUMNS:
        if column.name != "trigger":
            measured = samples[column.name].count() > 0
            assert measured != (column.name in report["not_measured"]), column.name
    assert report["not_measured"]["tree_cpu_ns"] == "no target was named"


def test_bad_control_messages_are_counted_and_survived(tmp_path: Path) -> None:
    with SamplerProcess.start(tmp_path, QUICK) as sampler:
        assert sampler._process.stdin is not None
        sampler._process.stdin.write(b'nonsense\n{"target": 5}\n[]\n')
        sampler._process.stdin.flush()
        time.sleep(0.1)
        report = sampler.stop()
    assert report["ended_by"] == "stop"
    assert report["errors"]["internal"]["count"] == 3


def test_a_wrong_configuration_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SamplerError, match="unknown key 'rate'"):
        SamplerProcess.start(tmp_path, {"rate": 10})


def test_every_setting_is_documented_and_the_sections_are_numbered_in_order() -> None:
    page = (PROJECT_ROOT / "docs" / "sampler.md").read_text()
    use = page[page.index("## 2.") : page.index("## 3.")]
    for setting in DEFAULTS:
        assert f"`{setting}`" in use
        assert f"`{setting}`" in str(SamplerProcess.start.__doc__)
    numbers = re.findall(r"^## (\d+)\.", page, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_the_sampler_process_loads_neither_decoders_nor_numpy() -> None:
    modules = "harness.sampling.gpu_thread, harness.sampling.sampler, harness.sampling.__main__"
    code = f"import sys, {modules}; print([m for m in sys.modules if m == 'numpy' or m.endswith('.decoding')])"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT_ROOT, text=True).strip() == "[]"


def test_a_deep_trial_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    with SamplerProcess.start(folder, QUICK) as sampler:
        assert (folder / schema.SOCKET_FILE).stat().st_mode & 0o777 == 0o666
        sampler.stop()
    assert not (folder / schema.SOCKET_FILE).exists()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
