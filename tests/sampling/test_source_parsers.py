"""Parsers of pressure, memory.stat, io.stat, net/dev and smaps_rollup, whole and cut anywhere (validity suite V9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sampling.cgroup_files import parse_blkio, parse_io_stat
from harness.sampling.network import parse_net_dev
from harness.sampling.pressure import parse_pressure
from harness.sampling.procfs import parse_pairs, parse_process_io
from harness.sampling.proportional import parse_rollup

UNHURRIED = settings(deadline=None)
"""On a busy machine any example may take long."""

COUNTS = st.integers(min_value=0, max_value=2**63 - 1)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)
HEAD = b"Inter-|   Receive        |  Transmit\n face |bytes    packets|bytes    packets\n"


@UNHURRIED
@given(COUNTS, COUNTS, st.floats(min_value=0, max_value=100), st.data())
def test_pressure(some: int, full: int, average: float, data: st.DataObject) -> None:
    lines = (f"{share} avg10={average:.2f} avg60=0.00 avg300=1.00 total={total}\n" for share, total in both(some, full))
    content = "".join(lines).encode()
    assert parse_pressure(content) == {"some": some, "full": full}
    assert parse_pressure(cut(content, data)) in ({}, {"some": some}, {"some": some, "full": full})


def both(some: int, full: int) -> list[tuple[str, int]]:
    return [("some", some), ("full", full)]


def cut(content: bytes, data: st.DataObject) -> bytes:
    """The content up to any place."""
    return content[: data.draw(st.integers(min_value=0, max_value=len(content)))]


@UNHURRIED
@given(st.dictionaries(WORDS, COUNTS, max_size=40), st.data())
def test_pairs_of_memory_stat(stat: dict[str, int], data: st.DataObject) -> None:
    content = "".join(f"{key} {value}\n" for key, value in stat.items()).encode()
    whole = {key: int(value) for key, value in parse_pairs(content).items()}
    assert whole == {key.encode(): value for key, value in stat.items()}
    part = {key: int(value) for key, value in parse_pairs(cut(content, data)).items()}
    assert part.items() <= whole.items()  # what is cut is left out, never read as another number


DEVICES = st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), max_size=8)


@UNHURRIED
@given(DEVICES, st.data())
def test_io_stat(devices: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    lines = [
        f"8:{index} rbytes={a} wbytes={b} rios={c} wios={d} dbytes=5 dios=6\n".encode()
        for index, (a, b, c, d) in enumerate(devices)
    ]
    part = cut(b"".join(lines), data)
    counted = devices[: part.count(b"\n")]
    assert parse_io_stat(part) == tuple(sum(device[place] for device in counted) for place in range(4))


@UNHURRIED
@given(DEVICES, st.data())
def test_blkio(devices: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    lines = []
    for index, (read, written, _, _) in enumerate(devices):
        lines += [b"8:%d Read %d\n" % (index, read), b"8:%d Write %d\n" % (index, written), b"8:%d Sync 1\n" % index]
    part = cut(b"".join([*lines, b"Total 5\n"]), data)
    whole = part.count(b"\n")
    read = sum(device[0] for index, device in enumerate(devices) if 3 * index < whole)
    written = sum(device[1] for index, device in enumerate(devices) if 3 * index + 1 < whole)
    assert parse_blkio(part) == (read, written)


@UNHURRIED
@given(st.lists(st.tuples(COUNTS, COUNTS), max_size=6), st.data())
def test_net_dev_counts_all_interfaces_but_lo(interfaces: list[tuple[int, int]], data: st.DataObject) -> None:
    names = [b"lo", b"eth0", b"veth1a", b"br-0:1", b"wlan0", b"docker0"]
    lines = [
        b"%6s:%8d 1 2 3 4 5 6 7 %d 1 2 3 4 5 6 7\n" % (name, received, sent)
        for name, (received, sent) in zip(names, interfaces, strict=False)
    ]
    part = HEAD + cut(b"".join(lines), data)
    counted = interfaces[: part.count(b"\n") - 2][1:]
    assert parse_net_dev(part) == (sum(pair[0] for pair in counted), sum(pair[1] for pair in counted))


def test_net_dev_of_this_process() -> None:
    with open("/proc/self/net/dev", "rb") as stream:  # noqa: PTH123
        received, sent = parse_net_dev(stream.read())
    assert received >= 0
    assert sent >= 0


@UNHURRIED
@given(st.tuples(*(st.integers(min_value=0, max_value=2**50) for _ in range(5))), st.data())
def test_smaps_rollup(sizes: tuple[int, int, int, int, int], data: st.DataObject) -> None:
    pss, clean, dirty, huge, swap = sizes
    fields = {
        **{"Rss": 9, "Pss": pss, "Pss_Anon": 7, "Shared_Clean": 8, "Private_Clean": clean, "Private_Dirty": dirty},
        **{"Shared_Hugetlb": 3, "Private_Hugetlb": huge, "Swap": 4, "SwapPss": swap, "Locked": 0},
    }
    body = "".join(f"{name + ':':16s}{size:8d} kB\n" for name, size in fields.items())
    content = f"560af7be5000-7ffccfd1c000 ---p 00000000 00:00 0                          [rollup]\n{body}".encode()
    expected = (pss * 1024, (clean + dirty + huge) * 1024, swap * 1024)
    assert parse_rollup(content) == expected
    try:
        assert parse_rollup(cut(content, data)) == expected
    except ValueError:
        pass


@UNHURRIED
@given(COUNTS, COUNTS, COUNTS, COUNTS, st.data())
def test_process_io(rchar: int, wchar: int, read: int, write: int, data: st.DataObject) -> None:
    head = f"rchar: {rchar}\nwchar: {wchar}\nsyscr: 1\nsyscw: 2\n"
    content = f"{head}read_bytes: {read}\nwrite_bytes: {write}\ncancelled_write_bytes: 3\n".encode()
    assert parse_process_io(content) == (rchar, wchar, read, write)
    try:
        assert parse_process_io(cut(content, data)) == (rchar, wchar, read, write)
    except ValueError:
        pass


@pytest.mark.parametrize("parse", [parse_pressure, parse_net_dev, parse_rollup, parse_process_io])
@UNHURRIED
@given(content=st.binary(max_size=200))
def test_garbage_is_refused(parse: Callable[[bytes], object], content: bytes) -> None:
    with pytest.raises(ValueError):
        parse(b"\x00" + content + b"\x00\n")
