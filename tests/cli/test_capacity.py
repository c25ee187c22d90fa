"""`dlgauge capacity` on records in a store, as it is typed."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.capacity import app
from harness.errors import DlgaugeError
from tests.factories import publish_trial

BATCH_SIZES = (16, 32, 64, 128)
STEP_OVERHEAD_S, IMAGE_S = 2e-3, 1e-4
BASE_BYTES, BYTES_PER_IMAGE = 300e6, 500e3


def publish(store: Path, batch_size: int, seed: int, **of_trial: Any) -> Path:
    """A record of a machine with known laws: what the factory measured is replaced by them."""
    record = publish_trial(store, "torch", seed, batch_size=batch_size, varied={"batch_size": batch_size}, **of_trial)
    chance = random.Random(f"{batch_size}-{seed}")
    path = record.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["summary"]["samples_per_s"] = (
        batch_size / (STEP_OVERHEAD_S + IMAGE_S * batch_size) * chance.gauss(1, 0.004)
    )
    manifest["summary"]["peak_memory_bytes"] = (BASE_BYTES + BYTES_PER_IMAGE * batch_size) * chance.gauss(1, 0.002)
    path.write_text(json.dumps(manifest))
    return record.path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for seed in (1, 2, 3):
        for batch_size in BATCH_SIZES:
            publish(folder, batch_size, seed, study="sweep")
    publish_trial(folder, "torch", 4, termination="crashed", study="sweep", batch_size=256)
    return folder


def capacity(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def output(*arguments: Any) -> str:
    result = capacity(*arguments)
    assert result.exit_code == 0, result.exception
    return str(result.output)


def error_of(*arguments: Any) -> str:
    result = capacity(*arguments)
    assert isinstance(result.exception, DlgaugeError), result.output
    return str(result.exception)


JOB = ("--framework", "torch", "--workload", "lenet-mnist-subset", "--batch-size", 64)


def test_models_show_parameters_errors_and_failures(store: Path) -> None:
    text = output("models", store, "--cells")
    assert "base_bytes[mnist-subset]" in text
    assert "overhead_s" in text
    assert "left-out batch sizes: mean, worst error" in text
    assert "no term bytes_per_parameter: parameters has one level" in text
    assert "did not complete: torch · caffe-mnist · seed 4: crashed" in text
    assert text.count("batch_size 16, profile local") == 2


def test_models_as_json_trace_every_number_to_records(store: Path) -> None:
    content = json.loads(output("models", store, "--format", "json"))
    memory, rate = content["models"]
    assert (memory["quantity"], rate["quantity"]) == ("peak_memory_bytes", "samples_per_s")
    assert len(memory["records"]) == 12
    ids = {path.name for path in (store / "sweep").iterdir()}
    assert set(memory["records"]) <= ids
    terms = {one["name"]: one for one in rate["parameters"]}
    assert terms["overhead_s"]["value"] == pytest.approx(STEP_OVERHEAD_S, rel=0.05)
    assert terms["overhead_s"]["low"] <= STEP_OVERHEAD_S <= terms["overhead_s"]["high"]
    cells = memory["held_out"][0]["cells"]
    assert [cell["levels"]["batch_size"] for cell in cells] == list(BATCH_SIZES)
    assert memory["held_out"][0]["mean_error_fraction"] < 0.01
    assert content["excluded"][0]["termination"] == "crashed"


def test_fit_names_the_verdict_the_interval_and_the_records(store: Path) -> None:
    text = output("fit", store, *JOB, "--profile", "cpus=2,memory=1 GiB")
    assert "\n  fits\n" in text
    assert "rests on 12 records: " in text
    assert "does not fit" in output("fit", store, *JOB, "--profile", "cpus=2,memory=128 MiB")
    outside = output("fit", store, *JOB[:-1], 200, "--profile", "cpus=2,memory=1 GiB")
    assert "fits (extrapolation)" in outside
    assert "batch_size 200 is outside the measured 16-128" in outside
    beyond = output("fit", store, *JOB[:-1], 1000, "--profile", "cpus=2,memory=1 GiB")
    assert "cannot be told" in beyond
    assert "7.81 times outside the measured 16-128; beyond 2 times nothing is answered" in beyond


def test_size_to_an_accuracy_reads_the_evaluations(store: Path) -> None:
    words = ("size", store, *JOB, "--profile", "local,cpus=2,price_per_hour=3.6", "--format", "json")
    (answer,) = json.loads(output(*words, "--accuracy", 90))["answers"]
    run = answer["candidates"][0]["run"]
    assert run["steps"]["estimate"] == pytest.approx(100)
    assert run["steps"]["quantity"] == "steps_to:90"
    training_s = 100 * (STEP_OVERHEAD_S + 64 * IMAGE_S)
    assert run["time"]["estimate"] == pytest.approx(run["start_up"]["estimate"] + training_s, rel=0.01)
    assert run["cost"]["estimate"] == pytest.approx(run["time"]["estimate"] * 1e-3)
    (unreached,) = json.loads(output(*words, "--accuracy", 99.9))["answers"]
    assert unreached["cheapest"] is None
    reasons = unreached["candidates"][0]["run"]["steps"]["reasons"]
    assert reasons[0] == "0 of 3 trials tell steps to 99.9 %"
    assert "99.9 % was not reached" in reasons[1]


def test_time_to_an_accuracy_with_the_error_of_seeds_left_out(store: Path) -> None:
    content = json.loads(output("models", store, "--accuracy", 90, "--format", "json"))["to_accuracy"]
    assert [one["levels"]["batch_size"] for one in content["cells"]] == list(BATCH_SIZES)
    first = content["cells"][0]
    assert first["steps"]["estimate"] == pytest.approx(100)
    assert first["steps"]["low"] < 60 and first["steps"]["high"] > 160  # evaluated every 100 steps, all at the first
    assert first["seconds"]["estimate"] == pytest.approx(100 * (STEP_OVERHEAD_S + 16 * IMAGE_S), rel=0.02)
    assert [cell["levels"]["seed"] for cell in first["held_out"]["cells"]] == [1, 2, 3]
    # What the factory's clock measured, in place of what the models were given: the error is what it must be.
    for cell in first["held_out"]["cells"]:
        assert cell["error_fraction"] == pytest.approx(cell["predicted"] / cell["measured"] - 1)
        assert cell["predicted"] == pytest.approx(100 * (STEP_OVERHEAD_S + 16 * IMAGE_S), rel=0.02)
    text = output("models", store, "--accuracy", 99.9)
    assert "to 99.9 % of the test images\n  no cell reached it in all its trials" in text
    assert "3 of 3 trials did not: 99.9 % was not reached" in text
    assert "above 0 and at most 100 percent" in error_of("models", store, "--accuracy", 120)


def test_size_in_epochs_knows_the_images_of_the_dataset(store: Path) -> None:
    words = ("size", store, *JOB, "--epochs", 2, "--profile", "local,cpus=2", "--format", "json")
    (answer,) = json.loads(output(*words))["answers"]
    assert answer["candidates"][0]["run"]["steps"]["estimate"] == 313  # 2 * 10,000 / 64, rounded up
    assert "price_per_hour" in answer["reason"]


def test_pack_and_fleet_from_the_command_line(store: Path) -> None:
    text = output("pack", store, *JOB, "--profile", "cpus=2,memory=1 GiB", "--most", 4)
    assert "3 for certain" in text
    assert "dlgauge run colocation measures it" in text
    job = "count=3,framework=torch,workload=lenet-mnist-subset,batch_size=64,steps=60000"
    box = "name=box,cpus=2,memory=2 GiB,price_per_hour=0.5"
    text = output("fleet", store, "--job", job, "--machine", box, "--horizon", "20 min")
    assert "least cost 0.3333 for 2 machines over 20 min 00 s" in text
    content = json.loads(output("fleet", store, "--job", job, "--machine", box, "--horizon", "1 min", "-f", "json"))
    assert content["answers"][0]["cost"] is None
    assert "takes 8 min" in content["answers"][0]["reasons"][0] or "takes 9 min" in content["answers"][0]["reasons"][0]


def test_every_form_of_a_file_of_questions(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "questions.yaml"
    path.write_text(
        "studies: [sweep]\n"
        "questions:\n"
        "  - ask: fit\n"
        "    job: {framework: torch, workload: lenet-mnist-subset, batch_size: 100}\n"
        "    profile: {cpus: 2, memory: 2 GiB}\n"
        "  - ask: pack\n"
        "    job: {framework: torch, workload: lenet-mnist-subset, batch_size: 100}\n"
        "    profile: {cpus: 2, memory: 2 GiB}\n"
    )
    assert output("ask", path, store).count("\n  fits") == 1
    assert "| profile | memory limit |" in output("ask", path, store, "--format", "markdown")
    assert output("ask", path, store, "--format", "latex").count(r"\begin{table}") == 2
    rows = list(csv.DictReader(io.StringIO(output("ask", path, store, "--format", "csv"))))
    assert {row["ask"] for row in rows} == {"fit", "pack"}
    assert float(rows[0]["low"]) < float(rows[0]["estimate"]) < float(rows[0]["high"])
    written = tmp_path / "answers.json"
    assert output("ask", path, store, "--format", "json", "--output", written) is not None
    assert [one["ask"] for one in json.loads(written.read_text())["answers"]] == ["fit", "pack"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fit", *JOB, "--profile", "cpu22"), "unknown profile 'cpu22'"),
        (("fit", *JOB, "--profile", "cpus=2,memory=4 Gib"), "unknown unit 'Gib'"),
        (("fit", *JOB, "--profile", "cpus=2,memory=1 GiB", "--job", "colour=red"), "unknown key 'colour'"),
        (("fit", *JOB, "--profile", "cpus=2,memory=1 GiB", "--job", "blas"), "--job should be KEY=VALUE"),
        (("size", *JOB, "--profile", "cpu1"), "should give its length"),
        (("fit", *JOB, "--profile", "cpus=2,memory=1 GiB", "--study", "none"), "no records of a study 'none'"),
    ],
)
def test_mistakes_on_the_command_line(store: Path, words: tuple[Any, ...], message: str) -> None:
    command, *rest = words
    assert message in error_of(command, store, *rest)


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no store here" in error_of("models", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "no completed trial to fit a model to" in error_of("models", tmp_path / "empty")
