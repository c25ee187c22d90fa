"""Fetching published files from mirrors that break off, stall, and serve wrong bytes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from harness.errors import DataError
from harness.workloads.datasets.fetching import Patience, download
from tests.workloads.mirror import Mirror, serve

CONTENT = np.random.RandomState(1).bytes(300_000)
QUICK = Patience(silence_s=0.4, slowest_bytes_per_s=2000.0, attempts=3, pause_s=0.01)


def check(path: Path) -> str | None:
    return None if path.read_bytes() == CONTENT else "wrong bytes"


def get(folder: Path, *mirrors: Mirror | str, expected_bytes: int | None = None, seen: list | None = None) -> bytes:
    addresses = [mirror if isinstance(mirror, str) else mirror.url for mirror in mirrors]
    note = (lambda *event: seen.append(event)) if seen is not None else (lambda *_: None)
    path = download("data.gz", addresses, folder, check, expected_bytes=expected_bytes, progress=note, patience=QUICK)
    assert path == folder / "data.gz"
    assert [other.name for other in folder.iterdir()] == ["data.gz"]
    return path.read_bytes()


def good() -> Mirror:
    return Mirror({"data.gz": CONTENT})


def test_a_file_arrives_with_progress(tmp_path: Path) -> None:
    seen: list = []
    with serve(good()) as mirror:
        assert get(tmp_path / "new", mirror, expected_bytes=len(CONTENT), seen=seen) == CONTENT
    assert mirror.asked == [("/data.gz", None)]
    assert seen[-1] == ("data.gz", 300_000, 300_000)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_what_broke_off_is_resumed(tmp_path: Path) -> None:
    with serve(Mirror({"data.gz": CONTENT}, break_after=100_000)) as mirror:
        assert get(tmp_path, mirror) == CONTENT
    assert [asked for _, asked in mirror.asked] == [None, "bytes=100000-"]
    assert mirror.sent == len(CONTENT)


def test_a_later_run_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:250_000])
    with serve(good()) as mirror:
        assert get(tmp_path, mirror) == CONTENT
    assert mirror.asked == [("/data.gz", "bytes=250000-")]


def test_a_mirror_without_ranges_is_got_from_the_start(tmp_path: Path) -> None:
    with serve(Mirror({"data.gz": CONTENT}, ranges=False, break_after=100_000)) as mirror:
        assert get(tmp_path, mirror) == CONTENT
    assert mirror.sent == len(CONTENT) + 100_000


@pytest.mark.parametrize("kept", [CONTENT, CONTENT + b"more", b"x" * 299_999, b"x" * 300_000])
def test_a_kept_part_that_is_whole_too_long_or_wrong(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "data.gz.part").write_bytes(kept)
    with serve(good()) as mirror:
        assert get(tmp_path, mirror) == CONTENT


def test_a_stalled_mirror_is_left_and_the_next_one_resumes(tmp_path: Path) -> None:
    stalled = Mirror({"data.gz": CONTENT}, stall_after=60_000, troubles=99)
    with serve(stalled) as first, serve(good()) as second:
        assert get(tmp_path, first, second) == CONTENT
    assert len(first.asked) == QUICK.attempts
    assert second.asked == [("/data.gz", "bytes=180000-")]


def test_a_mirror_that_only_drips_counts_as_stalled(tmp_path: Path) -> None:
    with (
        serve(Mirror({"data.gz": CONTENT}, drip=0.02)) as mirror,
        pytest.raises(DataError, match=r"stalled: \d+ bytes in"),
    ):
        get(tmp_path, mirror)


def test_wrong_bytes_are_thrown_away_and_the_next_mirror_asked(tmp_path: Path) -> None:
    with serve(Mirror({"data.gz": CONTENT[:-1] + b"?"})) as wrong, serve(good()) as right:
        assert get(tmp_path, wrong, right) == CONTENT
    assert right.asked == [("/data.gz", None)]


def test_a_wrong_beginning_from_one_mirror_does_not_spoil_the_next(tmp_path: Path) -> None:
    wrong = Mirror({"data.gz": b"?" * len(CONTENT)}, break_after=150_000, troubles=1, status=None)
    with serve(wrong) as first, serve(good()) as second:
        (tmp_path / "data.gz.part").write_bytes(b"?" * 1000)
        first.status = 404
        assert get(tmp_path, first, second) == CONTENT
    assert [asked for _, asked in second.asked] == ["bytes=1000-", None]


def test_another_length_than_the_published_one_is_not_even_got(tmp_path: Path) -> None:
    with serve(Mirror({"data.gz": b"<html>moved</html>"})) as page, serve(good()) as right:
        assert get(tmp_path, page, right, expected_bytes=len(CONTENT)) == CONTENT
    endless = Mirror({"data.gz": CONTENT * 3}, length=False)
    with serve(endless) as mirror, pytest.raises(DataError, match="more than 300000 bytes"):
        get(tmp_path / "other", mirror, expected_bytes=len(CONTENT))


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (503, 3), (429, 3)])
def test_a_refusal_is_final_and_a_hiccup_is_not(tmp_path: Path, status: int, asked: int) -> None:
    with serve(Mirror({}, status=status)) as mirror, pytest.raises(DataError, match=f"HTTP status {status}"):
        get(tmp_path, mirror)
    assert len(mirror.asked) == asked


def test_when_no_mirror_helps_each_is_named_and_what_came_is_kept(tmp_path: Path) -> None:
    breaking = Mirror({"data.gz": CONTENT}, break_after=7, troubles=99)
    with serve(Mirror({})) as empty, serve(breaking) as broken, pytest.raises(DataError) as caught:
        get(tmp_path, empty, broken, "http://127.0.0.1:1/")
    text = str(caught.value)
    for part in (
        "data.gz could not be fetched; 21 bytes are kept",
        f"{empty.url}data.gz: HTTP status 404",
        f"{broken.url}data.gz: broke off after 21 of 300000 bytes",
        "http://127.0.0.1:1/data.gz: no connection",
        "dlgauge data import",
    ):
        assert part in text
    assert (tmp_path / "data.gz.part").read_bytes() == CONTENT[:21]


def test_two_processes_do_not_write_the_same_file(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with serve(good()) as mirror, pytest.raises(DataError, match="another process is getting files"):
            get(tmp_path, mirror)
    finally:
        os.close(descriptor)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serve(good()) as mirror, pytest.raises(DataError, match=r"file.*cannot be written"):
        get(tmp_path / "file", mirror)
