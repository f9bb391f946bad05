"""What an echo has to give back: the parameters, moments in UTC, and the names of the Python types they have there."""

from __future__ import annotations

import sys
from typing import Any

from swath.contract.scenarios import Scenario

stacks = sys.modules["swath_tests_algorithms_references"].load("stacks")


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


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """An output for each parameter, and `values` with all of them."""
    given = stacks.given("echo", scenario)
    told = {name: value.replace("Z", "+00:00") if name == "moment" else value for name, value in given.items()}
    types = {name: TYPES.get(name, type(value).__name__) for name, value in given.items()}
    return told | {"values": {"values": told, "types": types}}
