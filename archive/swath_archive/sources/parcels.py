"""Declared crop parcels: a GeoPackage that goes into the archive as it is."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from swath_archive.domain.errors import BadFile
from swath_archive.domain.scenes import Extra, Pending
from swath_archive.sources import Batch, specs


def batch(path: Path) -> Batch:
    """The parcels of one year as a collection of one item.

    Raises
    ------
    BadFile
        The file is no GeoPackage with a layer of features in a CRS of EPSG.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    pending = Pending(
        item_id=specs.PARCELS_NETHERLANDS.id,
        at=datetime(2023, 1, 1, tzinfo=UTC),
        start_at=datetime(2023, 1, 1, tzinfo=UTC),
        end_at=datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC),
        source=path.name,
        source_sha256=digest,
        read=lambda: None,
        bbox=_bounds(path),
        extras=(
            Extra(
                name="parcels.gpkg",
                content=content,
                media_type="application/geopackage+sqlite3",
                title="Declared crop parcels (gewas, gewascode)",
            ),
        ),
        properties={"swath:time_precision": "year"},
    )
    return Batch(spec=specs.PARCELS_NETHERLANDS, items=(pending,))


def _bounds(path: Path) -> tuple[float, float, float, float]:
    from rasterio.warp import transform_bounds

    query = (
        "SELECT min_x, min_y, max_x, max_y, organization, organization_coordsys_id FROM gpkg_contents "
        "JOIN gpkg_spatial_ref_sys USING (srs_id) WHERE data_type = 'features'"
    )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
            row = database.execute(query).fetchone()
    except sqlite3.DatabaseError as error:
        raise BadFile(code="geopackage-unreadable", message=f"{path.name} is no GeoPackage") from error
    if row is None or None in row[:4] or row[4].upper() != "EPSG":
        raise BadFile(code="geopackage-unreadable", message=f"{path.name} has no layer with an extent in a CRS of EPSG")
    west, south, east, north = transform_bounds(f"EPSG:{row[5]}", "EPSG:4326", *row[:4], densify_pts=21)
    return round(west, 7), round(south, 7), round(east, 7), round(north, 7)
