"""Results arrive whole and checked, or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import swath
from swath.client.errors import Conflict, Invalid, NotFound, ResultBroken, Unreachable

CSV = b"parcel,ndvi\n1,0.5\n2,0.75\n"


@pytest.fixture
def run(signed_in: Any) -> Any:
    signed_in.run("r1", status="finished")
    signed_in.files = {"data": CSV, "facts": json.dumps({"a": [1, None]}).encode(), "blob": os.urandom(3_000_000)}
    return swath.get_run("r1")


def test_lists_them_by_name(run: Any) -> None:
    assert list(run.results) == ["data", "facts", "blob"]
    assert run.results["data"].size_bytes == len(CSV)
    assert "data of the run" in repr(run.results)
    assert "blob" in run.results
    assert "nope" not in run.results


def test_an_unknown_name_is_told_with_those_there_are(run: Any) -> None:
    with pytest.raises(NotFound, match="data, facts, blob"):
        run.results["nope"]


def test_opens_by_media_type(run: Any) -> None:
    frame = run.results["data"].open()
    assert list(frame["ndvi"]) == [0.5, 0.75]
    assert run.results["facts"].open() == {"a": [1, None]}
    assert run.results["facts"].bytes() == b'{"a": [1, null]}'


def test_says_what_to_do_where_nothing_opens_it(run: Any) -> None:
    with pytest.raises(Invalid, match="download") as caught:
        run.results["blob"].open()
    assert caught.value.code == "no-opener"


def test_downloads_into_a_folder_under_its_own_name(run: Any, tmp_path: Path) -> None:
    path = run.results["data"].download(tmp_path)
    assert path == tmp_path / "data.csv"
    assert path.read_bytes() == CSV
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_goes_on_where_the_connection_broke(run: Any, signed_in: Any, tmp_path: Path) -> None:
    signed_in.file_cuts = [1_000_000, 500_000]
    path = run.results["blob"].download(tmp_path / "blob")
    assert path.read_bytes() == signed_in.files["blob"]
    assert signed_in.ranges == [None, "bytes=1000000-", "bytes=1500000-"]


def test_leaves_nothing_when_the_connection_never_holds(run: Any, signed_in: Any, tmp_path: Path) -> None:
    signed_in.file_cuts = [10] * 5
    with pytest.raises(Unreachable, match="50 B arrived"):
        run.results["blob"].download(tmp_path / "blob")
    assert list(tmp_path.iterdir()) == []


def test_refuses_bytes_that_are_not_those_recorded(run: Any, signed_in: Any, tmp_path: Path) -> None:
    result = run.results["data"]
    signed_in.files["data"] = b"x" * len(CSV)
    with pytest.raises(ResultBroken):
        result.download(tmp_path / "data.csv")
    assert list(tmp_path.iterdir()) == []


def test_replaces_no_other_file_unasked(run: Any, tmp_path: Path) -> None:
    mine = tmp_path / "data.csv"
    mine.write_text("mine")
    with pytest.raises(Conflict):
        run.results["data"].download(tmp_path)
    assert mine.read_text() == "mine"
    run.results["data"].download(tmp_path, overwrite=True)
    assert mine.read_bytes() == CSV


def test_the_same_bytes_being_there_is_no_error(run: Any, signed_in: Any, tmp_path: Path) -> None:
    run.results.download(tmp_path)
    signed_in.ranges.clear()
    assert len(run.results.download(tmp_path)) == 3
    assert signed_in.ranges == []


def test_a_name_cannot_lead_out_of_the_folder(signed_in: Any, tmp_path: Path) -> None:
    from swath.client.results import Result
    from swath.client.session import connection

    for name in ("../../etc/passwd", "..", "/etc/passwd", "a\x00b", ""):
        filename = Result(connection(), "r1", {"name": name, "media_type": "text/csv"}).filename
        assert Path(filename).name == filename
        assert filename not in (".", "..")
        assert "\x00" not in filename


def test_a_geotiff_opens_as_a_lazy_array_with_its_crs(signed_in: Any, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    path = tmp_path / "x.tif"
    values = np.arange(12, dtype="int16").reshape(3, 4)
    transform = rasterio.transform.from_origin(500000, 5700000, 10, 10)
    profile = {"driver": "GTiff", "width": 4, "height": 3, "count": 1, "dtype": "int16", "crs": "EPSG:32631"}
    with rasterio.open(path, "w", transform=transform, nodata=0, **profile) as file:
        file.write(values, 1)
    from swath.client.opening import open_file

    array = open_file(path, "image/tiff; application=geotiff; profile=cloud-optimized")
    assert array.rio.crs.to_epsg() == 32631
    assert np.isnan(array.values[0, 0, 0])
    assert array.values[0, 2, 3] == 11
    assert open_file(path, "image/tiff", masked=False).dtype == "int16"


def test_geojson_opens_as_a_geodataframe(tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    from swath.client.opening import open_file

    path = tmp_path / "x.geojson"
    point = {"type": "Feature", "properties": {"n": 1}, "geometry": {"type": "Point", "coordinates": [5, 51]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [point]}))
    frame = open_file(path, "application/geo+json")
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry.iloc[0].x == 5


def test_a_picture_opens_as_something_a_notebook_shows(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    from swath.client.opening import open_file

    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert open_file(path, "image/png").data == b"\x89PNG\r\n\x1a\n"
