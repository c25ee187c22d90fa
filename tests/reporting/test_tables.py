"""Every form of the comparison: numbers, escaping, reading back."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.analysis import compare
from harness.analysis.columns import column_for
from harness.analysis.inference import judge
from harness.analysis.sampling import QUALITY_KEYS
from harness.analysis.statistics import Statistics, summarise
from harness.cli.main import app
from harness.errors import DlgaugeError, StoreError
from harness.records import Store
from harness.reporting import comparison_text, write_report
from harness.reporting.files import write_text
from harness.reporting.grid import comparison_grid
from harness.reporting.machine_readable import to_csv, to_json
from harness.reporting.numbers import show
from harness.reporting.studies import comparisons_of
from harness.reporting.terminal import tables
from harness.reporting.text import latex, latex_escaped, markdown, markdown_escaped, plain
from harness.reporting.verdicts import verdict_lines
from tests.synthetic import write_record, write_study

EVIL = "<script>alert('1')</script>_50%&|#$"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([10.0, 12.0, 14.0], "12.0 ± 2.0"),
        ([10.0, 10.4, 10.8], "10.4 ± 0.4"),
        ([0.1001, 0.1002, 0.1003], "0.10020 ± 0.00010"),
        ([1000.0, 1234.0, 1500.0], "1245 ± 250"),
        ([5.0, 5.0], "5.000 ± 0"),
        ([12.3456], "12.35"),
        ([1000.0, 1000.0001], "1000.00 ± 7e-05"),
    ],
)
def test_numbers_end_where_their_deviation_begins(values: list[float], shown: str) -> None:
    assert str(show(summarise(values), column_for("training_time_s"))) == shown


def test_bytes_are_shown_in_mib() -> None:
    one = Statistics(2, 512.0 * 1024**2, 3.0 * 1024**2, 0, 0, 0)
    assert str(show(one, column_for("peak_memory_bytes"))) == "512 ± 3"


def test_nothing_measured_is_not_a_number() -> None:
    assert str(show(None, column_for("cpu_seconds"))) == "n/a"


def test_default_columns(tmp_path: Path) -> None:
    write_study(tmp_path)
    grid = comparison_grid(compare(Store(tmp_path).records()))
    assert grid.headers == (
        "framework",
        "version",
        "n",
        "training time s",
        "test time s",
        "top-1 %",
        "samples/s",
        "GFLOP/s",
        "cores used mean / max",
        "peak memory MiB",
        "build s",
        "first step s",
        "CPU s",
    )
    assert [row[0] for row in grid.texts] == ["caffe", "tensorflow", "theano", "torch"]


def test_overrides_stand_above_the_table_and_where_they_differ_in_it(tmp_path: Path) -> None:
    one, other = {"steps": 300, "memory": "1 GiB"}, {"steps": 200, "memory": "1 GiB"}
    write_record(tmp_path, "torch", 1, study="s", overrides=one, setting={"steps": 300})
    text, page = comparison_text(tmp_path, "s"), write_report(tmp_path, "s").read_text()
    assert "overrides of setting and profile: steps=300, memory=1 GiB\n" in text
    assert "overrides <b>steps=300, memory=1 GiB</b>" in page
    write_record(tmp_path, "torch", 1, study="s", overrides=other, setting={"steps": 200})
    (comparison,) = comparisons_of(tmp_path)
    assert "overrides of setting and profile: memory=1 GiB\n" in comparison_text(tmp_path, "s")
    grid = comparison_grid(comparison)
    assert sorted(row[grid.headers.index("steps")] for row in grid.texts) == ["200", "300"]
    (study,) = json.loads(to_json([comparison], tmp_path))["studies"]
    assert [cell["overrides"]["memory"] for cell in study["cells"]] == ["1 GiB", "1 GiB"]


def test_records_that_do_not_tell_their_overrides_are_no_records_without_any(tmp_path: Path) -> None:
    one, other = {"steps": 300, "memory": "1 GiB"}, {"steps": 200, "memory": "1 GiB"}
    old = write_record(tmp_path, "caffe", 1, study="s")
    write_record(tmp_path, "torch", 1, study="s", overrides=one, setting={"steps": 300})
    del old.manifest["overrides"]
    (old.path / "manifest.json").write_text(json.dumps(old.manifest))
    assert "overrides of setting and profile: steps=300, memory=1 GiB\n" in comparison_text(tmp_path, "s")
    assert comparisons_of(tmp_path)[0].differing_overrides == ()
    write_record(tmp_path, "torch", 1, study="s", overrides=other, setting={"steps": 200})
    (comparison,) = comparisons_of(tmp_path)
    grid = comparison_grid(comparison)
    assert sorted(row[grid.headers.index("steps")] for row in grid.texts) == ["200", "300", "not recorded"]
    (study,) = json.loads(to_json([comparison], tmp_path))["studies"]
    assert [cell["overrides"] for cell in study["cells"] if cell["framework"] == "caffe"] == [None]
    rows = csv.DictReader(io.StringIO(to_csv([comparison])))
    assert {row["overrides"] for row in rows if row["framework"] == "caffe"} == {"null"}


def test_a_ratio_is_marked_where_one_side_was_disturbed(tmp_path: Path) -> None:
    steal = [{"signal": "steal", "found": 0.02, "limit": 0.01, "unit": "of CPU time"}]
    for seed in (1, 2):
        write_record(tmp_path, "tensorflow", seed)
        write_record(tmp_path, "torch", seed, disturbances=steal if seed == 2 else ())
        write_record(tmp_path, "caffe", seed)
    (comparison,) = comparisons_of(tmp_path)
    marked = {line.split(":")[0]: "DISTURBED" in line for line in verdict_lines(judge(comparison)) if " × " in line}
    fastest = min(comparison.cells, key=lambda cell: cell.values["training_time_s"].statistics.mean).key.framework
    assert fastest == "tensorflow"
    assert marked == {"torch": True, "caffe": False}
    assert "; DISTURBED: torch\n" in plain(comparison, tmp_path)
    ratios = json.loads(to_json([comparison], tmp_path))["studies"][0]["ratios"]
    assert {(one["framework"], tuple(one["disturbed"])) for one in ratios} == {("torch", ("torch",)), ("caffe", ())}


def test_what_the_sampler_says_of_itself_alone_is_no_line_of_what_was_not_measured(tmp_path: Path) -> None:
    for seed in (1, 2):
        few = f"{70 + seed} values are too few"
        reasons = {"duration_p99_ns": few, "lateness_p99_ns": few, "lateness_p99_s": "fewer than 100 ticks"}
        write_record(tmp_path, "torch", seed, not_measured=reasons)
    (comparison,) = comparisons_of(tmp_path)
    assert {key for key in comparison.not_measured if "p99" in key} == {"lateness_p99_s"}


def test_a_device_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "whole")
    assert os.read(reader, 100) == b"whole"
    os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(DlgaugeError, match="/dev/full: the file cannot be written: No space left on device"):
        write_text(Path("/dev/full"), "x")


def test_who_set_a_value_makes_no_other_row(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, overrides={"steps": 60})
    write_record(tmp_path, "torch", 2)
    (comparison,) = comparisons_of(tmp_path)
    assert [cell.n for cell in comparison.cells] == [2]


def test_json_reads_back_with_every_trace(tmp_path: Path) -> None:
    write_study(tmp_path)
    write_record(tmp_path, "jax", 1, termination="crashed", reason="boom")
    content = json.loads(to_json(comparisons_of(tmp_path), tmp_path))
    (study,) = content["studies"]
    torch = next(cell for cell in study["cells"] if cell["framework"] == "torch")
    value = torch["values"]["training_time_s"]
    assert value["n"] == 3
    assert value["unit"] == "s"
    assert value["mean"] == pytest.approx(sum(value["by_seed"].values()) / 3, rel=1e-15)
    records = {trial["id"]: Path(trial["record"]) for trial in torch["trials"]}
    assert len(records) == 3
    for trial, folder in records.items():
        manifest = json.loads((folder / "manifest.json").read_text())
        seed = str(manifest["specification"]["seed"])
        assert manifest["trial"] == trial
        assert manifest["summary"]["training_time_s"] == value["by_seed"][seed]
    assert torch["code_sha256"] == {"ab12" * 16: 3}
    assert [one["termination"] for one in study["excluded"]] == ["crashed"]


def test_csv_reads_back_unrounded(tmp_path: Path) -> None:
    write_study(tmp_path)
    (comparison,) = comparisons_of(tmp_path)
    rows = list(csv.DictReader(io.StringIO(to_csv([comparison]))))
    assert len(rows) == len(comparison.cells) * (len(comparison.columns) + len(QUALITY_KEYS))
    by_key = {(cell.key.framework, key): value for cell in comparison.cells for key, value in cell.values.items()}
    for row in rows:
        statistics = by_key[row["framework"], row["quantity"]].statistics
        assert statistics is not None
        assert float(row["mean"]) == statistics.mean
        assert float(row["sd"]) == statistics.sd
        assert len(row["trials"].split()) == int(row["n"]) == 3


def test_one_seed_has_a_null_deviation_everywhere(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=1)
    comparisons = comparisons_of(tmp_path)
    content = json.loads(to_json(comparisons, tmp_path))
    assert content["studies"][0]["cells"][0]["values"]["training_time_s"]["sd"] is None
    rows = list(csv.DictReader(io.StringIO(to_csv(comparisons))))
    assert {row["sd"] for row in rows} == {""}
    assert "±" not in plain(comparisons[0], tmp_path).replace("mean ± sample standard deviation", "")
    assert "One seed has no standard deviation" in plain(comparisons[0], tmp_path)


def test_markdown_rows_have_equal_columns_and_escaped_text(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, version=EVIL)
    write_record(tmp_path, "torch", 2, version="1.0")
    text = markdown(compare(Store(tmp_path).records()))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_latex_is_balanced_and_escaped(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, version="1_0%&#$~^\\{}" + EVIL)
    write_record(tmp_path, "caffe", 1, termination="crashed", reason="50% of_it")
    text = latex(compare(Store(tmp_path).records()))
    assert r"\toprule" in text
    assert r"50\% of\_it" in text
    body = text.split("\n", 1)[1]
    assert not re.search(r"(?<!\\)[%#$_^~](?!\\pm|\\times|\\div|-|\\cdot|\$)", re.sub(r"\$[^$]*\$", "", body))
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    below = text.partition(r"\end{tabular}")[2]
    for words in ("Numbers are mean", r"of\_it"):
        assert words not in caption
        assert words in below
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_escapes() -> None:
    assert latex_escaped("a_b 5 % ± \n") == r"a\_b 5 \% $\pm$  "
    assert markdown_escaped("a|b*c_d`\\") == r"a\|b\*c\_d\`\\"


def test_control_characters_never_reach_a_terminal(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, version="1.0\x1b[31m")
    write_record(tmp_path, "caffe", 1, termination="crashed", reason="a\x1b]0;title\x07\nb")
    text = comparison_text(tmp_path, "demo")
    assert isinstance(text, str)
    assert "\x1b" not in text
    assert "\x07" not in text


@pytest.mark.parametrize(("width", "count"), [(200, 1), (125, 1), (100, 1), (80, 1), (60, 2), (20, 4)])
def test_terminal_tables_fit(tmp_path: Path, width: int, count: int) -> None:
    from rich.console import Console

    write_study(tmp_path)
    made = tables(compare(Store(tmp_path).records()), width)
    assert len(made) == count
    if width >= 60:
        console = Console(width=1000)
        assert all(console.measure(table).minimum <= width for table in made)


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_a_terminal_shows_every_number(tmp_path: Path, width: int) -> None:
    from rich.console import Console

    write_study(tmp_path)
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(comparison_text(tmp_path, "demo", width))
    shown = capture.get()
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "…" not in shown
    grid = comparison_grid(compare(Store(tmp_path).records()), joined=False)
    words = {word for row in grid.texts for text in row for word in text.split()}
    assert words - set(shown.split()) == set()


def test_commands_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "my results"
    write_study(folder, ("torch",), 1)
    assert f"dlgauge report '{folder}' --study demo" in plain(compare(Store(folder).records()), folder)


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "latex"])
def test_command_writes_every_form(tmp_path: Path, form: str) -> None:
    write_study(tmp_path / "store", seeds=2)
    output = tmp_path / "deep" / f"out.{form}"
    arguments = ["compare", str(tmp_path / "store"), "--format", form]
    shown = CliRunner().invoke(app, arguments)
    written = CliRunner().invoke(app, [*arguments, "--output", str(output)])
    assert (shown.exit_code, written.exit_code) == (0, 0)
    assert output.read_text() == shown.stdout
    assert "torch" in shown.stdout


def test_command_takes_columns(tmp_path: Path) -> None:
    write_study(tmp_path, seeds=2)
    result = CliRunner().invoke(app, ["compare", str(tmp_path), "-f", "csv", "--columns", "overhead_s, test_loss"])
    assert {row["quantity"] for row in csv.DictReader(io.StringIO(result.stdout))} == {
        "overhead_s",
        "test_loss",
        *QUALITY_KEYS,
    }
    everything = CliRunner().invoke(app, ["compare", str(tmp_path), "-f", "csv", "--all"])
    assert len({row["quantity"] for row in csv.DictReader(io.StringIO(everything.stdout))}) > 20


def test_two_studies_are_two_tables(tmp_path: Path) -> None:
    write_record(tmp_path, study="one")
    write_record(tmp_path, study="two")
    assert [one.study for one in comparisons_of(tmp_path)] == ["one", "two"]
    assert [one.study for one in comparisons_of(tmp_path, "two")] == ["two"]
    with pytest.raises(StoreError, match="did you mean 'two'"):
        comparisons_of(tmp_path, "twoo")


def test_empty_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="dlgauge run"):
        comparisons_of(tmp_path)


def test_no_completed_trial_is_an_error_with_the_reason(tmp_path: Path) -> None:
    write_record(tmp_path, termination="crashed", reason="exit status 1")
    with pytest.raises(StoreError, match=r"1 crashed \(exit status 1\)"):
        comparisons_of(tmp_path)
    text = comparison_text(tmp_path, "demo")
    assert isinstance(text, str)
    assert "did not complete" in text


SAMPLING = "10.0 Hz, coverage 99.9 %, lateness p50 {p50} / p99 0.9 ms, 0 ticks skipped, CPU audit passed, "


def test_every_table_says_how_well_it_was_sampled(tmp_path: Path) -> None:
    from rich.console import Console

    write_study(tmp_path, seeds=2)
    (comparison,) = comparisons_of(tmp_path)
    expected = SAMPLING.format(p50="0.17") + "sampler 0.4 % of a core."
    assert comparison.sampling.sentence == f"Sampling (the worst of 8 trials): {expected}"
    assert comparison.cells[0].sampling.trials == 2
    console = Console(width=300, file=io.StringIO())
    with console.capture() as capture:
        console.print(comparison_text(tmp_path, "demo", 300))
    page = write_report(tmp_path, "demo").read_text(encoding="utf-8")
    for text in (plain(comparison, tmp_path), markdown(comparison), capture.get(), page):
        assert expected in text
    assert latex_escaped(expected) in latex(comparison)
    assert json.loads(to_json([comparison], tmp_path))["studies"][0]["sampling"]["coverage"] == 0.999
    rows = list(csv.DictReader(io.StringIO(to_csv([comparison]))))
    assert {row["quantity"] for row in rows} >= set(QUALITY_KEYS)
    assert not any("quality of the sampling" in note for note in comparison.notes)


def test_a_cell_that_was_poorly_sampled_has_a_note(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 2, sampling={"coverage": 0.5, "ticks_skipped": 7})
    write_record(tmp_path, "caffe", 1, cpu_accounts=(20.0, 15.0, None))
    write_record(tmp_path, "theano", 1)
    comparison = compare(Store(tmp_path).records())
    notes = [note for note in comparison.notes if "quality of the sampling" in note]
    assert notes == [
        "caffe: quality of the sampling: the accounts of the CPU time disagree by more than 2 % and 50 ms "
        "(1 of 1 trial).",
        "torch: quality of the sampling: samples cover less than 95 % of the worker's time (1 of 2 trials); more than "
        "0.1 % of the ticks were skipped (1 of 2 trials).",
    ]
    assert "CPU audit failed in 1" in comparison.sampling.sentence


def test_lateness_of_few_ticks_is_not_shown(tmp_path: Path) -> None:
    write_record(tmp_path, summary={"lateness_p99_s": None}, not_measured={"lateness_p99_s": "fewer than 100 ticks"})
    assert "p99 n/a ms" in compare(Store(tmp_path).records()).sampling.sentence
