"""STAC documents made of the domain's objects, and bands read back from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from swath_archive.domain.bands import Band, Category
from swath_archive.domain.collections import HOST, CollectionSpec, Provider
from swath_archive.domain.scenes import Grid, Pending
from swath_archive.domain.times import format_time
from swath_archive.store.cog import MEDIA_TYPE, Stored
from swath_archive.store.extensions import extensions_in
from swath_archive.store.validation import STAC_VERSION

Document = dict[str, Any]
BBox = tuple[float, float, float, float]


def band_document(band: Band) -> Document:
    """A band as STAC 1.1's ``bands`` has it."""
    nodata: Any = band.nodata
    if nodata is not None:
        # JSON has no NaN; STAC writes it as text.
        nodata = "nan" if math.isnan(nodata) else int(nodata) if float(nodata).is_integer() else nodata
    document: Document = {
        "name": band.name,
        "description": band.description,
        "data_type": band.data_type,
        "nodata": nodata,
        "unit": band.unit,
        "eo:common_name": band.common_name,
        "eo:center_wavelength": band.center_wavelength_um,
    }
    if band.categorical:
        document["classification:classes"] = [
            {"value": one.value, "name": one.name, "description": one.description} for one in band.categories
        ]
    else:
        document |= {"raster:scale": band.scale, "raster:offset": band.offset}
    return {name: value for name, value in document.items() if value is not None}


def band_of(asset: Mapping[str, Any]) -> Band | None:
    """The band of an asset that `band_document` described; ``None`` for an asset that is no raster of one band."""
    if len(asset.get("bands", ())) != 1 or "data_type" not in asset["bands"][0]:
        return None
    document = asset["bands"][0]
    nodata = document.get("nodata")
    return Band(
        name=document["name"],
        data_type=document["data_type"],
        description=document.get("description", document["name"]),
        nodata=None if nodata is None else float(nodata),
        scale=document.get("raster:scale", 1.0),
        offset=document.get("raster:offset", 0.0),
        unit=document.get("unit"),
        common_name=document.get("eo:common_name"),
        center_wavelength_um=document.get("eo:center_wavelength"),
        categories=tuple(
            Category(value=one["value"], name=one["name"], description=one.get("description", one["name"]))
            for one in document.get("classification:classes", ())
        ),
    )


def providers_document(providers: Sequence[Provider]) -> list[Document]:
    """Providers as STAC has them; whoever keeps the archive stands last."""
    return [
        {"name": one.name, "roles": list(one.roles), **({"url": one.url} if one.url else {})}
        for one in (*providers, HOST)
    ]


def footprint(grid: Grid) -> tuple[Document, BBox]:
    """The grid's outline in degrees, as GeoJSON and as its bounds; edges get points between, for they bend."""
    from rasterio.warp import transform

    west, south, east, north = grid.bounds
    steps = [step / 4 for step in range(4)]
    ring = [
        *((west + (east - west) * s, south) for s in steps),
        *((east, south + (north - south) * s) for s in steps),
        *((east - (east - west) * s, north) for s in steps),
        *((west, north - (north - south) * s) for s in steps),
    ]
    xs, ys = transform(grid.crs, "EPSG:4326", [x for x, _ in ring], [y for _, y in ring])
    points = [[round(x, 7), round(y, 7)] for x, y in zip(xs, ys, strict=True)]
    bbox = (min(p[0] for p in points), min(p[1] for p in points), max(p[0] for p in points), max(p[1] for p in points))
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}, bbox


def rectangle(bbox: BBox) -> Document:
    """Bounds in degrees as a GeoJSON polygon."""
    west, south, east, north = bbox
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


def raster_asset(band: Band, *, grid: Grid, stored: Stored) -> Document:
    """One band's COG as an asset."""
    return {
        "href": f"./{stored.path.name}",
        "type": MEDIA_TYPE,
        "title": band.description,
        "roles": ["data"] if not band.categorical else ["data", "classification"],
        "bands": [band_document(band)],
        **_crs_document(grid.crs),
        "proj:shape": [grid.height, grid.width],
        "proj:transform": list(grid.transform),
        **_file_document(stored),
    }


def _crs_document(crs: str) -> Document:
    if crs.upper().startswith("EPSG:"):
        return {"proj:code": crs.upper()}
    return {"proj:code": None, "proj:wkt2": crs}


def _file_document(stored: Stored) -> Document:
    return {"file:size": stored.size, "file:checksum": f"1220{stored.sha256}"}


def item_document(
    spec: CollectionSpec, pending: Pending, *, grid: Grid | None, stored: Mapping[str, Stored]
) -> Document:
    """An item; `stored` holds a file for each band that the scene has, and for each extra by its file name."""
    import pystac

    bands = {band.name: band for band in spec.bands}
    assets: dict[str, Document] = {
        name: raster_asset(bands[name], grid=grid, stored=file)
        for name, file in stored.items()
        if grid and name in bands
    }
    for extra in pending.extras:
        assets[extra.name.rsplit(".", 1)[0]] = {
            "href": f"./{extra.name}",
            "type": extra.media_type,
            "title": extra.title,
            "roles": list(extra.roles),
            **_file_document(stored[extra.name]),
        }
    geometry, bbox = footprint(grid) if grid else (rectangle(pending.bbox or (-180, -90, 180, 90)), pending.bbox)
    item = pystac.Item(
        id=pending.item_id,
        geometry=geometry,
        bbox=list(bbox or (-180, -90, 180, 90)),
        datetime=pending.at,
        properties=_item_properties(spec, pending),
    )
    document: Document = item.to_dict(include_self_link=False, transform_hrefs=False)
    document |= {"stac_version": STAC_VERSION, "collection": spec.id, "assets": assets}
    document["properties"]["datetime"] = format_time(pending.at)
    document["links"] = [
        {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../collection.json", "type": "application/json"},
        {"rel": "collection", "href": "../collection.json", "type": "application/json"},
    ]
    document["stac_extensions"] = extensions_in(document)
    return document


def _item_properties(spec: CollectionSpec, pending: Pending) -> Document:
    properties: Document = {
        "title": f"{spec.title}, {pending.at.date().isoformat()}",
        "platform": spec.platform,
        "constellation": spec.constellation,
        "instruments": list(spec.instruments) or None,
        "gsd": spec.gsd,
        "license": spec.licence.id,
        "providers": providers_document(spec.providers),
        "start_datetime": format_time(pending.start_at) if pending.start_at else None,
        "end_datetime": format_time(pending.end_at) if pending.end_at else None,
        "swath:simulated": spec.simulated,
        "swath:provenance": spec.provenance,
        "swath:source": pending.source,
        "swath:source_sha256": pending.source_sha256,
        "swath:recipe": pending.recipe,
        **pending.properties,
    }
    return {name: value for name, value in properties.items() if value is not None}


def collection_document(spec: CollectionSpec, *, items: Sequence[Document]) -> Document:
    """A collection over `items`, which decide its extents and links."""
    document: Document = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": spec.id,
        "title": spec.title,
        "description": f"{spec.description}\n\nProvenance: {spec.provenance}",
        "keywords": [*spec.keywords, *(["simulated"] if spec.simulated else [])],
        "license": spec.licence.id,
        "providers": providers_document(spec.providers),
        "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
        "item_assets": {
            band.name: {
                "type": MEDIA_TYPE,
                "title": band.description,
                "roles": ["data"],
                "bands": [band_document(band)],
            }
            for band in spec.bands
        },
        "swath:simulated": spec.simulated,
        "links": [
            {"rel": "license", "href": licence.href, "title": licence.title or "licence"}
            for licence in spec.licence_links
        ],
    }
    document["stac_extensions"] = extensions_in(document)
    return relinked(document, items=items)


def relinked(collection: Document, *, items: Sequence[Document]) -> Document:
    """The collection with extents and links that fit `items`."""
    kept = [link for link in collection["links"] if link["rel"] not in {"root", "parent", "item"}]
    links = [
        {"rel": "root", "href": "../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../catalog.json", "type": "application/json"},
        *kept,
        *(
            {"rel": "item", "href": f"./{item['id']}/{item['id']}.json", "type": "application/geo+json"}
            for item in sorted(items, key=lambda item: (item["properties"]["datetime"], item["id"]))
        ),
    ]
    changed = {**collection, "links": links}
    if items:
        boxes = [item["bbox"] for item in items]
        starts = [item["properties"].get("start_datetime") or item["properties"]["datetime"] for item in items]
        ends = [item["properties"].get("end_datetime") or item["properties"]["datetime"] for item in items]
        west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
        east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
        changed["extent"] = {
            "spatial": {"bbox": [[west, south, east, north]]},
            "temporal": {"interval": [[min(starts), max(ends)]]},
        }
    return changed


def catalogue_document(collections: Sequence[Document], *, digest: str) -> Document:
    """The root: a child for each collection, and the digest of everything below."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": "swath-archive",
        "title": "Swath archive",
        "description": "Earth-observation data next to this Swath: cloud-optimised GeoTIFFs, one band a file.",
        "swath:digest": digest,
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            *(
                {
                    "rel": "child",
                    "href": f"./{one['id']}/collection.json",
                    "type": "application/json",
                    "title": one["title"],
                }
                for one in sorted(collections, key=lambda one: str(one["id"]))
            ),
        ],
    }
