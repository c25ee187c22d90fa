from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import FileFormatError
from harness.workloads.settings import Setting
from harness.workloads.settings.setting import SETTINGS_FOLDER
from harness.yaml_files import find_named, load_yaml, parse_yaml, validate

SETTING = (SETTINGS_FOLDER / "caffe-mnist.yaml").read_text()


def error_of(text: str, model: type = Setting) -> str:
    with pytest.raises(FileFormatError) as caught:
        validate(parse_yaml(text, Path("x.yaml")), model)
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  momentum: 0.9", "  momentun: 0.9", "unknown key 'momentun' in optimizer … did you mean 'momentum'?"),
        ("batch_size: 64", "batch_size: 0", "batch_size should be greater than or equal to 1, not 0"),
        ("batch_size: 64", "batch_size: true", "batch_size should be a valid integer, not True"),
        ("batch_size: 64", "batch_size: '64'", "batch_size should be a valid integer, not '64'"),
        ("policy: INV", "policy: INW", "unknown policy 'INW' in learning_rate … did you mean 'INV'?"),
        ("gamma: 0.0001", "gama: 0.0001", "unknown key 'gama' in learning_rate … did you mean 'gamma'?"),
        ("kind: caffe_xavier", "kind: xavier", "unknown kind 'xavier' in initialisation.weights"),
        ("k0: 0.01", "k0: .inf", "learning_rate.k0 should be a finite number, not inf"),
        ("momentum: 0.9", "momentum: 1.0", "optimizer.momentum should be less than 1, not 1.0"),
    ],
)
def test_errors_name_file_line_key_and_value(old: str, new: str, message: str) -> None:
    text = SETTING.replace(old, new, 1)
    assert text != SETTING
    line = line_of(text, new)
    assert f"x.yaml:{line}: {message}" in error_of(text)


def test_all_errors_come_at_once_in_the_order_of_lines() -> None:
    text = SETTING.replace("steps: 10000", "steps: -3", 1).replace("momentum: 0.9", "momentun: 0.9", 1)
    text = text.replace("k0: 0.01", "k0: high", 1)
    lines = error_of(text).splitlines()
    assert [line.split(":")[0] for line in lines] == ["x.yaml"] * 3
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


def test_a_missing_key_is_named_at_its_section() -> None:
    text = SETTING.replace("  kind: sgd", "#", 1)
    assert f"x.yaml:{line_of(text, 'optimizer:')}: key 'kind' is missing in optimizer" in error_of(text)
    text = SETTING.replace("k0: 0.01, ", "", 1)
    assert f"x.yaml:{line_of(text, 'learning_rate:')}: key 'k0' is missing in learning_rate" in error_of(text)


def test_a_repeated_key_is_refused_with_both_lines() -> None:
    with pytest.raises(FileFormatError, match=r"x.yaml:3: key 'a' stands here twice \(first in line 1\)"):
        parse_yaml("a: 1\nb: 2\na: 3\n", Path("x.yaml"))


def test_repeated_keys_and_bad_values_are_told_at_once() -> None:
    with pytest.raises(FileFormatError) as caught:
        parse_yaml("a: 1\nb: 2026-13-45\na: 3\n4: x\nb: !!set {}\nc: !!set {}\n", Path("x.yaml"))
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["2", "3", "4", "5", "6"]


def test_a_key_that_is_no_valid_value_is_told_once() -> None:
    with pytest.raises(FileFormatError) as caught:
        parse_yaml("a: 1\n2026-13-45: 2\n", Path("x.yaml"))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("x.yaml:2: not a valid value: '2026-13-45'")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [1, 2\nb: 3\n", "x.yaml:2"),
        ("a: 1\n\tb: 2\n", "x.yaml:2"),
        ("- 1\n", "x.yaml:1"),
        ("a: &x [*x]\n", "x.yaml:1"),
        ("1: a\n", "x.yaml:1"),
        ("a: !!python/object/apply:os.system ['true']\n", "x.yaml:1"),
        ("a: 1\n---\nb: 2\n", "x.yaml:"),
        ("a: 2026-13-45\n", "x.yaml:1"),
        ("a: \x00\n", "x.yaml:1"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(FileFormatError) as caught:
        parse_yaml(text, Path("x.yaml"))
    assert str(caught.value).startswith(where)


def test_numbers_in_exponential_form_are_numbers() -> None:
    assert parse_yaml("a: 1e-4\nb: 5E3\nc: 12\nd: 1.5\n", Path("x.yaml")).value == {
        "a": 1e-4,
        "b": 5e3,
        "c": 12,
        "d": 1.5,
    }


def test_an_empty_file_misses_its_keys() -> None:
    assert "key 'setting' is missing" in error_of("")


def test_a_missing_file_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("a: 1\n")
    with pytest.raises(FileFormatError, match=r"no such file[\s\S]*other.yaml"):
        load_yaml(tmp_path / "mine.yaml")


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(FileFormatError, match="cannot be read"):
        load_yaml(path)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(FileFormatError, match="unknown setting 'cafe-mnist' … did you mean 'caffe-mnist'?"):
        find_named("cafe-mnist", SETTINGS_FOLDER, "setting")
    with pytest.raises(FileFormatError, match="unknown setting '../x'"):
        find_named("../x", SETTINGS_FOLDER, "setting")
