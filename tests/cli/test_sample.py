"""`dlgauge sample` around real commands whose resource use is known."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet
import pytest

from harness.paths import PROJECT_ROOT
from harness.records.command import KEYS, write_tables

PROGRAM = [sys.executable, "-c", "from harness.cli.main import main; main()", "sample"]
MIB = 1 << 20


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def sample(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(folder, *arguments, stdin=subprocess.DEVNULL)
    output, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors, errors
    return process.returncode, output, errors


def summary_of(folder: Path, *command: str) -> dict[str, Any]:
    status, output, errors = sample(folder, "--json", "--out", "out", "--", *command)
    summary: dict[str, Any] = json.loads(output)
    assert status == summary["exit_status"], errors
    return summary


def reaped_cpu_s(folder: Path) -> float:
    lines = [json.loads(line) for line in (folder / "out" / "launcher.jsonl").read_text().splitlines()]
    return sum(line["user_s"] + line["system_s"] for line in lines if line["event"] == "exit")


CHILDREN = """
import os, time
for _ in range(25):
    pid = os.fork()
    if pid == 0:
        while time.process_time() < 0.1: pass
        os._exit(0)
    os.waitpid(pid, 0)
usage = os.times()
open('truth', 'w').write(str(sum(usage[:4])))
"""


def test_children_of_a_tenth_of_a_second_are_counted(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, sys.executable, "-S", "-E", "-c", CHILDREN)
    truth_s = float((tmp_path / "truth").read_text())
    assert truth_s >= 2.5
    assert summary["cpu_seconds"] == pytest.approx(truth_s, rel=0.02)
    assert summary["cpu_user_seconds"] + summary["cpu_system_seconds"] == pytest.approx(truth_s, rel=0.02)
    assert summary["audit"]["flag"] is False
    assert summary["mean_cores_used"] == pytest.approx(summary["cpu_seconds"] / summary["wall_seconds"])
    assert 0 < summary["max_cores_used"] < os.cpu_count() + 0.2  # type: ignore[operator]


def test_a_process_left_behind_is_waited_for_and_counted(tmp_path: Path) -> None:
    code = "import time\nwhile time.process_time() < 0.6: pass"
    script = f"(setsid {sys.executable} -S -E -c '{code}' &) ; exit 5"
    summary = summary_of(tmp_path, "sh", "-c", script)
    assert summary["exit_status"] == 5
    assert summary["cpu_seconds"] == pytest.approx(reaped_cpu_s(tmp_path), rel=0.02)
    assert summary["cpu_seconds"] >= 0.6
    assert summary["wall_seconds"] >= 0.6


def test_a_spike_of_30_ms_is_in_the_peak_of_a_command_of_no_more(tmp_path: Path) -> None:
    block = 300 * MIB
    code = f"b = bytearray({block}); b[::4096] = b'x' * len(b[::4096])"
    summary = summary_of(tmp_path, sys.executable, "-S", "-E", "-c", code)
    assert block <= summary["peak_memory_bytes"] <= 1.05 * block  # the interpreter is in it
    assert block <= summary["peak_memory_largest_process_bytes"] <= 1.05 * block


def test_page_cache_is_not_taken_for_the_command_s_memory(tmp_path: Path) -> None:
    hold = f"b = bytearray({50 * MIB}); b[::4096] = b'x' * len(b[::4096]); __import__('time').sleep(0.3)"
    script = f'dd if=/dev/zero of=big bs=1M count=200 2>/dev/null; {sys.executable} -S -E -c "{hold}"'
    summary = summary_of(tmp_path, "sh", "-c", script)
    assert 50 * MIB <= summary["peak_memory_bytes"] <= 80 * MIB
    if summary["peak_memory_cgroup_bytes"] is not None and summary["peak_memory_cgroup_bytes"] > 200 * MIB:
        assert summary["sources"]["peak_memory_bytes"] != "cgroup"


def test_a_command_that_sleeps_uses_nothing_and_has_quantiles_from_enough_samples_only(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, "sleep", "1.5")
    samples = pyarrow.parquet.read_table(tmp_path / "out" / "samples.parquet").to_pydict()
    assert summary["wall_seconds"] >= 1.5
    assert summary["cpu_seconds"] < 0.1  # the start of `sleep` is in it
    assert (summary["lateness_p50_seconds"] is not None) == (samples["trigger"].count("tick") >= 5)
    for key in ("lateness_p99_seconds",):
        assert summary[key] is None and "takes 100" in summary["not_measured"][key]
    assert summary["samples"] + max(samples["ticks_skipped"]) >= 12
    assert {key for key, value in summary.items() if value is None} == set(summary["not_measured"])


def test_the_tables_are_those_of_a_record(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, "sleep", "0.5")
    out = tmp_path / "out"
    samples = pyarrow.parquet.read_table(out / "samples.parquet")
    assert samples.num_rows == summary["samples"]
    assert samples.schema.field("tree_cpu_ns").metadata[b"unit"] == b"ns"
    names = pyarrow.parquet.read_table(out / "processes.parquet").column("name").to_pylist()
    assert "sleep" in names
    assert (out / "gpus.parquet").exists() and not list(out.glob("*.bin"))
    assert json.loads((out / "summary.json").read_text())["command"] == ["sleep", "0.5"]
    assert not any(os.environ["PATH"] in path.read_text() for path in out.glob("*.json*"))


def test_streams_arguments_and_status_are_the_command_s(tmp_path: Path) -> None:
    code = "import sys; print(sys.argv[1:]); print('err', file=sys.stderr); sys.exit(3)"
    status, output, errors = sample(tmp_path, "--out", "a", "--", sys.executable, "-c", code, "--json", "--rate", "x")
    assert (status, output) == (3, "['--json', '--rate', 'x']\n")
    assert errors.startswith("err\n") and "wall_seconds" in errors
    status, output, errors = sample(tmp_path, "--json", "--out", "b", "--", "echo", "hello")
    assert json.loads(output)["exit_status"] == 0
    assert "hello" in errors


def test_without_out_a_new_folder_is_made_here(tmp_path: Path) -> None:
    for count in (1, 2):
        assert sample(tmp_path, "--", "true")[0] == 0
        assert len(list(tmp_path.glob("dlgauge-sample-*/samples.parquet"))) == count


def test_a_command_ended_by_a_signal(tmp_path: Path) -> None:
    assert summary_of(tmp_path, "sh", "-c", "kill -9 $$")["exit_status"] == 128 + 9


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--", "no-such-program"], 127, ["command not found: 'no-such-program'", "spelling"]),
        (["--", "./plain"], 126, ["'./plain' is not executable"]),
        (["--rate", "80", "--", "true"], 2, ["--rate 80 is not between 1 and 50"]),
        (["--out", "full", "--", "true"], 2, ["--out 'full' is not empty", "name a new folder"]),
        (["--out", "plain", "--", "true"], 2, ["--out 'plain' is a file"]),
        (
            ["--out", "/proc/foo", "--", "true"],
            2,
            ["--out '/proc/foo' cannot be made or written: No such file", "name"],
        ),
        (["--out", "/proc/self", "--", "true"], 2, ["--out '/proc/self' is not empty"]),
        (["--out", "plain/below", "--", "true"], 2, ["--out 'plain/below' cannot be made or written: Not a directory"]),
    ],
)
def test_a_mistake_is_named_before_anything_runs(
    tmp_path: Path, arguments: list[str], status: int, words: list[str]
) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "samples.parquet").write_text("")
    before = sorted(tmp_path.rglob("*"))
    found, output, errors = sample(tmp_path, *arguments)
    assert (found, output) == (status, "")
    for word in words:
        assert word in errors
    assert "Errno" not in errors
    assert sorted(tmp_path.rglob("*")) == before


def test_json_of_a_program_that_is_not_there_says_why_there_is_nothing(tmp_path: Path) -> None:
    status, output, errors = sample(tmp_path, "--json", "--", "no-such-program")
    summary = json.loads(output)
    assert (status, summary["exit_status"]) == (127, 127)
    assert summary["wall_seconds"] is None
    assert set(summary["not_measured"].values()) == {
        "the command was not started: command not found: 'no-such-program'"
    }
    assert errors.startswith("error: command not found")
    ran = summary_of(tmp_path, "true")
    assert list(summary) == list(ran) == [*KEYS, "sources", "not_measured"]


def test_a_command_of_some_milliseconds_gets_no_statistics(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, "true")
    if summary["wall_seconds"] >= 0.1:
        pytest.skip("this machine is too busy: `true` took a tenth of a second")
    for key in ("mean_cores_used", "audit"):
        assert summary[key] is None
        assert "ms; it takes 100" in summary["not_measured"][key]


def test_the_table_is_whole_where_there_is_no_terminal(tmp_path: Path) -> None:
    _, _, errors = sample(tmp_path, "--out", "a-folder-with-a-long-name" * 4, "--", "true")
    lines = errors.splitlines()
    assert "…" not in errors
    assert [line for line in lines if line.startswith(" max_cores_used")][0].rstrip().endswith("takes at least one")
    assert lines[-1] == f"tables: {'a-folder-with-a-long-name' * 4}"


def test_a_full_disk_behind_the_output_is_told_in_a_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    for command in (["sample", "--json", "--out", "a", "--", "true"], ["plan", "quickstart"]):
        with Path("/dev/full").open("w") as full:
            result = subprocess.run(
                [*PROGRAM[:-1], *command],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                cwd=tmp_path,
                check=False,
            )
        assert result.returncode == 2
        first, hint = result.stderr.splitlines()
        assert re.fullmatch("error: .*standard output.*: No space left on device", first)
        assert hint == "  what is there is not whole"


COUNTS_SIGNALS = """
import pathlib, signal, sys, time
count = 0
def handle(*_):
    global count
    count += 1
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, handle)
pathlib.Path('ready').touch()
end = time.monotonic() + 20
while not count and time.monotonic() < end: time.sleep(0.05)
time.sleep(0.5)
sys.exit(40 + count)
"""


def started(folder: Path, *command: str) -> subprocess.Popen[str]:
    process = start(folder, "--json", "--out", "out", "--", *command, start_new_session=True)
    deadline = time.monotonic() + 30
    while not (folder / "ready").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_request_to_stop_reaches_the_command_once(tmp_path: Path, number: signal.Signals, whole_group: bool) -> None:
    process = started(tmp_path, sys.executable, "-c", COUNTS_SIGNALS)
    (os.killpg if whole_group else os.kill)(process.pid, number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, json.loads(output)["exit_status"]) == (41, 41), errors


def test_ctrl_c_ends_what_the_command_left_behind(tmp_path: Path) -> None:
    nap = f"986.{os.getpid()}"  # no other run of this test has processes of that name
    process = started(tmp_path, "sh", "-c", f"(setsid sleep {nap} &); touch ready; exit 0")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert json.loads(output)["exit_status"] == 0
    assert not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", nap]]


def test_a_second_ctrl_c_kills_a_command_that_does_not_listen(tmp_path: Path) -> None:
    process = started(tmp_path, "sh", "-c", "trap '' INT; touch ready; while :; do sleep 0.1; done")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert json.loads(output)["exit_status"] == 128 + 9


def test_a_killed_dlgauge_takes_the_command_with_it(tmp_path: Path) -> None:
    process = started(tmp_path, "sh", "-c", "sleep 1.5; touch ready; exec sleep 986")
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "986"]]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not list((tmp_path / "out").glob("*.parquet"))
    write_tables(tmp_path / "out")  # what docs/sample.md says to do then
    assert pyarrow.parquet.read_table(tmp_path / "out" / "samples.parquet").num_rows > 3
