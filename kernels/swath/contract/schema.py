"""Parameter types as JSON Schema, draft 2020-12."""

from __future__ import annotations

from typing import Any

from swath.contract.kinds import MOMENTS, Kind, ParameterType

_NUMBER = {"type": "number"}
#: openEO's bounding box, or its four numbers.
BBOX: dict[str, Any] = {
    "subtype": "bounding-box",
    "anyOf": [
        {
            "type": "object",
            "required": ["west", "south", "east", "north"],
            "properties": {
                **dict.fromkeys(("west", "south", "east", "north"), _NUMBER),
                "crs": {
                    "anyOf": [
                        {"type": "integer", "minimum": 1024, "maximum": 998999},
                        {"type": "string", "minLength": 1, "maxLength": 10000},
                        {"type": "null"},
                    ],
                    "default": 4326,
                    "description": "EPSG code or WKT2; degrees of longitude and latitude when left out",
                },
            },
            "additionalProperties": False,
        },
        {"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4},
    ],
}
_MOMENT = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "null"},
    ]
}
#: openEO's interval: closed at its start, open at its end; one of both may be null.
TEMPORAL_INTERVAL: dict[str, Any] = {
    "subtype": "temporal-interval",
    "type": "array",
    "items": _MOMENT,
    "minItems": 2,
    "maxItems": 2,
    "not": {"const": [None, None]},
}
GEOJSON: dict[str, Any] = {
    "subtype": "geojson",
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {
            "enum": [
                "Point",
                "MultiPoint",
                "LineString",
                "MultiLineString",
                "Polygon",
                "MultiPolygon",
                "GeometryCollection",
                "Feature",
                "FeatureCollection",
            ]
        }
    },
}
#: JSON Schema of each kind that needs no more than its name.
PLAIN: dict[Kind, dict[str, Any]] = {
    Kind.INT: {"type": "integer"},
    Kind.FLOAT: {"type": "number"},
    Kind.BOOL: {"type": "boolean"},
    Kind.STR: {"type": "string"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
    Kind.BBOX: BBOX,
    Kind.GEOJSON: GEOJSON,
    Kind.TEMPORAL_INTERVAL: TEMPORAL_INTERVAL,
}
_NUMBER_WORDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
#: The words that validators with format limits (ajv-formats) know; JSON Schema itself has none, so others ignore them.
_MOMENT_WORDS = {
    "ge": "formatMinimum",
    "gt": "formatExclusiveMinimum",
    "le": "formatMaximum",
    "lt": "formatExclusiveMaximum",
}


def type_schema(of: ParameterType) -> dict[str, Any]:
    """Schema of one type's JSON values."""
    schema = _bare(of)
    if not of.nullable:
        return schema
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str) and "not" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _bare(of: ParameterType) -> dict[str, Any]:
    if of.kind is Kind.LITERAL:
        return {"enum": list(of.choices)}
    if of.items is not None:
        sizes = {"min_length": "minItems", "max_length": "maxItems"}
        return {"type": "array", "items": type_schema(of.items), **_renamed(of, sizes)}
    words = _MOMENT_WORDS if of.kind in MOMENTS else _NUMBER_WORDS
    return {**PLAIN[of.kind], **_renamed(of, {**words, "min_length": "minLength", "max_length": "maxLength"})}


def _renamed(of: ParameterType, words: dict[str, str]) -> dict[str, Any]:
    return {words[name]: value for name, value in of.bounds.as_dict().items() if name in words}
