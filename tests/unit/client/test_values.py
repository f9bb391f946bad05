"""Python values as a run's parameters."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from swath.client.errors import Invalid
from swath.client.values import parameters_json


class Colour(Enum):
    RED = "red"


class Word(StrEnum):
    A = "a"


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        ("x", "x"),
        (date(2023, 4, 1), "2023-04-01"),
        (datetime(2023, 4, 1, 12, tzinfo=UTC), "2023-04-01T12:00:00+00:00"),
        (datetime(2023, 4, 1, tzinfo=timezone(timedelta(hours=2))), "2023-04-01T00:00:00+02:00"),
        ((date(2023, 4, 1), None), ["2023-04-01", None]),
        ([1, (2, [3])], [1, [2, [3]]]),
        ({"west": 5, "crs": None}, {"west": 5, "crs": None}),
        (Colour.RED, "red"),
        (Word.A, "a"),
        (Number.ONE, 1),
    ],
)
def test_plain_values(value: Any, sent: Any) -> None:
    got = parameters_json({"x": value})["x"]
    assert got == sent
    assert type(got) is type(sent)
    json.dumps(got, allow_nan=False)


def test_values_of_numpy_and_pandas() -> None:
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    given = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.array([[1, 2], [3, 4]]),
        "d": np.bool_(True),
        "e": pd.Timestamp("2023-04-01T12:00:00.123456789Z"),
        "f": np.datetime64("2023-04-01"),
        "g": np.datetime64("2023-04-01T12:00:00.123456789"),
        "h": np.str_("x"),
    }
    sent = parameters_json(given)
    assert sent == {
        "a": 0.5,
        "b": 3,
        "c": [[1, 2], [3, 4]],
        "d": True,
        "e": "2023-04-01T12:00:00.123456+00:00",
        "f": "2023-04-01",
        "g": "2023-04-01T12:00:00.123456Z",
        "h": "x",
    }
    json.dumps(sent)


def test_geometries_become_geojson_in_degrees() -> None:
    shapely = pytest.importorskip("shapely")
    geopandas = pytest.importorskip("geopandas")
    box = shapely.box(5, 51, 6, 52)
    assert parameters_json({"x": box})["x"]["type"] == "Polygon"
    frame = geopandas.GeoDataFrame({"n": [1]}, geometry=[box], crs=4326)
    sent = parameters_json({"x": frame.to_crs(32631)})["x"]
    assert sent["type"] == "FeatureCollection"
    west = min(point[0] for point in sent["features"][0]["geometry"]["coordinates"][0])
    assert west == pytest.approx(5, abs=1e-6)
    json.dumps(sent)
    # Without a CRS, degrees are believed where they can be degrees, and nowhere else.
    assert parameters_json({"x": frame.geometry.set_crs(None, allow_override=True)})["x"]["features"]
    metres = geopandas.GeoDataFrame(geometry=[shapely.box(5e5, 5e6, 6e5, 6e6)])
    with pytest.raises(Invalid, match="set_crs"):
        parameters_json({"x": metres})


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1, 2}, object(), Path("/data/x.tif"), {1: "x"}, b"x", 1j, [[float("nan")]]],
)
def test_what_cannot_be_sent_is_told_by_name(value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        parameters_json({"fine": 1, "wrong": value})
    assert [finding["field"] for finding in caught.value.findings] == ["wrong"]
    assert caught.value.findings[0]["mend"]


def test_times_that_are_none_are_told() -> None:
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    with pytest.raises(Invalid) as caught:
        parameters_json({"a": pd.NaT, "b": np.datetime64("NaT"), "c": np.array([np.nan])})
    assert [finding["field"] for finding in caught.value.findings] == ["a", "b", "c"]


def test_a_list_that_contains_itself_is_told() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Invalid, match="contains itself"):
        parameters_json({"x": endless})
