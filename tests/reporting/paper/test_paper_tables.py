"""LaTeX tables: their structure, escaping, units, n and intervals. No LaTeX runs here: the text is parsed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import DlgaugeError
from harness.reporting.paper.catalogue import columns_wanted, make_figure
from harness.reporting.paper.model import Options
from harness.reporting.paper.source import read_source
from harness.reporting.paper.tables import booktabs, marks_table, outcomes_table, policies_table
from tests.analysis.policies.synthetic import fill
from tests.reporting.paper.stores import SEEDS, half_width, speed_of, write_libraries, write_policies, write_sweep
from tests.synthetic import write_record, write_study

SPECIAL = "50%_of&it#{$~^\\}"


def check_latex(text: str) -> None:
    """Balanced braces and environments, no bare special character, rows as wide as the alignment says."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\{}%&#$_^~]", "", body)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for what, environment in re.findall(r"\\(begin|end)\{([a-z*]+)\}", body):
        if what == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert opened == []
    assert body.count("$") - body.count(r"\$") == 2 * len(re.findall(r"(?<!\\)\$[^$]*(?<!\\)\$", body))
    outside_math = re.sub(r"(?<!\\)\$[^$]*(?<!\\)\$", "", body)
    assert not re.search(r"(?<!\\)[%#_^~]", outside_math)
    for tabular in re.findall(r"\\begin\{tabular\}.*?\\end\{tabular\}", body, re.DOTALL):
        (alignment,) = re.findall(r"\\begin\{tabular\}\{([lrc]+)\}", tabular)
        rows = [line for line in tabular.splitlines() if line.endswith(r"\\")]
        assert rows
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == len(alignment) - 1
        assert tabular.index(r"\toprule") < tabular.index(r"\midrule") < tabular.index(r"\bottomrule")


def test_the_check_finds_what_is_broken() -> None:
    good = booktabs(["a", "b (s)"], [["x_y", "1 ± 2"]], left=1, caption="c 5 %", label="l_1", trials=["ab12"])
    check_latex(good)
    for broken in (
        good.replace(r"x\_y", "x_y"),
        good.replace(r"\end{table}", ""),
        good.replace(" & ", " ", 1),
        good + "}",
    ):
        with pytest.raises(AssertionError):
            check_latex(broken)


def test_a_table_of_outcomes_has_units_n_and_intervals(tmp_path: Path) -> None:
    write_sweep(tmp_path, batches=(64,))
    write_record(tmp_path, "caffe", 9, study="sweep", termination="crashed", reason=SPECIAL)
    source = read_source(tmp_path, None, ("samples_per_s", "peak_memory_bytes"))
    text = outcomes_table(source)
    check_latex(text)
    assert r"throughput (images/s)" in text
    assert r"peak memory of the job (MiB)" in text
    values = [speed_of("torch", 64, seed) for seed in SEEDS]
    row = next(line for line in text.splitlines() if line.startswith("torch"))
    assert row.startswith(rf"torch 2.13.0 & 3 & {sum(values) / 3:.0f} $\pm$ {half_width(values):.0f} & ")
    assert r"half width of the 95 \% interval" in text
    assert r"50\%\_of\&it\#" in text
    assert r"\label{tab:outcomes-sweep}" in text


def test_text_of_a_record_cannot_break_a_table(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, version=SPECIAL)
    write_record(tmp_path, "torch", 2, varied={"optimizer": SPECIAL})
    check_latex(outcomes_table(read_source(tmp_path, None)))


def test_fewer_values_than_trials_are_counted(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, summary={"test_time_s": None}, not_measured={"test_time_s": "no evaluation"})
    write_record(tmp_path, "torch", 2)
    write_record(tmp_path, "torch", 3)
    write_record(tmp_path, "caffe", 1, summary={"test_time_s": None}, not_measured={"test_time_s": "no evaluation"})
    text = outcomes_table(read_source(tmp_path, None, ("test_time_s",)))
    assert "(2 of 3)" in text
    assert "n/a" in text
    assert "Not measured: test" in text


def test_a_figure_as_a_table_has_its_numbers(tmp_path: Path) -> None:
    write_libraries(tmp_path)
    figure = make_figure("libraries", read_source(tmp_path, None, columns_wanted("libraries", ())), Options(180.0))
    text = marks_table(figure, "blas")
    check_latex(text)
    assert r"panel & library & series & n & throughput (images/s) \\" in text
    assert len([line for line in text.splitlines() if line.endswith(r"\\")]) == 1 + 6
    assert "whiskers" not in text


def test_a_sweep_as_a_table_has_the_unit_of_its_factor(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    figure = make_figure("sweep", read_source(tmp_path, None, columns_wanted("sweep", ())), Options(180.0))
    text = marks_table(figure, "sweep")
    check_latex(text)
    assert r"batch\_size (images) & series & n & training time (s) & top-1 accuracy (\%) \\" in text


def test_curves_are_no_table(tmp_path: Path) -> None:
    write_policies(tmp_path)
    figure = make_figure("learning-rates", read_source(tmp_path, None), Options(180.0))
    with pytest.raises(DlgaugeError, match="is a figure of curves"):
        marks_table(figure, "policies")


def test_policies_stand_in_their_order_with_intervals(tmp_path: Path) -> None:
    fill(tmp_path, ("torch",))
    text = policies_table(read_source(tmp_path, None))
    check_latex(text)
    assert text.splitlines()[1].startswith("% trials: ")
    rows = [line for line in text.splitlines() if re.match(r"\d+ & ", line)]
    assert [row.split(" & ")[2].split()[0] for row in rows] == ["TRI", "FIX", "EXP", "FIX"]
    assert r"$\pm$" in rows[0]
    assert "diverged" in rows[3]


def test_a_study_of_a_whole_store_is_a_table(tmp_path: Path) -> None:
    write_study(tmp_path)
    check_latex(outcomes_table(read_source(tmp_path, None, columns_wanted("table-outcomes", ()))))
