"""`dlgauge lr list|show|trace|plot|export`."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DlgaugeError
from harness.paths import PROJECT_ROOT
from harness.reporting import rate_figures
from harness.schedules import FUNCTIONS, parse_policy
from harness.workloads.settings import load_setting
from tests.here import dlgauge

TRI = "lrPolicy_TRI+k0_0.001+k1_0.06+l_250"
COS = "lrPolicy_COS+k0_0.1+k1_0.3+l_10"


def rates_in(text: str) -> np.ndarray:
    """The rates of a CSV text; its columns and steps are checked."""
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["step", "learning_rate"]
    assert [int(step) for step, _ in rows[1:]] == list(range(len(rows) - 1))
    return np.array([float(rate) for _, rate in rows[1:]])


def test_list_has_all_34() -> None:
    result = dlgauge("lr", "list", "--json")
    told = json.loads(result.stdout)
    assert [one["name"] for one in told] == list(FUNCTIONS)
    assert len(told) == 34
    for one in told:
        example = parse_policy(one["example"])
        assert example.policy == one["name"]
        assert set(example.model_dump()) - {"policy", "compat", "k1"} <= set(one["parameters"])
    lines = dlgauge("lr", "list", "--table").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == [
        name for name, function in FUNCTIONS.items() if function.in_table
    ]


def test_a_trace_is_exact() -> None:
    for text in (TRI, "lrPolicy_SINEXP+k0_0.1+k1_0.3+gamma_0.94+l_5-lrPolicy_FIX+k0_0.5-AT-11"):
        expected = parse_policy(text).trace(600)
        assert np.array_equal(rates_in(dlgauge("lr", "trace", text, "--steps", "600").stdout), expected)
        as_json = json.loads(dlgauge("lr", "trace", text, "--steps", "600", "--format", "json").stdout)
        assert as_json == [{"step": step, "learning_rate": rate} for step, rate in enumerate(expected.tolist())]


def test_a_trace_as_table() -> None:
    lines = dlgauge("lr", "trace", TRI, "--steps", "3", "--format", "table").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["0", "0.001"], ["1", "0.001236"], ["2", "0.001472"]]
    lines = dlgauge("lr", "trace", TRI, "--steps", "2000", "--format", "table").stdout.splitlines()
    assert len(lines) == 52
    assert lines[-2].split()[0] == "1999"
    assert lines[-1].startswith("50 of 2000 steps")


def test_lrbench_has_another_cosine() -> None:
    table = rates_in(dlgauge("lr", "trace", COS, "--steps", "11").stdout)
    code = rates_in(dlgauge("lr", "trace", COS, "--steps", "11", "--compat", "lrbench").stdout)
    assert (table[5], table[10]) == (0.1, 0.3)
    assert code[10] == 0.1


def test_a_policy_from_files(tmp_path: Path) -> None:
    setting = load_setting("caffe-mnist").learning_rate.trace(20)
    assert np.array_equal(rates_in(dlgauge("lr", "trace", "caffe-mnist", "--steps", "20").stdout), setting)
    file = tmp_path / "mine.yaml"
    file.write_text("setting: mine\nbatch_size: 64\nlearning_rate: {policy: TRI, k0: 0.001, k1: 0.06, l: 250}\n")
    out = tmp_path / "folder" / "rates.csv"
    assert dlgauge("lr", "trace", file, "--steps", "20", "--out", out).exit_code == 0
    assert np.array_equal(rates_in(out.read_text()), parse_policy(TRI).trace(20))
    file.write_text("policy: COS\nk0: 0.1\nk1: 0.3\nl: 10\n")
    found = rates_in(dlgauge("lr", "trace", file, "--steps", "11", "--compat", "lrbench").stdout)
    assert found[10] == 0.1


SOLVER = """net: "lenet.prototxt"
base_lr: 0.01
lr_policy: "inv"
gamma: 0.0001
power: 0.75
max_iter: 10000
"""


def test_a_policy_from_a_caffe_solver(tmp_path: Path) -> None:
    file = tmp_path / "solver.prototxt"
    file.write_text(SOLVER)
    setting = load_setting("caffe-mnist").learning_rate.trace(20)
    assert np.array_equal(rates_in(dlgauge("lr", "trace", file, "--steps", "20").stdout), setting)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("learning_rate:\n  policy: TRII\n  k0: 0.1\n", r"p\.yaml:2: unknown policy 'TRII'.*did you mean 'TRI'"),
        ("policy: FIX\nk0: -1.0\n", r"p\.yaml:2: .*k0 should be greater than 0, not -1\.0"),
        ("steps: 5\n", r"p\.yaml:1: key 'learning_rate' is missing"),
    ],
)
def test_a_wrong_file_is_named_with_the_line(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(content)
    with pytest.raises(DlgaugeError, match=message):
        raise dlgauge("lr", "trace", file, "--steps", "5").exception or AssertionError("no error")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("TRY", "'TRY' is no learning-rate policy.*did you mean 'TRI'"),
        ("TRI", "TRI needs its parameters: k0, k1, l"),
        ("lrPolicy_TRI+k0_0.001+k1_", "position 26 there should be a number"),
        ("nowhere.yaml", "nowhere.yaml: no such file"),
    ],
)
def test_a_wrong_policy_is_one_message(policy: str, message: str) -> None:
    with pytest.raises(DlgaugeError, match=message):
        raise dlgauge("lr", "trace", policy, "--steps", "5").exception or AssertionError("no error")


def test_steps_are_at_least_one() -> None:
    assert dlgauge("lr", "trace", TRI, "--steps", "0").exit_code == 2


def test_show_tells_formula_ranges_and_draws(tmp_path: Path) -> None:
    for name, function in FUNCTIONS.items():
        output = dlgauge("lr", "show", name, "--steps", "600").stdout
        assert function.formula in output
        assert all(parameter.range in output for parameter in function.parameters.values())
        assert (function.lrbench or "") in output
        assert "└" in output
    file = tmp_path / "tri.svg"
    result = dlgauge("lr", "show", TRI, "--out", file)
    assert "TRI k0=0.001 k1=0.06 l=250" in result.stdout
    assert "highest 0.06 (step 250)" in result.stdout
    assert file.read_text().startswith("<?xml")


BEGINNINGS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".html": b"<!doctype html>"}


@pytest.mark.parametrize("suffix", rate_figures.SUFFIXES)
def test_plot_in_every_form(suffix: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert dlgauge("lr", "plot", "--out", first, "--steps", "500").exit_code == 0
    assert first.read_bytes().startswith(BEGINNINGS[suffix])
    assert dlgauge("lr", "plot", "--out", second, "--steps", "500").exit_code == 0
    assert first.read_bytes() == second.read_bytes()


def test_a_page_holds_all_13_and_needs_no_network(tmp_path: Path) -> None:
    file = tmp_path / "all.html"
    dlgauge("lr", "plot", "--out", file, "--steps", "500")
    page = file.read_text()
    for name, function in FUNCTIONS.items():
        assert (f'"name":"{name} ' in page) == function.in_table
    assert rate_figures.STEP_AXIS in page
    assert rate_figures.RATE_AXIS in page
    assert '<script src="http' not in page


def test_an_unknown_suffix_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    result = dlgauge("lr", "plot", TRI, "--out", tmp_path / "rates.gif")
    assert isinstance(result.exception, DlgaugeError)
    assert ".png, .svg, .pdf, .html" in str(result.exception)


@pytest.mark.parametrize("target", ["torch", "keras", "optax"])
def test_an_export_is_python_that_needs_numpy_and_the_framework_alone(target: str, tmp_path: Path) -> None:
    file = tmp_path / "rates.py"
    assert dlgauge("lr", "export", TRI, "--steps", "600", "--to", target, "--out", file).exit_code == 0
    source = file.read_text()
    compile(source, str(file), "exec")
    assert "harness" not in source
    assert f"POLICY = {TRI!r}" in source
    table = source[source.index("RATES = ") : source.index("dtype=np.float64,\n)") + len("dtype=np.float64,\n)")]
    scope = {"np": np}
    exec(table, scope)
    assert np.array_equal(scope["RATES"], parse_policy(TRI).trace(600))


def test_an_export_as_csv_is_the_trace(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    dlgauge("lr", "export", TRI, "--steps", "600", "--to", "csv", "--out", file)
    assert file.read_text() == dlgauge("lr", "trace", TRI, "--steps", "600").stdout


def test_the_page_shows_what_the_commands_print() -> None:
    page = (PROJECT_ROOT / "docs" / "learning-rates.md").read_text()
    shown = re.findall(r"<!-- dlgauge (lr [^:]+):begin -->\n```\n\$ dlgauge (.*)\n([^`]*)```", page)
    assert len(shown) == page.count("<!-- dlgauge lr ") // 2 == 3
    for block, command, output in shown:
        assert block == command
        assert dlgauge(*command.split()).stdout == output, "run: scripts/refresh-docs --learning-rates"
    for one in json.loads(dlgauge("lr", "list", "--json").stdout):
        formula, _, rest = one["formula"].replace("|", "\\|").partition(", ")
        assert f"| {one['name']} | {'table' if one['in_table'] else 'code'} | `{formula}`" in page
        assert rest in page
        assert f"`{one['example']}`" in page
        assert (one["lrbench"] or "") in page


PLATEAU = "policy: REDUCE_ON_PLATEAU\nk0: 0.01\npatience: 2\n"


def test_a_plateau_rule_is_read_and_has_no_trace(tmp_path: Path) -> None:
    file, out = tmp_path / "rule.yaml", tmp_path / "x.csv"
    file.write_text(PLATEAU)
    for command in (
        ("trace", file, "--steps", "5"),
        ("show", file),
        ("plot", file, "--out", tmp_path / "x.png"),
        ("export", file, "--steps", "5", "--to", "csv", "--out", out),
    ):
        with pytest.raises(DlgaugeError, match="REDUCE_ON_PLATEAU follows the validation images and has no trace"):
            raise dlgauge("lr", *command).exception or AssertionError("no error")
    assert not out.exists()
    for name in ("REDUCE_ON_PLATEAU", "lrPolicy_REDUCE_ON_PLATEAU+k0_0.1"):
        with pytest.raises(DlgaugeError, match="a plateau rule has no string form"):
            raise dlgauge("lr", "show", name).exception or AssertionError("no error")


def test_every_example_has_a_curve_by_lrbenchs_code(tmp_path: Path) -> None:
    for name, function in FUNCTIONS.items():
        result = dlgauge("lr", "show", name, "--compat", "lrbench")
        assert result.exit_code == 0, (name, result.exception)
        assert f"formula:    {function.lrbench or function.formula}" in result.stdout
        assert "its code differs" not in result.stdout
    assert dlgauge("lr", "plot", "--compat", "lrbench", "--out", tmp_path / "x.png", "--steps", "500").exit_code == 0
    table = dlgauge("lr", "show", "COS").stdout
    assert "formula:    (high - low) * (1 + cos(2*pi*t/l))/2 + low" in table
    assert "its code differs" in table
