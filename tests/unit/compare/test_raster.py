"""Rasters: what counts as the same, what is found and where, and what cannot be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
import rasterio.shutil
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.transform import Affine, from_origin
from swath.compare import compare_files
from swath.contract.comparison import Tolerance, Verdict

WriteRaster = Callable[..., Path]
_REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


@pytest.fixture
def values() -> Any:
    return numpy.random.default_rng(4).random((90, 70)).astype("float32")


def test_compression_tiles_and_tags_are_encoding(write_raster: WriteRaster, values: Any) -> None:
    plain = write_raster("plain", values)
    tiled = write_raster("tiled", values, tiled=True, blockxsize=16, blockysize=32, compress="deflate", predictor=3)
    with rasterio.open(tiled, "r+") as file:
        file.update_tags(made_at="now")
    got = compare_files(plain, tiled)
    assert (got.verdict, got.compared, got.differing) == (Verdict.IDENTICAL, 6300, 0)
    cog = plain.with_name("cog.tif")
    with rasterio.open(plain) as source:
        rasterio.shutil.copy(source, cog, driver="COG", blocksize=128)
    assert compare_files(plain, cog).verdict is Verdict.IDENTICAL


def test_one_pixel_is_found_where_it_is(write_raster: WriteRaster, values: Any, tmp_path: Path) -> None:
    moved = values.copy()
    moved[12, 40] += 0.5
    got = compare_files(
        write_raster("a", values, bands=("ndvi",)),
        write_raster("b", moved, bands=("ndvi",)),
        pictures=tmp_path / "pictures",
        name="ndvi",
    )
    assert got.verdict is Verdict.DIFFERS
    assert (got.compared, got.differing) == (6300, 1)
    assert got.largest == pytest.approx(0.5, abs=1e-6)
    assert [one.where for one in got.differences] == ["band ndvi, row 12, column 40"]
    assert "row 12 and column 40" in got.message
    assert got.picture == "ndvi.png"
    with Image.open(tmp_path / "pictures" / "ndvi.png") as picture:
        pixels = numpy.asarray(picture.convert("RGB"))
    scale = pixels.shape[0] // 90
    assert tuple(pixels[12 * scale, 40 * scale]) == (165, 0, 38), "the furthest pixel is red"
    assert (pixels == (165, 0, 38)).all(axis=2).sum() == scale**2, "and no other is"


@_REUSED
@given(data=st.data())
def test_any_pixel_of_any_layout_is_found(write_raster: WriteRaster, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    row, column = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    dtype = data.draw(st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]))
    by = data.draw(st.integers(1, 20))
    base = numpy.random.default_rng(1).integers(0, 100, (2, rows, columns)).astype(dtype)
    other = base.copy()
    other[1, row, column] += by
    layout = data.draw(st.sampled_from([{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"blockysize": 7}]))
    interleave = data.draw(st.sampled_from(["band", "pixel"]))
    first, second = write_raster("a", base), write_raster("b", other, interleave=interleave, **layout)
    got = compare_files(first, second)
    assert (got.verdict, got.differing, got.largest) == (Verdict.DIFFERS, 1, by)
    assert got.differences[0].where == f"band 2, row {row}, column {column}"
    assert compare_files(second, first).differing == 1, "the other way round it is found just the same"
    assert compare_files(first, second, tolerance=Tolerance(atol=by)).verdict is Verdict.WITHIN
    share = 1 / (2 * rows * columns)
    assert compare_files(first, second, tolerance=Tolerance(share=share)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(share=share * 0.99)).verdict is Verdict.DIFFERS


def test_content_moved_by_one_pixel_differs_where_there_is_an_edge(write_raster: WriteRaster) -> None:
    base = numpy.zeros((50, 50), dtype="uint8")
    base[20:30, 10:25] = 9
    got = compare_files(write_raster("a", base), write_raster("b", numpy.roll(base, 1, axis=1)))
    assert got.differing == 20, "ten pixels at either edge"
    assert {one.where.rpartition(" ")[2] for one in got.differences} == {"10", "25"}
    assert "rows 20 to 29 and columns 10 to 25" in got.message


def test_nan_and_every_nodata_are_no_value(write_raster: WriteRaster, values: Any) -> None:
    holes = values.copy()
    holes[:10] = numpy.nan
    filled = numpy.where(numpy.isnan(holes), -9999, holes).astype("float32")
    first = write_raster("nan", holes, nodata=numpy.nan)
    got = compare_files(first, write_raster("filled", filled, nodata=-9999))
    assert (got.verdict, got.compared) == (Verdict.IDENTICAL, 80 * 70)
    assert "nodata is -9999 instead of NaN" in got.message
    assert compare_files(first, write_raster("bare", holes)).verdict is Verdict.IDENTICAL, "NaN needs no declaration"


def test_a_mask_is_nodata_too(write_raster: WriteRaster, values: Any) -> None:
    masked = write_raster("masked", values)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(numpy.arange(90)[:, None] * numpy.ones(70) >= 10)
    holes = values.copy()
    holes[:10] = numpy.nan
    assert compare_files(masked, write_raster("nan", holes)).verdict is Verdict.IDENTICAL


def test_a_pixel_that_only_one_side_has_differs_whatever_the_tolerance(write_raster: WriteRaster, values: Any) -> None:
    holes = values.copy()
    holes[3, 4] = numpy.nan
    first, second = write_raster("a", values), write_raster("b", holes)
    got = compare_files(first, second, tolerance=Tolerance(atol=1e9))
    assert (got.verdict, got.differing, got.largest) == (Verdict.DIFFERS, 1, None)
    assert (got.differences[0].found, got.differences[0].distance) == ("nodata", None)
    assert compare_files(first, second, tolerance=Tolerance(share=0.001)).verdict is Verdict.WITHIN


def test_a_share_is_of_the_pixels_that_have_a_value(write_raster: WriteRaster) -> None:
    base = numpy.full((10, 10), numpy.nan, dtype="float32")
    base[0] = 1
    other = base.copy()
    other[0, 0] = 2
    first, second = write_raster("a", base), write_raster("b", other)
    assert compare_files(first, second, tolerance=Tolerance(share=0.1)).verdict is Verdict.WITHIN
    assert compare_files(first, second, tolerance=Tolerance(share=0.09)).verdict is Verdict.DIFFERS


def test_another_type_of_the_same_numbers_is_never_identical(write_raster: WriteRaster) -> None:
    base = numpy.arange(100, dtype="uint8").reshape(10, 10)
    got = compare_files(write_raster("a", base), write_raster("b", base.astype("float64")))
    assert got.verdict is Verdict.WITHIN
    assert "float64 instead of uint8" in got.message


def test_numbers_at_the_ends_of_their_types_do_not_wrap(write_raster: WriteRaster) -> None:
    base = numpy.zeros((4, 4), dtype="uint8")
    other = base.copy()
    other[1, 1] = 255
    assert compare_files(write_raster("a", other), write_raster("b", base)).largest == 255
    wide = numpy.full((4, 4), 2**63 - 1, dtype="int64")
    assert compare_files(write_raster("c", wide), write_raster("d", wide - 1)).largest == 1
    assert compare_files(write_raster("e", wide), write_raster("f", -wide)).largest == 2.0**64


def test_infinities(write_raster: WriteRaster, values: Any) -> None:
    endless = values.copy()
    endless[0, 0], endless[0, 1] = numpy.inf, -numpy.inf
    first = write_raster("a", endless)
    assert compare_files(first, write_raster("b", endless, compress="lzw")).verdict is Verdict.IDENTICAL
    got = compare_files(first, write_raster("c", values), tolerance=Tolerance(rtol=0.5))
    assert got.differing == 2
    assert all(one.distance is None for one in got.differences)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"crs": "EPSG:32632"}, "EPSG:32632 instead of EPSG:32631"),
        ({"crs": None}, "none instead of EPSG:32631"),
        ({"transform": from_origin(500_010, 5_000_000, 10, 10)}, "moved by 0 rows and 1 columns"),
        ({"transform": from_origin(500_000, 4_999_970, 10, 10)}, "moved by 3 rows and 0 columns"),
        ({"transform": from_origin(500_000, 5_000_000, 20, 20)}, "20 x 20 instead of 10 x 10"),
        ({"transform": Affine(10, 0, 500_000, 0, 10, 4_999_100)}, "upside down"),
        ({"transform": Affine(-10, 0, 500_700, 0, -10, 5_000_000)}, "mirrored"),
        ({"transform": Affine(10, 1, 500_000, 1, -10, 5_000_000)}, "turned or sheared"),
    ],
)
def test_another_grid_is_said_as_such(
    write_raster: WriteRaster, values: Any, change: dict[str, Any], said: str
) -> None:
    got = compare_files(write_raster("a", values), write_raster("b", values, **change))
    assert got.verdict is Verdict.INCOMPARABLE
    assert said in got.message


def test_another_size_is_said_as_such(write_raster: WriteRaster, values: Any) -> None:
    got = compare_files(write_raster("a", values), write_raster("b", values[:-1]))
    assert got.verdict is Verdict.INCOMPARABLE
    assert "89 x 70 pixels instead of 90 x 70" in got.message


def test_a_transform_that_was_written_as_text_is_the_same_grid(write_raster: WriteRaster, values: Any) -> None:
    near = from_origin(500_000.000_000_1, 5_000_000, 10, 10)
    got = compare_files(write_raster("a", values), write_raster("b", values, transform=near))
    assert got.verdict is Verdict.IDENTICAL


def test_rows_upside_down_on_the_same_grid_differ(write_raster: WriteRaster, values: Any) -> None:
    got = compare_files(write_raster("a", values), write_raster("b", values[::-1]))
    assert got.verdict is Verdict.DIFFERS
    assert got.differing > 6000


def test_bands_count_by_number_and_name(write_raster: WriteRaster, values: Any) -> None:
    two = numpy.stack([values, values])
    first = write_raster("a", two, bands=("red", "nir"))
    fewer = compare_files(first, write_raster("b", values))
    assert fewer.verdict is Verdict.DIFFERS
    assert (fewer.differences[0].expected, fewer.differences[0].found) == ("2 bands", "1 band")
    renamed = compare_files(first, write_raster("c", two, bands=("red", "swir")), tolerance=Tolerance(share=1))
    assert renamed.verdict is Verdict.DIFFERS, "no share excuses another band"
    assert renamed.differences[0].where == "band 2"
    assert compare_files(first, write_raster("d", two)).verdict is Verdict.IDENTICAL


def test_scaled_integers_are_compared_by_what_they_mean(write_raster: WriteRaster) -> None:
    raw = numpy.arange(100, dtype="int16").reshape(10, 10)
    first, second = write_raster("a", raw), write_raster("b", raw * 10)
    for path, scale in ((first, 0.01), (second, 0.001)):
        with rasterio.open(path, "r+") as file:
            file.scales = (scale,)
    got = compare_files(first, second, tolerance=Tolerance(atol=1e-9))
    assert got.verdict is Verdict.WITHIN
    assert "scale and offset" in got.message


def test_differences_are_told_largest_first_and_no_more_than_twenty(write_raster: WriteRaster) -> None:
    base = numpy.zeros((60, 60), dtype="float64")
    got = compare_files(write_raster("a", base), write_raster("b", numpy.arange(3600.0).reshape(60, 60)))
    distances = [one.distance for one in got.differences]
    assert distances == [3599.0 - at for at in range(20)]
    assert got.differing == 3599


def test_a_raster_larger_than_a_window_is_compared_by_windows(write_raster: WriteRaster, tmp_path: Path) -> None:
    base = numpy.zeros((2100, 1500), dtype="uint8")
    other = base.copy()
    other[2050, 1400] = 7
    tiles = {"tiled": True, "compress": "deflate", "blockxsize": 256, "blockysize": 256}
    got = compare_files(write_raster("a", base, **tiles), write_raster("b", other), pictures=tmp_path)
    assert (got.compared, got.differing) == (2100 * 1500, 1)
    assert got.differences[0].where == "band 1, row 2050, column 1400"
    with Image.open(tmp_path / "difference.png") as picture:
        assert max(picture.size) <= 768


def _netcdf(path: Path, *, by: float = 0.0, times: int = 2) -> Path:
    import xarray

    data = numpy.arange(times * 20, dtype="float32").reshape(times, 4, 5)
    data[-1, 2, 3] += by
    coords = {"time": numpy.arange(times), "y": numpy.arange(4.0), "x": numpy.arange(5.0)}
    array = xarray.DataArray(data, dims=("time", "y", "x"), coords=coords)
    xarray.Dataset({"ndvi": array, "evi": array * 0}).to_netcdf(path, engine="scipy")
    return path


def test_netcdf_is_compared_by_variable_and_time(tmp_path: Path) -> None:
    first = _netcdf(tmp_path / "a.nc")
    got = compare_files(first, _netcdf(tmp_path / "b.nc", by=2))
    assert (got.verdict, got.differing, got.largest) == (Verdict.DIFFERS, 1, 2)
    assert got.differences[0].where.startswith("variable ndvi, band time 1, row ")
    near = compare_files(first, tmp_path / "b.nc", tolerance=Tolerance(atol=2))
    assert (near.verdict, "only gridded variables" in near.message) == (Verdict.WITHIN, True)
    longer = compare_files(first, _netcdf(tmp_path / "c.nc", times=3))
    assert longer.verdict is Verdict.DIFFERS
    assert longer.differences[0].found == "3 bands"


def test_every_page_of_a_tiff_is_compared(tmp_path: Path) -> None:
    pages = [Image.fromarray(numpy.full((8, 9), shade, dtype="uint8")) for shade in (10, 20, 30)]
    other = [pages[0], Image.fromarray(numpy.full((8, 9), 21, dtype="uint8")), pages[2]]
    for name, images in (("a", pages), ("b", other), ("c", pages[:2])):
        images[0].save(tmp_path / f"{name}.tif", save_all=True, append_images=images[1:])
    got = compare_files(tmp_path / "a.tif", tmp_path / "b.tif")
    assert (got.compared, got.differing, got.largest) == (3 * 72, 72, 1.0)
    assert got.differences[0].where == "page 2, band 1, row 0, column 0"
    assert compare_files(tmp_path / "a.tif", tmp_path / "c.tif").verdict is Verdict.DIFFERS


def test_all_layers_of_a_file_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swath.compare import raster

    pages = [Image.fromarray(numpy.full((8, 9), shade, dtype="uint8")) for shade in (10, 20, 30)]
    for name, compression in (("a", None), ("b", "tiff_lzw")):
        pages[0].save(tmp_path / f"{name}.tif", save_all=True, append_images=pages[1:], compression=compression)
    assert compare_files(tmp_path / "a.tif", tmp_path / "b.tif").verdict is Verdict.IDENTICAL
    monkeypatch.setattr(raster, "MAX_PIXELS", 200)
    assert "216 values; up to 200" in compare_files(tmp_path / "a.tif", tmp_path / "b.tif").message
