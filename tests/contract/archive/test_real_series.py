"""The real Sentinel series, where their folder is: what comes out of the archive is what the files hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import swath
from swath_archive.services.fill import fill
from swath_archive.sources import sentinel
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.validation import findings

SOURCES = Path(os.environ.get("SWATH_ARCHIVE_SOURCES") or Path(__file__).parents[4] / "shared/data")

pytestmark = pytest.mark.skipif(
    not (SOURCES / "s2_field_spain_2019.nc").is_file(), reason="the folder of real series is not on this machine"
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("real") / "archive"
    assert fill(root, sentinel.batches(SOURCES)).ok
    return root


@pytest.fixture(autouse=True)
def _here(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWATH_ARCHIVE", str(archive))


def _stored(file: str, variable: str) -> np.ndarray:
    with rasterio.open(f"netcdf:{SOURCES / file}:{variable}") as source:
        return source.read()


def test_all_of_it_is_there_and_valid(archive: Path) -> None:
    catalogue = Catalogue(archive)
    counts = {one["id"]: len(catalogue.items(one["id"])) for one in catalogue.collections()}
    assert counts == {
        "agera5-belgium": 12,
        "parcels-netherlands-2023": 1,
        "sentinel-1-grd-belgium": 10,
        "sentinel-1-grd-composite-belgium": 12,
        "sentinel-2-l2a-belgium": 12,
        "sentinel-2-l2a-composite-belgium": 12,
        "sentinel-2-l2a-field-spain": 33,
        "terrain-belgium": 1,
    }
    for collection in catalogue.collections():
        assert not collection["swath:simulated"]
        assert findings(collection) == []
        for item in catalogue.items(collection["id"]):
            assert findings(item) == []
            assert "Copernicus" in item["properties"]["swath:provenance"] or collection["id"].startswith("parcels")


def test_reflectance_is_the_files_times_a_ten_thousandth() -> None:
    cube = swath.open_cube("sentinel-2-l2a-belgium", bands=["B08"])
    stored = _stored("s2_l2a_belgium_202304.nc", "S2-L2A-B08")
    np.testing.assert_allclose(cube.sel(bands="B08").values, stored / 10000, rtol=1e-5)
    assert [str(moment)[:10] for moment in cube.t.values][:3] == ["2023-04-02", "2023-04-05", "2023-04-07"]


def test_classes_are_the_files() -> None:
    cube = swath.open_cube("sentinel-2-l2a-belgium", bands=["SCL"])
    assert np.array_equal(cube.squeeze("bands").values, _stored("s2_l2a_belgium_202304.nc", "S2-L2A-SCL"))


def test_an_index_agrees_with_the_one_that_came_with_the_field() -> None:
    cube = swath.open_cube("sentinel-2-l2a-field-spain", bands=["red", "nir"])
    red, nir = cube.sel(bands="red"), cube.sel(bands="nir")
    np.testing.assert_allclose(((nir - red) / (nir + red)).values, _stored("s2_field_spain_2019.nc", "NDVI"), atol=1e-5)


def test_backscatter_is_power() -> None:
    cube = swath.open_cube("sentinel-1-grd-belgium", bands=["VH"])
    decibels = 10 * np.log10(cube.sel(bands="VH").values.astype(np.float64))
    stored = _stored("s1_grd_belgium_202304.nc", "S1-SIGMA0-VH").astype(np.float64)
    np.testing.assert_allclose(decibels, 20 * np.log10(stored) - 83, atol=1e-4)
    assert -30 < np.median(decibels) < -10


def test_months_without_a_view_hold_no_data() -> None:
    cube = swath.open_cube("sentinel-2-l2a-composite-belgium", bands=["B04"])
    empty = cube.isnull().all(["x", "y", "bands"]).values
    stored = _stored("s2_s1_dem_meteo_belgium_2020_2021.nc", "S2-L2A-B04")
    assert list(empty) == [bool((one == 65535).all()) for one in stored]
    assert empty.any()
    assert not empty.all()


def test_weather_and_terrain_are_plausible() -> None:
    weather = swath.open_cube("agera5-belgium").mean(["x", "y"])
    assert 270 < float(weather.sel(bands="temperature").min()) < float(weather.sel(bands="temperature").max()) < 295
    assert 20 < float(weather.sel(bands="precipitation").min()) < float(weather.sel(bands="precipitation").max()) < 200
    elevation = swath.open_cube("terrain-belgium", bands=["elevation"])
    assert elevation.attrs["units"] == "m"
    assert 140 < float(elevation.min()) < float(elevation.max()) < 175


def test_vector_data_are_no_cube() -> None:
    with pytest.raises(swath.SwathError, match="holds no rasters"):
        swath.open_cube("parcels-netherlands-2023")


def test_the_outline_of_the_field_lies_on_the_field(archive: Path) -> None:
    import json

    outline = json.loads(
        (archive / "sentinel-2-l2a-field-spain/sentinel-2-l2a-field-spain-20190127/outline.geojson").read_text()
    )
    cube = swath.open_cube("sentinel-2-l2a-field-spain", spatial_extent=outline, bands=["B04"])
    assert cube.sizes["x"] > 40
    assert bool(cube.isel(t=0).notnull().any())
