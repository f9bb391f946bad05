"""Ranges: the examples of RFC 9110, section 14, and whatever else comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_service.entity_tags import matches
from swath_service.kept_files import disposition
from swath_service.ranges import MOST_RANGES, Unsatisfiable, ranges_of

TOLD = {
    "bytes=0-499": [(0, 500)],
    "bytes=500-999": [(500, 1000)],
    "bytes=-500": [(9500, 10_000)],
    "bytes=9500-": [(9500, 10_000)],
    "bytes=0-0,-1": [(0, 1), (9999, 10_000)],
    "bytes= 0-999, 4500-5499, -1000": [(0, 1000), (4500, 5500), (9000, 10_000)],
    "bytes=500-600,601-999": [(500, 1000)],
    "bytes=500-700,601-999": [(500, 1000)],
    "BYTES=5-9": [(5, 10)],
    "bytes=0-99999999": [(0, 10_000)],
    "bytes=-99999": [(0, 10_000)],
    # What lies in the file is answered, whatever else was asked for.
    "bytes=99999-,0-1": [(0, 2)],
    # Not ranges of bytes: to be ignored.
    "bytes=9-5": [],
    "bytes=": [],
    "bytes=-": [],
    "bytes=a-b": [],
    "bytes=1-2-3": [],
    "bytes=٣-٤": [],
    "items=0-5": [],
    "bytes": [],
    "": [],
    f"bytes={','.join(f'{n}-{n}' for n in range(0, 4 * MOST_RANGES, 4))}": [
        (n, n + 1) for n in range(0, 4 * MOST_RANGES, 4)
    ],
    f"bytes={','.join(f'{n}-{n}' for n in range(MOST_RANGES + 1))}": [],
}


@pytest.mark.parametrize("header", TOLD)
def test_what_a_header_asks_for(header: str) -> None:
    assert ranges_of(header, 10_000) == TOLD[header]


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_what_is_not_there(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        ranges_of(header, size)


@given(st.text("bytes=0123456789-, ", max_size=60), st.integers(0, 200))
def test_parts_are_in_order_apart_and_inside(header: str, size: int) -> None:
    try:
        found = ranges_of(f"bytes={header}", size)
    except Unsatisfiable:
        return
    edges = [edge for part in found for edge in part]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= size for edge in edges)


@pytest.mark.parametrize(
    ("header", "met"),
    [(None, False), ("*", True), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ('"b"', False), ("a", False)],
)
def test_if_none_match(header: str | None, met: bool) -> None:
    assert matches(header, '"a"') is met


def test_names_of_files_end_no_header() -> None:
    assert disposition("ndvi.tif") == 'attachment; filename="ndvi.tif"'
    assert disposition('a"\r\nX: y.tif') == "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20y.tif"
    assert disposition("ä.tif") == "attachment; filename*=UTF-8''%C3%A4.tif"
