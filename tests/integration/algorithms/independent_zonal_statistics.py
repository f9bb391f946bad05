"""Zones without GDAL's rasteriser: an even-odd rule for centres, boxes against polygons for what is touched.

Sums, medians and percentiles are written out; a polygon's area is summed along its edges on the ellipsoid.
"""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import shapely
from rasterio.warp import transform as reproject
from swath.contract.scenarios import Scenario

pixels = sys.modules["swath_tests_algorithms_pixels"]
DEFAULTS: dict[str, Any] = {
    "collection": "sentinel-2-l1c-sample",
    "zones": None,
    "bands": ["nir"],
    "temporal_extent": [None, None],
    "percentiles": [5.0, 25.0, 75.0, 95.0],
    "all_touched": False,
    "name_property": "name",
    "mask_band": None,
    "masked_classes": [0, 1, 3, 8, 9, 10, 11],
}


def polygons(geometry: dict[str, Any]) -> list[list[Any]]:
    """Polygons of rings of longitudes and latitudes."""
    return [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]


def on_grid(ring: Any, picture: Any) -> tuple[Any, Any]:
    """Columns and rows of a ring's corners, as fractions of pixels."""
    longitudes, latitudes = (np.array(axis, dtype="float64") for axis in zip(*ring, strict=True))
    x, y = reproject("EPSG:4326", picture.crs, longitudes, latitudes)
    place = picture.transform
    return (np.array(x) - place.c) / place.a, (np.array(y) - place.f) / place.e


def centred(geometry: dict[str, Any], picture: Any) -> Any:
    """Pixels whose centre is within: a line to the right crosses the edges an odd number of times."""
    height, width = picture.values.shape
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    odd = np.zeros((height, width), dtype=bool)
    for ring in (ring for polygon in polygons(geometry) for ring in polygon):
        x, y = on_grid(ring, picture)
        for x1, y1, x2, y2 in zip(x, y, x[1:], y[1:], strict=False):
            if y1 == y2:
                continue
            spans = (y1 > row) != (y2 > row)
            odd ^= spans & (column < x1 + (row - y1) / (y2 - y1) * (x2 - x1))
    return odd


def touched(geometry: dict[str, Any], picture: Any) -> Any:
    """Pixels whose square meets the polygon."""
    height, width = picture.values.shape
    parts = []
    for outer, *holes in polygons(geometry):
        rings = [list(zip(*on_grid(ring, picture), strict=True)) for ring in (outer, *holes)]
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    whole = shapely.union_all(parts)
    column, row = np.meshgrid(np.arange(width), np.arange(height))
    return shapely.intersects(shapely.box(column, row, column + 1, row + 1), whole)


def hectares(geometry: dict[str, Any]) -> float:
    """Area between a polygon's edges and the equator, edge by edge, holes with the other sign."""
    total = 0.0
    for outer, *holes in polygons(geometry):
        for sign, ring in ((1, outer), *((-1, hole) for hole in holes)):
            area = 0.0
            for (x1, y1), (x2, y2) in itertools.pairwise(ring):
                # Short edges: the zone up to the middle latitude is the area below the edge.
                area += pixels.zone_km2(0.0, (y1 + y2) / 2, x2 - x1)
            total += sign * abs(area) * 100
    return total


def quantile(ordered: Any, share: float) -> float:
    """Linear between the two nearest of sorted values."""
    place = share / 100 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def statistics(values: Any, shares: list[float]) -> list[float]:
    """Least, greatest, mean, median, standard deviation and percentiles."""
    if not len(values):
        return [np.nan] * (5 + len(shares))
    ordered = sorted(values.tolist())
    mean = math.fsum(ordered) / len(ordered)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / len(ordered))
    told = [ordered[0], ordered[-1], mean, quantile(ordered, 50), spread]
    return [round(one, 8) for one in (*told, *(quantile(ordered, share) for share in shares))]


def _zones(given: dict[str, Any], picture: Any) -> list[tuple[str, dict[str, Any], Any]]:
    """Name, geometry and pixels of each."""
    whole = given["zones"]
    if whole is None:
        return [("all", {}, np.ones(picture.values.shape, dtype=bool))]
    features = whole["features"] if whole["type"] == "FeatureCollection" else [whole]
    inside = touched if given["all_touched"] else centred
    return [
        (
            str(feature["properties"].get(given["name_property"], number)),
            feature["geometry"],
            inside(feature["geometry"], picture),
        )
        for number, feature in enumerate(features, start=1)
    ]


def _values(raw: Any, item: dict[str, Any], band: str, given: dict[str, Any]) -> Any:
    values = raw.band(item, raw.named(item, band)).values
    if given["mask_band"]:
        classes = raw.band(item, given["mask_band"]).values
        for wrong in given["masked_classes"]:
            values[classes == wrong] = np.nan
        values[np.isnan(classes)] = np.nan
    return values


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """The three outputs."""
    given = {**DEFAULTS, **scenario.parameters}
    items = raw.between(given["collection"], *given["temporal_extent"])
    zones = _zones(given, raw.band(items[0], raw.named(items[0], given["bands"][0])))
    rows = []
    for item in items:
        for band in given["bands"]:
            values = _values(raw, item, band, given)
            for name, _, inside in zones:
                found = values[inside & np.isfinite(values)]
                numbers = statistics(found, given["percentiles"])
                rows.append((name, item["properties"]["datetime"][:10], band, int(inside.sum()), len(found), *numbers))
    head = ["zone", "date", "band", "pixels", "count", "min", "max", "mean", "median", "std"]
    table = pd.DataFrame(rows, columns=[*head, *(f"p{share:g}" for share in given["percentiles"])])
    table = table.sort_values(["zone", "date", "band"], kind="stable", ignore_index=True)
    about = items[0]["properties"]
    return {
        "statistics": table,
        "zones": {"type": "FeatureCollection", "features": [_feature(zone, table, given) for zone in zones if zone[1]]},
        "summary": {
            "collection": given["collection"],
            "simulated": about["swath:simulated"],
            "provenance": about["swath:provenance"],
            "zones": len(zones),
            "zones_without_pixels": [name for name, _, inside in zones if not inside.any()],
            "dates": len(items),
            "bands": given["bands"],
            "all_touched": given["all_touched"],
            "values": int(table["count"].sum()),
        },
    }


def _feature(zone: tuple[str, dict[str, Any], Any], table: pd.DataFrame, given: dict[str, Any]) -> dict[str, Any]:
    name, geometry, inside = zone
    properties: dict[str, Any] = {"zone": name, "pixels": int(inside.sum()), "hectares": round(hectares(geometry), 6)}
    for band in given["bands"]:
        means = table["mean"][(table["zone"] == name) & (table["band"] == band)].dropna().tolist()
        properties[f"{band}_mean"] = round(math.fsum(means) / len(means), 8) if means else None
    return {"type": "Feature", "properties": properties, "geometry": geometry}
