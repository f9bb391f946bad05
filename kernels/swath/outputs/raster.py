"""Rasters as Cloud Optimized GeoTIFFs.

A raster has two spatial dimensions on a regular grid, a coordinate reference system, and at most one more dimension:
its bands. Where any of this is missing the value is refused with what would mend it, because a raster without its place
on Earth is no result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.outputs.grid import find_crs, find_transform, no_crs
from swath.outputs.place import EmitError

_SPATIAL = (("y", "x"), ("latitude", "longitude"), ("lat", "lon"), ("northing", "easting"))
_BANDS = ("bands", "band", "variable")
_TIMES = ("t", "time")
#: Types that GeoTIFF knows; others are widened without loss.
_WIDER = {"bool": "uint8", "float16": "float32", "int8": "int16"}


@dataclass(frozen=True, kw_only=True)
class Raster:
    """A raster ready to be written: `values` with shape (bands, y, x), north up."""

    values: Any
    crs: Any
    transform: Any
    nodata: float | None
    names: tuple[str, ...]


def read(value: Any, *, crs: Any, nodata: float | None) -> Raster:
    """Check `value` and compute it.

    Parameters
    ----------
    value
        DataArray (y, x) or (bands, y, x), a time dimension of length one allowed; or a Dataset, each variable a band.
    crs
        What pyproj or rasterio understand; None takes what `value` carries.
    nodata
        None takes what `value` carries, and NaN for floating-point numbers.

    Raises
    ------
    EmitError
        It is no raster on Earth; the message says what is missing.
    """
    import numpy

    array = _as_array(value)
    y, x = _spatial(array)
    found = find_crs(crs, array)
    array, bands = _without_time(array, y, x)
    array = array.transpose(*([bands] if bands else []), y, x)
    names = tuple(str(name) for name in array[bands].values) if bands and bands in array.coords else ()
    transform, array = find_transform(array, y, x)
    values = _typed(array)
    if not bands:
        values = values[None]
        names = (str(array.name),) if array.name else ()
    fill = _nodata(nodata, array, values)
    if fill is not None and values.dtype.kind == "f" and not numpy.isnan(fill):
        values = numpy.where(numpy.isnan(values), values.dtype.type(fill), values)
    return Raster(values=values, crs=found, transform=transform, nodata=fill, names=names)


def write(raster: Raster, path: Path, *, description: str) -> None:
    """Write `raster` to `path` as COG, deflated, with overviews, and read its head again."""
    import rasterio

    bands, height, width = raster.values.shape
    with (
        rasterio.Env(),
        rasterio.open(
            path,
            "w",
            driver="COG",
            width=width,
            height=height,
            count=bands,
            dtype=raster.values.dtype.name,
            crs=raster.crs,
            transform=raster.transform,
            nodata=raster.nodata,
            compress="DEFLATE",
            predictor="YES",
            bigtiff="IF_SAFER",
            overview_resampling="NEAREST" if raster.values.dtype.kind in "iub" else "AVERAGE",
        ) as file,
    ):
        file.write(raster.values)
        for index, name in enumerate(raster.names, start=1):
            file.set_band_description(index, name)
        if description:
            file.update_tags(TIFFTAG_IMAGEDESCRIPTION=description)
    with rasterio.open(path) as again:
        if again.crs is None or again.shape != (height, width):
            raise EmitError("The raster's coordinate reference system cannot be kept in a GeoTIFF.", code="output-crs")


def check_file(path: Path) -> None:
    """Refuse a TIFF that names no coordinate reference system."""
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        with rasterio.open(path) as file:
            found = file.crs
    except RasterioIOError:
        raise EmitError(f"{path.name} cannot be read as a raster.", code="output-invalid") from None
    if found is None:
        raise no_crs(f"The raster in {path.name} has")


def preview(raster: Raster, *, size: int = 480) -> bytes:
    """A PNG of the first band, or of the first three, between their 2nd and 98th percentiles; nodata is transparent."""
    import warnings

    import numpy
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    step = max(1, -(-max(raster.values.shape[1:]) // size))
    shown = raster.values[: 3 if len(raster.values) >= 3 else 1, ::step, ::step].astype("float64")
    valid = numpy.isfinite(shown)
    if raster.nodata is not None and numpy.isfinite(raster.nodata):
        valid &= shown != raster.nodata
    grey = numpy.zeros(shown.shape, dtype="uint8")
    for band, mask, target in zip(shown, valid, grey, strict=True):
        if mask.any():
            low, high = numpy.percentile(band[mask], (2, 98))
            scaled = (band - low) / ((high - low) or 1.0)
            target[mask] = (numpy.clip(scaled, 0, 1)[mask] * 255).astype("uint8")
    alpha = (valid.all(axis=0) * 255).astype("uint8")
    data = numpy.concatenate([grey, alpha[None]])
    count, height, width = data.shape
    with MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(driver="PNG", width=width, height=height, count=count, dtype="uint8") as file:
            file.write(data)
        return bytes(memory.read())


def _as_array(value: Any) -> Any:
    if type(value).__name__ != "Dataset":
        return value
    bands = {name: value[name] for name in value.data_vars if value[name].ndim >= 2}
    if not bands:
        raise EmitError("The dataset has no variable with a y and an x dimension.", code="output-dimensions")
    array = value[list(bands)].to_dataarray("bands")
    carried = [dict(variable.attrs) for variable in bands.values()]
    return array.assign_attrs({**carried[0], **value.attrs})


def _spatial(array: Any) -> tuple[str, str]:
    for y, x in _SPATIAL:
        if y in array.dims and x in array.dims:
            return y, x
    raise EmitError(
        f"A raster needs the dimensions y and x; this array has {', '.join(map(str, array.dims)) or 'none'}.",
        code="output-dimensions",
        mend="Rename its spatial dimensions to y and x, or emit numbers as a table or a list.",
    )


def _without_time(array: Any, y: str, x: str) -> tuple[Any, str | None]:
    """`array` without dimensions of length one, and the name of its band dimension."""
    for name in [dim for dim in array.dims if dim not in (y, x) and array.sizes[dim] == 1 and dim not in _BANDS]:
        array = array.squeeze(name, drop=True)
    others = [str(dim) for dim in array.dims if dim not in (y, x)]
    times = [dim for dim in others if dim in _TIMES]
    if times:
        raise EmitError(
            f"A raster file holds one moment; dimension {times[0]!r} has {array.sizes[times[0]]}.",
            code="output-dimensions",
            mend=f"Reduce it, e.g. .median({times[0]!r}), or make each moment a band: .rename({times[0]}='bands').",
        )
    if len(others) > 1:
        raise EmitError(
            f"A raster has y, x and at most one dimension of bands; this array also has {', '.join(others)}.",
            code="output-dimensions",
            mend="Reduce or select until one is left.",
        )
    return array, others[0] if others else None


def _typed(array: Any) -> Any:
    """The computed values in a type that GeoTIFF knows."""
    import numpy

    values = numpy.asarray(array.values)
    if values.dtype.kind not in "biuf":
        raise EmitError(
            f"A raster holds numbers; this one holds {values.dtype}.",
            code="output-value",
            mend="Convert it first, e.g. .astype('float32').",
        )
    values = values.astype(_WIDER.get(values.dtype.name, values.dtype), copy=False)
    if values.dtype.name in ("int64", "uint64") and values.size:  # few readers know 64-bit integers
        limits = numpy.iinfo("int32")
        if values.min() >= limits.min and values.max() <= limits.max:
            values = values.astype("int32")
    return values


def _nodata(given: float | None, array: Any, values: Any) -> float | None:
    import numpy

    carried = (array.encoding.get("_FillValue"), array.attrs.get("_FillValue"), array.attrs.get("nodata"))
    floating = values.dtype.kind == "f"
    found = given if given is not None else next((float(value) for value in carried if value is not None), None)
    if given is None and floating:  # decoded values carry NaN where their file had its fill value
        return float("nan")
    if found is None:
        return None
    limits = None if floating else numpy.iinfo(values.dtype)
    if limits is not None and not (float(found).is_integer() and limits.min <= found <= limits.max):
        if given is None:
            return None
        raise EmitError(f"nodata {found} does not fit into {values.dtype}.", code="output-nodata")
    return float(found)
