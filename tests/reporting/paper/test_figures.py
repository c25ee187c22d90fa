"""Every figure from synthetic records: units, intervals, numbers, what the caption says, and the bytes of its file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from harness.analysis.columns import column_for
from harness.errors import DlgaugeError, StoreError
from harness.records.summary_keys import SUMMARY_KEYS
from harness.reporting.paper.captions import without_commands
from harness.reporting.paper.catalogue import FIGURES, columns_wanted, make_figure
from harness.reporting.paper.model import Mark, Options, PaperFigure
from harness.reporting.paper.quantities import quantity_axis
from harness.reporting.paper.saving import numbers_csv, picture_of, write_figure
from harness.reporting.paper.source import read_source
from harness.reporting.paper.style import WIDTHS_MM, is_geometric, number_text, settings, width_of
from tests.reporting.paper.stores import (
    SEEDS,
    half_width,
    speed_of,
    write_libraries,
    write_phases,
    write_policies,
    write_sweep,
)
from tests.synthetic import MACHINE, write_record, write_study

STORES: dict[str, Callable[[Path], Any]] = {
    "time-accuracy": write_study,
    "sweep": write_sweep,
    "resources": write_phases,
    "learning-rates": write_policies,
    "libraries": write_libraries,
    "loss-curves": write_study,
}


def make(store: Path, name: str, *, where: tuple[str, ...] = (), width: str = "page", **options: Any) -> PaperFigure:
    chosen = Options(width_of(width), **options)
    return make_figure(name, read_source(store, None, columns_wanted(name, chosen.outcomes), where), chosen)


def drawn(figure: PaperFigure) -> Figure:
    with matplotlib.rc_context(settings(None)):
        found = figure.draw()
        FigureCanvasAgg(found).draw()
        return found


def axes_of(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.axison]


def error_of(store: Path, name: str, **options: Any) -> str:
    with pytest.raises(DlgaugeError) as caught:
        make(store, name, **options)
    return str(caught.value)


@pytest.fixture(params=sorted(FIGURES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_kind_has_a_store_to_be_tested_on() -> None:
    assert set(STORES) == set(FIGURES)


@pytest.mark.parametrize("width", ["column", "page"])
def test_every_numeric_axis_has_a_unit_and_nothing_is_cut_off(tmp_path: Path, kind: str, width: str) -> None:
    STORES[kind](tmp_path)
    figure = drawn(make(tmp_path, kind, width=width))
    assert figure.get_figwidth() * 25.4 == pytest.approx(WIDTHS_MM[width])
    for axes in axes_of(figure):
        labels = (axes.get_xlabel() or figure.get_supxlabel(), axes.get_ylabel() or figure.get_supylabel())
        assert labels[0].endswith(")"), f"{kind}: {labels}"
        assert labels[1].endswith(")") or kind in ("time-accuracy", "resources", "libraries"), f"{kind}: {labels}"
    width_px, height_px = figure.canvas.get_width_height()
    for axes in axes_of(figure):
        box = axes.get_tightbbox(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width_px + 1
        assert box.y1 <= height_px + 1
        for legend in figure.legends:
            assert not legend.get_window_extent().overlaps(axes.get_window_extent())


@pytest.mark.parametrize("form", ["pdf", "svg", "png"])
def test_the_same_records_give_the_same_bytes_with_the_trials_in_them(tmp_path: Path, kind: str, form: str) -> None:
    STORES[kind](tmp_path)
    first, height_mm = picture_of(make(tmp_path, kind), form)
    figure = make(tmp_path, kind)
    assert picture_of(figure, form) == (first, height_mm)
    assert figure.trials
    for trial in figure.trials[:3]:
        assert trial.encode() in first
    assert b"dlgauge" in first


def test_a_date_stands_in_a_file_only_where_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path)
    figure = make(tmp_path, "time-accuracy")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert b"CreationDate" not in picture_of(figure, "pdf")[0]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767261600")
    assert b"D:20260101100000" in picture_of(figure, "pdf")[0]
    assert b"2026-01-01T10:00:00" in picture_of(figure, "svg")[0]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(DlgaugeError, match="'yesterday', not a whole number of seconds"):
        picture_of(figure, "pdf")


def test_a_sweep_draws_means_and_t_intervals_of_the_trials(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    figure = make(tmp_path, "sweep", outcomes=("samples_per_s",))
    mark = next(one for one in figure.marks if one.series == "torch" and one.x == 64.0)
    values = [speed_of("torch", 64, seed) for seed in SEEDS]
    assert mark.value == pytest.approx(sum(values) / 3)
    assert mark.high_95 == pytest.approx(sum(values) / 3 + half_width(values), rel=1e-6)
    assert (mark.n, len(mark.trials)) == (3, 3)
    assert mark.by_seed == pytest.approx(dict(zip(SEEDS, values, strict=True)))
    (axes,) = axes_of(drawn(figure))
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "64", "256", "1024"]
    lines = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    assert [one.get_label() for one in lines] == ["caffe", "tensorflow", "torch"]
    (bars,) = lines[2][2]
    low, high = bars.get_segments()[1][:, 1]
    assert (low, high) == pytest.approx((mark.low_95, mark.high_95), rel=1e-6)
    assert len({line[0].get_marker() for line in lines}) == 3


def test_a_sweep_over_epochs_counts_passes_over_the_training_images(tmp_path: Path) -> None:
    for steps in (200, 400, 600):
        for seed in SEEDS:
            write_record(tmp_path, "torch", seed, steps=steps, varied={"steps": steps})
    figure = make(tmp_path, "sweep", over="epochs", outcomes=("training_time_s",))
    assert sorted({mark.x for mark in figure.marks}) == pytest.approx([200 * 64 / 1e4, 400 * 64 / 1e4, 600 * 64 / 1e4])
    (axes,) = axes_of(drawn(figure))
    assert axes.get_xscale() == "linear"
    assert axes.get_xlabel() == "epochs (passes over the training images)"


def test_what_else_varies_makes_panels(tmp_path: Path) -> None:
    for batch in (16, 64, 256):
        for threads in (1, 2):
            for seed in SEEDS:
                write_record(
                    tmp_path,
                    "torch",
                    seed,
                    varied={"batch_size": batch, "threads": threads},
                    setting={"batch_size": batch},
                    profile={"threads": {"intra_op": threads}},
                )
    assert "--over batch_size" in error_of(tmp_path, "sweep")
    figure = make(tmp_path, "sweep", over="batch_size", outcomes=("samples_per_s",))
    assert {mark.panel for mark in figure.marks} == {"threads 1", "threads 2"}
    assert [axes.get_title(loc="left") for axes in axes_of(drawn(figure))] == ["threads 1", "threads 2"]


def test_different_data_or_machines_never_share_a_panel(tmp_path: Path) -> None:
    for seed in SEEDS:
        for framework in ("caffe", "torch"):
            write_record(tmp_path, framework, seed)
            write_record(tmp_path, framework, seed, content="d00d" * 16)
            write_record(tmp_path, framework, seed, machine={**MACHINE, "hostname": "bench-2"}, time_limit_s=60.0)
    figure = make(tmp_path, "time-accuracy")
    panels = {mark.panel for mark in figure.marks}
    assert len(panels) == 3
    for panel in panels:
        assert len([mark for mark in figure.marks if mark.panel == panel and mark.quantity == "top1_percent"]) == 2
    assert "not comparable" in figure.caption
    titles = [axes.get_title(loc="left") for axes in axes_of(drawn(figure))]
    assert len([title for title in titles if title]) == 3


def test_bars_begin_at_zero_and_accuracy_is_drawn_as_points(tmp_path: Path) -> None:
    write_study(tmp_path)
    time, test, accuracy = axes_of(drawn(make(tmp_path, "time-accuracy")))
    assert time.get_xlabel() == "training time (s)"
    assert time.get_xlim()[0] == 0
    assert len([bar for one in time.containers if isinstance(one, BarContainer) for bar in one]) == 4
    assert len([one for one in time.containers if isinstance(one, ErrorbarContainer)]) == 4
    assert not [one for one in accuracy.containers if isinstance(one, BarContainer)]
    low, high = accuracy.get_xlim()
    assert 96 < low < 97.05
    assert high < 98
    assert "does not begin at 0" in make(tmp_path, "time-accuracy").caption


def test_values_that_span_decades_are_points_on_a_logarithmic_axis(tmp_path: Path) -> None:
    for seed in SEEDS:
        write_record(tmp_path, "torch", seed, summary={"training_time_s": 10.0 + seed})
        write_record(tmp_path, "caffe", seed, summary={"training_time_s": 1000.0 + seed})
    figure = make(tmp_path, "time-accuracy", outcomes=("training_time_s",))
    (axes,) = axes_of(drawn(figure))
    assert axes.get_xscale() == "log"
    assert not [one for one in axes.containers if isinstance(one, BarContainer)]
    assert "Logarithmic axis" in figure.caption
    linear = make(tmp_path, "time-accuracy", outcomes=("training_time_s",), log=False)
    assert axes_of(drawn(linear))[0].get_xscale() == "linear"


def test_one_trial_has_no_interval_and_the_caption_says_so(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "caffe", 1)
    figure = make(tmp_path, "time-accuracy")
    assert {mark.low_95 for mark in figure.marks} == {None}
    assert {mark.reason for mark in figure.marks} == {"one trial: no interval"}
    assert "n = 1 trial (seeds) for each mean: no interval can be drawn from one trial." in figure.caption


def test_one_cell_is_drawn_and_called_one(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    assert "The study has one cell: there is nothing to compare it with." in make(tmp_path, "time-accuracy").caption
    assert "one level, 64" in error_of(tmp_path, "sweep", over="batch_size")
    assert "varies no factor that is a number" in error_of(tmp_path, "sweep")
    assert "no framework of demo ran on two libraries or numbers of threads" in error_of(tmp_path, "libraries")


def test_the_caption_tells_machine_date_data_disturbances_and_what_is_left_out(tmp_path: Path) -> None:
    disturbance = {"signal": "steal", "found": 0.05, "limit": 0.01, "unit": "of CPU time"}
    write_record(tmp_path, "torch", 1, disturbances=[disturbance])
    write_record(tmp_path, "torch", 2)
    write_record(tmp_path, "caffe", 1, termination="crashed", reason="RuntimeError: broken")
    figure = make(tmp_path, "time-accuracy")
    for words in (
        "n = 2 trials (seeds) for each mean.",
        "Machine: Example CPU 2.0 GHz, 2 logical CPUs",
        "Data: mnist-subset, content SHA-256 c0ffeec0ffee",
        "started 2026-03-01 10:01:05",
        "Disturbed: 1 of 2 trials",
        "the hypervisor took CPU time away (1)",
        "Left out, not completed: 1 crashed (RuntimeError: broken: ",
        "Workload lenet-mnist-subset, setting caffe-mnist, profile local.",
        "Study demo, 2 trials, dlgauge ",
    ):
        assert words in figure.caption, words
    assert {mark.disturbed for mark in figure.marks} == {1}


def test_what_was_not_measured_is_named_and_never_a_zero(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, summary={"test_time_s": None}, not_measured={"test_time_s": "no evaluation ran"})
    write_record(tmp_path, "caffe", 1)
    figure = make(tmp_path, "time-accuracy")
    (mark,) = (one for one in figure.marks if one.series == "torch" and one.quantity == "test_time_s")
    assert (mark.value, mark.n, mark.trials) == (None, 0, ())
    assert "Not measured: test_time_s of torch: no evaluation ran (in 1 trial)." in figure.caption
    axes = axes_of(drawn(figure))[1]
    assert [text.get_text() for text in axes.texts] == ["not measured"]
    message = error_of(tmp_path, "time-accuracy", outcomes=("best_validation_step",))
    assert "best step (best_validation_step) was measured in none of the trials" in message
    assert "unknown column 'trainig_time_s'" in error_of(tmp_path, "time-accuracy", outcomes=("trainig_time_s",))


def test_only_failed_trials_are_named(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, termination="diverged", reason="the loss was nan at step 7")
    with pytest.raises(
        StoreError, match=r"no trial of study 'demo' completed.*1 diverged \(the loss was nan at step 7\)"
    ):
        read_source(tmp_path, None)


def test_several_studies_take_a_name_and_conditions_take_known_keys(tmp_path: Path) -> None:
    write_study(tmp_path)
    with pytest.raises(DlgaugeError, match=r"unknown key 'framwork' … did you mean 'framework'\?"):
        read_source(tmp_path, None, where=("framwork=torch",))
    with pytest.raises(DlgaugeError, match="no trial has it\n  framework is one of: caffe, tensorflow, theano, torch"):
        read_source(tmp_path, None, where=("framework=mxnet",))
    with pytest.raises(DlgaugeError, match="'torch' is no condition"):
        read_source(tmp_path, None, where=("torch",))
    source = read_source(tmp_path, None, where=("framework=torch", "seed=2"))
    assert (len(source.records), source.hidden) == (1, 11)
    write_record(tmp_path, "torch", 1, study="other")
    with pytest.raises(DlgaugeError, match=r"the store holds 2: demo, other\n  add --study NAME, such as --study demo"):
        read_source(tmp_path, None)


def test_cells_that_would_hide_each_other_are_refused(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1)
    write_record(tmp_path, "torch", 1, version="1.0")
    message = error_of(tmp_path, "time-accuracy")
    assert "2 cells of torch would stand at one place of the figure; they differ in framework.version" in message
    assert len(make(tmp_path, "time-accuracy", where=("version=1.0",)).trials) == 1


def test_phases_stack_to_the_cpu_time_of_the_trial(tmp_path: Path) -> None:
    write_phases(tmp_path)
    figure = make(tmp_path, "resources")
    torch = [mark for mark in figure.marks if mark.x == "torch"]
    by_phase = {mark.series: mark.value for mark in torch if mark.quantity == "phases.cpu_seconds"}
    assert by_phase["import"] == pytest.approx(2.0)
    assert by_phase["evaluate"] == pytest.approx(1.0)  # two of them, 0.5 s each
    cpu, cores, memory = axes_of(drawn(figure))
    bars = [bar for one in cpu.containers if isinstance(one, BarContainer) for bar in one]
    rows = {round(bar.get_y(), 3) for bar in bars}
    assert len(rows) == 3
    longest = max(bar.get_x() + bar.get_width() for bar in bars)
    assert longest == pytest.approx(max(sum(v for v in by.values() if v) for by in _cpu_by_row(figure.marks)))
    user = next(mark for mark in torch if mark.series == "user")
    assert user.value == pytest.approx(0.8)
    peak = next(mark for mark in torch if mark.series == "train" and mark.quantity == "phases.memory_peak_bytes")
    assert peak.value == pytest.approx((100 + 50 * 6 + 2) * 1024**2)
    (missing,) = (m for m in torch if m.series == "teardown" and m.quantity == "phases.memory_peak_bytes")
    assert missing.value is None
    assert "the record has no memory_peak_bytes of phase teardown" in figure.caption


def _cpu_by_row(marks: tuple[Mark, ...]) -> list[dict[str, float | None]]:
    rows: dict[str, dict[str, float | None]] = {}
    for mark in marks:
        if mark.quantity == "phases.cpu_seconds":
            rows.setdefault(str(mark.x), {})[mark.series] = mark.value
    return list(rows.values())


def test_learning_rates_are_those_of_the_records_one_panel_a_policy(tmp_path: Path) -> None:
    write_policies(tmp_path)
    figure = make(tmp_path, "learning-rates")
    assert {mark.panel for mark in figure.marks} == {
        "FIX k0=0.01",
        "TRI k0=0.01 k1=0.06 l=50",
        "STEP k0=0.01 gamma=0.1 l=100",
    }
    assert len(figure.trials) == 3
    assert "the policy's other trials have the same rates" in figure.caption
    assert len(axes_of(drawn(figure))) == 3


def test_libraries_stand_by_name_and_threads_in_a_panel_a_framework(tmp_path: Path) -> None:
    write_libraries(tmp_path)
    figure = make(tmp_path, "libraries")
    assert {(mark.panel, mark.x, mark.series) for mark in figure.marks} == {
        (framework, library, threads)
        for framework, library in (("caffe", "openblas"), ("caffe", "atlas"), ("torch", "onednn"))
        for threads in ("1 thread", "2 threads")
    }
    caffe, torch = axes_of(drawn(figure))
    assert [label.get_text() for label in caffe.get_yticklabels()] == ["atlas", "openblas"]
    assert [label.get_text() for label in torch.get_yticklabels()] == ["onednn"]
    assert "openblas 1.2 Zen" in figure.caption


def test_curves_are_means_of_trials_with_bands(tmp_path: Path) -> None:
    write_study(tmp_path, ("torch",))
    figure = make(tmp_path, "loss-curves")
    loss = [mark for mark in figure.marks if mark.quantity == "loss"]
    assert all(mark.n == 3 and mark.low_95 is not None for mark in loss)
    assert loss[0].x == 1.0
    accuracy = [mark for mark in figure.marks if mark.quantity == "top1_percent"]
    assert [mark.x for mark in accuracy] == [200.0, 400.0]
    left, right = axes_of(drawn(figure))
    assert len(left.collections) == 1
    assert left.get_xlabel() == "step (mini-batches)"
    over_time = make(tmp_path, "loss-curves", over="time", outcomes=("loss",))
    (axes,) = axes_of(drawn(over_time))
    assert axes.get_xlabel() == "training time (s)"
    assert "over 'speed'" in error_of(tmp_path, "loss-curves", over="speed").replace("--", "")
    assert "a curve is of loss or accuracy" in error_of(tmp_path, "loss-curves", outcomes=("top1_percent",))


def test_many_policies_get_panels_of_accuracy_on_the_same_axes(tmp_path: Path) -> None:
    write_policies(tmp_path)
    figure = make(tmp_path, "loss-curves")
    assert {mark.panel for mark in figure.marks} == {"FIX", "TRI", "STEP"}
    assert "Learning rate: FIX k0=0.01; STEP k0=0.01 gamma=0.1 l=100; TRI k0=0.01 k1=0.06 l=50." in figure.caption
    assert {mark.quantity for mark in figure.marks} == {"top1_percent"}
    assert len({axes.get_ylim() for axes in axes_of(drawn(figure))}) == 1


def test_the_csv_has_every_drawn_number_with_its_trials(tmp_path: Path) -> None:
    write_sweep(tmp_path / "store")
    figure = make(tmp_path / "store", "sweep")
    written = write_figure(figure, tmp_path / "out" / "sweep.pdf")
    rows = list(csv.DictReader(io.StringIO(written.numbers.read_text())))
    assert len(rows) == len(figure.marks) == 4 * 3 * 2
    for row, mark in zip(rows, figure.marks, strict=True):
        assert float(row["value"]) == mark.value
        assert row["trials"].split() == list(mark.trials)
        assert float(row["x"]) == mark.x
    assert written.caption.read_text() == figure.caption + "\n"
    assert "\\%" in written.caption_latex.read_text()
    assert written.picture.read_bytes().startswith(b"%PDF")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "sweep.pdf",
        "sweep.csv",
        "sweep.caption.txt",
        "sweep.caption.tex",
    }


def test_a_missing_number_is_empty_in_the_csv_with_its_reason() -> None:
    text = numbers_csv(
        "f", [Mark("", "torch", "cell", "", "x", "top1_percent", "percent", None, reason="no evaluation")]
    )
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["value"], row["low_95"], row["n"], row["reason"]) == ("", "", "0", "no evaluation")


def test_a_name_with_mathematics_or_markup_in_it_stays_text(tmp_path: Path) -> None:
    write_record(tmp_path, "torch", 1, setting={"name": "$x_{$ <b>&"})
    write_record(tmp_path, "torch", 1, setting={"name": "plain"})
    content = picture_of(make(tmp_path, "time-accuracy"), "svg")[0]
    assert b"<b>" not in content


@pytest.mark.parametrize(
    ("levels", "geometric"),
    [
        ([16, 32, 64, 128], True),
        ([0.001, 0.003, 0.01], True),
        ([1, 2, 3, 4], False),
        ([10, 20, 30], False),
        ([1, 2], False),
        ([16, 1024], True),
        ([0, 1, 10], False),
        ([5], False),
    ],
)
def test_levels_spaced_by_factors_get_a_logarithmic_axis(levels: list[float], geometric: bool) -> None:
    assert is_geometric(levels) is geometric


def test_widths_and_fonts_are_checked() -> None:
    assert width_of("column") == pytest.approx(88.9)
    assert width_of("120") == width_of("120mm") == 120
    with pytest.raises(DlgaugeError, match="'wide' is neither column, page nor 50 to 420 millimetres"):
        width_of("wide")
    with pytest.raises(DlgaugeError, match="is neither"):
        width_of("4")
    with pytest.raises(DlgaugeError, match="no font of the family 'Comic Sanz' is installed"):
        settings("Comic Sanz")


def test_ticks_are_plain_numbers() -> None:
    assert [number_text(value) for value in (0, 0.01, 64, 1024, 12000, 1e-5)] == [
        "0",
        "0.01",
        "64",
        "1024",
        "12\u2009000",
        "1e-05",
    ]


def test_groups_with_one_level_make_no_line(tmp_path: Path) -> None:
    for framework, batches in (("torch", (16, 64)), ("caffe", (16,))):
        for batch in batches:
            write_record(
                tmp_path,
                framework,
                1,
                varied={"batch_size": batch},
                setting={"batch_size": batch, "name": framework},
            )
    figure = make(tmp_path, "sweep")
    assert {mark.panel for mark in figure.marks} == {"torch"}
    assert "1 group of cells has one level of batch size alone and no line." in figure.caption
    write_record(tmp_path / "b", "torch", 1, varied={"batch_size": 16}, setting={"batch_size": 16, "name": "a"})
    write_record(tmp_path / "b", "torch", 1, varied={"batch_size": 64}, setting={"batch_size": 64, "name": "b"})
    assert "one level alone wherever nothing else differs (2 such groups" in error_of(tmp_path / "b", "sweep")


def test_equal_curves_show_one_inside_the_other(tmp_path: Path) -> None:
    write_study(tmp_path)
    (axes, _) = axes_of(drawn(make(tmp_path, "loss-curves")))
    widths = [line.get_linewidth() for line in axes.get_lines()]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 4
    first = [line.get_markevery() for line in axes.get_lines()]
    assert len(set(first)) == 4


def test_a_caption_has_no_commands_in_it() -> None:
    note = (
        "Peak memory of torch is below what the largest process held: it is so. "
        "`--columns peak_resident_bytes` has what a process held."
    )
    assert without_commands(note) == "Peak memory of torch is below what the largest process held: it is so."
    mixed = "Peak memory has more than one source (a, b): compare x instead (`--columns x`), which is the same."
    assert (
        without_commands(mixed) == "Peak memory has more than one source (a, b): compare x instead, which is the same."
    )
    proof = "a under b: no parity certificate covers torch, so it is not proven. To prove it: dlgauge parity a"
    assert without_commands(proof) == "a under b: no parity certificate covers torch, so it is not proven."


@pytest.mark.parametrize(
    ("key", "axis"),
    [
        ("training_time_s", "training time (s)"),
        ("peak_memory_bytes", "peak memory of the job (MiB)"),
        ("lateness_p99_s", "lateness p99 (ms)"),
        ("average_confidence", "confidence (no unit)"),
        ("sampler_cpu_seconds", "sampler CPU (CPU s)"),
        ("steps_to:99", "steps to 99 % (steps)"),
        ("seconds_to:99", "training time to 99 % (s)"),
        ("cpu_seconds_to:99", "CPU to 99 % (CPU s)"),
        ("joules_to:99", "energy to 99 % (J)"),
    ],
)
def test_quantities_have_their_unit_once(key: str, axis: str) -> None:
    assert quantity_axis(column_for(key)) == axis


@pytest.mark.parametrize("key", SUMMARY_KEYS)
def test_every_summary_key_has_an_axis_with_a_unit(key: str) -> None:
    axis = quantity_axis(column_for(key))
    assert axis.endswith(")")
    assert "not described" not in axis


def test_a_cost_is_an_outcome_like_others(tmp_path: Path) -> None:
    write_sweep(tmp_path, batches=(16, 64))
    figure = make(tmp_path, "sweep", outcomes=("steps_to:95",))
    assert {mark.value for mark in figure.marks} == {400.0}
    (axes,) = axes_of(drawn(figure))
    assert axes.get_ylabel() == "steps to 95 % (steps)"
