"""Interfaces as process descriptions: parameters and outputs in the standard's dialect of schemas (OpenAPI 3.0's)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swath.contract.interface import Interface, Output, Parameter
from swath.contract.kinds import Kind, ParameterType
from swath.contract.schema import PLAIN

from swath_marketplace.api.ogc.words import CRS84, CRS84H

_GEOMETRIES = (
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
)
_BBOX: dict[str, Any] = {
    "allOf": [
        {"format": "ogc-bbox"},
        {
            "type": "object",
            "required": ["bbox"],
            "properties": {
                "bbox": {
                    "type": "array",
                    "items": {"type": "number"},
                    "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
                },
                "crs": {
                    "type": "string",
                    "format": "uri",
                    "default": CRS84,
                    "description": f"{CRS84}, {CRS84H}, or http://www.opengis.net/def/crs/EPSG/0/<code>",
                },
            },
        },
    ]
}
_MOMENT: dict[str, Any] = {
    "oneOf": [{"type": "string", "format": "date-time", "nullable": True}, {"type": "string", "format": "date"}]
}
_INTERVAL: dict[str, Any] = {
    "type": "array",
    "items": _MOMENT,
    "minItems": 2,
    "maxItems": 2,
    "description": "Begin and end of a time; null where it is open. The end is not part of it.",
}
#: Media types whose values are JSON, and whose outputs stand in documents as they are.
JSON_TYPES = ("application/json", "application/geo+json")


def _geojson(kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "allOf": [
            {"format": f"geojson-{kind}", "contentMediaType": "application/geo+json"},
            {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "enum": list(names)}}},
        ]
    }


_GEOJSON: dict[str, Any] = {
    "oneOf": [
        _geojson("geometry", _GEOMETRIES),
        _geojson("feature", ("Feature",)),
        _geojson("feature-collection", ("FeatureCollection",)),
    ]
}
#: As everywhere, but for what OGC has formats of its own for.
_PLAIN: dict[Kind, dict[str, Any]] = {
    **PLAIN,
    Kind.BBOX: _BBOX,
    Kind.GEOJSON: _GEOJSON,
    Kind.TEMPORAL_INTERVAL: _INTERVAL,
}


def inputs_of(interface: Interface) -> dict[str, Any]:
    """The section ``inputs`` of a process description."""
    return {parameter.name: _input(parameter) for parameter in interface.parameters}


def outputs_of(interface: Interface) -> dict[str, Any]:
    """The section ``outputs`` of a process description."""
    return {output.name: _output(output) for output in interface.outputs}


def _input(parameter: Parameter) -> dict[str, Any]:
    schema = schema_of(parameter.type)
    if not parameter.required and parameter.default is not None:
        # The dialect has no way to say that null stands in; that the input need not occur says it.
        schema = {**schema, "default": parameter.default}
    told: dict[str, Any] = {
        "title": parameter.name,
        "minOccurs": 1 if parameter.required else 0,
        "maxOccurs": 1,
        "schema": schema,
    }
    return {**told, "description": parameter.description} if parameter.description else told


def schema_of(of: ParameterType) -> dict[str, Any]:
    """Schema of one type's values, as this door takes them."""
    schema = _bare(of)
    return {**schema, "nullable": True} if of.nullable else schema


def _bare(of: ParameterType) -> dict[str, Any]:
    if of.kind is Kind.LITERAL:
        return {**_type_of_choices(of), "enum": [*of.choices, *([None] if of.nullable else [])]}
    if of.items is not None:
        sizes = {"minItems": of.bounds.min_length, "maxItems": of.bounds.max_length}
        return {"type": "array", "items": schema_of(of.items), **_given(sizes)}
    schema = dict(_PLAIN[of.kind])
    if of.kind in (Kind.INT, Kind.FLOAT):
        return {**schema, **_limits(of)}
    if of.kind is Kind.STR:
        words = {"minLength": of.bounds.min_length, "maxLength": of.bounds.max_length, "pattern": of.bounds.pattern}
        return {**schema, **_given(words)}
    return {**schema, **_spoken_limits(of)}


def _type_of_choices(of: ParameterType) -> dict[str, Any]:
    kinds = {type(choice) for choice in of.choices}
    named = {str: "string", int: "integer", bool: "boolean"}
    return {"type": named[kinds.pop()]} if len(kinds) == 1 else {}


def _limits(of: ParameterType) -> dict[str, Any]:
    """Limits of numbers; in OpenAPI 3.0 whether one is exclusive is a word of its own."""
    bounds = of.bounds
    told: dict[str, Any] = _given({"minimum": bounds.ge, "maximum": bounds.le, "multipleOf": bounds.multiple_of})
    if bounds.gt is not None and (bounds.ge is None or _most(bounds.gt, bounds.ge, max)):
        told |= {"minimum": bounds.gt, "exclusiveMinimum": True}
    if bounds.lt is not None and (bounds.le is None or _most(bounds.lt, bounds.le, min)):
        told |= {"maximum": bounds.lt, "exclusiveMaximum": True}
    return told


def _most(one: Any, other: Any, pick: Callable[[Any, Any], Any]) -> bool:
    """Whether `one`, which is exclusive, is the tighter of the two."""
    return bool(pick(one, other) == one)


def _spoken_limits(of: ParameterType) -> dict[str, Any]:
    """Limits of dates, for which the dialect has no words, as a description."""
    bounds = of.bounds
    named = {"at least": bounds.ge, "after": bounds.gt, "at most": bounds.le, "before": bounds.lt}
    told = ", ".join(f"{words} {limit}" for words, limit in named.items() if limit is not None)
    return {"description": told} if told else {}


def _given(words: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if value is not None}


def _output(output: Output) -> dict[str, Any]:
    told: dict[str, Any] = {"title": output.name, "schema": _content(output.media_type)}
    return {**told, "description": output.description} if output.description else told


def _content(media_type: str | None) -> dict[str, Any]:
    base = (media_type or "").partition(";")[0].strip().lower()
    if not base:
        return {"description": "of a media type that is known when there is one"}
    if base in JSON_TYPES or base.endswith("+json"):
        return {"contentMediaType": media_type}
    if base.startswith("text/") or base.endswith("xml"):
        return {"type": "string", "contentMediaType": media_type}
    return {"type": "string", "contentEncoding": "binary", "contentMediaType": media_type}
