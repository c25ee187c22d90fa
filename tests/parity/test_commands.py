"""`dlgauge network show` and the refusals of `dlgauge parity`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.parity import _certified
from harness.errors import DlgaugeError
from harness.parity.workload_cases import PAPER_WORKLOADS, find_case
from harness.study import profile
from harness.study.model import DEFAULT_PROFILE
from harness.workloads import parameter_count
from tests.study.test_plan_command import dlgauge


def test_the_counts_of_a_network() -> None:
    result = dlgauge("network", "show", "lenet")
    assert result.returncode == 0, result.stderr
    first, _, conv1, *_ = result.stdout.splitlines()
    assert "431,080 parameters" in first
    assert conv1.split() == ["conv1", "convolution", "20x24x24", "520", "576,000"]


def test_the_counts_as_json() -> None:
    printed = json.loads(dlgauge("network", "show", "resnet-32", "--json").stdout)
    assert printed["parameters"] == sum(layer["parameters"] for layer in printed["layers"])
    added = next(layer for layer in printed["layers"] if layer["layer"] == "s2b1-add")
    assert added["inputs"] == ["s2b1-norm2", "s2b1-norm3"]


def test_a_network_file_of_one_s_own_with_shapes_that_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "network: mine\ninput: [3, 8, 8]\nlayers:\n"
        "  - {name: a, kind: convolution, filters: 4, kernel: 3, inputs: [input]}\n"
        "  - {name: b, kind: add, inputs: [a, input]}\n"
        "  - {name: c, kind: dense, units: 10}\n"
    )
    for command in (("network", "show", "mine.yaml"), ("parity", "mine.yaml", "--setting", "caffe-mnist")):
        result = dlgauge(*command, cwd=tmp_path)
        assert result.returncode == 2
        assert "mine.yaml:5: layer 'b': adds outputs of different shapes, 4x6x6 and 3x8x8" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one workload, or give --all"),
        (("caffe-mnist", "--all"), "name one workload, or give --all"),
        (("nothing",), "no workload and no network is called 'nothing'"),
        (("lenet",), "no setting is called 'lenet'"),
        (("caffe-mnist", "--setting", "caffe-mnits"), "did you mean 'caffe-mnist'"),
        (("caffe-mnist", "--frameworks", "tensorflw"), "did you mean 'tensorflow'"),
        (("caffe-mnist", "--profile", "mlk"), "unknown profile 'mlk'"),
        (
            ("caffe-mnist", "--profile", "atlas", "--frameworks", "torch"),
            "profile 'atlas', blas: atlas: framework 'torch'",
        ),
    ],
)
def test_what_parity_refuses(arguments: tuple[str, ...], message: str) -> None:
    result = dlgauge("parity", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("asked", [None, "cpu2"])
def test_a_profile_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, asked: str | None) -> None:
    def refuse(*_arguments: object) -> None:
        raise profile.CpusNotThere("there are not 2 CPUs")

    monkeypatch.setattr(profile, "resolve_profile", refuse)
    with pytest.raises(DlgaugeError, match=f"profile '{asked or DEFAULT_PROFILE}': there are not 2 CPUs"):
        _certified([], "", asked, quiet=True)


@pytest.mark.parametrize("name", PAPER_WORKLOADS)
def test_every_workload_of_the_papers_makes_a_case(name: str) -> None:
    case = find_case(name)
    assert case.steps == 20
    assert case.setting.name == name
    images, labels = case.train
    assert images.shape[1:] == case.network.input
    assert len(images) == len(labels) >= case.setting.batch_size
    assert parameter_count(case.network) > 10_000
