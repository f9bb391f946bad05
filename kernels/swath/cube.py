"""``swath.open_cube``: a collection of the archive as a lazy array, asked for in openEO's words."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from swath.catalogue import Catalogue, Document, open_catalogue
from swath.client.errors import Invalid, MissingPackage, NotFound
from swath.extents import Box, Interval, read_box, read_interval
from swath.grids import grid_of, target_grid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import xarray as xr
    from odc.geo.geobox import GeoBox

    _Numbers: TypeAlias = npt.NDArray[np.generic]

__all__ = ["Collection", "collections", "open_cube"]

#: Pixels along a side of a chunk; one date of one band a chunk is 4 MB.
_CHUNK = 1024
_recorded: set[tuple[str, ...]] = set()
_lock = threading.Lock()


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
    items = _items(catalogue, document, chosen=chosen, box=box, interval=interval)
    grids = [grid for item in items for name in chosen.values() if (grid := _asset_grid(item, name)) is not None]
    if not grids:
        raise Invalid(f"{collection} does not say where its pixels lie", code="no-projection")
    target = target_grid(grids, box=box, crs=crs, resolution=resolution)
    cube = _load(catalogue, items, chosen=chosen, target=target)
    _record(items, collection=collection, assets=list(chosen.values()))
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


def _items(
    catalogue: Catalogue, document: Document, *, chosen: Mapping[str, str], box: Box | None, interval: Interval
) -> list[Document]:
    """The items that fit and have a band of those chosen."""
    bounds = box.within("EPSG:4326") if box else None
    found = catalogue.items(document["id"], bounds=bounds, interval=interval)
    found = [item for item in found if any(name in item["assets"] for name in chosen.values())]
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


def _asset_grid(item: Document, name: str) -> GeoBox | None:
    asset = item["assets"].get(name)
    return None if asset is None else grid_of(asset, item["properties"])


def _load(
    catalogue: Catalogue, items: Sequence[Document], *, chosen: Mapping[str, str], target: GeoBox
) -> xr.DataArray:
    try:
        import pandas as pd
        import rioxarray  # noqa: F401 - gives arrays their `.rio`
        import xarray as xr
        from odc.stac import configure_rio
    except ImportError as error:
        raise MissingPackage(
            f"open_cube needs {error.name}, which is not installed here",
            code="missing-package",
            mend="pip install 'swath[kernel]', or use the kernel of Swath's JupyterLab",
        ) from error
    settings = catalogue.asset_settings(list(items))
    if settings:
        configure_rio(cloud_defaults=True, **dict[str, Any](settings))
    groups: dict[str, list[Document]] = {}
    for item in items:
        # Scenes whose numbers mean different things (another scale, another nodata) are read apart.
        meanings = [item["assets"].get(name, {}).get("bands") for name in chosen.values()]
        groups.setdefault(json.dumps(meanings, sort_keys=True), []).append(item)
    keep = all(_categorical(_band(items, name)) for name in chosen.values())
    parts = [_load_alike(group, chosen=chosen, target=target, keep=keep) for group in groups.values()]
    cube = parts[0] if len(parts) == 1 else xr.concat(parts, dim="t").sortby("t")
    cube = cube.assign_coords(bands=pd.Index(list(chosen), name="bands"))
    common = [_band(items, name).get("eo:common_name", "") for name in chosen.values()]
    return cube.assign_coords(common_name=("bands", common))


def _load_alike(items: Sequence[Document], *, chosen: Mapping[str, str], target: GeoBox, keep: bool) -> xr.DataArray:
    """Items whose bands all mean the same."""
    import pystac
    import xarray as xr
    from odc.stac import load

    dataset = load(
        [pystac.Item.from_dict(item, preserve_dict=True, migrate=False) for item in items],
        bands=list(chosen.values()),
        geobox=target,
        groupby="solar_day",
        chunks={"x": _CHUNK, "y": _CHUNK},
        resampling="nearest",
    )
    names = {"time": "t", **dict(zip(target.dimensions, ("y", "x"), strict=True))}
    dataset = dataset.rename({old: new for old, new in names.items() if old != new and old in dataset.dims})
    planes = []
    for name in chosen.values():
        band = _band(items, name)
        plane = dataset[name]
        if not keep:
            plane = xr.apply_ufunc(
                physical,
                plane,
                kwargs={
                    "nodata": band.get("nodata"),
                    "scale": band.get("raster:scale", 1.0),
                    "offset": band.get("raster:offset", 0.0),
                },
                dask="parallelized",
                output_dtypes=["float32"],
            )
        planes.append(plane.drop_attrs())
    cube = xr.concat(planes, dim="bands").transpose("t", "bands", "y", "x").rename(None)
    placed: xr.DataArray = cube.rio.write_crs(str(target.crs))
    return placed


def physical(block: _Numbers, *, nodata: float | str | None, scale: float, offset: float) -> _Numbers:
    """Stored numbers as float32 in physical units, no data as NaN."""
    import numpy as np

    values = block.astype(np.float32)
    if scale != 1.0 or offset != 0.0:
        values *= np.float32(scale)
        values += np.float32(offset)
    if nodata is not None and nodata != "nan":
        values[block == np.asarray(nodata, dtype=block.dtype)] = np.nan
    return values


def _band(items: Sequence[Document], name: str) -> Document:
    band: Document = next(item["assets"][name]["bands"][0] for item in items if name in item["assets"])
    return band


def _categorical(band: Document) -> bool:
    return "classification:classes" in band


def _attributes(
    document: Document, *, items: Sequence[Document], chosen: Mapping[str, str], target: GeoBox
) -> dict[str, Any]:
    """Text and numbers alone: what else stands in attributes breaks an export to netCDF."""
    described = [_band(items, name) for name in chosen.values()]
    units = {band.get("unit", "") for band in described if not _categorical(band)}
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
    if all(_categorical(band) for band in described) and len(nodata) == 1 and None not in nodata:
        attributes["nodata"] = nodata.pop()
    return attributes


def _record(items: Sequence[Document], *, collection: str, assets: Sequence[str]) -> None:
    """Append what was opened to the run's record of inputs, each asset once a process."""
    run_dir = os.environ.get("SWATH_RUN_DIR")
    if not run_dir:
        return
    lines = []
    with _lock:
        for item in items:
            for name in assets:
                asset = item["assets"].get(name)
                key = (run_dir, collection, item["id"], name)
                if asset is None or key in _recorded:
                    continue
                _recorded.add(key)
                entry = {"collection": collection, "item": item["id"], "asset": name, "href": asset["href"]}
                # A multihash: 1220 says sha2-256 and its length.
                checksum = str(asset.get("file:checksum", ""))
                lines.append(json.dumps({**entry, "sha256": checksum[4:]} if checksum.startswith("1220") else entry))
        if lines:
            with (Path(run_dir) / "out" / "inputs.jsonl").open("a") as record:
                record.write("\n".join(lines) + "\n")
