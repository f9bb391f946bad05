"""openEO's extents, as notebooks write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from shapely.geometry import Point, box
from swath.client.errors import Invalid
from swath.extents import Box, Interval, read_box, read_interval

AREA = Box(west=4.0, south=51.0, east=5.0, north=52.0)
_RING = [[4.0, 51.0], [5.0, 51.0], [5.0, 52.0], [4.0, 52.0], [4.0, 51.0]]


@pytest.mark.parametrize(
    "extent",
    [
        {"west": 4, "south": 51, "east": 5, "north": 52},
        {"west": 4, "south": 51, "east": 5, "north": 52, "crs": 4326},
        {"west": 4, "south": 51, "east": 5, "north": 52, "crs": "EPSG:4326"},
        {"west": 4, "south": 51, "east": 5, "north": 52, "crs": None},
        [4, 51, 5, 52],
        (4.0, 51.0, 5.0, 52.0),
        {"type": "Polygon", "coordinates": [_RING]},
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [_RING]}},
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"coordinates": [0, 0]},
                    "geometry": {"type": "Point", "coordinates": p},
                }
                for p in _RING
            ],
        },
        {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": _RING}]},
        box(4, 51, 5, 52),
    ],
)
def test_all_forms_say_the_same(extent: Any) -> None:
    assert read_box(extent) == AREA


def test_other_units() -> None:
    found = read_box({"west": 640000, "south": 5670000, "east": 641000, "north": 5671000, "crs": 32631})
    assert found is not None
    assert found.crs == "EPSG:32631"
    west, south, east, north = found.within("EPSG:4326")
    assert 4.9 < west < east < 5.1
    assert 51.1 < south < north < 51.2


def test_a_frame_in_its_own_crs() -> None:
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.GeoDataFrame(geometry=[box(640000, 5670000, 641000, 5671000)], crs="EPSG:32631")
    assert read_box(frame) == Box(west=640000, south=5670000, east=641000, north=5671000, crs="EPSG:32631")
    with pytest.raises(Invalid, match="has no CRS"):
        read_box(geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)]))


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ({"west": 4, "south": 51}, "lacks east, north"),
        ({"west": 5, "south": 51, "east": 4, "north": 52}, "west is greater than east"),
        ({"west": 4, "south": 52, "east": 5, "north": 51}, "south is greater than north"),
        ({"west": 4, "south": 51, "east": 4, "north": 52}, "empty"),
        ({"west": "a", "south": 51, "east": 5, "north": 52}, "numbers"),
        ({"west": float("nan"), "south": 51, "east": 5, "north": 52}, "finite"),
        ({"west": 640000, "south": 5670000, "east": 641000, "north": 5671000}, "no degrees"),
        ({"west": 4, "south": 51, "east": 5, "north": 52, "crs": 999999}, "no coordinate reference system"),
        ([4, 51, 5], "four numbers"),
        ("4,51,5,52", "none of the forms"),
        ({"type": "Polygon", "coordinates": []}, "no coordinates"),
        ({"type": "Polygon", "coordinates": "here"}, "malformed"),
        (Point(4, 51), "empty"),
        (7, "none of the forms"),
    ],
)
def test_bad_places(extent: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        read_box(extent)
    assert caught.value.mend


def test_the_end_is_left_out() -> None:
    interval = read_interval(["2023-04-02", "2023-04-07"])
    assert interval.holds(datetime(2023, 4, 2, tzinfo=UTC))
    assert not interval.holds(datetime(2023, 4, 7, tzinfo=UTC))


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        (None, Interval()),
        ([None, "2023-04-07"], Interval(end=datetime(2023, 4, 7, tzinfo=UTC))),
        (["2023-04-02", ".."], Interval(start=datetime(2023, 4, 2, tzinfo=UTC))),
        ((date(2023, 4, 2), None), Interval(start=datetime(2023, 4, 2, tzinfo=UTC))),
        (["2023-04-02T02:00:00+02:00", None], Interval(start=datetime(2023, 4, 2, tzinfo=UTC))),
        ([datetime(2023, 4, 2, 5), None], Interval(start=datetime(2023, 4, 2, 5, tzinfo=UTC))),
    ],
)
def test_intervals(extent: Any, expected: Interval) -> None:
    assert read_interval(extent) == expected


@pytest.mark.parametrize(
    ("extent", "words"),
    [
        ("2023-04-02", "two ends"),
        (["2023-04-02"], "two ends"),
        (["2023-04-07", "2023-04-02"], "not after"),
        (["2023-04-02", "2023-04-02"], "not after"),
        (["spring", None], "no time"),
        ([5, None], "no time"),
    ],
)
def test_bad_intervals(extent: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        read_interval(extent)
    assert caught.value.mend
