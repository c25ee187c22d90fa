"""`dlgauge correlate` on stores of synthetic records: every form of output, and every bad input by name."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.analysis.correlation.stores import fill, write_batch
from tests.here import dlgauge
from tests.synthetic import write_record


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    fill(folder)
    return folder


def correlation(store: Path, *arguments: str) -> dict:
    result = dlgauge("correlate", store, "--format", "json", "--no-lags", *arguments)
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["correlations"]
    return found


def problems(store: Path, *arguments: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in correlation(store, *arguments)["problems"]:
        found.setdefault(one["kind"], []).append(one["sentence"])
    return found


def test_the_sentence_of_the_memory_of_a_doubling(store: Path) -> None:
    result = dlgauge("correlate", store, "--no-lags")
    assert result.exit_code == 0, result.output
    (line,) = [
        one for one in result.stdout.splitlines() if "On caffe, doubling batch size raises peak memory by" in one
    ]
    number, low, high = re.search(
        r"by ([\d.]+) MiB \(95 % ([\d.]+) to ([\d.]+); 16 trials in 4 blocks\)", line
    ).groups()
    assert float(low) < 12 < float(high)
    assert float(number) == pytest.approx(12, abs=0.3)
    assert "[effect-" in line


def test_json_holds_numbers_unrounded_with_the_trials_behind_them(store: Path) -> None:
    found = correlation(store)
    assert [one["name"] for one in found["factors"]] == ["framework", "batch_size"]
    scopes = {one["name"]: one for one in found["scopes"]}
    assert set(scopes) == {"caffe", "torch", "pooled"}
    assert len(scopes["caffe"]["trials"]) == 16
    assert all(Path(path).is_dir() for path in scopes["pooled"]["records"])
    row = next(
        one
        for one in found["associations"]
        if (one["scope"], one["outcome"], one["kind"]) == ("torch", "samples_per_s", "kendall")
    )
    assert (row["trials"], row["blocks"]) == (16, 4)
    ids = {row["id"] for table in ("associations", "effects", "shares", "knees", "dependences") for row in found[table]}
    ids |= {row["id"] for model in found["models"] for part in ("slopes", "interactions") for row in model[part]}
    for sentence in found["sentences"]:
        assert set(sentence["rows"]) <= ids, sentence
        assert sentence["rows"], "a sentence without numbers"


def test_an_order_that_is_the_same_in_every_block_has_a_test_and_no_interval(tmp_path: Path) -> None:
    for seed in (1, 2, 3, 4):
        for batch in (16, 32, 64, 128):
            write_batch(tmp_path, "torch", seed, batch, summary={"peak_memory_bytes": 2.0**30 + batch + seed})
    rows = correlation(tmp_path, "--outcomes", "peak_memory_bytes")["associations"]
    for row in rows:
        assert row["low"] is None
        assert row["q"] == pytest.approx(0.001)
        assert "p by permutations inside blocks" in row["reason"]


def test_saturation_is_found(store: Path) -> None:
    knee = next(
        one for one in correlation(store)["knees"] if (one["scope"], one["outcome"]) == ("torch", "samples_per_s")
    )
    assert knee["saturation_low"] < 180 < knee["saturation_high"]
    assert knee["extrapolated"], "180 is beyond 128"


def test_csv_has_one_line_a_number(store: Path) -> None:
    result = dlgauge("correlate", store, "--format", "csv", "--no-lags")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["table"] for row in rows} >= {"associations", "effects", "slopes", "interactions", "shares", "knees"}
    (effect,) = [
        row
        for row in rows
        if (row["scope"], row["outcome"], row["statistic"]) == ("torch", "peak_memory_bytes", "ratio, doubling")
    ]
    assert float(effect["low"]) < float(effect["value"]) < float(effect["high"])


def test_markdown_and_latex(store: Path) -> None:
    markdown = dlgauge("correlate", store, "--format", "markdown", "--no-lags").stdout
    assert "| row | scope |" in markdown
    assert "peak memory (MiB)" in markdown
    latex = dlgauge("correlate", store, "--format", "latex", "--no-lags").stdout
    assert latex.count(r"\begin{longtable}") == latex.count(r"\end{longtable}") > 3
    assert "batch\\_size" in latex
    assert not re.search(r"(?<!\\)_", latex)


def test_the_page_links_every_sentence_to_its_numbers(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = dlgauge("correlate", store, "--page", page, "-o", tmp_path / "out.txt")
    assert result.exit_code == 0, result.output
    text = page.read_text()
    anchors = set(re.findall(r'\bid="([^"]+)"', text))
    links = re.findall(r'href="#([^"]+)"', text)
    assert len(links) > 50
    assert set(links) <= anchors
    for item in re.findall(r"<li>(?:On|Over|Of|That|Batch).*?</li>", text, re.DOTALL):
        assert re.search(r'href="#c1-(effect|share|interaction|slope|knee|lag)-\d+"', item), item
    assert "On torch, cores used goes with being in a phase `train`" in text
    assert text.count("data:image/svg+xml;base64,") == 2
    assert "://" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_figures(store: Path, tmp_path: Path, suffix: str) -> None:
    heat, curves = tmp_path / f"heat{suffix}", tmp_path / f"curves{suffix}"
    arguments = [
        "--heat-map",
        heat,
        "--dependence",
        curves,
        "--outcomes",
        "samples_per_s,peak_memory_bytes",
        "--no-lags",
    ]
    result = dlgauge("correlate", store, *arguments)
    assert result.exit_code == 0, result.output
    beginning = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}[suffix]
    assert heat.read_bytes().startswith(beginning)
    assert curves.read_bytes().startswith(beginning)
    if suffix == ".svg":
        words = " ".join(ElementTree.parse(curves).getroot().itertext())
        assert "peak memory (MiB)" in words
        assert "batch size (images)" in words
        assert "caffe" in words


def test_a_figure_of_another_form_is_refused_before_anything_is_computed(store: Path, tmp_path: Path) -> None:
    result = dlgauge("correlate", store, "--heat-map", tmp_path / "heat.gif")
    assert result.exit_code != 0
    assert ".svg" in str(result.exception)


def test_time_lags_are_read_from_the_samples(store: Path) -> None:
    result = dlgauge("correlate", store, "--format", "json", "--outcomes", "samples_per_s")
    (found,) = json.loads(result.stdout)["correlations"]
    lag = next(
        one
        for one in found["lags"]
        if (one["framework"], one["activity"], one["use"]) == ("torch", "train", "cores used")
    )
    assert (lag["trials"], lag["blocks"], lag["resolution_s"]) == (16, 4, 0.1)
    assert len(lag["runs"]) == 16


def test_too_few_blocks_are_named(tmp_path: Path) -> None:
    fill(tmp_path, seeds=(1, 2))
    found = problems(tmp_path)
    assert "too few blocks, 2" in found["too_few_blocks"][0]
    assert all(one["low"] is None for one in correlation(tmp_path)["associations"])
    assert dlgauge("correlate", tmp_path, "--no-lags").exit_code == 0


def test_one_level_of_a_factor_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    found = problems(tmp_path, "--factors", "batch_size,cpus")
    assert "cpus" in " ".join(found["one_level"])


def test_a_store_where_nothing_varies_says_that_nothing_can_be_correlated(tmp_path: Path) -> None:
    fill(tmp_path, frameworks=("torch",), batches=(64,))
    result = dlgauge("correlate", tmp_path, "--no-lags")
    assert result.exit_code == 0, result.output
    assert "nothing can be correlated" in result.stdout


def test_a_missing_outcome_is_named_with_its_reason(tmp_path: Path) -> None:
    fill(tmp_path)
    for path in tmp_path.glob("demo/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["summary"]["top1_percent"] = None
        manifest["not_measured"]["top1_percent"] = "no evaluation finished"
        path.write_text(json.dumps(manifest))
    (sentence,) = [one for one in problems(tmp_path)["missing_outcome"] if one.startswith("top1_percent")]
    assert "no trial has it" in sentence
    assert "no evaluation finished (32)" in sentence


def test_an_outcome_that_some_trials_lack_is_counted_over_the_others(tmp_path: Path) -> None:
    fill(tmp_path)
    path = next(iter(sorted(tmp_path.glob("demo/*/manifest.json"))))
    manifest = json.loads(path.read_text())
    manifest["summary"]["top1_percent"] = None
    path.write_text(json.dumps(manifest))
    (sentence,) = [one for one in problems(tmp_path)["missing_outcome"] if one.startswith("top1_percent")]
    assert "1 of 32 trials lack it" in sentence
    pooled = [one for one in correlation(tmp_path)["associations"] if one["scope"] == "pooled"]
    trials = {one["outcome"]: one["trials"] for one in pooled}
    assert (trials["top1_percent"], trials["samples_per_s"]) == (31, 32)


def test_mixed_contents_of_a_dataset_are_looked_at_apart_and_named(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path, seeds=(5, 6, 7), content="deadbeef" * 8)
    result = dlgauge("correlate", tmp_path, "--format", "json", "--no-lags")
    found = json.loads(result.stdout)["correlations"]
    assert [one["scopes"][-1]["blocks"] for one in found] == [[1, 2, 3, 4], [5, 6, 7]]
    assert all("content" in one["conditions"] for one in found)
    assert all(any(p["kind"] == "mixed_content" for p in one["problems"]) for one in found)
    refused = dlgauge("correlate", tmp_path, "--heat-map", tmp_path / "heat.svg", "--no-lags")
    assert "2 correlations" in str(refused.exception)


def test_mixed_certificates_are_named(tmp_path: Path) -> None:
    fill(tmp_path, seeds=(1, 2))
    fill(tmp_path, seeds=(3, 4), certificate="other" * 8)
    found = problems(tmp_path)
    assert len(found["mixed_certificates"]) == 2
    assert "more than one parity certificate" in found["mixed_certificates"][0]
    assert "ce27ce27ce27 for 8 trials" in found["mixed_certificates"][0]


def test_a_cell_with_only_failed_trials_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    for seed in (1, 2):
        write_batch(tmp_path, "theano", seed, 256, termination="out_of_memory", reason="the limit of 1 GiB was reached")
    (sentence,) = problems(tmp_path)["failed_cells"]
    assert "cell with only failed trials" in sentence
    assert "theano" in sentence
    assert "the limit of 1 GiB was reached" in sentence


def test_incomplete_blocks_are_named(tmp_path: Path) -> None:
    fill(tmp_path)
    write_batch(tmp_path, "caffe", 5, 16)
    assert (
        "caffe: incomplete blocks: 17 trials of 4 cells × 5 blocks, 3 absent" in problems(tmp_path)["incomplete_blocks"]
    )


def test_a_study_without_a_completed_trial(tmp_path: Path) -> None:
    write_record(tmp_path, termination="crashed", reason="a bug")
    result = dlgauge("correlate", tmp_path)
    assert result.exit_code != 0
    assert "no completed trial" in str(result.exception)
    assert "a bug" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--outcomes", "speed"], "unknown outcome 'speed'"),
        (["--factors", "colour"], "unknown factor 'colour'"),
        (["--outcomes", ","], "--outcomes ',' names nothing"),
        (["--study", "nosuch"], "nosuch"),
    ],
)
def test_mistakes_are_told_with_the_offending_value(store: Path, arguments: list[str], words: str) -> None:
    result = dlgauge("correlate", store, *arguments)
    assert result.exit_code != 0
    assert words in str(result.exception)


def test_factors_that_move_together_are_named(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        for batch in (16, 32, 64, 128):
            setting = {"batch_size": batch, "steps": 6400 // batch}
            write_batch(tmp_path, "torch", seed, batch, setting=setting)
    (sentence,) = problems(tmp_path)["together"]
    assert "batch_size stands for batch_size, steps" in sentence


def test_too_few_combinations_to_tell_factors_apart_are_named(tmp_path: Path) -> None:
    """Three settings that differ in two things each way."""
    for seed in (1, 2, 3):
        for batch, steps in ((16, 100), (64, 100), (16, 400)):
            write_batch(tmp_path, "torch", seed, batch, setting={"batch_size": batch, "steps": steps})
    (sentence,) = problems(tmp_path)["together"]
    assert "3 combinations of levels for 2 factors (batch_size, steps)" in sentence
