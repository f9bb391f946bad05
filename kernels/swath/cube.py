"""``swath.open_cube``: a collection of the archive as a lazy array, asked for in openEO's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swath.catalogue import Catalogue, Document, open_catalogue
from swath.client.errors import Invalid, NotFound
from swath.extents import Box, Interval, read_box, read_interval
from swath.grids import grid_of, target_grid
from swath.inputs import record_inputs
from swath.loading import band_of, is_categorical, load_cube

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

__all__ = ["Collection", "collections", "open_cube"]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What the archive says of a collection."""

    id: str
    title: str
    description: str
    bands: tuple[str, ...]
    common_names: Mapping[str, str]
    """Common name -> band, e.g. ``{"red": "B04"}``."""
    bbox: tuple[float, ...]
    """West, south, east, north in degrees."""
    start: str | None
    end: str | None
    simulated: bool
    """Whether nobody measured this."""
    license: str


def collections() -> list[Collection]:
    """What the archive holds.

    Raises
    ------
    swath.SwathError
        There is no archive, or it does not answer.
    """
    return [_collection(document) for document in open_catalogue().collections()]


def open_cube(
    collection: str,
    *,
    spatial_extent: Any = None,
    temporal_extent: Sequence[Any] | None = None,
    bands: Sequence[str] | str | None = None,
    resolution: float | None = None,
    crs: int | str | None = None,
) -> xr.DataArray:
    """Open a collection as a lazy array with the dimensions ``t, bands, y, x``; nothing is read until it is computed.

    Parameters
    ----------
    collection
        Its id; `swath.collections` lists them.
    spatial_extent
        openEO's bounding box, ``{"west", "south", "east", "north"[, "crs"]}``, in degrees unless `crs` names other
        units; or four numbers, GeoJSON, a geometry or a GeoDataFrame, whose bounds are taken. The cube holds every
        pixel that the extent touches, and never reaches further than the data.
    temporal_extent
        openEO's ``[start, end)``: the end itself is left out; ``None`` is open.
    bands
        Names or common names (``"red"``), in the order wanted; they label the cube's bands. By default all, by name.
    resolution
        Size of a pixel in units of the CRS. By default the data's own, on their own grid: nothing is resampled.
    crs
        EPSG code or other CRS of the cube; by default the data's own. Resampling takes the nearest pixel.

    Returns
    -------
    xarray.DataArray
        Backed by dask, with ``.rio`` and ``.odc`` knowing its CRS. Measured bands are float32 in physical units: scale
        and offset are applied, and no data is NaN, so 16-bit numbers never wrap. Categorical bands (SCL) asked for
        alone keep their integers, with the number that stands for no data in ``attrs["nodata"]``; beside measured bands
        they are float32 as well, with NaN. Scenes of one day are one step of ``t``. ``attrs["simulated"]`` is ``"yes"``
        or ``"no"``.

    Raises
    ------
    NotFound
        No such collection (the message lists those there are), or nothing in the extents.
    Invalid
        Unknown bands (lists the known ones), or an extent, resolution or CRS that makes no sense.
    """
    box, interval = read_box(spatial_extent), read_interval(temporal_extent)
    catalogue = open_catalogue()
    document = _find(catalogue, collection)
    chosen = _bands(document, bands)
    items = _items(catalogue, document, box=box, interval=interval)
    chosen = _present(items, chosen, asked=bands is not None)
    items = [item for item in items if any(name in item["assets"] for name in chosen.values())]
    grids = [grid for item in items for name in chosen.values() if (grid := _asset_grid(item, name)) is not None]
    if not grids:
        raise Invalid(f"{collection} does not say where its pixels lie", code="no-projection")
    target = target_grid(grids, box=box, crs=crs, resolution=resolution)
    cube = load_cube(catalogue, items, chosen=chosen, target=target)
    record_inputs(items, collection=collection, assets=list(chosen.values()))
    return cube.assign_attrs(_attributes(document, items=items, chosen=chosen, target=target))


def _collection(document: Document) -> Collection:
    known = _band_documents(document)
    interval = document["extent"]["temporal"]["interval"][0]
    return Collection(
        id=document["id"],
        title=str(document.get("title") or document["id"]),
        description=document.get("description", ""),
        bands=tuple(known),
        common_names={
            common: name for name, band in known.items() if (common := band.get("eo:common_name")) is not None
        },
        bbox=tuple(document["extent"]["spatial"]["bbox"][0]),
        start=interval[0],
        end=interval[1],
        simulated=bool(document.get("swath:simulated", False)),
        license=document.get("license", "other"),
    )


def _find(catalogue: Catalogue, collection: str) -> Document:
    documents = catalogue.collections()
    for document in documents:
        if document["id"] == collection:
            return document
    known = (
        ", ".join(sorted(document["id"] for document in documents)) or "none; `swath archive init` fills the archive"
    )
    raise NotFound(
        f"there is no collection {collection!r} in the archive",
        code="no-such-collection",
        mend=f"those there are: {known}",
    )


def _band_documents(document: Document) -> dict[str, Document]:
    """Band -> its description, for each raster asset that the collection's items have."""
    return {
        name: asset["bands"][0]
        for name, asset in document.get("item_assets", {}).items()
        if len(asset.get("bands", ())) == 1
    }


def _bands(document: Document, wanted: Sequence[str] | str | None) -> dict[str, str]:
    """Label in the cube -> asset."""
    known = _band_documents(document)
    if not known:
        raise Invalid(
            f"{document['id']} holds no rasters, so there is no cube of it",
            code="no-raster",
            mend="read its files themselves; they stand under the item's assets in the archive",
        )
    if wanted is None:
        return {name: name for name in known}
    labels = [wanted] if isinstance(wanted, str) else list(wanted)
    if not labels or len(set(labels)) != len(labels):
        raise Invalid(f"bands: {labels!r} is empty or names a band twice", code="bad-bands")
    common: dict[str, list[str]] = {}
    for name, band in known.items():
        if "eo:common_name" in band:
            common.setdefault(band["eo:common_name"], []).append(name)
    chosen = {label: [label] if label in known else common.get(label, []) for label in labels}
    unknown = [str(label) for label, names in chosen.items() if len(names) != 1]
    if unknown:
        listed = ", ".join(
            f"{name} ({band['eo:common_name']})" if "eo:common_name" in band else name for name, band in known.items()
        )
        raise Invalid(
            f"{document['id']} has no band {', '.join(unknown)}, or more than one of that name",
            code="no-such-band",
            mend=f"its bands are: {listed}",
        )
    return {label: names[0] for label, names in chosen.items()}


def _items(catalogue: Catalogue, document: Document, *, box: Box | None, interval: Interval) -> list[Document]:
    """The items that fit; one at least."""
    bounds = box.within("EPSG:4326") if box else None
    found = catalogue.items(document["id"], bounds=bounds, interval=interval)
    if not found:
        extent = document["extent"]
        start, end = extent["temporal"]["interval"][0]
        raise NotFound(
            f"{document['id']} has nothing in spatial_extent {list(bounds) if bounds else 'everywhere'} and "
            f"temporal_extent {interval}",
            code="no-items",
            mend=f"it reaches over {extent['spatial']['bbox'][0]} (degrees) from {start} to {end}",
        )
    return found


def _present(items: Sequence[Document], chosen: dict[str, str], *, asked: bool) -> dict[str, str]:
    """The bands that at least one of the items has; those that were asked for by name must be among them."""
    there = {label: name for label, name in chosen.items() if any(name in item["assets"] for item in items)}
    if not there or (asked and len(there) < len(chosen)):
        lacking = ", ".join(label for label in chosen if label not in there)
        raise NotFound(
            f"none of the {len(items)} items of {items[0].get('collection')} in these extents has the band {lacking}",
            code="no-items",
            mend="ask for other bands, or for another place or time",
        )
    return there


def _asset_grid(item: Document, name: str) -> GeoBox | None:
    asset = item["assets"].get(name)
    return None if asset is None else grid_of(asset, item["properties"])


def _attributes(
    document: Document, *, items: Sequence[Document], chosen: Mapping[str, str], target: GeoBox
) -> dict[str, Any]:
    """Text and numbers alone: what else stands in attributes breaks an export to netCDF."""
    described = [band_of(items, name) for name in chosen.values()]
    units = {band.get("unit", "") for band in described if not is_categorical(band)}
    attributes: dict[str, Any] = {
        "collection": document["id"],
        "title": document.get("title", document["id"]),
        "license": document.get("license", "other"),
        "provenance": items[0]["properties"].get("swath:provenance", ""),
        "simulated": "yes" if document.get("swath:simulated") else "no",
        "crs": str(target.crs),
    }
    if len(units) == 1:
        attributes["units"] = units.pop()
    nodata = {band.get("nodata") for band in described}
    if all(is_categorical(band) for band in described) and len(nodata) == 1 and None not in nodata:
        attributes["nodata"] = nodata.pop()
    return attributes
