"""A search is read strictly: what is wrong is told, all of it, and nothing is left unread."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_archive.domain.errors import BadQuery
from swath_archive.domain.search import MAX_LIMIT, Place, read_search
from swath_archive.domain.times import format_time, parse_interval, parse_time


def test_a_query_and_a_body_mean_the_same() -> None:
    query = read_search(
        {"collections": "a,b", "ids": "x", "bbox": "1,2,3,4", "datetime": "2023-04-01T00:00:00Z/..", "limit": "7"}
    )
    body = read_search(
        {
            "collections": ["a", "b"],
            "ids": ["x"],
            "bbox": [1, 2, 3, 4],
            "datetime": "2023-04-01T00:00:00Z/..",
            "limit": 7,
        }
    )
    assert query == body
    assert query.start == datetime(2023, 4, 1, tzinfo=UTC)
    assert query.end is None


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"bbox": "1,2,3"}, "bbox"),
        ({"bbox": "1,2,x,4"}, "bbox"),
        ({"bbox": [1, 2, float("nan"), 4]}, "bbox"),
        ({"bbox": [1, 2, float("inf"), 4]}, "bbox"),
        ({"bbox": [1, 4, 3, 2]}, "bbox"),
        ({"bbox": [-181, 0, 3, 2]}, "bbox"),
        ({"bbox": [0, -91, 3, 2]}, "bbox"),
        ({"bbox": [True, 0, 3, 2]}, "bbox"),
        ({"bbox": {"west": 1}}, "bbox"),
        ({"datetime": "yesterday"}, "datetime"),
        ({"datetime": "2023-04-05T10:00:00"}, "datetime"),
        ({"datetime": "../.."}, "datetime"),
        ({"datetime": "2023-04-05/2023-04-04"}, "datetime"),
        ({"datetime": "2023-01-01/2023-01-02/2023-01-03"}, "datetime"),
        ({"datetime": 2023}, "datetime"),
        ({"limit": 0}, "limit"),
        ({"limit": "-3"}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"collections": 7}, "collections"),
        ({"collections": [1]}, "collections"),
        ({"ids": ["a"] * 1001}, "ids"),
        ({"intersects": "{"}, "intersects"),
        ({"intersects": {"type": "Circle"}}, "intersects"),
        ({"intersects": {"type": "Polygon", "coordinates": [1]}}, "intersects"),
        ({"intersects": {"type": "Point", "coordinates": []}}, "intersects"),
        ({"intersects": {"type": "GeometryCollection", "geometries": []}}, "intersects"),
        ({"intersects": {"type": "Point", "coordinates": [1, 2]}, "bbox": [1, 2, 3, 4]}, "intersects"),
        ({"token": "nonsense"}, "token"),
        ({"token": "W10="}, "token"),
        ({"token": 5}, "token"),
        ({"filter": "eo:cloud_cover < 10"}, "filter"),
        ({"sortby": "-datetime"}, "sortby"),
    ],
)
def test_each_fault_is_named(raw: dict[str, object], field: str) -> None:
    with pytest.raises(BadQuery) as caught:
        read_search(raw)
    assert field in {finding["field"] for finding in caught.value.findings}


def test_all_faults_at_once() -> None:
    with pytest.raises(BadQuery) as caught:
        read_search({"bbox": "1", "limit": 0, "datetime": "x", "fields": "id"})
    assert {finding["field"] for finding in caught.value.findings} == {"bbox", "limit", "datetime", "fields"}


def test_a_limit_over_the_greatest_is_the_greatest() -> None:
    assert read_search({"limit": 10**9}).limit == MAX_LIMIT


def test_a_box_with_heights_is_one_without() -> None:
    assert read_search({"bbox": [1, 2, 0, 3, 4, 100]}).bbox == (1, 2, 3, 4)


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=30), st.text(max_size=30))
def test_a_token_comes_back_as_it_was(at_us: int, collection: str, item: str) -> None:
    place = Place(at_us=at_us, collection=collection, item=item)
    assert Place.of(place.token()) == place


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_tokens(token: str) -> None:
    # A token that is none is a fault of the caller's, whatever it holds; a TypeError would be ours.
    with contextlib.suppress(BadQuery):
        assert read_search({"token": token}).after is not None


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_was(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


def test_an_instant_is_both_ends() -> None:
    start, end = parse_interval("2023-04-05T10:00:00+02:00")
    assert start == end == datetime(2023, 4, 5, 8, tzinfo=UTC)
