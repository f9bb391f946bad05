"""Calls of the shipped algorithms as people make them: areas, periods, parcels and parameters that vary, by a seed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

#: How often each algorithm is called.
SHARES = {"ndvi-timeseries": 0.75, "echo": 0.25}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A collection that NDVI can be made of."""

    id: str
    box: tuple[float, float, float, float]
    days: tuple[datetime, ...]
    mask: str | None


def sources(archive: Path) -> list[Source]:
    """The collections of a static archive that have a red and a near-infrared band and more than one date."""
    found = []
    for path in sorted(archive.glob("*/collection.json")):
        told = json.loads(path.read_text())
        bands = [band for asset in told.get("item_assets", {}).values() for band in asset.get("bands", ())]
        if not {"red", "nir"} <= {band.get("eo:common_name") for band in bands}:
            continue
        days = tuple(sorted(_day(item) for item in path.parent.glob("*/*.json")))
        if len(days) < 2:
            continue
        mask = next((band["name"] for band in bands if band["name"] == "SCL"), None)
        box = told["extent"]["spatial"]["bbox"][0]
        found.append(Source(id=told["id"], box=(box[0], box[1], box[2], box[3]), days=days, mask=mask))
    return found


def _day(item: Path) -> datetime:
    told = datetime.fromisoformat(json.loads(item.read_text())["properties"]["datetime"])
    return told.astimezone(UTC)


class Workload:
    """Call number `n` is the same whenever it is asked for, so that a bench that was cut off goes on where it was."""

    def __init__(self, archive: Path, *, seed: int) -> None:
        self._sources = sources(archive)
        if not self._sources:
            raise ValueError("no collection of the archive has a red and a near-infrared band")
        self._seed = seed

    def call(self, number: int) -> tuple[str, dict[str, Any]]:
        """Name of the algorithm, and its parameters."""
        dice = random.Random(f"{self._seed}:{number}")
        name = dice.choices(list(SHARES), weights=list(SHARES.values()))[0]
        return name, self._ndvi(dice) if name == "ndvi-timeseries" else _echo(dice)

    def _ndvi(self, dice: random.Random) -> dict[str, Any]:
        source = dice.choice(self._sources)
        west, south, east, north = source.box
        # The side of the box: from a sixth of the collection's to all of it, small ones as often as large ones.
        part = math.exp(dice.uniform(math.log(1 / 6), 0))
        wide, high = (east - west) * part, (north - south) * part
        left, low = dice.uniform(west, east - wide), dice.uniform(south, north - high)
        box = {"west": left, "south": low, "east": left + wide, "north": low + high}
        first = dice.randrange(len(source.days) - 1)
        last = dice.randrange(first + 1, len(source.days))
        period = [_iso(source.days[first]), _iso(source.days[last] + timedelta(days=1))]
        chosen: dict[str, Any] = {"collection": source.id, "mask_band": source.mask, "min_clear_share": 0.01}
        if dice.random() < 0.85:
            chosen["spatial_extent"] = box
        else:
            box = {"west": west, "south": south, "east": east, "north": north}
        if dice.random() < 0.85:
            chosen["temporal_extent"] = period
        if source.mask and dice.random() < 0.5:
            chosen["masked_classes"] = dice.sample(range(12), dice.randrange(0, 4))
        if dice.random() < 0.4:
            chosen["parcels"] = _parcels(dice, box)
        return chosen


def _iso(at: datetime) -> str:
    return at.date().isoformat()


def _parcels(dice: random.Random, box: Mapping[str, float]) -> dict[str, Any]:
    """A grid of parcels within `box`, each large enough to hold a pixel's centre."""
    count = dice.randrange(1, 4)
    wide, high = (box["east"] - box["west"]) / count, (box["north"] - box["south"]) / count
    features = []
    for row in range(count):
        for column in range(count):
            west, south = box["west"] + column * wide, box["south"] + row * high
            east, north = west + wide * 0.95, south + high * 0.95
            ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
            name = {"name": f"{row}-{column}"}
            shape = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": name, "geometry": shape})
    return {"type": "FeatureCollection", "features": features}


def _echo(dice: random.Random) -> dict[str, Any]:
    return {
        "text": "x" * dice.randrange(1, 1000),
        "integer": dice.randrange(-1000, 1000),
        "month": dice.randrange(1, 13),
        "flag": dice.random() < 0.5,
        "choice": dice.choice(["red", "green", "blue"]),
        "texts": ["y"] * dice.randrange(0, 50),
        "numbers": [dice.random() for _ in range(dice.randrange(0, 200))],
    }
