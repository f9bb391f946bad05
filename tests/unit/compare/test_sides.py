"""Expected, found and their difference beside each other: what is drawn, and the figures that stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin
from swath.compare import compare_files
from swath.contract.comparison import Comparison, Tolerance, Verdict


def _save(path: Path, values: Any, *, west: float = 600_000.0, unit: str = "") -> Path:
    grid = {"crs": "EPSG:32631", "transform": from_origin(west, 5_000_000, 10, 10), "nodata": -9999.0}
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="float32", **grid
    ) as target:
        target.write(values.astype("float32"), 1)
        target.set_band_unit(1, unit)
    return path


def _drawn(folder: Path, one: Comparison) -> Any:
    assert one.sides
    with Image.open(folder / "map.sides.png") as image:
        assert image.size == (768, 256)
        return numpy.asarray(image)


@pytest.fixture
def values() -> Any:
    return numpy.linspace(0, 100, 700 * 600).reshape(700, 600)


def test_one_pixel_of_many_is_seen_and_told(tmp_path: Path, values: Any) -> None:
    other = values.copy()
    other[350, 301] += 8
    other[10, 11] -= 2
    values[0, :2], other[0, :2] = -9999, numpy.nan
    other[699, 599] = numpy.nan
    first, second = _save(tmp_path / "a.tif", values, unit="K"), _save(tmp_path / "b.tif", other, unit="K")
    got = compare_files(first, second, tolerance=Tolerance(atol=10), pictures=tmp_path / "drawn", name="map")
    sides = got.sides
    assert sides
    assert (sides.unit, sides.raised, sides.lowered, sides.span) == ("K", 1, 1, pytest.approx(8, abs=1e-4))
    assert sides.mean == pytest.approx(6 / (700 * 600 - 3), rel=1e-4)
    assert (sides.low, sides.high) == (pytest.approx(2, abs=0.5), pytest.approx(98, abs=0.5))
    assert Comparison.from_dict(got.as_dict()) == got
    sheet = _drawn(tmp_path / "drawn", got)
    left, right, change = (sheet[:, part * 256 : part * 256 + 256] for part in range(3))
    assert (left[100:120] == right[100:120]).all(), "one number is one colour on either side"
    red = (change[..., 0] == 178) & (change[..., 2] == 43)
    assert red.sum() == 1, "the furthest pixel is in full red, though the picture is thinned"
    assert ((change[..., 2] > change[..., 0]) & (change[..., 3] > 0)).sum() == 1, "and the lower one is blue"
    assert (change[..., :3] == (90, 60, 20)).all(axis=2).sum() == 1, "one side alone has a value"


def test_unlike_grids_have_no_picture_and_say_why(tmp_path: Path, values: Any) -> None:
    first, second = _save(tmp_path / "a.tif", values), _save(tmp_path / "b.tif", values, west=600_010.0)
    got = compare_files(first, second, pictures=tmp_path / "drawn", name="map")
    assert (got.verdict, got.sides) == (Verdict.INCOMPARABLE, None)
    assert "moved by 0 rows and 1 column" in got.message


def test_values_without_end_or_number_break_no_picture(tmp_path: Path) -> None:
    values = numpy.full((4, 4), numpy.nan)
    other = values.copy()
    other[0, 0] = numpy.inf
    got = compare_files(
        _save(tmp_path / "a.tif", values), _save(tmp_path / "b.tif", other), pictures=tmp_path / "drawn", name="map"
    )
    assert got.verdict is Verdict.DIFFERS
    assert got.sides
    assert (got.sides.low, got.sides.span, got.sides.mean) == (0.0, 0.0, 0.0)


def test_pictures_stand_beside_each_other(tmp_path: Path) -> None:
    pixels = numpy.full((40, 60, 3), 90, "uint8")
    other = pixels.copy()
    other[7, 8] = 200
    for name, one in (("a", pixels), ("b", other)):
        Image.fromarray(one).save(tmp_path / f"{name}.png")
    got = compare_files(tmp_path / "a.png", tmp_path / "b.png", pictures=tmp_path / "drawn", name="map")
    assert got.sides
    assert got.sides.span is None
    assert (_drawn(tmp_path / "drawn", got)[..., :3] == 200).all(axis=2).any()
