from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.units import (
    UnitError,
    format_bytes,
    format_mebibytes,
    format_seconds,
    parse_bytes,
    parse_seconds,
    parse_share,
)


@given(st.integers(0, 2**60))
def test_bytes_survive_the_round_trip(size_bytes: int) -> None:
    assert parse_bytes(format_bytes(size_bytes)) == size_bytes
    assert parse_bytes(size_bytes) == size_bytes


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("4 GiB", 4 * 2**30), ("512 MiB", 512 * 2**20), ("1.5 GB", 1_500_000_000), ("10kB", 10_000), ("7 B", 7)],
)
def test_bytes(text: str, size_bytes: int) -> None:
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("30 min", 1800), ("2 h", 7200), ("1 h 30 min", 5400), ("250 ms", 0.25), ("1 d", 86400), (90, 90), (0.5, 0.5)],
)
def test_seconds(text: object, duration_s: float) -> None:
    assert parse_seconds(text) == duration_s


@pytest.mark.parametrize("value", ["4 gigs", "4", "GiB", "-1 GiB", "", "4 GiB!", "1..5 GiB", True, None, -1, [4]])
def test_what_is_no_amount_is_refused_with_its_text(value: object) -> None:
    with pytest.raises(UnitError) as caught:
        parse_bytes(value)
    assert repr(value) in str(caught.value)


def test_an_unknown_unit_names_the_known_ones() -> None:
    with pytest.raises(UnitError, match="unknown unit 'minutes'; known units: ms, s, min, h, d"):
        parse_seconds("30 minutes")


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(UnitError, match="whole number of bytes"):
        parse_bytes("1.3 B")


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0.254, "0.25 s"), (12.34, "12.3 s"), (59.96, "1 min 00 s"), (245, "4 min 05 s"), (7380, "2 h 03 min")],
)
def test_durations_for_people(duration_s: float, text: str) -> None:
    assert format_seconds(duration_s) == text


def test_mebibytes_for_tables() -> None:
    assert format_mebibytes(512 * 2**20) == "512.0"


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.5 %", 0.005), (0.03, 0.03), (1, 1.0), ("0%", 0.0)])
def test_shares(text: object, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["3", "%", "three%", "-1%", "nan%", -0.1, True, None, [3], float("inf")])
def test_what_is_no_share(text: object) -> None:
    with pytest.raises(UnitError, match="is not a share such as '3%' or 0.03"):
        parse_share(text)
