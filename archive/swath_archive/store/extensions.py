"""The STAC extensions that this archive uses, each field with its rule.

pystac ships the schemas of STAC's core and none of an extension's, and would fetch those from the network. These rules
are written from the extensions' own documents and are stricter than their schemas: a field that is not listed here is
an error.
"""

from __future__ import annotations

from typing import Any

from swath_archive.domain.bands import COMMON_NAMES

_NUMBER: dict[str, Any] = {"type": "number"}
_POSITIVE: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
EO = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"

#: extension -> field -> JSON Schema of its value.
FIELDS: dict[str, dict[str, dict[str, Any]]] = {
    PROJECTION: {
        "proj:code": {"type": ["string", "null"], "pattern": "^[A-Z0-9]+:[0-9A-Za-z]+$"},
        "proj:wkt2": {"type": ["string", "null"], "minLength": 10},
        "proj:shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2},
        "proj:transform": {"type": "array", "items": _NUMBER, "minItems": 6, "maxItems": 9},
    },
    RASTER: {
        "raster:scale": {"type": "number", "not": {"const": 0}},
        "raster:offset": _NUMBER,
        "raster:spatial_resolution": _POSITIVE,
    },
    EO: {
        "eo:common_name": {"enum": sorted(COMMON_NAMES)},
        "eo:center_wavelength": _POSITIVE,
        "eo:cloud_cover": {"type": "number", "minimum": 0, "maximum": 100},
    },
    FILE: {
        "file:size": {"type": "integer", "minimum": 0},
        # A multihash: 0x12 is sha2-256, 0x20 its length.
        "file:checksum": {"type": "string", "pattern": "^1220[0-9a-f]{64}$"},
    },
    CLASSIFICATION: {
        "classification:classes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["value", "name"],
                "properties": {
                    "value": {"type": "integer"},
                    "name": {"type": "string", "pattern": "^[0-9A-Za-z_-]+$"},
                    "description": {"type": "string"},
                    "nodata": {"type": "boolean"},
                },
                "additionalProperties": False,
            },
        },
    },
}

#: prefix of a field -> its extension.
PREFIXES = {next(iter(fields)).split(":")[0]: uri for uri, fields in FIELDS.items()}


def extensions_in(document: Any) -> list[str]:
    """The extensions whose fields stand anywhere in a STAC document, sorted."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.update(
                PREFIXES[name.split(":")[0]] for name in value if ":" in name and name.split(":")[0] in PREFIXES
            )
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document)
    return sorted(found)
