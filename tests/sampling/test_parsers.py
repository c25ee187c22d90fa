"""Parsers of /proc, and the decoders of the sampler's files, under any input (validity suite V9)."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sampling import decoding, schema
from harness.sampling.cgroup_files import parse_blkio, parse_io_stat
from harness.sampling.procfs import (
    parse_cpu_line,
    parse_diskstats,
    parse_keyed,
    parse_process_io,
    parse_stat,
    read_bytes,
)

NAMES = st.binary(min_size=0, max_size=15)
COUNTS = st.integers(min_value=0, max_value=2**63 - 1)


def stat_line(name: bytes, numbers: list[int]) -> bytes:
    """A stat file as the kernel writes it: number, name, state, 49 numbers."""
    return b"4321 (" + name + b") S " + b" ".join(str(number).encode() for number in numbers) + b"\n"


@given(NAMES, st.lists(COUNTS, min_size=49, max_size=49))
def test_stat_with_any_name(name: bytes, numbers: list[int]) -> None:
    parsed = parse_stat(stat_line(name, numbers))
    assert parsed.name == name
    assert parsed.state == b"S"
    assert parsed.ppid == numbers[0]
    assert (parsed.minor_faults, parsed.children_minor_faults) == (numbers[6], numbers[7])
    assert (parsed.major_faults, parsed.children_major_faults) == (numbers[8], numbers[9])
    assert parsed.own_ticks == numbers[10] + numbers[11]
    assert parsed.children_ticks == numbers[12] + numbers[13]
    assert (parsed.own_user_ticks, parsed.children_user_ticks) == (numbers[10], numbers[12])
    assert (parsed.threads, parsed.start_time_ticks, parsed.resident_pages) == (numbers[16], numbers[18], numbers[20])


@given(NAMES, st.lists(COUNTS, min_size=49, max_size=49), st.data())
def test_a_truncated_stat_is_refused_or_right(name: bytes, numbers: list[int], data: st.DataObject) -> None:
    content = stat_line(name.replace(b")", b"x"), numbers)  # a name's parenthesis may look like the end when cut there
    part = content[: data.draw(st.integers(min_value=0, max_value=len(content)))]
    try:
        parsed = parse_stat(part)
    except ValueError:
        return
    assert parsed == parse_stat(content)


@pytest.mark.parametrize("name", [b"a ) b (c", b") R 1 2 3", b"\xff\xfe", b"", b"((", b"))"])
def test_stat_with_names_that_mislead(name: bytes) -> None:
    assert parse_stat(stat_line(name, list(range(49)))).name == name


def test_stat_of_this_process() -> None:
    parsed = parse_stat(read_bytes("/proc/self/stat"))
    assert parsed.threads >= 1
    assert parsed.resident_pages > 100


@given(COUNTS, st.integers(min_value=0, max_value=60))
def test_a_truncated_key_gives_nothing_rather_than_less(value: int, length: int) -> None:
    content = b"Name:\tx\nVmHWM:\t%d kB\n" % value
    assert parse_keyed(content, b"VmHWM:") == value
    assert parse_keyed(content[:length], b"VmHWM:") in (None, value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"usage_usec 7\nuser_usec 3\n", 7), (b"a 1\nusage_usec 8\n", 8), (b"xusage_usec 9\n", None)],
)
def test_keys_stand_at_the_start_of_a_line(content: bytes, expected: int | None) -> None:
    assert parse_keyed(content, b"usage_usec ") == expected


@given(st.binary(max_size=200))
def test_garbage_is_refused(content: bytes) -> None:
    for parse in (parse_stat, parse_process_io, parse_cpu_line):
        with pytest.raises(ValueError):
            parse(b"\x00" + content)


def test_process_io_is_not_taken_from_cancelled_bytes() -> None:
    content = b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n"
    assert parse_process_io(content) == (1, 2, 5, 6)


def test_cpu_line() -> None:
    assert parse_cpu_line(b"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1\n") == [1, 2, 3, 4, 5, 6, 7, 8]


def test_diskstats_count_whole_disks_once() -> None:
    content = b"   8 0 sda 1 0 100 0 1 0 50 0 0 0 0\n   8 1 sda1 1 0 90 0 1 0 40 0 0 0 0\n 7 0 loop0 1 0 9 0 1 0 9 0\n"
    assert parse_diskstats(content, frozenset({b"sda"})) == (100 * 512, 50 * 512)


def test_cgroup_io() -> None:
    content = b"8:0 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=9\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n"
    assert parse_io_stat(content) == (6, 8, 4, 6)
    assert parse_blkio(b"8:0 Read 5\n8:0 Write 6\n8:0 Sync 1\n8:0 Total 11\nTotal 11\n") == (5, 6)


@given(st.integers(min_value=0, max_value=4), st.integers(min_value=0, max_value=schema.SAMPLE_RECORD.size - 1))
def test_a_truncated_file_is_read_up_to_its_last_whole_record(tmp_path_factory: object, whole: int, rest: int) -> None:
    path = _file(tmp_path_factory)
    record = schema.SAMPLE_RECORD.pack(*([1, 2] + [schema.MISSING] * (len(schema.SAMPLE_COLUMNS) - 2)))
    header = schema.header(schema.SAMPLES_MAGIC, schema.SAMPLE_RECORD)
    path.write_bytes(header + record * whole + record[:rest])
    samples = decoding.read_samples(path)
    assert len(samples["seq"]) == whole
    assert samples["trigger"] == ["tick"] * whole
    assert samples["errors"].count() == 0


def test_an_empty_file_and_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"")
    assert len(decoding.read_samples(path)["seq"]) == 0
    assert decoding.read_processes(path)["name"] == []
    path.write_bytes(schema.header(schema.GPUS_MAGIC, schema.GPU_RECORD))
    with pytest.raises(ValueError, match="version"):
        decoding.read_samples(path)


def test_files_of_version_1_are_read_and_lack_the_newer_columns(tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    record = struct.Struct("<41q")
    rows = [list(range(100 * number, 100 * number + 41)) for number in (1, 2)]
    for row in rows:
        row[1] = schema.TRIGGERS.index("tick")
    packed = b"".join(record.pack(*row) for row in rows)
    path.write_bytes(schema.HEADER.pack(schema.SAMPLES_MAGIC, 1, record.size) + packed + b"cut")
    samples = decoding.read_samples(path)
    assert list(samples) == [column.name for column in schema.SAMPLE_COLUMNS]
    assert samples["seq"].tolist() == [100, 200]
    assert samples["trigger"] == ["tick", "tick"]
    assert samples["host_swap_out_pages"].tolist() == [137, 237]
    assert samples["sampler_cpu_ns"].tolist() == [138, 238]
    assert samples["errors"].tolist() == [140, 240]
    assert samples["package_energy_uj"].count() == 0
    assert decoding.record_bytes(path) == record.size


def test_a_record_of_no_known_length_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "samples.bin"
    path.write_bytes(schema.HEADER.pack(schema.SAMPLES_MAGIC, 3, 999))
    with pytest.raises(ValueError, match=r"version 3, 999 bytes .*version 1 with 328 bytes"):
        decoding.read_samples(path)


def test_the_last_row_of_a_process_counts(tmp_path: Path) -> None:
    path = tmp_path / "processes.bin"
    rows = [
        (7, 100, 1, b"old", 1, 5, 6, 10, 0, schema.MISSING, 0, 0),
        (7, 100, 1, b"n\xffw", 1, 5, 9, 20, 0, 4096, 0, 0),
    ]
    other = (7, 200, 1, b"reused", 2, 8, 9, 1, 0, 1, 0, 0)
    content = b"".join(schema.PROCESS_RECORD.pack(*row) for row in (*rows, other))
    path.write_bytes(schema.header(schema.PROCESSES_MAGIC, schema.PROCESS_RECORD) + content)
    table = decoding.read_processes(path)
    assert table["name"] == ["n\\xffw", "reused"]
    assert table["role"] == ["worker", "child"]
    assert table["cpu_ns"].tolist() == [20, 1]


def test_columns_are_described() -> None:
    for columns in (schema.SAMPLE_COLUMNS, schema.GPU_COLUMNS, schema.PROCESS_COLUMNS):
        assert len({column.name for column in columns}) == len(columns)
        for column in columns:
            assert column.kind in ("counter", "gauge", "state", "identity")
            assert column.unit
            assert column.description


def _file(factory: object) -> Path:
    assert isinstance(factory, pytest.TempPathFactory)
    return factory.mktemp("records") / "samples.bin"


def test_the_documentation_has_every_column_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "sampler.md").read_text()
    for columns in (schema.SAMPLE_COLUMNS, schema.GPU_COLUMNS, schema.PROCESS_COLUMNS):
        for column in columns:
            row = f"| `{column.name}` | {column.unit} | {column.kind} | {column.tier} | {column.description} |"
            assert row in text, column.name
