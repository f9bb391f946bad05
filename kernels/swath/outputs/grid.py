"""Where an array lies on Earth: its coordinate reference system and the affine transform of its pixels."""

from __future__ import annotations

from typing import Any

from swath.outputs.place import EmitError

#: A grid counts as regular when no step differs from their mean by more than this part of it.
_STEP_TOLERANCE = 1e-3


def find_crs(given: Any, array: Any) -> Any:
    """The reference system `given`, or else the one that `array` carries.

    Raises
    ------
    EmitError
        There is none, or it is not one.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    for candidate in (given, *_carried_crs(array)):
        if candidate is None or candidate == "":
            continue
        try:
            text = (
                candidate if isinstance(candidate, str | int) else getattr(candidate, "to_wkt", lambda c=candidate: c)()
            )
            return CRS.from_user_input(text)
        except (CRSError, ValueError, TypeError) as error:
            raise EmitError(
                f"{str(candidate)[:80]!r} is not a coordinate reference system.",
                code="output-crs",
                mend="Give e.g. crs='EPSG:32631'.",
            ) from error
    raise no_crs("The raster has")


def no_crs(subject: str) -> EmitError:
    """What to tell about a raster without a reference system."""
    return EmitError(
        f"{subject} no coordinate reference system, so nobody could say where on Earth it lies.",
        code="output-crs",
        mend="Pass crs='EPSG:…' to swath.emit, or set it on the array (.rio.write_crs, .odc.assign_crs).",
    )


def _carried_crs(array: Any) -> list[Any]:
    """Where libraries keep an array's reference system: a grid-mapping coordinate, attributes, encoding."""
    mapping = array.encoding.get("grid_mapping") or array.attrs.get("grid_mapping")
    named = [mapping] if mapping in array.coords else []
    scalars = [name for name, coord in array.coords.items() if coord.ndim == 0 and name not in named]
    found = []
    for name in [*named, *scalars]:
        attributes = array.coords[name].attrs
        found.append(attributes.get("crs_wkt") or attributes.get("spatial_ref"))
        if name == "epsg" and array.coords[name].dtype.kind in "iu":
            found.append(int(array.coords[name]))
    return [*found, array.attrs.get("crs"), array.attrs.get("crs_wkt")]


def find_transform(array: Any, y: str, x: str) -> tuple[Any, Any]:
    """The affine transform of the grid's corner, and the array turned north up."""
    from rasterio.transform import Affine

    if y not in array.coords or x not in array.coords:
        return _carried_transform(array), array
    along_y, along_x = _step(array, y), _step(array, x)
    if along_y is None and along_x is None:
        return _carried_transform(array), array
    # One row or column says nothing of its own height or width: pixels are square then.
    steps = {y: along_y or -abs(along_x or 0), x: along_x or abs(along_y or 0)}
    for name, wrong in ((y, steps[y] > 0), (x, steps[x] < 0)):
        if wrong:
            array, steps[name] = array.isel({name: slice(None, None, -1)}), -steps[name]
    left = float(array[x][0]) - steps[x] / 2
    top = float(array[y][0]) - steps[y] / 2
    return Affine(steps[x], 0.0, left, 0.0, steps[y], top), array


def _step(array: Any, name: str) -> float | None:
    import numpy

    places = numpy.asarray(array[name].values, dtype="float64")
    if places.size < 2:
        return None
    steps = numpy.diff(places)
    mean = float(steps.mean())
    if mean == 0 or not numpy.isfinite(mean) or float(numpy.abs(steps - mean).max()) > _STEP_TOLERANCE * abs(mean):
        raise EmitError(
            f"The coordinates of {name!r} are not evenly spaced, so the array is on no regular grid.",
            code="output-grid",
            mend="Resample it onto a regular grid first.",
        )
    return mean


def _carried_transform(array: Any) -> Any:
    from rasterio.transform import Affine

    for name, coord in array.coords.items():
        if coord.ndim == 0 and "GeoTransform" in array.coords[name].attrs:
            return Affine.from_gdal(*map(float, str(array.coords[name].attrs["GeoTransform"]).split()))
    raise EmitError(
        "The raster has no coordinates along y and x, so its place and pixel size are unknown.",
        code="output-grid",
        mend="Assign coordinates of the pixels' centres: array.assign_coords(y=…, x=…).",
    )
