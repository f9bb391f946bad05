"""The pixel grid of a cube: the data's own unless another is asked for, so that no value is resampled unasked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from swath.client.errors import Invalid, NotFound
from swath.extents import Box, normal_crs

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

#: Parts of a pixel by which an edge may miss a grid line and still be on it.
_SLACK = 1e-3
#: Pixels of one time step above which a cube is surely a mistake (resolution in the wrong unit).
_MOST_PIXELS = 10**10


def grid_of(asset: dict[str, Any], properties: dict[str, Any]) -> GeoBox | None:
    """An asset's own grid, from the fields of STAC's projection extension; ``None`` where they are missing."""
    from odc.geo.geobox import GeoBox
    from rasterio.transform import Affine

    told = {**properties, **asset}
    crs = told.get("proj:code") or told.get("proj:wkt2") or told.get("proj:epsg")
    if crs is None or told.get("proj:shape") is None or told.get("proj:transform") is None:
        return None
    crs = f"EPSG:{crs}" if isinstance(crs, int) else crs
    return GeoBox(tuple(told["proj:shape"]), Affine(*told["proj:transform"][:6]), crs)


def target_grid(
    grids: Sequence[GeoBox], *, box: Box | None, crs: int | str | None = None, resolution: float | None = None
) -> GeoBox:
    """The grid that covers all of `grids` within `box`.

    Without `crs` and `resolution` it is the grid that most of `grids` lie on, cut to whole pixels that touch `box`; it
    never reaches further than the data do. With either, pixel edges lie on multiples of the resolution.

    Raises
    ------
    Invalid
        An unknown CRS, or a resolution that is not a positive number or makes no sense in the CRS's unit.
    NotFound
        `box` misses every grid.
    """
    from odc.geo.geobox import GeoBox
    from rasterio.transform import Affine

    reference = _reference(grids)
    own_crs = normal_crs(str(reference.crs))
    wanted_crs = normal_crs(crs) if crs is not None else own_crs
    step_x, step_y, x0, y0 = _steps(reference, own_crs=own_crs, crs=wanted_crs, resolution=resolution)
    west, south, east, north = _union(grids, wanted_crs)
    if box is not None:
        bw, bs, be, bn = box.within(wanted_crs)
        west, south, east, north = max(west, bw), max(south, bs), min(east, be), min(north, bn)
        if west >= east or south >= north:
            raise NotFound("spatial_extent touches no pixel of this collection", code="no-items")
    columns = math.floor((west - x0) / step_x + _SLACK), math.ceil((east - x0) / step_x - _SLACK)
    rows = math.floor((y0 - north) / step_y + _SLACK), math.ceil((y0 - south) / step_y - _SLACK)
    shape = max(1, rows[1] - rows[0]), max(1, columns[1] - columns[0])
    if shape[0] * shape[1] > _MOST_PIXELS:
        raise Invalid(
            f"this cube would have {shape[0]} x {shape[1]} pixels a date",
            code="bad-resolution",
            mend="resolution is in units of the CRS: metres in UTM, degrees in EPSG:4326",
        )
    transform = Affine(step_x, 0, x0 + columns[0] * step_x, 0, -step_y, y0 - rows[0] * step_y)
    return GeoBox(shape, transform, wanted_crs)


def _reference(grids: Sequence[GeoBox]) -> GeoBox:
    """The first grid of the commonest kind; of equally common ones, the finest."""
    kinds = Counter((str(grid.crs), abs(grid.transform.a)) for grid in grids)
    (crs, step), _ = min(kinds.items(), key=lambda kind: (-kind[1], kind[0][1]))
    return next(grid for grid in grids if (str(grid.crs), abs(grid.transform.a)) == (crs, step))


def _steps(reference: GeoBox, *, own_crs: str, crs: str, resolution: float | None) -> tuple[float, float, float, float]:
    """Width and height of a pixel, and a point where four of them meet."""
    if resolution is not None:
        try:
            step = float(resolution)
        except (TypeError, ValueError):
            step = math.nan
        if not (math.isfinite(step) and step > 0):
            raise Invalid(f"resolution: {resolution!r} is no positive number", code="bad-resolution")
        return step, step, 0.0, 0.0
    if crs == own_crs:
        transform = reference.transform
        return abs(transform.a), abs(transform.e), transform.c, transform.f
    moved = reference.to_crs(crs).transform
    return abs(moved.a), abs(moved.e), 0.0, 0.0


def _union(grids: Sequence[GeoBox], crs: str) -> tuple[float, float, float, float]:
    boxes = []
    for grid in dict.fromkeys(grids):
        west, south, east, north = grid.boundingbox.bbox
        boxes.append(Box(west=west, south=south, east=east, north=north, crs=normal_crs(str(grid.crs))).within(crs))
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
