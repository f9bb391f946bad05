"""What an echo has to give back: the parameters, moments in UTC, and the names of the Python types they have there."""

from __future__ import annotations

from typing import Any

TYPES = {
    "text": "str",
    "code": "str",
    "integer": "int",
    "month": "int",
    "number": "float",
    "share": "float",
    "flag": "bool",
    "choice": "str",
    "texts": "list",
    "numbers": "list",
    "day": "date",
    "moment": "datetime",
    "area": "dict",
    "shape": "dict",
    "period": "list",
}


def outputs(raw: Any, planes: Any, given: dict[str, Any]) -> dict[str, Any]:
    """An output for each parameter, and `values` with all of them."""
    told = {name: value.replace("Z", "+00:00") if name == "moment" else value for name, value in given.items()}
    types = {name: TYPES.get(name, type(value).__name__) for name, value in given.items()}
    return told | {"values": {"values": told, "types": types}}
