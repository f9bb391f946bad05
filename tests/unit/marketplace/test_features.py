"""Features of a run: areas right to a percent, every type in numbers, nothing that a caller wrote."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from swath.contract.interface import Interface, Parameter
from swath.contract.kinds import Kind, ParameterType
from swath_marketplace.domain.areas import box_km2, geojson_km2
from swath_marketplace.domain.features import MAX_FEATURES, features_of

GEOD = Geod(ellps="WGS84")


def box(west: float, south: float, east: float, north: float, **more: Any) -> dict[str, Any]:
    return {"west": west, "south": south, "east": east, "north": north, **more}


def polygon(*ring: tuple[float, float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[list(at) for at in (*ring, ring[0])]]}


@given(west=st.floats(-180, 170), south=st.floats(-89, 88), wide=st.floats(0.001, 10), high=st.floats(0.001, 1))
def test_a_box_in_degrees_is_right_to_a_thousandth(west: float, south: float, wide: float, high: float) -> None:
    north = south + high
    # Along a parallel a geodesic leaves it: PROJ is given points close to each other.
    steps = [west + wide * part / 200 for part in range(201)]
    longitudes, latitudes = [*steps, *reversed(steps)], [south] * 201 + [north] * 201
    expected = abs(GEOD.polygon_area_perimeter(longitudes, latitudes)[0]) / 1e6
    assert box_km2(box(west, south, west + wide, north)) == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_the_whole_earth() -> None:
    assert box_km2(box(-180, -90, 180, 90)) == pytest.approx(510_065_622, rel=1e-6)


@pytest.mark.parametrize("crs", [32631, 3857, 3035, 4258, "EPSG:32631"])
def test_a_box_in_any_reference_system(crs: int | str) -> None:
    from pyproj import Transformer

    to = Transformer.from_crs(4326, crs, always_xy=True)
    (west, south), (east, north) = to.transform(5.0, 51.2), to.transform(5.1, 51.3)
    assert box_km2(box(west, south, east, north, crs=crs)) == pytest.approx(
        box_km2(box(5.0, 51.2, 5.1, 51.3)), rel=0.06
    )
    # Exactly: 10 km by 10 km of UTM in the middle of its zone.
    assert box_km2(box(500_000, 5_600_000, 510_000, 5_610_000, crs=32631)) == pytest.approx(100.07, rel=1e-3)


@pytest.mark.parametrize("crs", ["no such thing", 999_999])
def test_a_system_that_cannot_be_read_has_no_area(crs: Any) -> None:
    assert box_km2(box(0, 0, 1, 1, crs=crs)) is None


def test_polygons_with_holes_and_collections() -> None:
    outer = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
    hole = [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1], [0.5, 0.5]]
    whole, cut = box_km2(box(0, 0, 2, 2)), box_km2(box(0.5, 0.5, 1, 1))
    assert whole is not None
    assert cut is not None
    holed = {"type": "Polygon", "coordinates": [outer, hole]}
    assert geojson_km2(holed) == pytest.approx(whole - cut, rel=1e-9)
    both = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": holed},
            {"type": "Feature", "geometry": None},
            {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [[outer], [outer]]}},
            {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 1]}]},
        ],
    }
    assert geojson_km2(both) == pytest.approx(3 * whole - cut, rel=1e-9)


def test_a_slanted_polygon_over_many_degrees() -> None:
    ring = [(0.0, -30.0), (40.0, 10.0), (20.0, 60.0), (-10.0, 20.0)]
    dense = []
    for (x, y), (to_x, to_y) in zip(ring, [*ring[1:], ring[0]], strict=True):
        dense += [(x + (to_x - x) * part / 500, y + (to_y - y) * part / 500) for part in range(500)]
    expected = abs(GEOD.polygon_area_perimeter(*zip(*dense, strict=True))[0]) / 1e6
    assert geojson_km2(polygon(*ring)) == pytest.approx(expected, rel=1e-3)
    assert geojson_km2(polygon(*reversed(ring))) == pytest.approx(expected, rel=1e-3)


def interface(**types: ParameterType) -> Interface:
    return Interface(
        parameters=tuple(Parameter(name=name, type=of, required=True) for name, of in types.items()), outputs=()
    )


def of(kind: Kind, **more: Any) -> ParameterType:
    return ParameterType(kind=kind, nullable=True, **more)


EVERY = interface(
    n=of(Kind.INT),
    x=of(Kind.FLOAT),
    flag=of(Kind.BOOL),
    text=of(Kind.STR),
    choice=of(Kind.LITERAL, choices=("red", "blue")),
    many=of(Kind.LIST, items=of(Kind.FLOAT)),
    day=of(Kind.DATE),
    area=of(Kind.BBOX),
    shape=of(Kind.GEOJSON),
    period=of(Kind.TEMPORAL_INTERVAL),
    resolution=of(Kind.FLOAT),
)
VALUES = {
    "n": 3,
    "x": -0.5,
    "flag": True,
    "text": "a secret",
    "choice": "red",
    "many": [1.0, 2.0, 3.0],
    "day": "2023-04-01",
    "area": box(5.0, 51.0, 5.1, 51.1),
    "shape": {"type": "Point", "coordinates": [5.0, 51.0]},
    "period": ["2023-04-01", "2023-04-11"],
    "resolution": 10.0,
}


def test_every_type_is_told_in_numbers() -> None:
    found = features_of(EVERY, VALUES)
    assert all(math.isfinite(value) for value in found.values())
    wanted = {"n": 3, "x": -0.5, "flag": 1, "text:length": 8, "many:length": 3, "days": 10, "period:days": 10}
    assert {name: found[name] for name in wanted} == wanted
    assert found["area_km2"] == found["area:km2"] == pytest.approx(77.9, rel=0.01)
    assert found["pixels"] == pytest.approx(found["area_km2"] * 1e4)
    assert found["area_days"] == pytest.approx(found["area_km2"] * 10)
    assert (found["shape:km2"], found["shape:shapes"], found["shape:positions"]) == (0, 1, 1)
    assert sorted(name.partition("=")[0] for name in found if "=" in name) == ["choice", "text"]
    assert "secret" not in " ".join(found)


def test_a_category_is_one_name_and_another_is_another() -> None:
    red, again, blue = (features_of(EVERY, {**VALUES, "choice": choice}) for choice in ("red", "red", "blue"))
    assert red == again
    assert len(set(red) ^ set(blue)) == 2
    assert all(name.startswith("choice=") for name in set(red) ^ set(blue))


def test_null_is_a_feature_of_its_own() -> None:
    found = features_of(EVERY, dict.fromkeys(VALUES))
    assert found == {f"{name}:null": 1.0 for name in VALUES}


def test_numbers_too_large_and_features_too_many_are_left_out() -> None:
    assert "n" not in features_of(EVERY, {**VALUES, "n": 10**30})
    wide = interface(**{f"p{number}": of(Kind.INT) for number in range(200)}, area=of(Kind.BBOX))
    found = features_of(wide, {**{f"p{number}": 1 for number in range(200)}, "area": VALUES["area"]})
    assert len(found) == MAX_FEATURES
    assert "area_km2" in found, "what is general comes first"


def test_an_open_interval_has_no_days() -> None:
    found = features_of(EVERY, {**VALUES, "period": ["2023-04-01", None]})
    assert not {"days", "period:days", "area_days"} & set(found)
