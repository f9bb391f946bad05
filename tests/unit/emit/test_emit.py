"""What `swath.emit` writes, read back by others' readers; and what it refuses, with the mend."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import dask.array
import geopandas
import matplotlib.figure
import numpy
import pandas
import pytest
import rasterio
import rioxarray  # noqa: F401  the accessor .rio
import shapely
import swath
import xarray
from odc.geo.xr import assign_crs
from swath.contract.run import OutputRecord
from swath.emit import EmitError


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, outside a run."""
    monkeypatch.delenv("SWATH_RUN_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def in_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a run's folder."""
    (tmp_path / "run/out/work").mkdir(parents=True)
    monkeypatch.setenv("SWATH_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path / "run/out/work")
    return tmp_path / "run"


def grid(dtype: str = "float32", *, bands: int = 0, crs: Any = "EPSG:32631", times: int = 0) -> xarray.DataArray:
    """An array of 3 by 4 pixels of 10 m whose north-west corner is (500000, 5000000)."""
    shape = [("t", times)] * bool(times) + [("bands", bands)] * bool(bands) + [("y", 3), ("x", 4)]
    values = numpy.arange(numpy.prod([size for _, size in shape])).reshape([size for _, size in shape])
    coords: dict[str, Any] = {"y": 4_999_995.0 - 10 * numpy.arange(3), "x": 500_005.0 + 10 * numpy.arange(4)}
    if bands:
        coords["bands"] = [f"B0{index}" for index in range(bands)]
    array = xarray.DataArray(values.astype(dtype), dims=[name for name, _ in shape], coords=coords, name="ndvi")
    return array.rio.write_crs(crs) if crs else array


def opened(path: Path) -> tuple[Any, numpy.ndarray[Any, Any]]:
    with rasterio.open(path) as file:
        return file.profile | {
            "names": file.descriptions,
            "layout": file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"],
        }, file.read()


def test_a_raster_keeps_values_place_and_names() -> None:
    profile, values = opened(swath.emit("ndvi", grid()))
    assert profile["layout"] == "COG"
    assert profile["crs"].to_epsg() == 32631
    assert profile["transform"] == rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    assert numpy.isnan(profile["nodata"])
    assert profile["names"] == ("ndvi",)
    numpy.testing.assert_array_equal(values[0], grid().values)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.isel(y=slice(None, None, -1)),
        lambda a: a.isel(x=slice(None, None, -1)),
        lambda a: a.transpose("x", "y"),
        lambda a: a.expand_dims(t=[0]),
        lambda a: a.expand_dims("time", axis=-1),
        lambda a: a.chunk({"x": 2}),
        lambda a: a.rename(y="lat", x="lon"),
        lambda a: a.expand_dims(band=[1]),
    ],
    ids=["south up", "east first", "x before y", "one moment", "one moment last", "lazy", "lat lon", "one band"],
)
def test_rasters_are_turned_north_up(change: Callable[[Any], Any]) -> None:
    profile, values = opened(swath.emit("r", change(grid())))
    assert profile["transform"] == rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    numpy.testing.assert_array_equal(values[0], grid().values)


@pytest.mark.parametrize(
    ("array", "options"),
    [
        (grid(crs=None), {"crs": "EPSG:32631"}),
        (grid(crs=None), {"crs": 32631}),
        (grid(crs=None), {"crs": rasterio.CRS.from_epsg(32631)}),
        (assign_crs(grid(crs=None), "EPSG:32631"), {}),
        (grid(crs=None).assign_attrs(crs="EPSG:32631"), {}),
        (grid(crs=None).assign_coords(epsg=32631), {}),
        (grid(crs="EPSG:4326"), {"crs": "EPSG:32631"}),
    ],
    ids=["given text", "given number", "given object", "odc", "attribute", "stackstac", "given wins"],
)
def test_the_reference_system_is_found(array: Any, options: dict[str, Any]) -> None:
    assert opened(swath.emit("r", array, **options))[0]["crs"].to_epsg() == 32631


@pytest.mark.parametrize(
    ("dtype", "stored", "nodata"),
    [
        ("bool", "uint8", None),
        ("uint8", "uint8", None),
        ("uint16", "uint16", None),
        ("int64", "int32", None),
        ("float16", "float32", "nan"),
        ("float64", "float64", "nan"),
    ],
)
def test_types_that_geotiff_lacks_are_widened(dtype: str, stored: str, nodata: str | None) -> None:
    profile, values = opened(swath.emit("r", grid(dtype)))
    assert profile["dtype"] == stored
    assert str(profile["nodata"]).lower() == str(nodata).lower()
    numpy.testing.assert_array_equal(values[0], grid(dtype).values)


def test_large_integers_stay_what_they_are() -> None:
    profile, values = opened(swath.emit("r", grid("int64") + 2**40))
    assert values[0, 0, 1] == 2**40 + 1
    assert profile["dtype"] == "int64"


def test_nodata_given_replaces_nan() -> None:
    array = grid().where(grid() > 2)
    profile, values = opened(swath.emit("r", array, nodata=-9999))
    assert profile["nodata"] == -9999
    assert values[0, 0].tolist() == [-9999, -9999, -9999, 3]


def test_nodata_carried_by_integers_is_kept() -> None:
    assert opened(swath.emit("r", grid("uint16").rio.write_nodata(0)))[0]["nodata"] == 0


def test_bands_and_variables_keep_their_names() -> None:
    assert opened(swath.emit("r", grid(bands=3)))[0]["names"] == ("B00", "B01", "B02")
    both = xarray.Dataset({"red": grid(), "nir": grid() + 1}).rio.write_crs("EPSG:32631")
    profile, values = opened(swath.emit("d", both))
    assert profile["names"] == ("red", "nir")
    numpy.testing.assert_array_equal(values[1], grid().values + 1)


def test_a_large_raster_has_overviews() -> None:
    array = grid().interp(x=numpy.linspace(500_005, 500_035, 1500), y=numpy.linspace(4_999_995, 4_999_975, 1500))
    with rasterio.open(swath.emit("r", array.astype("float32"))) as file:
        assert file.overviews(1)


BAD: list[tuple[str, Callable[[], Any], dict[str, Any], str, str]] = [
    ("no crs", lambda: grid(crs=None), {}, "output-crs", "crs='EPSG:"),
    ("wrong crs", grid, {"crs": "EPSG:0"}, "output-crs", "EPSG:32631"),
    ("moments", lambda: grid(times=2), {}, "output-dimensions", ".median('t')"),
    ("moments and bands", lambda: grid(times=2, bands=2), {}, "output-dimensions", ".median('t')"),
    ("four dimensions", lambda: grid(bands=2).expand_dims(model=[1, 2]), {}, "output-dimensions", "Reduce"),
    ("no space", lambda: xarray.DataArray([1.0, 2.0], dims="t"), {}, "output-dimensions", "y and x"),
    ("uneven grid", lambda: grid().isel(x=[0, 1, 3]), {}, "output-grid", "Resample"),
    ("no coordinates", lambda: grid().drop_vars(["x", "y"]), {}, "output-grid", "assign_coords"),
    ("text", lambda: grid().astype(str), {}, "output-value", "astype"),
    ("nodata over range", lambda: grid("uint8"), {"nodata": -1}, "output-nodata", ""),
    ("empty dataset", lambda: xarray.Dataset({"a": 1}), {}, "output-dimensions", ""),
    ("bare array", lambda: numpy.ones((2, 2)), {}, "output-value", "DataArray"),
    ("bare lazy array", lambda: dask.array.ones((2, 2)), {}, "output-value", "DataArray"),
    ("object", lambda: object(), {}, "output-value", "Path"),
    ("deep object", lambda: {"a": [object()]}, {}, "output-value", "Path"),
    ("bytes", lambda: b"x", {}, "output-value", "Path"),
    ("crs of a number", lambda: 1, {"crs": 4326}, "output-format", "Leave"),
    ("wrong format", lambda: 1, {"format": "cog"}, "output-format", "json"),
    ("media type of a value", lambda: 1, {"media_type": "text/plain"}, "output-format", "Leave"),
    ("no such file", lambda: Path("none.txt"), {}, "output-file", "Write it"),
    ("file elsewhere", lambda: Path("/etc/hostname"), {}, "output-file", "working folder"),
    ("folder", lambda: Path("."), {}, "output-file", "make_archive"),
    ("vector without crs", lambda: geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)]), {}, "output-crs", "set_crs"),
]


@pytest.mark.parametrize(("make", "options", "code", "mend"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_what_is_no_output_is_refused_with_a_mend(
    desk: Path, make: Callable[[], Any], options: dict[str, Any], code: str, mend: str
) -> None:
    with pytest.raises(EmitError) as caught:
        swath.emit("r", make(), **options)
    assert caught.value.code == code
    assert mend in caught.value.mend
    assert isinstance(caught.value, swath.SwathError)
    assert not [path for path in desk.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "../x", "a/b", "é", "a" * 64, None, 3, "notebook", "notebook-html", "a.b"]
)
def test_names_that_are_no_names(name: Any) -> None:
    with pytest.raises(EmitError) as caught:
        swath.emit(name, 1)
    assert caught.value.code == "output-name"


def test_a_text_that_names_a_file_is_asked_about() -> None:
    Path("plot.png").write_bytes(b"x")
    with pytest.raises(EmitError, match=r"Path\('plot.png'\)"):
        swath.emit("plot", "plot.png")


class Level(Enum):
    HIGH = "high"


@dataclasses.dataclass
class Point:
    x: float


class Model:
    """Like pydantic's."""

    def model_dump(self, *, mode: str) -> dict[str, str]:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("text ü", "text ü"),
        (1.5, 1.5),
        (float("nan"), None),
        ([float("inf"), 1], [None, 1]),
        (numpy.float32(0.5), 0.5),
        (numpy.int64(7), 7),
        (numpy.bool_(True), True),
        (numpy.array([1.0, numpy.nan]), [1.0, None]),
        (numpy.datetime64("2020-01-02"), "2020-01-02"),
        (numpy.datetime64("NaT"), None),
        (numpy.timedelta64(90, "s"), 90.0),
        (numpy.array(["2020-01-02"], dtype="datetime64[D]"), ["2020-01-02"]),
        (pandas.Timestamp("2020-01-02T03:04:05Z"), "2020-01-02T03:04:05+00:00"),
        (pandas.NaT, None),
        (pandas.NA, None),
        (datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00+00:00"),
        (date(2020, 1, 2), "2020-01-02"),
        (timedelta(minutes=1), 60.0),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        ({"a": Path("x/y")}, {"a": "x/y"}),
        (Decimal("1.25"), 1.25),
        (Level.HIGH, "high"),
        (Point(1.0), {"x": 1.0}),
        (Model(), {"mode": "json"}),
        (xarray.DataArray(2.5), 2.5),
        (shapely.Point(1, 2), {"type": "Point", "coordinates": [1.0, 2.0]}),
    ],
)
def test_values_become_json(value: Any, expected: Any) -> None:
    assert json.loads(swath.emit("v", value).read_text()) == expected


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EmitError, match="nested"):
        swath.emit("v", endless)


def test_tables_become_csv_with_a_telling_index_as_column() -> None:
    frame = pandas.DataFrame({"ndvi": [0.5, None]}, index=pd_dates())
    assert swath.emit("t", frame).read_text().splitlines() == ["t,ndvi", "2020-01-01,0.5", "2020-01-02,"]
    assert swath.emit("p", pandas.DataFrame({"a": [1]})).read_text() == "a\n1\n"
    assert swath.emit("s", pandas.Series([1], name="a")).read_text() == "a\n1\n"


def pd_dates() -> pandas.DatetimeIndex:
    return pandas.DatetimeIndex(["2020-01-01", "2020-01-02"], name="t")


def test_tables_become_parquet_when_asked() -> None:
    frame = pandas.DataFrame({"a": [1, 2]}, index=pd_dates())
    path = swath.emit("t", frame, format="parquet")
    assert path.suffix == ".parquet"
    pandas.testing.assert_frame_equal(pandas.read_parquet(path), frame, check_freq=False)


def test_vectors_become_geojson_in_degrees() -> None:
    frame = geopandas.GeoDataFrame(
        {"crop": ["maize", None], "area": [1.5, numpy.nan], "day": pandas.to_datetime(["2020-01-01", None])},
        geometry=[shapely.Point(500_000, 5_000_000), None],
        crs="EPSG:32631",
    )
    path = swath.emit("g", frame)
    first, second = json.loads(path.read_text())["features"]
    assert first["geometry"]["coordinates"] == pytest.approx([3.0, 45.15], abs=0.01)
    assert first["properties"] == {"crop": "maize", "area": 1.5, "day": "2020-01-01T00:00:00"}
    assert second["properties"] == {"crop": None, "area": None, "day": None}
    assert geopandas.read_file(path).crs.to_epsg() == 4326
    kept = geopandas.read_parquet(swath.emit("q", frame, format="parquet"))
    assert kept.crs.to_epsg() == 32631


def test_figures_become_png() -> None:
    figure = matplotlib.figure.Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    assert swath.emit("f", figure).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.png", "image/png"),
        ("a.CSV", "text/csv"),
        ("a.bin", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_files_are_copied_with_their_type(in_run: Path, name: str, media_type: str) -> None:
    Path(name).write_bytes(b"content")
    path = swath.emit("x", Path(name))
    assert path.read_bytes() == b"content"
    assert recorded(in_run)[0].media_type == media_type


def test_a_files_type_can_be_said(in_run: Path) -> None:
    Path("a.bin").write_bytes(b"content")
    swath.emit("x", Path("a.bin"), media_type="application/x-thing")
    assert recorded(in_run)[0].media_type == "application/x-thing"


def test_a_tiff_without_reference_system_is_refused() -> None:
    place = rasterio.Affine(10, 0, 5, 0, -10, 5)
    shape = {"width": 1, "height": 1, "count": 1, "dtype": "uint8"}
    with rasterio.open("r.tif", "w", driver="GTiff", transform=place, **shape) as file:
        file.write(numpy.ones((1, 1, 1), "uint8"))
    with pytest.raises(EmitError) as caught:
        swath.emit("r", Path("r.tif"))
    assert caught.value.code == "output-crs"


def recorded(run: Path) -> list[OutputRecord]:
    return [OutputRecord.from_dict(json.loads(line)) for line in (run / "out/outputs.jsonl").read_text().splitlines()]


def test_at_the_desk_a_name_is_used_again(desk: Path) -> None:
    assert swath.emit("a", 1) == desk / "outputs/a.json"
    assert json.loads(swath.emit("a", 2).read_text()) == 2


def test_in_a_run_a_name_is_used_once(in_run: Path) -> None:
    path = swath.emit("a", 1, description="One")
    with pytest.raises(EmitError) as caught:
        swath.emit("a", 2)
    assert caught.value.code == "output-twice"
    assert json.loads(path.read_text()) == 1
    (record,) = recorded(in_run)
    assert (record.name, record.path, record.bytes, record.description) == (
        "a",
        "files/a.json",
        path.stat().st_size,
        "One",
    )


def test_nothing_is_left_of_a_value_that_fails_while_it_is_written(in_run: Path) -> None:
    class Broken(matplotlib.figure.Figure):
        def savefig(self, fname: Any, **_: Any) -> None:
            Path(fname).write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        swath.emit("f", Broken())
    assert list((in_run / "out/files").iterdir()) == []
    assert recorded(in_run) == []


def test_names_may_be_the_runners_own_files(in_run: Path) -> None:
    for name in ("report", "events", "output", "work"):
        assert swath.emit(name, name).parent == in_run / "out/files"


def test_progress_is_told_in_a_run_only(desk: Path) -> None:
    swath.progress(0.5, "half")
    assert list(desk.iterdir()) == []


def test_progress_is_bounded_and_fast(in_run: Path) -> None:
    swath.progress(-1, "begin")
    for step in range(2_000):
        swath.progress(step / 2_000, "loop")
    swath.progress(float("nan"))
    swath.progress(7, "end")
    lines = [json.loads(line) for line in (in_run / "out/progress.jsonl").read_text().splitlines()]
    assert lines[0] == {"fraction": 0.0, "message": "begin"}
    assert lines[-1] == {"fraction": 1.0, "message": "end"}
    assert len(lines) < 100
