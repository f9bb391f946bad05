"""Schemas of the API definition: what the standard's text says of each document, in OpenAPI 3.0."""

from __future__ import annotations

from typing import Any

from swath_marketplace.api.ogc.words import NOTEBOOK
from swath_marketplace.domain.executions import JobStatus, ResponseForm, Transmission

_TEXT: dict[str, Any] = {"type": "string"}
_MOMENT: dict[str, Any] = {"type": "string", "format": "date-time"}
_ADDRESS: dict[str, Any] = {"type": "string", "format": "uri"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _map(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": of}


def _object(required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "object", "properties": properties}
    return {**told, "required": list(required)} if required else told


_LINKS = _list(_ref("link"))
_DESCRIBED: dict[str, dict[str, Any]] = {
    "title": _TEXT,
    "description": _TEXT,
    "keywords": _list(_TEXT),
    "metadata": _list(_object(title=_TEXT, role=_TEXT, href=_TEXT)),
}
_SUMMARY: dict[str, dict[str, Any]] = {
    **_DESCRIBED,
    "id": _TEXT,
    "version": _TEXT,
    "jobControlOptions": _list({"type": "string", "enum": ["sync-execute", "async-execute", "dismiss"]}),
    "outputTransmission": _list({"type": "string", "enum": [mode.value for mode in Transmission]}),
    "mutable": {"type": "boolean"},
    "links": _LINKS,
}
_CONFIG = {
    name: {"type": "number", "description": text}
    for name, text in {
        "cpuMin": "Cores at least",
        "cpuMax": "Cores at most; what a run gets",
        "memoryMin": "GB at least",
        "memoryMax": "GB at most; what a run gets",
        "jobTimeout": "Seconds that a run may take",
    }.items()
}

SCHEMAS: dict[str, Any] = {
    "link": _object(("href",), href=_TEXT, rel=_TEXT, type=_TEXT, hreflang=_TEXT, title=_TEXT),
    "landingPage": _object(("links",), title=_TEXT, description=_TEXT, links=_LINKS),
    "confClasses": _object(("conformsTo",), conformsTo=_list(_TEXT)),
    "exception": {
        **_object(("type",), type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, instance=_TEXT),
        "additionalProperties": True,
    },
    "processSummary": _object(("id", "version"), **_SUMMARY),
    "processList": _object(("processes", "links"), processes=_list(_ref("processSummary")), links=_LINKS),
    "process": _object(
        ("id", "version"), **_SUMMARY, inputs=_map(_ref("inputDescription")), outputs=_map(_ref("outputDescription"))
    ),
    "inputDescription": _object(
        ("schema",),
        **_DESCRIBED,
        minOccurs={"type": "integer"},
        maxOccurs={"oneOf": [{"type": "integer"}, {"type": "string", "enum": ["unbounded"]}]},
        schema={"type": "object"},
    ),
    "outputDescription": _object(("schema",), **_DESCRIBED, schema={"type": "object"}),
    "execute": _object(
        inputs=_map({}),
        outputs=_map(
            _object(
                format=_object(mediaType=_TEXT, encoding=_TEXT, schema={}),
                transmissionMode={"type": "string", "enum": [mode.value for mode in Transmission], "default": "value"},
            )
        ),
        response={"type": "string", "enum": [form.value for form in ResponseForm], "default": "raw"},
        subscriber=_object(successUri=_ADDRESS, inProgressUri=_ADDRESS, failedUri=_ADDRESS),
    ),
    "results": _map({"description": "A qualified value, {value, mediaType, encoding?}, or a link, {href, type}"}),
    "statusInfo": _object(
        ("jobID", "status", "type", "processID"),
        jobID=_TEXT,
        processID=_TEXT,
        processVersion=_TEXT,
        type={"type": "string", "enum": ["process"]},
        status={"type": "string", "enum": [status.value for status in JobStatus]},
        message=_TEXT,
        created=_MOMENT,
        started=_MOMENT,
        finished=_MOMENT,
        updated=_MOMENT,
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        links=_LINKS,
    ),
    "jobList": _object(("jobs", "links"), jobs=_list(_ref("statusInfo")), links=_LINKS),
    "inputs": _object(("inputs",), id=_TEXT, inputs=_map({}), links=_LINKS),
    "package": _object(
        ("executionUnit",),
        processDescription=_object(process={"type": "object"}),
        executionUnit={
            "description": "The notebook by value, and what a run of it gets",
            "oneOf": [_ref("executionUnit"), _list(_ref("executionUnit"))],
        },
    ),
    "executionUnit": _object(
        type=_TEXT,
        value={"description": "Content of the .ipynb file"},
        mediaType={"type": "string", "enum": [NOTEBOOK]},
        config={"type": "object", "properties": _CONFIG},
    ),
    "anything": {"type": "object"},
}
