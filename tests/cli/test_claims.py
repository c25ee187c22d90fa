"""`dlgauge claims`, from files and a store to every form of output."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.here import dlgauge
from tests.synthetic import write_record

FILE = """\
claims: mine
paper: "A paper & its 100 %"
findings:
  - claim: faster
    finding: Torch needs less time.
    source: {place: table of times, table: "2"}
    outcome: training_time_s
    cells:
      torch: {select: {framework: torch}, published: 5.0}
      caffe: {select: {framework: caffe}, published: 9.0}
    relation: {kind: order, cells: [torch, caffe]}
  - claim: ratio
    finding: Caffe takes 1.5 times as long.
    source: {place: figure}
    outcome: training_time_s
    cells:
      torch: {select: {framework: torch}}
      caffe: {select: {framework: caffe}}
    relation: {kind: ratio, of: caffe, to: torch, value: 1.5, tolerance: 0.01}
  - claim: absent
    finding: Theano is slower still.
    source: {place: table of times}
    outcome: training_time_s
    cells:
      torch: {select: {framework: torch}}
      theano: {select: {framework: theano}}
    relation: {kind: order, cells: [torch, theano]}
    study: theano-mnist
"""


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    for seed in (1, 2, 3):
        noise = 1 + (0.03, -0.05, 0.01)[seed - 1]
        write_record(folder, "torch", seed, summary={"training_time_s": 6.0 * noise})
        write_record(folder, "caffe", seed, summary={"training_time_s": 9.0})
    return folder


def test_a_table_with_everything_a_verdict_rests_on(store: Path, claims: Path) -> None:
    result = dlgauge("claims", store, "--claims", claims)
    assert result.exit_code == 0, result.output
    text = result.output
    for words in ("mine/faster", "supported", "mine/ratio", "undecided", "mine/absent", "not comparable"):
        assert words in text
    assert "source: table of times; table 2" in text
    assert "published: torch 5, caffe 9" in text
    assert "none has framework theano" in text
    assert "dlgauge run theano-mnist --store" in text
    assert "dlgauge run demo.yaml --store" in text
    assert "3 claims: 1 supported, 1 undecided, 1 not comparable." in text


def test_json_is_unrounded_and_names_records_and_the_command(store: Path, claims: Path) -> None:
    content = json.loads(dlgauge("claims", store, "--claims", claims, "--format", "json").output)
    faster, ratio, absent = content["claims"]
    assert faster["verdict"] == "supported"
    assert len(faster["records"]) == 6
    assert all(Path(one["path"]).is_dir() for one in faster["records"])
    (comparison,) = ratio["comparisons"]
    assert comparison["level"] == 0.95
    assert comparison["value"] == pytest.approx(9 / 6 / (1.03 * 0.95 * 1.01) ** (1 / 3))
    assert ratio["more_blocks"] > 0
    assert ratio["next"][0]["command"].endswith(f"--seeds 1-{ratio['more_blocks'] + 3}")
    assert absent["comparisons"] == []
    assert absent["reasons"]


def test_csv_has_a_line_for_each_comparison_and_for_a_claim_without_any(store: Path, claims: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(dlgauge("claims", store, "-c", claims, "-f", "csv").output)))
    assert [row["claim"] for row in rows] == ["mine/faster", "mine/ratio", "mine/absent"]
    assert [row["value"] == "" for row in rows] == [False, False, True]


def test_markdown_and_latex_are_escaped(store: Path, claims: Path) -> None:
    markdown = dlgauge("claims", store, "-c", claims, "-f", "markdown").output
    assert "| claim | verdict |" in markdown
    assert "training\\_time\\_s" in markdown
    latex = dlgauge("claims", store, "-c", claims, "-f", "latex").output
    assert r"\toprule" in latex
    assert r"training\_time\_s caffe $\div$ torch" in latex


def test_one_claim_of_one_study_into_a_file(store: Path, claims: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    result = dlgauge("claims", store, "-c", claims, "--claim", "faster", "--study", "demo", "-o", out)
    assert result.exit_code == 0, result.output
    assert "mine/faster" in out.read_text()
    assert "mine/ratio" not in out.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--claim", "fastr"), "no claim 'fastr'"),
        (("--study", "dem"), "no records of a study 'dem'"),
        (("--claims", "nowhere.yaml"), "no such file"),
    ],
)
def test_a_wrong_name_is_an_error_and_no_traceback(
    store: Path, claims: Path, arguments: tuple[str, str], message: str
) -> None:
    own = () if arguments[0] == "--claims" else ("--claims", str(claims))
    result = dlgauge("claims", store, *own, *arguments)
    assert result.exit_code != 0
    assert message in str(result.exception)


def test_the_claims_of_the_papers_on_a_store_of_something_else(store: Path) -> None:
    result = dlgauge("claims", store, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)["claims"]
    assert len(found) > 30
    assert {one["verdict"] for one in found} == {"not comparable"}
    assert all(one["reasons"] for one in found)
