"""Vectors: geometries by their distance, attributes by their rule, features by id or order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.affinity import translate
from swath.compare import compare_files
from swath.contract.comparison import Tolerance, Verdict


@pytest.fixture
def fields() -> Any:
    shapes = [
        shapely.box(100 * at, 0, 100 * at + 60, 80).difference(shapely.Point(100 * at + 30, 40).buffer(9))
        for at in range(8)
    ]
    return geopandas.GeoDataFrame(
        {"crop": list("abcdefgh"), "area": [float(at) for at in range(8)]}, geometry=shapes, crs="EPSG:28992"
    )


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: str, frame: Any) -> Path:
        path = tmp_path / name
        path.unlink(missing_ok=True)
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path, driver={".gpkg": "GPKG", ".geojson": "GeoJSON"}[path.suffix])
        return path

    return write


def test_geopackage_and_geoparquet_of_one_layer_are_the_same(write: Any, fields: Any) -> None:
    got = compare_files(write("a.gpkg", fields), write("b.parquet", fields))
    assert (got.verdict, got.kind, got.compared) == (Verdict.IDENTICAL, "vector", 8)


def test_where_a_ring_begins_and_which_way_it_goes_is_encoding(write: Any, fields: Any) -> None:
    turned = fields.set_geometry(fields.geometry.reverse())
    assert compare_files(write("a.gpkg", fields), write("b.gpkg", turned)).verdict is Verdict.IDENTICAL


def test_a_point_more_on_an_edge_is_no_distance(write: Any, fields: Any) -> None:
    dense = fields.set_geometry(fields.geometry.segmentize(7))
    assert compare_files(write("a.gpkg", fields), write("b.gpkg", dense)).verdict is Verdict.WITHIN


def test_a_moved_geometry_is_named_with_its_distance(write: Any, fields: Any) -> None:
    moved = fields.copy()
    moved.loc[5, "geometry"] = translate(moved.geometry[5], 3, 4)
    first, second = write("a.gpkg", fields), write("b.gpkg", moved)
    got = compare_files(first, second)
    assert (got.verdict, got.differing) == (Verdict.DIFFERS, 1)
    assert got.differences[0].where == "feature 5, geometry"
    assert got.differences[0].distance == pytest.approx(5)
    assert compare_files(first, second, tolerance=Tolerance(distance=5.001)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(distance=4.9)).verdict is Verdict.DIFFERS
    assert compare_files(first, second, tolerance=Tolerance(share=1 / 8)).verdict is Verdict.WITHIN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(at=st.integers(0, 7), by=st.floats(0.1, 20))
def test_whichever_feature_moves_is_found(write: Any, fields: Any, at: int, by: float) -> None:
    moved = fields.copy()
    moved.loc[at, "geometry"] = translate(moved.geometry[at], by, 0)
    for pair in ((fields, moved), (moved, fields)):
        got = compare_files(write("a.parquet", pair[0]), write("b.parquet", pair[1]))
        assert [one.where for one in got.differences] == [f"feature {at}, geometry"]
        assert got.largest == pytest.approx(by, rel=1e-6)


def test_another_outline_through_the_same_points_differs(write: Any) -> None:
    square, bow = (
        geopandas.GeoDataFrame(geometry=[shapely.Polygon(points)], crs="EPSG:4326")
        for points in ([(0, 0), (0, 1), (1, 1), (1, 0)], [(0, 0), (1, 1), (1, 0), (0, 1)])
    )
    got = compare_files(write("a.geojson", square), write("b.geojson", bow))
    assert got.verdict is Verdict.DIFFERS


def test_attributes_follow_the_rule_for_numbers(write: Any, fields: Any) -> None:
    other = fields.assign(area=fields["area"] + 0.5)
    other.loc[2, "crop"] = "z"
    first, second = write("a.gpkg", fields), write("b.gpkg", other)
    got = compare_files(first, second)
    assert got.differing == 8
    assert {"feature 2, attribute crop", "feature 0, attribute area"} <= {one.where for one in got.differences}
    near = compare_files(first, second, tolerance=Tolerance(atol=0.5, ignore=("crop",)))
    assert (near.verdict, near.largest) == (Verdict.WITHIN, 0.5)


def test_another_reference_system_is_said_as_such(write: Any, fields: Any) -> None:
    got = compare_files(write("a.gpkg", fields), write("b.gpkg", fields.to_crs("EPSG:4326")))
    assert got.verdict is Verdict.INCOMPARABLE
    assert "EPSG:4326 instead of EPSG:28992" in got.message
    lost = compare_files(write("a.parquet", fields), write("b.parquet", fields.set_crs(None, allow_override=True)))
    assert "none instead of EPSG:28992" in lost.message


def test_wgs84_in_either_order_of_its_axes_is_one_system(write: Any, fields: Any) -> None:
    world = fields.to_crs("EPSG:4326")
    assert compare_files(
        write("a.geojson", world), write("b.gpkg", world), tolerance=Tolerance(distance=1e-9)
    ).verdict.same


def test_a_missing_feature_is_named(write: Any, fields: Any) -> None:
    got = compare_files(write("a.gpkg", fields), write("b.gpkg", fields.drop(index=3)), tolerance=Tolerance(share=1))
    assert got.verdict is Verdict.DIFFERS
    assert ("feature 3", "there", "nothing") in {(one.where, one.expected, one.found) for one in got.differences}


def test_another_order_is_said_as_such(write: Any, fields: Any) -> None:
    got = compare_files(write("a.gpkg", fields), write("b.gpkg", fields.iloc[::-1]))
    assert got.verdict is Verdict.DIFFERS
    assert "the same features in another order" in got.message


def _collection(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", **one} for one in features]})
    )
    return path


def test_features_with_ids_are_laid_side_by_side_by_them(tmp_path: Path) -> None:
    features = [
        {"id": f"f{at}", "properties": {"n": at}, "geometry": {"type": "Point", "coordinates": [at, 1]}}
        for at in range(3)
    ]
    first = _collection(tmp_path / "a.geojson", *features)
    got = compare_files(first, _collection(tmp_path / "b.geojson", *features[::-1]))
    assert got.verdict is Verdict.IDENTICAL
    assert "another order, by their ids" in got.message


def test_missing_geometries_heights_and_types(tmp_path: Path) -> None:
    def one(name: str, geometry: dict[str, Any] | None) -> Path:
        return _collection(tmp_path / f"{name}.geojson", {"properties": None, "geometry": geometry})

    point = one("point", {"type": "Point", "coordinates": [1, 2, 3]})
    assert compare_files(one("none", None), one("nothing", None)).verdict is Verdict.IDENTICAL
    assert compare_files(point, one("gone", None)).verdict is Verdict.DIFFERS
    higher = compare_files(point, one("higher", {"type": "Point", "coordinates": [1, 2, 5]}))
    assert (higher.verdict, higher.differences[0].distance) == (Verdict.DIFFERS, 2.0)
    line = one("line", {"type": "LineString", "coordinates": [[1, 2, 3], [1, 2, 3]]})
    assert compare_files(point, line, tolerance=Tolerance(distance=99)).verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    "document",
    [
        {"type": "FeatureCollection", "features": [7]},
        {"type": "FeatureCollection", "features": [{"properties": {}, "geometry": {"type": "Polygon"}}]},
        {"type": "FeatureCollection", "features": [{"geometry": {"type": "Cube", "coordinates": []}}]},
        {"type": "Topology"},
        [1, 2],
        {"type": "FeatureCollection", "features": [], "crs": {"type": "name", "properties": {"name": "moon"}}},
    ],
)
def test_what_is_no_vector_is_incomparable(tmp_path: Path, document: Any) -> None:
    good = _collection(tmp_path / "a.geojson")
    (tmp_path / "b.geojson").write_text(json.dumps(document))
    assert compare_files(good, tmp_path / "b.geojson").verdict is Verdict.INCOMPARABLE
