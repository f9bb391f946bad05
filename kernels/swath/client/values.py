"""Python values as the JSON that an algorithm's parameters are sent as."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from swath.client.errors import Invalid

_DEEPEST = 64


class _Unfit(Exception):
    """One value that JSON has no word for: `args` are message and mend."""


def parameters_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run as JSON values.

    Dates become ISO strings, tuples lists, shapely geometries and GeoDataFrames GeoJSON in degrees, numpy scalars and
    arrays numbers and lists.

    Raises
    ------
    Invalid
        With a finding for every value that cannot be sent.
    """
    done: dict[str, Any] = {}
    findings = []
    for name, value in values.items():
        try:
            done[name] = _json(value, 0)
        except _Unfit as unfit:
            message, mend = unfit.args
            findings.append({"field": name, "code": "not-json", "message": message, "mend": mend})
    if findings:
        raise Invalid("some parameters cannot be sent", code="not-json", findings=findings)
    return done


def _json(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _Unfit("is nested too deeply, or contains itself", "give plain lists and dicts")
    if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return _json(value.value, depth + 1)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _Unfit(f"{value} is not a number in JSON", "leave the parameter out, or give None where that may be")
        return float(value)
    if isinstance(value, date):
        return _moment(value)
    if isinstance(value, Mapping):
        return {_key(name): _json(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one, depth + 1) for one in value]
    return _foreign(value, depth)


def _moment(value: date) -> str:
    if str(value) == "NaT":  # pandas.NaT is a datetime that is none
        raise _Unfit("is not a time", "give a date or None")
    if isinstance(value, datetime) and hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    return value.isoformat()


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise _Unfit(f"has a key that is no string ({type(name).__name__})", "JSON objects have string keys")
    return name


def _foreign(value: Any, depth: int) -> Any:
    """Values of packages that need not be installed, told by what they can do."""
    if isinstance(value, PurePath):
        raise _Unfit("is a path of this machine, which a run cannot see", "read the file and give what is in it")
    if hasattr(value, "to_crs") and hasattr(value, "__geo_interface__"):
        return _json(_in_degrees(value).__geo_interface__, depth + 1)
    if hasattr(value, "__geo_interface__"):
        return _json(value.__geo_interface__, depth + 1)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if type(value).__module__.partition(".")[0] == "numpy":
        if type(value).__name__ == "datetime64":
            return _numpy_time(value)
        if hasattr(value, "tolist"):
            return _json(value.tolist(), depth + 1)
    raise _Unfit(
        f"a {type(value).__name__} cannot be sent",
        "give numbers, strings, dates, lists, dicts, or a shapely geometry or GeoDataFrame",
    )


def _numpy_time(value: Any) -> str:
    text = str(value)
    if text == "NaT":
        raise _Unfit("is not a time", "give a date or None")
    # numpy's times have no zone and are UTC by convention; nanoseconds are more than ISO readers take.
    return text if "T" not in text else f"{text[:26]}Z"


def _in_degrees(frame: Any) -> Any:
    """A GeoDataFrame or GeoSeries in longitude and latitude, which is what GeoJSON means."""
    if frame.crs is not None:
        return frame.to_crs(4326)
    west, south, east, north = (float(number) for number in frame.total_bounds)
    if -180 <= west <= east <= 180 and -90 <= south <= north <= 90:
        return frame
    raise _Unfit("has no CRS, and its coordinates are not degrees", "set it: frame.set_crs(…)")
