"""Pixels of items as one lazy array in physical units, whatever each item stored them as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from swath.catalogue import Catalogue, Document
from swath.client.errors import MissingPackage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import xarray as xr
    from odc.geo.geobox import GeoBox

    _Numbers: TypeAlias = npt.NDArray[np.generic]

#: Pixels along a side of a chunk; one date of one band a chunk is 4 MB.
_CHUNK = 1024


def load_cube(
    catalogue: Catalogue, items: Sequence[Document], *, chosen: Mapping[str, str], target: GeoBox
) -> xr.DataArray:
    """The items' bands on the grid `target`: dimensions ``t, bands, y, x``, a step of ``t`` for each day.

    Parameters
    ----------
    chosen
        Label in the cube -> asset; at least one item has each.

    Raises
    ------
    MissingPackage
    """
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
    described = {name: band_of(items, name) for name in chosen.values()}
    parts = [_load_alike(group, described=described, target=target) for group in groups.values()]
    cube = parts[0] if len(parts) == 1 else _one_step_a_day(xr.concat(parts, dim="t").sortby("t"), described)
    cube = cube.assign_coords(bands=pd.Index(list(chosen), name="bands"))
    common = [band.get("eo:common_name", "") for band in described.values()]
    return cube.assign_coords(common_name=("bands", common))


def _load_alike(items: Sequence[Document], *, described: Mapping[str, Document], target: GeoBox) -> xr.DataArray:
    """Items whose bands all mean the same; `described` says of each band of the cube what some item says of it."""
    import pystac
    import xarray as xr
    from odc.stac import load

    # Items that are alike have the same bands; a band that these lack, other items of the cube have.
    dataset = load(
        [pystac.Item.from_dict(item, preserve_dict=True, migrate=False) for item in items],
        bands=[name for name in described if name in items[0]["assets"]],
        geobox=target,
        groupby="solar_day",
        chunks={"x": _CHUNK, "y": _CHUNK},
        resampling="nearest",
    )
    names = {"time": "t", **dict(zip(target.dimensions, ("y", "x"), strict=True))}
    dataset = dataset.rename({old: new for old, new in names.items() if old != new and old in dataset.dims})
    first = dataset[next(iter(dataset.data_vars))]
    keep = all(is_categorical(band) for band in described.values())
    planes = []
    for name in described:
        if name not in dataset:
            fill = described[name].get("nodata", 0) if keep else float("nan")
            planes.append(xr.full_like(first, fill, dtype=first.dtype if keep else "float32"))
            continue
        band = band_of(items, name)
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
        planes.append(plane)
    cube = (
        xr.concat([plane.drop_attrs() for plane in planes], dim="bands").transpose("t", "bands", "y", "x").rename(None)
    )
    placed: xr.DataArray = cube.rio.write_crs(str(target.crs))
    return placed


def _one_step_a_day(cube: xr.DataArray, described: Mapping[str, Document]) -> xr.DataArray:
    """Scenes of one day that were read apart, laid over each other: the first pixel with data counts."""
    import numpy as np
    import xarray as xr

    days = cube.t.values.astype("datetime64[D]")
    steps = []
    for day in np.unique(days):
        first, *others = (cube.isel(t=[int(index)]) for index in np.flatnonzero(days == day))
        for other in others:
            empty = next(iter(described.values())).get("nodata", 0)
            known = first.notnull() if cube.dtype.kind == "f" else first != empty
            first = first.where(known, other.assign_coords(t=first.t))
        steps.append(first)
    joined: xr.DataArray = xr.concat(steps, dim="t")
    return joined


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


def band_of(items: Sequence[Document], name: str) -> Document:
    """What the first item that has the band says of it."""
    band: Document = next(item["assets"][name]["bands"][0] for item in items if name in item["assets"])
    return band


def is_categorical(band: Document) -> bool:
    """Whether a band's numbers are names of classes."""
    return "classification:classes" in band
