"""Python values as JSON: scalars of numpy and pandas, moments, paths, enumerations, models. JSON has no NaN: null."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from swath.outputs.place import EmitError

_MAX_DEPTH = 100


def jsonable(value: Any, *, where: str = "value", depth: int = 0) -> Any:
    """`value` as what `json` can write.

    NaN, infinities, NaT and NA become null; sets become sorted lists; durations become seconds; arrays become lists.

    Raises
    ------
    EmitError
        Something in it has no JSON form; the message says where.
    """
    if depth > _MAX_DEPTH:
        raise EmitError(f"{where} is nested too deeply, or holds itself.", code="output-value")
    if value is None or (isinstance(value, bool | str) and not isinstance(value, Enum)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Enum):
        return jsonable(value.value, where=where, depth=depth + 1)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            _key(key, where): jsonable(item, where=f"{where}[{key!r}]", depth=depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [jsonable(item, where=f"{where}[{index}]", depth=depth + 1) for index, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted(
            (jsonable(item, where=where, depth=depth + 1) for item in value),
            key=lambda item: (str(type(item)), str(item)),
        )
    return _special(value, where=where, depth=depth + 1)


def _key(key: Any, where: str) -> str:
    plain = jsonable(key, where=f"a key of {where}")
    if isinstance(plain, dict | list) or plain is None:
        raise EmitError(f"A key of {where} is no text.", code="output-value", mend="Use strings as keys.")
    return plain if isinstance(plain, str) else str(plain).lower() if isinstance(plain, bool) else str(plain)


def _special(value: Any, *, where: str, depth: int) -> Any:
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath | UUID):
        return str(value)
    if callable(getattr(value, "model_dump", None)):
        return jsonable(value.model_dump(mode="json"), where=where, depth=depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return jsonable(members, where=where, depth=depth)
    if type(value).__module__ == "numpy":
        return _from_numpy(value, where=where, depth=depth)
    if type(value).__name__ == "DataArray" and getattr(value, "ndim", None) == 0:
        return jsonable(value.values.item(), where=where, depth=depth)
    if hasattr(value, "__geo_interface__"):
        return jsonable(value.__geo_interface__, where=where, depth=depth)
    raise EmitError(
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which has no JSON form.",
        code="output-value",
        mend="Emit numbers, text, lists and dictionaries of them, a table, a raster, a figure, or a Path to a file.",
    )


def _from_numpy(value: Any, *, where: str, depth: int) -> Any:
    import numpy

    if isinstance(value, numpy.datetime64):
        return None if numpy.isnat(value) else str(value)
    if isinstance(value, numpy.timedelta64):
        return None if numpy.isnat(value) else float(value / numpy.timedelta64(1, "s"))
    if isinstance(value, numpy.ndarray):
        if value.dtype.kind in "mM":
            return [jsonable(item, where=where, depth=depth) for item in value]
        return jsonable(value.tolist(), where=where, depth=depth)
    return jsonable(value.item(), where=where, depth=depth)
