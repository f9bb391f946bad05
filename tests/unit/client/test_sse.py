"""Server-sent events, however the bytes are cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath.client.sse import LONGEST_EVENT, lines, parse

STREAM = (
    ": hello\r\n\r\nid: 1\nevent: log\ndata: a\ndata: b\n\nid: 2\rdata:  c \u2028\x85\r\rretry: 5\n\ndata\n\nid: 3\n"
)


def _told(pieces: list[str]) -> list[tuple[str, str, str]]:
    return [(found.id, found.event, found.data) for found in parse(lines(pieces)) if not found.comment]


def test_fields_are_read_as_the_standard_says() -> None:
    assert _told([STREAM]) == [("1", "log", "a\nb"), ("2", "message", " c \u2028\x85"), ("2", "message", "")]


def test_an_event_cut_off_is_none() -> None:
    assert _told(["data: a\n\ndata: b\n"]) == [("", "message", "a")]


def test_comments_are_told_as_signs_of_life() -> None:
    assert [found.comment for found in parse([": ping", ""])] == [True]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_it_does_not_matter_how_the_stream_is_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(places)]
    assert _told(pieces) == _told([STREAM])


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(lines("x" * (1 << 20) for _ in range(LONGEST_EVENT // (1 << 20) + 1)))
