"""Makers of small files of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin

WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Writes an array (y, x) or (bands, y, x) as a GeoTIFF; any creation option may be given."""

    def write(name: str, values: Any, *, bands: tuple[str, ...] = (), **options: Any) -> Path:
        array = numpy.asarray(values)
        array = array[None] if array.ndim == 2 else array
        profile = {
            "driver": "GTiff",
            "width": array.shape[2],
            "height": array.shape[1],
            "count": array.shape[0],
            "dtype": array.dtype.name,
            "crs": "EPSG:32631",
            "transform": from_origin(500_000, 5_000_000, 10, 10),
            **options,
        }
        path = tmp_path / f"{name}.tif"
        with rasterio.open(path, "w", **profile) as file:
            file.write(array)
            for index, band in enumerate(bands, start=1):
                file.set_band_description(index, band)
        return path

    return write


@pytest.fixture
def write_json(tmp_path: Path) -> Callable[..., Path]:
    """Writes a value as JSON; bytes as they are."""

    def write(name: str, value: Any, suffix: str = ".json") -> Path:
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return path

    return write
