"""What callers may send: every fault of it, all at once, and nothing coerced."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from swath.contract.faults import MAX_FINDINGS
from swath.contract.interface import Interface
from swath.contract.parameters import check_parameters

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 0]]
POLYGON = {"type": "Polygon", "coordinates": [SQUARE]}

# Annotation, value sent, value bound.
ACCEPTED: list[tuple[str, Any, Any]] = [
    ("int", 3, 3),
    ("int", 3.0, 3),
    ("int", -(2**63), -(2**63)),
    ("float", 3, 3.0),
    ("float", 0.1, 0.1),
    ("Annotated[float, MultipleOf(0.1)]", 0.3, 0.3),
    ("bool", False, False),
    ("str", "", ""),
    ("int | None", None, None),
    ("Literal['a', 1]", 1.0, 1),
    ("Literal[True]", True, True),
    ("list[int]", [], []),
    ("list[float | None]", [1, None], [1.0, None]),
    ("date", "2024-02-29", "2024-02-29"),
    ("Annotated[date, Ge(date(2024, 1, 1))]", "2024-01-01", "2024-01-01"),
    ("datetime", "2024-02-29T23:00:00-02:00", "2024-03-01T01:00:00Z"),
    ("datetime", "2024-02-29t23:00:00.25z", "2024-02-29T23:00:00.250000Z"),
    ("Annotated[str, Pattern('^[A-Z]{2}$')]", "AT", "AT"),
    ("BBox", [1, 2, 3, 4.5], {"west": 1, "south": 2, "east": 3, "north": 4.5}),
    (
        "BBox",
        {"west": 1, "south": 2, "east": 3, "north": 4, "crs": None},
        {"west": 1, "south": 2, "east": 3, "north": 4},
    ),
    (
        "BBox",
        {"west": 5e5, "south": 5e6, "east": 6e5, "north": 6e6, "crs": "EPSG:32633"},
        {"west": 5e5, "south": 5e6, "east": 6e5, "north": 6e6, "crs": 32633},
    ),
    ("TemporalInterval", ["2024-01-01", "2024-02-01"], ["2024-01-01", "2024-02-01"]),
    ("TemporalInterval", [None, "2024-02-01T00:00:00+01:00"], [None, "2024-01-31T23:00:00Z"]),
    ("TemporalInterval", ["2024-01-01", "2024-01-01T00:00:01Z"], ["2024-01-01", "2024-01-01T00:00:01Z"]),
    ("GeoJSON", POLYGON, POLYGON),
    ("GeoJSON", {"type": "Point", "coordinates": [180, -90, 1e4]}, {"type": "Point", "coordinates": [180, -90, 1e4]}),
    (
        "GeoJSON",
        {"type": "Feature", "geometry": None, "properties": None, "id": 3},
        {"type": "Feature", "geometry": None, "properties": None, "id": 3},
    ),
    (
        "GeoJSON",
        {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
            "features": [{"type": "Feature", "geometry": POLYGON, "properties": {"a": [1]}}],
        },
        ...,
    ),
    ("GeoJSON", {"type": "GeometryCollection", "geometries": [POLYGON]}, ...),
    ("GeoJSON", {"type": "MultiPolygon", "coordinates": [[SQUARE]]}, ...),
    ("GeoJSON", {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]]]}, ...),
    ("GeoJSON", {"type": "MultiPoint", "coordinates": [[0, 0]]}, ...),
]


@pytest.mark.parametrize(("annotation", "sent", "bound"), ACCEPTED)
def test_accepted(interface_of, annotation, sent, bound):
    got, findings = check_parameters(interface_of(f"x: {annotation}"), {"x": sent})
    assert findings == ()
    assert got == {"x": sent if bound is ... else bound}
    if bound is not ...:
        assert type(got["x"]) is type(bound)
    assert json.loads(json.dumps(got, allow_nan=False)) == got


# Annotation, value, code, field.
REFUSED: list[tuple[str, Any, str, str]] = [
    ("int", "3", "wrong-type", "x"),
    ("int", True, "wrong-type", "x"),
    ("int", 3.5, "wrong-type", "x"),
    ("int", None, "wrong-type", "x"),
    ("int", [3], "wrong-type", "x"),
    ("int", 2**63, "out-of-bounds", "x"),
    ("int", 1e300, "out-of-bounds", "x"),
    ("int", math.nan, "not-finite", "x"),
    ("float", math.inf, "not-finite", "x"),
    ("float", "1.0", "wrong-type", "x"),
    ("float", True, "wrong-type", "x"),
    ("float", 10**400, "out-of-bounds", "x"),
    ("bool", 1, "wrong-type", "x"),
    ("bool", "true", "wrong-type", "x"),
    ("str", 3, "wrong-type", "x"),
    ("str", "a\0b", "bad-text", "x"),
    ("str", "\ud800", "bad-text", "x"),
    ("Annotated[int, Ge(1), Le(12)]", 0, "out-of-bounds", "x"),
    ("Annotated[int, Ge(1), Le(12)]", 13, "out-of-bounds", "x"),
    ("Annotated[float, Gt(0), Lt(1)]", 0, "out-of-bounds", "x"),
    ("Annotated[float, Gt(0), Lt(1)]", 1.0, "out-of-bounds", "x"),
    ("Annotated[int, MultipleOf(5)]", 7, "out-of-bounds", "x"),
    ("Annotated[date, Le(date(2024, 1, 1))]", "2024-01-02", "out-of-bounds", "x"),
    (
        "Annotated[datetime, Lt(datetime(2024, 1, 1, tzinfo=timezone.utc))]",
        "2024-01-01T00:00:00Z",
        "out-of-bounds",
        "x",
    ),
    ("Annotated[str, MinLen(2)]", "a", "too-short", "x"),
    ("Annotated[str, MaxLen(2)]", "abc", "too-long", "x"),
    ("Annotated[str, Pattern('^[A-Z]{2}$')]", "AT\n", "pattern-mismatch", "x"),
    ("Annotated[str, Pattern('.*')]", "a" * 3000, "pattern-mismatch", "x"),
    ("Annotated[list[int], MinLen(1)]", [], "too-short", "x"),
    ("Annotated[list[int], MaxLen(1)]", [1, 2], "too-long", "x"),
    ("Literal['a', 1]", True, "not-a-choice", "x"),
    ("Literal['a', 1]", "A", "not-a-choice", "x"),
    ("Literal[True]", 1, "not-a-choice", "x"),
    ("Literal['a']", ["a"], "not-a-choice", "x"),
    ("list[int]", "12", "wrong-type", "x"),
    ("list[int]", [1, "2"], "wrong-type", "x[1]"),
    ("list[list[int]]", [[1], [2, None]], "wrong-type", "x[1][1]"),
    ("list[float]", [1, math.nan], "not-finite", "x[1]"),
    ("date", "2024-2-9", "bad-date", "x"),
    ("date", "2023-02-29", "bad-date", "x"),
    ("date", "20240229", "bad-date", "x"),
    ("date", "2024-02-29T00:00:00Z", "bad-date", "x"),
    ("date", "\uff12024-02-29", "bad-date", "x"),
    ("date", 20240229, "bad-date", "x"),
    ("datetime", "2024-02-29T00:00:00", "bad-datetime", "x"),
    ("datetime", "2024-02-29", "bad-datetime", "x"),
    ("datetime", "2024-02-29 00:00:00Z", "bad-datetime", "x"),
    ("datetime", "2024-02-29T24:00:00Z", "bad-datetime", "x"),
    ("datetime", "2024-02-29T00:00:00+25:00", "bad-datetime", "x"),
    ("datetime", "0001-01-01T00:00:00+01:00", "bad-datetime", "x"),
    ("datetime", 1.7e9, "bad-datetime", "x"),
    ("BBox", [1, 2, 3], "bad-bbox", "x"),
    ("BBox", "1,2,3,4", "wrong-type", "x"),
    ("BBox", [1, 2, 3, "4"], "bad-bbox", "x.north"),
    ("BBox", [1, 2, 3, True], "bad-bbox", "x.north"),
    ("BBox", {"west": 1, "south": 2, "east": 3}, "bad-bbox", "x.north"),
    ("BBox", {"west": 1, "south": 2, "east": 3, "north": 4, "base": 0}, "bad-bbox", "x"),
    ("BBox", [170, 0, -170, 1], "bad-bbox", "x"),
    ("BBox", [0, 1, 1, 0], "bad-bbox", "x"),
    ("BBox", [0, 0, 0, 1], "bad-bbox", "x"),
    ("BBox", [0, 0, 181, 1], "bad-bbox", "x"),
    ("BBox", {"west": 1, "south": 2, "east": 3, "north": 4, "crs": 1}, "bad-bbox", "x.crs"),
    ("BBox", {"west": 1, "south": 2, "east": 3, "north": 4, "crs": True}, "bad-bbox", "x.crs"),
    ("BBox", {"west": 1, "south": 2, "east": 3, "north": 4, "crs": "EPSG:9"}, "bad-bbox", "x.crs"),
    ("TemporalInterval", ["2024-01-01"], "bad-interval", "x"),
    ("TemporalInterval", "2024-01-01/2024-02-01", "bad-interval", "x"),
    ("TemporalInterval", [None, None], "bad-interval", "x"),
    ("TemporalInterval", ["2024-01-01", "2024-01-01"], "bad-interval", "x"),
    ("TemporalInterval", ["2024-02-01", "2024-01-01"], "bad-interval", "x"),
    ("TemporalInterval", ["2024-02-01", ""], "bad-interval", "x[1]"),
    ("TemporalInterval", ["2024-02-01T00:00:00", None], "bad-interval", "x[0]"),
    ("GeoJSON", "POINT (1 2)", "wrong-type", "x"),
    ("GeoJSON", {}, "bad-geojson", "x.type"),
    ("GeoJSON", {"type": ["Point"], "coordinates": [0, 0]}, "bad-geojson", "x.type"),
    ("GeoJSON", {"type": "Point"}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Point", "coordinates": [0]}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Point", "coordinates": [0, "0"]}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Point", "coordinates": [0, True]}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Point", "coordinates": [500000, 5000000]}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Point", "coordinates": [0, math.nan]}, "not-finite", "x.coordinates[1]"),
    ("GeoJSON", {"type": "LineString", "coordinates": [[0, 0]]}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Polygon", "coordinates": []}, "bad-geojson", "x.coordinates"),
    ("GeoJSON", {"type": "Polygon", "coordinates": [SQUARE[:3]]}, "bad-geojson", "x.coordinates[0]"),
    ("GeoJSON", {"type": "Polygon", "coordinates": [[*SQUARE[:3], [2, 2]]]}, "bad-geojson", "x.coordinates[0]"),
    ("GeoJSON", {"type": "Polygon", "coordinates": SQUARE}, "bad-geojson", "x.coordinates[0][0]"),
    ("GeoJSON", {"type": "Feature", "properties": {}}, "bad-geojson", "x.geometry"),
    ("GeoJSON", {"type": "Feature", "geometry": None}, "bad-geojson", "x.properties"),
    ("GeoJSON", {"type": "Feature", "geometry": None, "properties": {}, "id": []}, "bad-geojson", "x.id"),
    ("GeoJSON", {"type": "FeatureCollection"}, "bad-geojson", "x.features"),
    ("GeoJSON", {"type": "FeatureCollection", "features": [POLYGON]}, "bad-geojson", "x.features[0]"),
    ("GeoJSON", {"type": "GeometryCollection"}, "bad-geojson", "x.geometries"),
    ("GeoJSON", {"type": "GeometryCollection", "geometries": [3]}, "bad-geojson", "x.geometries[0]"),
    ("GeoJSON", {**POLYGON, "crs": {"properties": {"name": "EPSG:32633"}}}, "bad-geojson", "x.crs"),
    ("GeoJSON", {**POLYGON, "note": {1: 2}}, "bad-text", "x.note"),
    ("GeoJSON", {**POLYGON, "note": {1, 2}}, "wrong-type", "x.note"),
]


@pytest.mark.parametrize(("annotation", "sent", "code", "field"), REFUSED)
def test_refused(interface_of, annotation, sent, code, field):
    _, findings = check_parameters(interface_of(f"x: {annotation}"), {"x": sent})
    assert (code, field) in {(finding.code, finding.field) for finding in findings}
    assert all(finding.message and finding.mend for finding in findings)
    assert json.dumps([finding.as_dict() for finding in findings])


def test_names(interface_of):
    interface = interface_of("year: int  # of the harvest\ncloud: float = 0.5\nbands: list[str]")
    bound, findings = check_parameters(interface, {"yeer": 2020, "Clouds": 1, "z\n\ud800": 3, "bands": "B04"})
    assert [(finding.field, finding.code) for finding in findings] == [
        ("yeer", "unknown-parameter"),
        ("Clouds", "unknown-parameter"),
        ("z\\n\\ud800", "unknown-parameter"),
        ("year", "missing-parameter"),
        ("bands", "wrong-type"),
    ]
    assert findings[0].mend == "did you mean 'year'?"
    assert findings[1].mend == "did you mean 'cloud'?"
    assert "of the harvest" in findings[3].message
    assert bound["cloud"] == 0.5


def test_defaults_are_filled_in_and_order_is_the_interfaces(interface_of):
    interface = interface_of("b: int = 1\na: int | None = None\nc: date")
    bound, findings = check_parameters(interface, {"c": "2024-01-01", "a": 3})
    assert findings == ()
    assert list(bound.items()) == [("b", 1), ("a", 3), ("c", "2024-01-01")]


def test_every_element_is_told_up_to_a_limit(interface_of):
    interface = interface_of("x: list[int]\ny: int")
    _, findings = check_parameters(interface, {"x": ["a"] * 3, "y": "b"})
    assert [finding.field for finding in findings] == ["x[0]", "x[1]", "x[2]", "y"]
    _, findings = check_parameters(interface, {"x": ["a"] * 5000, "y": "b"})
    assert len(findings) == MAX_FINDINGS + 1
    assert findings[-1].code == "more-findings"


@pytest.mark.parametrize("values", [None, [], "x", 3])
def test_not_an_object(interface_of, values):
    _, findings = check_parameters(interface_of("x: int = 1"), values)
    assert [finding.code for finding in findings] == ["not-an-object"]


def test_values_are_not_repeated_in_findings(interface_of):
    secret = "ghp_" + "a1B2" * 9
    interface = interface_of(
        "a: int\nb: date\nc: Literal['x']\nd: BBox\ne: GeoJSON\nf: TemporalInterval\ng: Annotated[str, Pattern('^x$')]"
    )
    _, findings = check_parameters(interface, dict.fromkeys("abcdefg", secret))
    assert {finding.field for finding in findings} == set("abcdefg")
    assert secret not in str(findings)


def test_sizes(interface_of):
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    interface = interface_of("x: GeoJSON = {'type': 'Point', 'coordinates': [0, 0]}\ny: str = ''\nz: list[int] = []")
    for values in ({"x": {"type": "Point", "coordinates": deep}}, {"y": "a" * 2_000_001}, {"z": cyclic}):
        _, findings = check_parameters(interface, values)
        assert "too-large" in {finding.code for finding in findings}


def test_bound_values_are_the_callers_no_longer(interface_of):
    sent = {"type": "Point", "coordinates": [1, 2]}
    bound, _ = check_parameters(interface_of("x: GeoJSON"), {"x": sent})
    sent["coordinates"] = [3, 4]
    assert bound["x"]["coordinates"] == [1, 2]


def test_an_interface_without_parameters_takes_none():
    assert check_parameters(Interface(), {}) == ({}, ())
    assert [finding.code for finding in check_parameters(Interface(), {"x": 1})[1]] == ["unknown-parameter"]
