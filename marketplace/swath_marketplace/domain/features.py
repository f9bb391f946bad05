"""What the cost of a run may depend on, in numbers: read from its bound parameters by their types.

A parameter ``p`` gives features called ``p`` or ``p:…``, one of its categories ``p=…``. What there is of area, time and
resolution also stands under names of our own: ``area_km2``, ``days``, ``resolution``, ``pixels``, ``area_days``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from swath.contract.interface import Interface
from swath.contract.kinds import Kind, ParameterType
from swath.contract.times import read_either

from swath_marketplace.domain.areas import box_km2, geojson_km2, geometries, positions

#: As many as the quota service takes.
MAX_FEATURES = 128
_LARGEST = 1e15
#: Parameters of these names are a side of a pixel.
_RESOLUTIONS = frozenset({"resolution", "res", "pixel_size", "spatial_resolution"})


def features_of(interface: Interface, bound: Mapping[str, Any]) -> dict[str, float]:
    """The features of a run with the parameters `bound`, which `check_parameters` returned without findings."""
    found: dict[str, float] = {}
    for parameter in interface.parameters:
        found.update(_features(parameter.name, parameter.type, bound.get(parameter.name)))
    told = {**_general(interface, bound, found), **found}
    finite = {name: float(value) for name, value in told.items() if abs(value) <= _LARGEST}
    return dict(list(finite.items())[:MAX_FEATURES])


def _features(name: str, of: ParameterType, value: Any) -> dict[str, float]:
    if value is None:
        return {f"{name}:null": 1.0}
    match of.kind:
        case Kind.INT | Kind.FLOAT | Kind.BOOL:
            return {name: float(value)} if abs(value) <= _LARGEST else {}
        case Kind.STR:
            return {f"{name}={_hashed(value)}": 1.0, f"{name}:length": float(len(value))}
        case Kind.LITERAL:
            return {f"{name}={_hashed(value)}": 1.0}
        case Kind.LIST:
            return {f"{name}:length": float(len(value))}
        case Kind.BBOX:
            return _with(f"{name}:km2", box_km2(value))
        case Kind.GEOJSON:
            shapes = geometries(value)
            return {
                f"{name}:km2": geojson_km2(value),
                f"{name}:shapes": float(len(shapes)),
                f"{name}:positions": float(sum(map(positions, shapes))),
            }
        case Kind.TEMPORAL_INTERVAL:
            return _with(f"{name}:days", _days(value))
    # A single date says when and not how much.
    return {}


def _general(interface: Interface, bound: Mapping[str, Any], found: Mapping[str, float]) -> dict[str, float]:
    told: dict[str, float] = {}
    of_kind = {
        kind: [parameter.name for parameter in interface.parameters if parameter.type.kind is kind] for kind in Kind
    }
    # A box says where to look; shapes within it are only then the extent when there is no box.
    for names, suffix, general in (
        (of_kind[Kind.BBOX], "km2", "area_km2"),
        (of_kind[Kind.GEOJSON], "km2", "area_km2"),
        (of_kind[Kind.TEMPORAL_INTERVAL], "days", "days"),
    ):
        known = [found[f"{name}:{suffix}"] for name in names if f"{name}:{suffix}" in found]
        if known and general not in told:
            told[general] = max(known)
    side = next((bound[name] for name in bound if name.lower() in _RESOLUTIONS and _positive(bound[name])), None)
    if side is not None:
        told["resolution"] = float(side)
        if "area_km2" in told:
            # In metres, as nearly every author means it; were it degrees, only a constant factor would differ.
            told["pixels"] = told["area_km2"] * 1e6 / float(side) ** 2
    if {"area_km2", "days"} <= told.keys():
        told["area_days"] = told["area_km2"] * told["days"]
    return told


def _days(interval: Any) -> float | None:
    ends = [read_either(end) if isinstance(end, str) else None for end in interval]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    first: datetime = ends[0][0]
    last: datetime = ends[1][0]
    return max(0.0, (last - first).total_seconds() / 86_400)


def _hashed(value: Any) -> str:
    """A category's own name: what a caller writes stays theirs."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:8]


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _with(name: str, value: float | None) -> dict[str, float]:
    return {} if value is None else {name: value}
