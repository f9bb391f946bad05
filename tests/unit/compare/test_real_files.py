"""Real series and parcels where they are on this machine; elsewhere ones of the same form that are made here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import geopandas
import numpy
import pytest
import rasterio
import shapely
import xarray
from rasterio.transform import from_origin
from shapely.affinity import translate
from swath.compare import compare_files
from swath.contract.comparison import Tolerance, Verdict

SHARED = Path(os.environ.get("SWATH_ARCHIVE_SOURCES") or Path(__file__).parents[4] / "shared/data")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Dates of NDVI over one field, NaN around it."""
    found = SHARED / "s2_field_spain_2019.nc"
    if found.is_file():
        return found
    made = tmp_path / "series.nc"
    values = numpy.random.default_rng(5).random((12, 57, 56)).astype("float32")
    values[:, :6] = numpy.nan
    coords = {"t": numpy.arange(12), "y": 4_626_615 - 10.0 * numpy.arange(57), "x": 344_135 + 10.0 * numpy.arange(56)}
    array = xarray.DataArray(values, dims=("t", "y", "x"), coords=coords)
    xarray.Dataset({"B04": array / 2, "NDVI": array}).to_netcdf(made, engine="scipy")
    return made


@pytest.fixture
def parcels() -> Any:
    """Declared parcels with their crop."""
    found = SHARED / "parcels_nl_2023.gpkg"
    if found.is_file():
        return geopandas.read_file(found)
    shapes = [shapely.Point(200_000 + 300 * at, 585_000).buffer(90 + at) for at in range(60)]
    return geopandas.GeoDataFrame({"gewascode": range(60), "gewas": ["Tarwe"] * 60}, geometry=shapes, crs="EPSG:28992")


def _ndvi(series: Path) -> Any:
    with rasterio.open(f"netcdf:{series}:NDVI") as source:
        return source.read()


def _cog(path: Path, values: Any, *, nodata: float = numpy.nan) -> Path:
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="COG", count=count, height=height, width=width, dtype=values.dtype.name, crs="EPSG:32630",
        transform=from_origin(344_130, 4_626_620, 10, 10), nodata=nodata, compress="deflate",
    ) as file:  # fmt: skip
        file.write(numpy.where(numpy.isnan(values), nodata, values).astype(values.dtype))
    return path


def test_a_series_is_the_same_whatever_keeps_its_nodata(series: Path, tmp_path: Path) -> None:
    values = _ndvi(series)
    first, second = _cog(tmp_path / "a.tif", values), _cog(tmp_path / "b.tif", values, nodata=-9999)
    got = compare_files(first, second)
    assert got.verdict is Verdict.IDENTICAL
    assert got.compared == int(numpy.isfinite(values).sum())


def test_a_value_of_one_date_that_moved_is_found(series: Path, tmp_path: Path) -> None:
    values = _ndvi(series)
    moved = values.copy()
    date, row, column = map(int, numpy.argwhere(numpy.isfinite(values))[1234])
    moved[date, row, column] += 0.01
    first, second = _cog(tmp_path / "a.tif", values), _cog(tmp_path / "b.tif", moved)
    got = compare_files(first, second)
    assert [one.where for one in got.differences] == [f"band {date + 1}, row {row}, column {column}"]
    assert got.largest == pytest.approx(0.01, rel=1e-4)
    assert compare_files(first, second, tolerance=Tolerance(atol=0.011)).verdict is Verdict.WITHIN


def test_a_netcdf_file_is_the_same_as_itself_packed_otherwise(series: Path, tmp_path: Path) -> None:
    with xarray.open_dataset(f"netcdf:{series}:NDVI", engine="rasterio", decode_times=False) as source:
        values = source["NDVI" if "NDVI" in source else "band_data"].values
    assert numpy.array_equal(values, _ndvi(series), equal_nan=True), "the peer reads the same"
    names = ("a", "b")
    for name, factor in zip(names, (1.0, 1.5), strict=True):
        array = xarray.DataArray(values * factor, dims=("t", "y", "x"))
        xarray.Dataset({"NDVI": array, "twice": array * 2}).to_netcdf(tmp_path / f"{name}.nc", engine="scipy")
    got = compare_files(*(tmp_path / f"{name}.nc" for name in names))
    distances = numpy.abs(values * 0.5)
    assert got.differing == 2 * int((distances > 0).sum())
    assert got.largest == pytest.approx(2 * float(numpy.nanmax(distances)), rel=1e-5)


def test_parcels_in_three_formats(parcels: Any, tmp_path: Path) -> None:
    moved = parcels.copy()
    moved.loc[17, "geometry"] = translate(moved.geometry[17], 0, 1.5)
    for name, frame in (("a", parcels), ("b", moved)):
        frame.to_file(tmp_path / f"{name}.gpkg")
        frame.to_parquet(tmp_path / f"{name}.parquet")
    assert compare_files(tmp_path / "a.gpkg", tmp_path / "a.parquet").verdict is Verdict.IDENTICAL
    got = compare_files(tmp_path / "a.gpkg", tmp_path / "b.parquet")
    assert (got.compared, got.differing) == (len(parcels), 1)
    assert got.differences[0].where == "feature 17, geometry"
    assert got.differences[0].distance == pytest.approx(1.5, rel=1e-6)
    parcels.to_crs("EPSG:4326").to_file(tmp_path / "c.geojson")
    other = compare_files(tmp_path / "a.gpkg", tmp_path / "c.geojson")
    assert (other.verdict, "EPSG:28992" in other.message) == (Verdict.INCOMPARABLE, True)
