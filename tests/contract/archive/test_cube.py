"""``swath.open_cube`` over a folder and over the STAC API: the same cube from both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import swath
from shapely.geometry import box
from swath.client.errors import Invalid, NotFound, SwathError
from swath_archive.store.catalogue import Catalogue
from swath_archive.store.cog import write_cog

WEST, NORTH = 640000.0, 5680000.0


@pytest.fixture(params=["folder", pytest.param("api", marks=pytest.mark.integration)])
def _archive(request: pytest.FixtureRequest, small_archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWATH_RUN_DIR", "SWATH_TOKEN", "JUPYTERHUB_API_TOKEN", "SWATH_URL"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "folder":
        monkeypatch.setenv("SWATH_ARCHIVE", str(small_archive))
        return
    url = request.getfixturevalue("service")
    monkeypatch.setenv("SWATH_ARCHIVE", url)
    monkeypatch.setenv("SWATH_URL", url.removesuffix("services/archive/"))
    monkeypatch.setenv("SWATH_TOKEN", "reader")


pytestmark = pytest.mark.usefixtures("_archive")


def _utm(columns: tuple[int, int], rows: tuple[int, int]) -> dict[str, float | int]:
    """An extent along the edges of these pixels of the small archive's grid."""
    return {
        "west": WEST + 10 * columns[0],
        "east": WEST + 10 * columns[1],
        "south": NORTH - 10 * rows[1],
        "north": NORTH - 10 * rows[0],
        "crs": 32631,
    }


def test_collections(small: ModuleType) -> None:
    found = {one.id: one for one in swath.collections()}
    assert set(found) == {"reflectance", "odd-grid"}
    reflectance = found["reflectance"]
    assert reflectance.bands == ("B04", "B08", "SCL")
    assert reflectance.common_names == {"red": "B04", "nir": "B08"}
    assert (reflectance.start, reflectance.end) == ("2023-04-02T00:00:00Z", "2023-04-12T00:00:00Z")
    assert reflectance.simulated is False


def test_every_pixel_is_the_stored_one(small: ModuleType) -> None:
    cube = swath.open_cube("reflectance")
    assert cube.dims == ("t", "bands", "y", "x")
    assert cube.chunks is not None
    assert cube.dtype == np.float32
    assert list(cube.bands.values) == ["B04", "B08", "SCL"]
    assert [str(moment)[:10] for moment in cube.t.values] == ["2023-04-02", "2023-04-07", "2023-04-12"]
    assert cube.rio.crs.to_epsg() == 32631
    assert cube.rio.transform()[:6] == small.GRID.transform
    for day in range(3):
        for band in ("B04", "B08"):
            stored = small.numbers(day, band)
            wanted = np.where(stored == 65535, np.nan, stored * np.float64(0.0001))
            np.testing.assert_allclose(cube.isel(t=day).sel(bands=band).values, wanted, rtol=1e-6)
        classes = small.numbers(day, "SCL")
        wanted = np.where(classes == 0, np.nan, classes)
        np.testing.assert_array_equal(cube.isel(t=day).sel(bands="SCL").values, wanted)


def test_a_grid_off_the_round_numbers_is_not_resampled(small: ModuleType) -> None:
    cube = swath.open_cube("odd-grid")
    stored = small.numbers(7, "B4")
    wanted = np.where(stored == 0, np.nan, stored * 2e-5 - 0.1)
    np.testing.assert_allclose(cube.squeeze().values, wanted, rtol=1e-5)
    assert cube.rio.transform()[:6] == small.ODD_GRID.transform


def test_sixteen_bit_numbers_do_not_wrap() -> None:
    cube = swath.open_cube("reflectance", bands=["red", "nir"])
    red, nir = cube.sel(bands="red"), cube.sel(bands="nir")
    index = ((red - nir) / (red + nir)).values
    assert np.nanmax(index) < 0
    assert np.nanmin(index) > -1


def test_classes_alone_keep_their_numbers(small: ModuleType) -> None:
    cube = swath.open_cube("reflectance", bands="SCL")
    assert cube.dtype == np.uint8
    assert cube.attrs["nodata"] == 0
    np.testing.assert_array_equal(cube.isel(t=1, bands=0).values, small.numbers(1, "SCL"))


def test_bands_are_labelled_as_asked_for_and_in_that_order(small: ModuleType) -> None:
    cube = swath.open_cube("reflectance", bands=["nir", "B04"])
    assert list(cube.bands.values) == ["nir", "B04"]
    assert list(cube.common_name.values) == ["nir", "red"]
    stored = small.numbers(0, "B04")[0, 0]
    assert float(cube.isel(t=0, x=0, y=0).sel(bands="B04")) == pytest.approx(stored * 0.0001)


@pytest.mark.parametrize("columns", [(0, 1), (3, 17), (100, 280)])
def test_an_extent_along_pixels_gives_those_pixels(small: ModuleType, columns: tuple[int, int]) -> None:
    cube = swath.open_cube("reflectance", spatial_extent=_utm(columns, (10, 25)), bands=["B04"])
    stored = small.numbers(0, "B04")[10:25, slice(*columns)]
    wanted = np.where(stored == 65535, np.nan, stored * 0.0001)
    np.testing.assert_allclose(cube.isel(t=0, bands=0).values, wanted, rtol=1e-6)
    assert cube.x.values[0] == WEST + 10 * columns[0] + 5


def test_a_pixel_that_is_only_touched_is_there() -> None:
    extent = _utm((3, 17), (10, 25))
    extent["west"] -= 1
    assert swath.open_cube("reflectance", spatial_extent=extent, bands=["B04"]).shape[2:] == (15, 15)


def test_a_cube_does_not_reach_further_than_its_data() -> None:
    cube = swath.open_cube("reflectance", spatial_extent=[3, 50, 7, 53])
    assert cube.shape[2:] == (300, 280)


def test_geometries_and_degrees() -> None:
    from swath.extents import read_box

    area = read_box(_utm((50, 80), (60, 90)))
    assert area is not None
    bounds = area.within("EPSG:4326")
    for extent in (list(bounds), box(*bounds), box(*bounds).__geo_interface__):
        cube = swath.open_cube("reflectance", spatial_extent=extent, bands=["B04"])
        # Degrees are turned against the grid: a little more than the 30 pixels that were meant.
        assert 30 <= cube.sizes["x"] <= 34
        assert 30 <= cube.sizes["y"] <= 34
        assert cube.x.values[0] <= WEST + 505


def test_the_end_of_an_interval_is_left_out() -> None:
    cube = swath.open_cube("reflectance", temporal_extent=["2023-04-02", "2023-04-12"], bands=["B04"])
    assert [str(moment)[:10] for moment in cube.t.values] == ["2023-04-02", "2023-04-07"]
    assert swath.open_cube("reflectance", temporal_extent=["2023-04-12", None], bands=["B04"]).sizes["t"] == 1


def test_another_grid() -> None:
    coarse = swath.open_cube("reflectance", resolution=100, bands=["B04"])
    assert coarse.rio.resolution() == (100, -100)
    assert float(coarse.x[0]) % 100 == 50
    degrees = swath.open_cube("reflectance", crs=4326, resolution=0.001, bands=["B04"])
    assert degrees.dims == ("t", "bands", "y", "x")
    assert degrees.rio.crs.to_epsg() == 4326
    assert float(np.nanmean(degrees.values)) == pytest.approx(0.06, abs=0.01)
    guessed = swath.open_cube("reflectance", crs=3857, bands=["B04"])
    assert guessed.rio.resolution()[0] == pytest.approx(10, abs=6)


def test_attributes_survive_an_export(tmp_path: Path) -> None:
    cube = swath.open_cube("reflectance", bands=["B04"])
    assert cube.attrs["simulated"] == "no"
    assert cube.attrs["units"] == "1"
    assert all(isinstance(value, str | int | float) for value in cube.attrs.values())


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"collection": "sentinel-9"}, NotFound, "odd-grid, reflectance"),
        ({"bands": ["B99"]}, Invalid, "B04 (red), B08 (nir), SCL"),
        ({"bands": ["red", "red"]}, Invalid, "twice"),
        ({"bands": []}, Invalid, "empty"),
        ({"spatial_extent": [10, 10, 11, 11]}, NotFound, "it reaches over"),
        ({"spatial_extent": [5, 50, 4, 51]}, Invalid, "west is greater"),
        ({"temporal_extent": ["2020-01-01", "2020-02-01"]}, NotFound, "from 2023-04-02"),
        ({"temporal_extent": "2020"}, Invalid, "two ends"),
        ({"resolution": 0}, Invalid, "positive"),
        ({"resolution": "fine"}, Invalid, "positive"),
        ({"resolution": 0.0001}, Invalid, "units of the CRS"),
        ({"crs": "EPSG:1"}, Invalid, "no coordinate reference system"),
    ],
)
def test_what_cannot_be_opened(arguments: dict[str, object], kind: type[SwathError], words: str) -> None:
    with pytest.raises(kind) as caught:
        swath.open_cube(**{"collection": "reflectance", **arguments})  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_what_a_run_opened_is_recorded(small_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swath.contract.run import InputRecord

    (tmp_path / "out").mkdir()
    monkeypatch.setenv("SWATH_RUN_DIR", str(tmp_path))
    # A run is told its credentials by nobody; here the API needs one.
    monkeypatch.setattr("swath.client.credentials.find", _find_outside_a_run(tmp_path))
    for _ in range(2):
        swath.open_cube("reflectance", bands=["red"], temporal_extent=["2023-04-02", "2023-04-12"])
    lines = [json.loads(line) for line in (tmp_path / "out/inputs.jsonl").read_text().splitlines()]
    assert [(line["collection"], line["item"], line["asset"]) for line in lines] == [
        ("reflectance", "reflectance-20230402", "B04"),
        ("reflectance", "reflectance-20230407", "B04"),
    ]
    item = Catalogue(small_archive).item("reflectance", "reflectance-20230402")
    assert item is not None
    assert lines[0]["sha256"] == item["assets"]["B04"]["file:checksum"][4:]
    assert lines[0]["href"].endswith("/B04.tif")
    assert InputRecord.from_dict(lines[0]).sha256 == lines[0]["sha256"]


def _find_outside_a_run(run_dir: Path) -> object:
    from swath.client import credentials

    original = credentials.find

    def find(environ: dict[str, str]) -> object:
        return original({name: value for name, value in environ.items() if name != "SWATH_RUN_DIR"})

    return find


def test_scenes_that_mean_different_things_are_read_apart(
    small: ModuleType, small_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processing baseline that moves the zero of reflectance must not move the cube."""
    root = Path(shutil.copytree(small_archive, tmp_path / "archive"))
    path = root / "reflectance/reflectance-20230407/reflectance-20230407.json"
    item = json.loads(path.read_text())
    item["assets"]["B04"]["bands"][0]["raster:offset"] = -0.1
    path.write_text(json.dumps(item))
    monkeypatch.setenv("SWATH_ARCHIVE", str(root))
    cube = swath.open_cube("reflectance", bands=["B04", "B08"], spatial_extent=_utm((0, 5), (0, 5)))
    assert [str(moment)[:10] for moment in cube.t.values] == ["2023-04-02", "2023-04-07", "2023-04-12"]
    for day, offset in enumerate((0.0, -0.1, 0.0)):
        wanted = small.numbers(day, "B04")[:5, :5] * 0.0001 + offset
        np.testing.assert_allclose(cube.isel(t=day).sel(bands="B04").values, wanted, atol=1e-6)


def test_scenes_of_one_day_that_mean_different_things_are_one_step(
    small: ModuleType, small_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(small_archive, tmp_path / "archive"))
    path = root / "reflectance/reflectance-20230407/reflectance-20230407.json"
    item = json.loads(path.read_text())
    item["properties"]["datetime"] = "2023-04-02T00:00:15Z"
    item["assets"]["B04"]["bands"][0]["raster:offset"] = -0.1
    path.write_text(json.dumps(item))
    gap = small.numbers(0, "B04")
    gap[:9, :9] = 65535
    folder = root / "reflectance/reflectance-20230402"
    write_cog(folder / "B04.tif", gap, band=small.REFLECTANCE.bands[0], grid=small.GRID, tags={})
    monkeypatch.setenv("SWATH_ARCHIVE", str(root))
    cube = swath.open_cube("reflectance", bands=["B04"])
    assert [str(moment)[:10] for moment in cube.t.values] == ["2023-04-02", "2023-04-12"]
    values = cube.isel(t=0, bands=0).values
    np.testing.assert_allclose(values[:9, :9], small.numbers(1, "B04")[:9, :9] * 0.0001 - 0.1, atol=1e-6)
    np.testing.assert_allclose(values[9:50, 9:50], small.numbers(0, "B04")[9:50, 9:50] * 0.0001, rtol=1e-6)
    assert np.isnan(values[-5:, -5:]).all()


def test_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWATH_ARCHIVE", str(tmp_path))
    with pytest.raises(NotFound, match="there is no archive in"):
        swath.collections()
    monkeypatch.delenv("SWATH_ARCHIVE")
    monkeypatch.delenv("SWATH_TOKEN", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NotFound, match="no archive is named"):
        swath.collections()


def test_a_band_that_some_scenes_lack(
    small: ModuleType, small_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(small_archive, tmp_path / "archive"))
    for day, lacking in (("20230402", ("SCL",)), ("20230407", ("SCL", "B08")), ("20230412", ("SCL",))):
        path = root / f"reflectance/reflectance-{day}/reflectance-{day}.json"
        item = json.loads(path.read_text())
        for name in lacking:
            del item["assets"][name]
        path.write_text(json.dumps(item))
    monkeypatch.setenv("SWATH_ARCHIVE", str(root))
    area = _utm((0, 5), (0, 5))
    cube = swath.open_cube("reflectance", spatial_extent=area)
    # A band that no scene has is not there; one that some have is NaN in the others.
    assert list(cube.bands.values) == ["B04", "B08"]
    assert cube.chunks is not None
    gaps = cube.isnull().all(["x", "y"])
    assert gaps.sel(bands="B04").values.tolist() == [False, False, False]
    assert gaps.sel(bands="B08").values.tolist() == [False, True, False]
    np.testing.assert_allclose(
        cube.isel(t=2).sel(bands="B08").values, small.numbers(2, "B08")[:5, :5] * 0.0001, rtol=1e-6
    )
    with pytest.raises(NotFound, match="has the band SCL"):
        swath.open_cube("reflectance", bands=["SCL"], spatial_extent=area)
