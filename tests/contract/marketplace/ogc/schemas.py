"""What the standard says of each document, checked three ways.

1. Our own statement of it, from the text of OGC 18-062r2, as JSON Schema: the published files are not ours to ship.
2. The models that ``ogc-api-processes-client`` (PyPI) was generated with from the published API definition.
3. The published files themselves, where ``SWATH_OGC_SCHEMAS`` names a folder that holds them (``statusInfo.yaml``, …).
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import ogc_api_processes_client.models as client_models
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_TEXT = {"type": "string"}
_WORD = {"type": "string", "minLength": 1}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_SCHEMA = {"$ref": "#/$defs/schema"}
_SOME_SCHEMAS = {"type": "array", "items": _SCHEMA}
_URI = {"type": "string", "pattern": "^https?://[^ ]+$"}
_LINK = {
    "type": "object",
    "required": ["href"],
    "properties": {
        "href": _URI,
        **dict.fromkeys(("rel", "type", "hreflang", "title"), _WORD),
    },
}
_LINKS = {"type": "array", "items": _LINK}
_MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
_DESCRIBED = {
    "title": _TEXT,
    "description": _TEXT,
    "keywords": {"type": "array", "items": _TEXT},
    "metadata": {
        "type": "array",
        "items": {"type": "object", "properties": {"title": _TEXT, "role": _TEXT, "href": _TEXT}},
    },
}
_SUMMARY = {
    "type": "object",
    "required": ["id", "version"],
    "properties": {
        **_DESCRIBED,
        "id": {"type": "string", "minLength": 1},
        "version": {"type": "string", "minLength": 1},
        "jobControlOptions": {"type": "array", "items": {"enum": ["sync-execute", "async-execute", "dismiss"]}},
        "outputTransmission": {"type": "array", "items": {"enum": ["value", "reference"]}},
        "links": _LINKS,
    },
}
_NUMBER_OR_NOT = {"type": "number"}
#: The dialect of schemas that descriptions are written in, which knows no further words.
_DIALECT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "title": _TEXT,
        "description": _TEXT,
        "format": _TEXT,
        "pattern": _TEXT,
        "contentMediaType": _TEXT,
        "contentEncoding": _TEXT,
        "contentSchema": _TEXT,
        "type": {"enum": ["array", "boolean", "integer", "number", "object", "string"]},
        "multipleOf": {"type": "number", "exclusiveMinimum": 0},
        "maximum": _NUMBER_OR_NOT,
        "minimum": _NUMBER_OR_NOT,
        **dict.fromkeys(
            ("exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable", "readOnly", "writeOnly", "deprecated"),
            _FLAG,
        ),
        **dict.fromkeys(
            ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"),
            _COUNT,
        ),
        "required": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
        "enum": {"type": "array", "minItems": 1},
        "not": {"$ref": "#/$defs/schema"},
        **dict.fromkeys(("allOf", "oneOf", "anyOf"), _SOME_SCHEMAS),
        "items": {"$ref": "#/$defs/schema"},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/schema"}},
        "additionalProperties": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/schema"}]},
        "default": {},
        "example": {},
    },
}
_INPUT = {
    "type": "object",
    "required": ["schema"],
    "properties": {
        **_DESCRIBED,
        "minOccurs": {"type": "integer"},
        "maxOccurs": {"anyOf": [{"type": "integer"}, {"const": "unbounded"}]},
        "schema": {"$ref": "#/$defs/schema"},
    },
}
_OUTPUT = {"type": "object", "required": ["schema"], "properties": {**_DESCRIBED, "schema": {"$ref": "#/$defs/schema"}}}
_STATUS = {
    "type": "object",
    # The job list makes processID mandatory (/req/job-list/processID-mandatory).
    "required": ["jobID", "status", "type", "processID"],
    "properties": {
        "jobID": _TEXT,
        "processID": _TEXT,
        "type": {"const": "process"},
        "status": {"enum": ["accepted", "running", "successful", "failed", "dismissed"]},
        "message": _TEXT,
        **dict.fromkeys(("created", "started", "finished", "updated"), _MOMENT),
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "links": _LINKS,
    },
}
_QUALIFIED = {
    "type": "object",
    "required": ["value"],
    "additionalProperties": False,
    "properties": {"value": {}, "mediaType": _TEXT, "encoding": _TEXT, "schema": {}},
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "landingPage": {
        "type": "object",
        "required": ["links"],
        "properties": {"title": _TEXT, "description": _TEXT, "links": _LINKS},
    },
    "confClasses": {
        "type": "object",
        "required": ["conformsTo"],
        "properties": {"conformsTo": {"type": "array", "items": _URI, "minItems": 1, "uniqueItems": True}},
    },
    "processSummary": _SUMMARY,
    "processList": {
        "type": "object",
        "required": ["processes", "links"],
        "properties": {"processes": {"type": "array", "items": _SUMMARY}, "links": _LINKS},
    },
    "process": {
        **_SUMMARY,
        "properties": {
            **_SUMMARY["properties"],  # type: ignore[dict-item]
            "inputs": {"type": "object", "additionalProperties": _INPUT},
            "outputs": {"type": "object", "additionalProperties": _OUTPUT},
        },
        "$defs": {"schema": _DIALECT},
    },
    "statusInfo": _STATUS,
    "jobList": {
        "type": "object",
        "required": ["jobs", "links"],
        "properties": {"jobs": {"type": "array", "items": _STATUS}, "links": _LINKS},
    },
    "results": {"type": "object", "additionalProperties": {"anyOf": [_QUALIFIED, _LINK]}},
    "exception": {
        "type": "object",
        "required": ["type"],
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "instance"), _TEXT),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
        },
    },
}
_MODELS = {
    "landingPage": "LandingPage",
    "confClasses": "ConfClasses",
    "processSummary": "ProcessSummary",
    "processList": "ProcessList",
    "process": "Process",
    "statusInfo": "StatusInfo",
    "jobList": "JobList",
    "exception": "Exception",
}
#: Published with a ``oneOf`` that a string or an integer satisfies twice, so that no such value is valid under it.
_UNSATISFIABLE = {"results"}


def check(kind: str, document: Any) -> None:
    """Fail unless `document` is what the standard says of a `kind`."""
    jsonschema.Draft202012Validator(_SCHEMAS[kind]).validate(document)
    if kind in _MODELS:
        getattr(client_models, _MODELS[kind]).from_json(json.dumps(document))
    folder = os.environ.get("SWATH_OGC_SCHEMAS")
    if folder and kind not in _UNSATISFIABLE:
        jsonschema.Draft4Validator({"$ref": f"file:///{kind}.yaml"}, registry=_published(Path(folder))).validate(
            document
        )


@cache
def _published(folder: Path) -> Registry[Any]:
    found = {path.name: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
    resources = [
        (f"file:///{name}", Resource(contents=content, specification=DRAFT4)) for name, content in found.items()
    ]
    return Registry().with_resources(resources)
