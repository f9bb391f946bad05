"""The archive as it lies on the disk, read without `swath` and without xarray: what the independent paths stand on."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One band of one item: physical values as 64-bit numbers, NaN where there is no data."""

    values: Any
    transform: Any
    crs: Any


class Raw:
    """The catalogue's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def items(self, collection: str) -> list[dict[str, Any]]:
        """The STAC items of a collection by time."""
        found = [json.loads(file.read_text()) for file in (self.root / collection).glob("*/*.json")]
        return sorted(found, key=lambda item: (item["properties"]["datetime"], item["id"]))

    def on(self, collection: str, day: str) -> dict[str, Any]:
        """The one item of a day, ``2021-05-01``."""
        (item,) = (item for item in self.items(collection) if item["properties"]["datetime"].startswith(day))
        return item

    def between(self, collection: str, start: str | None, end: str | None) -> list[dict[str, Any]]:
        """The items from `start` on and before `end`, ISO days."""
        return [
            item
            for item in self.items(collection)
            if (start is None or day(item) >= date.fromisoformat(start))
            and (end is None or day(item) < date.fromisoformat(end))
        ]

    @staticmethod
    def named(item: dict[str, Any], name: str) -> str:
        """The asset of a band's name or common name."""
        if name in item["assets"]:
            return name
        (found,) = (key for key, asset in item["assets"].items() if _common_name(asset) == name)
        return str(found)

    @staticmethod
    def window(picture: Picture, box: dict[str, float]) -> tuple[slice, slice]:
        """Rows and columns of every pixel that a box in the picture's own CRS touches."""
        left, top, wide, high = picture.transform.c, picture.transform.f, picture.transform.a, -picture.transform.e
        height, width = picture.values.shape
        return (
            slice(max(math.floor((top - box["north"]) / high), 0), min(math.ceil((top - box["south"]) / high), height)),
            slice(max(math.floor((box["west"] - left) / wide), 0), min(math.ceil((box["east"] - left) / wide), width)),
        )

    @staticmethod
    def moved(picture: Picture, window: tuple[slice, slice]) -> Any:
        """The transform of a window's corner."""
        a, _, c, _, e, f = tuple(picture.transform)[:6]
        return Affine(a, 0.0, c + a * (window[1].start or 0), 0.0, e, f + e * (window[0].start or 0))

    def band(self, item: dict[str, Any], name: str) -> Picture:
        """Scale and offset applied as the item states them."""
        asset = item["assets"][name]
        (about,) = asset["bands"]
        with rasterio.open(self.root / item["collection"] / item["id"] / asset["href"]) as file:
            stored = file.read(1)
            place = (file.transform, file.crs)
        values = stored.astype("float64") * about.get("raster:scale", 1.0) + about.get("raster:offset", 0.0)
        nodata = about.get("nodata")
        if nodata is not None and nodata != "nan":
            values[stored == nodata] = np.nan
        return Picture(values=values, transform=place[0], crs=place[1])


def _common_name(asset: dict[str, Any]) -> str | None:
    return next((band.get("eo:common_name") for band in asset.get("bands", ())), None)


def day(item: dict[str, Any]) -> date:
    """When an item was taken."""
    return datetime.fromisoformat(item["properties"]["datetime"]).date()
