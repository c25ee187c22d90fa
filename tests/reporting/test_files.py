"""A result file is whole or not there, and what is no file of the user's own is never replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DlgaugeError
from harness.paths import PROJECT_ROOT
from harness.reporting.files import write_text


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.md"
    write_text(path, "one")
    write_text(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_file_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "other").mkdir()
    link, file = tmp_path / "latest.md", tmp_path / "other" / "1.md"
    link.symlink_to("other/1.md")
    if there:
        file.write_text("old")
    write_text(link, "new")
    assert link.readlink() == Path("other/1.md")
    assert file.read_text() == "new"
    assert not file.is_symlink()
    assert list(file.parent.iterdir()) == [file]


def test_a_pipe_behind_a_link_is_written_into(tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(link, "through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
    assert link.is_symlink() and fifo.is_fifo()


@pytest.mark.parametrize("redirected", [True, False])
def test_the_standard_output_by_its_path_stays(tmp_path: Path, redirected: bool) -> None:
    link = tmp_path / "stdout"  # as /dev/stdout is, where a failing test can do no harm
    link.symlink_to("/proc/self/fd/1")
    code = "import sys; from pathlib import Path; from harness.reporting.files import write_text; "
    code += "write_text(Path(sys.argv[1]), 'text')"
    with (tmp_path / "out").open("wb") as out:
        run = subprocess.run(
            [sys.executable, "-c", code, str(link)],
            stdout=out if redirected else subprocess.PIPE,
            cwd=PROJECT_ROOT,
            check=True,
        )
    assert link.is_symlink()
    assert ((tmp_path / "out").read_bytes() if redirected else run.stdout) == b"text"


def test_a_folder_is_an_error_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DlgaugeError, match="the file cannot be written"):
        write_text(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
