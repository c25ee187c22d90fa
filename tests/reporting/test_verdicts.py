"""What a comparison decides, as a reader gets it: lines, tables, JSON, the page, the command line."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.analysis import Comparison, compare
from harness.analysis.inference import Options, judge
from harness.cli.main import app
from harness.records import Store
from harness.reporting import write_report
from harness.reporting.machine_readable import to_json
from harness.reporting.statistics_tables import statistics_tables
from harness.reporting.terminal import terminal
from harness.reporting.text import latex, markdown, plain
from harness.reporting.verdicts import seed_text, stable_line, verdict_lines
from harness.study.seeds import parse_seeds
from tests.analysis.inference.test_families import fill
from tests.synthetic import write_record


def compared(store: Path) -> Comparison:
    return compare(Store(store).records())


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["compare", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_decided_pair_is_one_line(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    first, how = verdict_lines(judge(compared(tmp_path)))
    number = r"\d\.\d+"
    assert re.fullmatch(
        rf"caffe: 1\.5\d* × the training time of torch \(6 blocks, 95 % interval {number} to {number} \(t\)\): "
        r"slower, p = 0\.031",
        first,
    )
    assert "one family of 1 comparison " in how


def test_five_blocks_are_told_what_is_possible_and_what_to_run(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 5, study="quickstart")
    text = plain(compared(tmp_path), tmp_path)
    assert "undecided: 5 blocks can not reach p < 0.05: smallest possible p is 0.0625\n" in text
    assert f"dlgauge run quickstart --store {tmp_path} --seeds 1-6" in text
    gives = "about 1 more block, the fewest with which p < 0.05 can be reached, would decide 1 of 1 undecided pair"
    assert gives in text


def test_the_file_of_another_study_is_asked_for(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 2, study="my-own")
    text = plain(compared(tmp_path), tmp_path)
    assert f"dlgauge run STUDY.yaml --store {tmp_path} --seeds 1-6" in text
    assert "STUDY.yaml: the file of study my-own" in text


def test_what_is_decided_asks_for_nothing(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    assert "dlgauge run" not in plain(compared(tmp_path), tmp_path)


def test_rows_that_hardly_differ_are_not_sent_to_run_for_ever(tmp_path: Path) -> None:
    for seed in range(1, 9):
        for sign, framework in ((1, "torch"), (-1, "caffe")):
            swing = 0.01 * (1 if seed % 2 else -1) * sign
            write_record(tmp_path, framework, seed, summary={"training_time_s": 10.0 * (1 + swing)})
    text = plain(compared(tmp_path), tmp_path)
    assert "--equivalence 3%" in text and "dlgauge run" not in text
    assert "1 undecided pair would take hundreds of blocks to tell apart" in text


def test_the_command_decides_what_can_be_and_says_what_is_left(tmp_path: Path) -> None:
    for seed in range(1, 9):
        swing = 0.01 if seed % 2 else -0.01
        write_record(tmp_path, "torch", seed, summary={"training_time_s": 10.0 * (1 + swing)})
        write_record(tmp_path, "caffe", seed, summary={"training_time_s": 10.2 * (1 - swing)})
        write_record(tmp_path, "theano", seed, summary={"training_time_s": 10.0 * (1 - swing / 50) * (1 + swing)})
    text = plain(compared(tmp_path), tmp_path)
    assert re.search(
        r"about \d+ more blocks would decide 1 of 2 undecided pairs; 1 differs too little for 1,000 more", text
    )


def test_one_block_is_sent_for_more(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 1)
    text = plain(compared(tmp_path), tmp_path)
    assert "--seeds 1-6" in text
    assert "5 more blocks, the fewest with which p < 0.05 can be reached, would allow a verdict" in text


def test_stable_or_not(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    line = stable_line(judge(compared(tmp_path)))
    assert line == "stable: yes (ratios of training time known to 5 %, trials undisturbed)"
    for seed in (7, 8):
        write_record(tmp_path, "torch", seed, summary={"training_time_s": 10.0})
        write_record(tmp_path, "caffe", seed, summary={"training_time_s": 10.0 * seed})
    line = stable_line(judge(compared(tmp_path)))
    assert line is not None and re.fullmatch(r"stable: no \(.*\): caffe: known to \d+ %", line)


@pytest.mark.parametrize(
    ("seeds", "more", "text"),
    [({1, 2, 3}, 2, "1-5"), ({1, 3}, 1, "1,3-4"), ({4}, 0, "4"), ({1, 2, 5, 9}, 3, "1-2,5,9-12")],
)
def test_seeds_as_text_read_back(seeds: set[int], more: int, text: str) -> None:
    assert seed_text(seeds, more) == text
    assert parse_seeds(text) == (*sorted(seeds), *range(max(seeds) + 1, max(seeds) + 1 + more))


def test_statistics_show_every_pair_of_every_quantity(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 12.0, "caffe": 15.0}, 6)
    short = run(str(tmp_path))
    text = run(str(tmp_path), "--statistics")
    assert "d_z" not in short and "Pareto" not in short
    assert len(re.findall(r"^tensorflow +torch ", text, re.MULTILINE)) == 11  # quantities shown
    assert len(re.findall(r"^(?:caffe +tensorflow|tensorflow +caffe) ", text, re.MULTILINE)) == 11
    assert "Friedman p" in text and "too large on average" in text
    assert "top-1 accuracy against training time (6 complete blocks):" in text


@pytest.mark.parametrize("form", ["markdown", "latex"])
def test_the_other_forms_have_verdicts_and_statistics(tmp_path: Path, form: str) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 5)
    short, long = run(str(tmp_path), "-f", form), run(str(tmp_path), "-f", form, "--statistics")
    assert "5 blocks can not reach" in short
    assert short.count("d_z") + short.count(r"d\_z") == 0
    assert long.count("all pairs of rows that ran the same work") == 12
    if form == "markdown":
        tables = re.findall(r"(?:^\|.*\n)+", long, re.MULTILINE)
        assert len(tables) == 12
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    else:
        assert long.count(r"\begin{table}") == long.count(r"\end{table}") == 12
        assert long.count("needs \\usepackage{booktabs}") == 1


def test_what_all_pairs_share_is_said_once(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 12.0, "caffe": 15.0}, 3)
    lines = verdict_lines(judge(compared(tmp_path)))
    assert sum("can not reach" in line for line in lines) == 1
    assert sum(line.endswith("undecided, too few blocks") for line in lines) == 2


def test_sets_of_one_outcome_share_a_table(tmp_path: Path) -> None:
    for size in (16, 64):
        fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6, setting={"batch_size": size}, varied={"batch_size": size})
    (table,) = statistics_tables(judge(compared(tmp_path)))
    assert [row[:2] for row in table.rows] == [
        ("caffe · batch_size=16", "torch · batch_size=16"),
        ("caffe · batch_size=64", "torch · batch_size=64"),
    ]
    assert table.title.startswith("training time: 2 families of 1 comparison")
    assert not any("ranking" in note for note in table.notes)


def test_json_has_everything_unrounded_and_traced(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 5)
    write_record(tmp_path, "jax", 1, termination="crashed", reason="boom")
    comparison = compared(tmp_path)
    content = json.loads(to_json([comparison], tmp_path, Options(margin=0.03)))
    assert content["format_version"] == 2
    (study,) = content["studies"]
    assert study["failed_rows"][0]["name"] == "jax"
    statistics = study["statistics"]
    assert statistics["equivalence_margin"] == 0.03 and statistics["bootstrap"]["resamples"] == 9_999
    family = next(one for one in statistics["families"] if one["outcome"] == "training_time_s")
    (pair,) = family["pairs"]
    (own,) = judge(comparison).families[0].pairs
    assert pair["ratio"] == own.ratio and pair["t_95"]["low"] == own.t.low
    assert pair["bca_95"]["low"] == own.bca.low and own.bca.low is not None
    assert pair["sign_flips"] == {"p": 0.0625, "flips": 32, "exact": True, "smallest_p": 0.0625}
    assert pair["verdict"] == "undecided" and pair["more_blocks"] == 1
    for trial in (*pair["records"], *pair["reference_records"]):
        assert json.loads((Path(trial["record"]) / "manifest.json").read_text())["trial"] == trial["id"]
    assert family["ranking"]["reason"] == "a ranking takes 3 rows, 2 have values"
    assert {front["cost"] for front in statistics["fronts"]} == {"training_time_s", "training_joules", "training_price"}


def test_the_page_has_verdicts_tables_and_fronts(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 5, study="quickstart")
    page = write_report(tmp_path, "quickstart").read_text()
    assert "5 blocks can not reach p &lt; 0.05: smallest possible p is 0.0625" in page
    assert f"<code>dlgauge run quickstart --store {tmp_path} --seeds 1-6</code>" in page
    assert page.count("one family of 1 comparison for Holm") >= 5
    assert "top-1 accuracy against training time (5 complete blocks)" in page


def test_a_reference_and_a_margin_on_the_command_line(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 10.02, "caffe": 15.0}, 5)
    text = run(str(tmp_path), "--reference", "caffe", "--equivalence", "3%")
    assert "× the training time of caffe" in text and "of torch (" not in text
    wrong = CliRunner().invoke(app, ["compare", str(tmp_path), "--reference", "trch"])
    assert wrong.exit_code != 0 and "did you mean 'torch'" in str(wrong.exception)
    for arguments, words in ((["--equivalence", "3"], "percentage"), (["--statistics", "-f", "csv"], "no CSV form")):
        refused = CliRunner().invoke(app, ["compare", str(tmp_path), *arguments])
        assert refused.exit_code != 0 and words in str(refused.exception)


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_shows_the_statistics_uncut(tmp_path: Path, width: int) -> None:
    fill(tmp_path, {"torch": 10.0, "tensorflow": 12.0, "caffe": 15.0}, 6)
    comparison = compared(tmp_path)
    judgement = judge(comparison, Options(fronts=True))
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(terminal(comparison, tmp_path, width, judgement, statistics=True))
    text = capture.get()
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    (table,) = statistics_tables(judgement)
    shown = "".join(text.split())
    assert all(pair.row in shown for pair in judgement.families[0].pairs)
    if width == 200:
        assert all("".join(cell.split()) in shown for row in table.rows for cell in row)
    assert "Friedman" in shown and "onthefront" in shown


def test_a_reference_need_not_be_in_every_study(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 2, study="one")
    fill(tmp_path, {"torch": 10.0, "theano": 15.0}, 2, study="two")
    text = run(str(tmp_path), "--reference", "caffe")
    assert "× the training time of caffe" in text
    assert "caffe has no row among theano, torch: the fastest, torch, is the reference" in text


def test_one_row_alone_needs_no_verdict(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0}, 3)
    comparison = compared(tmp_path)
    assert "by blocks" not in plain(comparison, tmp_path)
    assert markdown(comparison) and latex(comparison)


def test_the_first_column_decides_where_time_is_not_shown(tmp_path: Path) -> None:
    fill(tmp_path, {"torch": 10.0, "caffe": 15.0}, 6)
    text = run(str(tmp_path), "--columns", "top1_percent,test_loss")
    assert "× the top-1 accuracy of torch" in text and "training time of" not in text
