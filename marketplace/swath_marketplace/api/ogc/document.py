"""The API definition of this door, in OpenAPI 3.0: FastAPI's own is 3.1, which the standard's clients do not read."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.definition_schemas import SCHEMAS
from swath_marketplace.api.ogc.door import DEFAULT_LIMIT, MAX_LIMIT
from swath_marketplace.domain.executions import JobStatus

_JSON = "application/json"
_Object = dict[str, Any]


@cache
def openapi_document(server: str) -> _Object:
    """The definition, with `server` as the address that paths stand below."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Swath, OGC API - Processes",
            "version": version("swath"),
            "description": "Algorithms of the marketplace as processes, runs as jobs.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in ("capabilities", "processes", "jobs", "deployment")],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the hub, made at /hub/token. A browser that is signed in may read.",
                }
            },
            "parameters": _parameters(),
            "responses": _failures(),
            "schemas": SCHEMAS,
        },
    }


def _paths() -> _Object:
    process, job = [_ref("parameters", "process")], [_ref("parameters", "job")]
    return {
        "/": {"get": _get("getLandingPage", "Landing page", "landingPage", "capabilities")},
        "/conformance": {"get": _get("getConformance", "What this conforms to", "confClasses", "capabilities")},
        "/api": {"get": _definition()},
        "/processes": {
            "get": _get("getProcesses", "List the processes", "processList", "processes", query=("limit", "cursor")),
            "post": _deploy(),
        },
        "/processes/{processID}": {
            "parameters": process,
            "get": _get("getProcessDescription", "Describe a process", "process", "processes", missing=True),
            "put": _replace(),
            "delete": _undeploy(),
        },
        "/processes/{processID}/package": {"parameters": process, "get": _package()},
        "/processes/{processID}/execution": {"parameters": process, "post": _execute()},
        "/jobs": {
            "get": _get(
                "getJobs",
                "List your jobs",
                "jobList",
                "jobs",
                query=("type", "processID", "status", "datetime", "minDuration", "maxDuration", "limit", "after"),
                more={"404": "NotFound"},
            )
        },
        "/jobs/{jobID}": {
            "parameters": job,
            "get": _get("getStatus", "How far a job is", "statusInfo", "jobs", missing=True),
            "delete": _dismiss(),
        },
        "/jobs/{jobID}/results": {"parameters": job, "get": _results()},
        "/jobs/{jobID}/inputs": {
            "parameters": job,
            "get": _get("getInputs", "What a job was given", "inputs", "jobs", missing=True),
        },
        "/jobs/{jobID}/prov": {
            "parameters": job,
            "get": _get("getProvenance", "W3C PROV-JSON", "anything", "jobs", missing=True, more={"409": "Conflict"}),
        },
    }


def _get(
    operation: str,
    summary: str,
    schema: str,
    tag: str,
    *,
    query: tuple[str, ...] = (),
    missing: bool = False,
    more: dict[str, str] | None = None,
) -> _Object:
    page = {"text/html": {"schema": {"type": "string"}}}
    return {
        "operationId": operation,
        "summary": summary,
        "tags": [tag],
        "parameters": [_ref("parameters", name) for name in (*query, "f")],
        "responses": {
            "200": {"description": summary, "content": {_JSON: {"schema": _ref("schemas", schema)}, **page}},
            **_faults(missing=missing, more=more),
        },
    }


def _definition() -> _Object:
    told = _get("getApi", "This document", "anything", "capabilities")
    told["responses"]["200"]["content"] = {
        words.OPENAPI: {"schema": {"type": "object"}},
        "text/html": {"schema": {"type": "string"}},
    }
    return told


def _execute() -> _Object:
    prefer = {
        "name": "Prefer",
        "in": "header",
        "description": "respond-async, wait=<seconds> (RFC 7240)",
        "schema": {"type": "string"},
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key with the same request is the same job.",
        "schema": {"type": "string", "maxLength": 200},
    }
    return {
        "operationId": "execute",
        "summary": "Execute a process",
        "tags": ["processes"],
        "parameters": [prefer, key],
        "requestBody": {"required": True, "content": {_JSON: {"schema": _ref("schemas", "execute")}}},
        "responses": {
            "200": {
                "description": "Results, when they were waited for",
                "headers": {"Link": _header("The job, rel=monitor")},
                "content": {
                    _JSON: {"schema": _ref("schemas", "results")},
                    "multipart/related": {"schema": {"type": "string", "format": "binary"}},
                    "*/*": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            "201": {
                "description": "The job, when its results are not waited for",
                "headers": {"Location": _header("The job"), "Preference-Applied": _header("What of Prefer was heeded")},
                "content": {_JSON: {"schema": _ref("schemas", "statusInfo")}},
            },
            "204": _references(),
            **_faults(missing=True, more=_EXECUTING),
        },
        "callbacks": {
            name: {
                f"{{$request.body#/subscriber/{name}}}": {
                    "post": {
                        "summary": summary,
                        "requestBody": {"content": {_JSON: {"schema": _ref("schemas", schema)}}},
                        "responses": {"200": {"description": "Received"}},
                    }
                }
            }
            for name, summary, schema in (
                ("successUri", "The job has results", "results"),
                ("inProgressUri", "The job goes on", "statusInfo"),
                ("failedUri", "The job failed", "statusInfo"),
            )
        },
    }


_EXECUTING = {
    "402": "PaymentRequired",
    "409": "Conflict",
    "410": "Gone",
    "413": "TooLarge",
    "415": "Unsupported",
    "504": "NotInTime",
}


def _results() -> _Object:
    told = _get("getResult", "The results of a job", "results", "jobs", missing=True)
    told["responses"]["200"]["content"] |= {
        "multipart/related": {"schema": {"type": "string", "format": "binary"}},
        "*/*": {"schema": {"type": "string", "format": "binary"}},
    }
    told["responses"] |= {
        "204": _references(),
        **_faults(more={"402": "PaymentRequired", "410": "Gone", "504": "NotInTime"}),
    }
    return told


def _dismiss() -> _Object:
    return {
        "operationId": "dismiss",
        "summary": "Dismiss a job",
        "tags": ["jobs"],
        "responses": {
            "200": {
                "description": "The job, dismissed",
                "content": {_JSON: {"schema": _ref("schemas", "statusInfo")}},
            },
            **_faults(missing=True),
        },
    }


def _deploy() -> _Object:
    return {
        "operationId": "deploy",
        "summary": "Deploy a process",
        "tags": ["deployment"],
        "requestBody": _package_body(),
        "responses": {
            "201": {
                "description": "The process",
                "headers": {"Location": _header("The process")},
                "content": {_JSON: {"schema": _ref("schemas", "processSummary")}},
            },
            **_faults(more={"409": "Conflict", "413": "TooLarge", "415": "Unsupported"}),
        },
    }


def _replace() -> _Object:
    return {
        "operationId": "replace",
        "summary": "Replace a process: a new version",
        "tags": ["deployment"],
        "requestBody": _package_body(),
        "responses": {
            "200": {"description": "The process", "content": {_JSON: {"schema": _ref("schemas", "processSummary")}}},
            **_faults(missing=True, more={"409": "Conflict", "413": "TooLarge", "415": "Unsupported"}),
        },
    }


def _undeploy() -> _Object:
    return {
        "operationId": "undeploy",
        "summary": "Undeploy a process",
        "tags": ["deployment"],
        "responses": {"204": {"description": "It starts no more jobs"}, **_faults(missing=True)},
    }


def _package() -> _Object:
    told = _get("getPackage", "The application package of a process", "package", "deployment", missing=True)
    content = told["responses"]["200"]["content"]
    told["responses"]["200"]["content"] = {
        words.PACKAGE: {"schema": _ref("schemas", "package")},
        words.NOTEBOOK: {"schema": {"type": "object"}},
        "text/html": content["text/html"],
    }
    return told


def _package_body() -> _Object:
    return {
        "required": True,
        "content": {
            words.PACKAGE: {"schema": _ref("schemas", "package")},
            words.NOTEBOOK: {"schema": {"type": "object"}},
        },
    }


def _references() -> _Object:
    return {
        "description": "Results by reference alone: a Link header for each",
        "headers": {"Link": _header("An output, rel=item, with its name as title")},
    }


def _faults(*, missing: bool = False, more: dict[str, str] | None = None) -> _Object:
    named = {"400": "BadRequest", "401": "Unauthenticated", "403": "Forbidden", "429": "TooMany", "500": "ServerError"}
    named |= {"404": "NotFound"} if missing else {}
    named |= {"503": "Unavailable", **(more or {})}
    return {status: _ref("responses", name) for status, name in sorted(named.items())}


def _failures() -> _Object:
    said = {
        "BadRequest": "Something of the request is wrong; each fault is named",
        "Unauthenticated": "No token, or one that the hub does not know",
        "PaymentRequired": "The wallet does not hold the price",
        "Forbidden": "The token, or its owner, may not do this",
        "NotFound": "There is no such process or job of yours, or no result yet",
        "Conflict": "It contradicts what is stored",
        "Gone": "The job was dismissed",
        "TooLarge": "The body is over the limit",
        "Unsupported": "The body is of a type that is not read",
        "TooMany": "Too many requests; see Retry-After",
        "ServerError": "The run failed, or something is wrong on our side",
        "Unavailable": "Another service that is needed does not answer; send the same again",
        "NotInTime": "It has not ended in time; the job goes on",
    }
    body = {"schema": _ref("schemas", "exception")}
    content = {"application/problem+json": body, _JSON: body}
    return {name: {"description": text, "content": content} for name, text in said.items()}


def _parameters() -> _Object:
    return {
        "process": _parameter("processID", "path", {"type": "string"}, "owner.name, or owner.name:version"),
        "job": _parameter("jobID", "path", {"type": "string", "maxLength": 64}, "Id of a job"),
        "f": _parameter("f", "query", {"type": "string", "enum": ["json", "html"]}, "In which form"),
        "limit": _parameter(
            "limit",
            "query",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            "How many at most",
        ),
        "cursor": _parameter("cursor", "query", {"type": "string"}, "Follow the link next"),
        "after": _parameter("after", "query", {"type": "string"}, "Follow the link next"),
        "type": _words("type", ["process"], "Kinds of jobs"),
        "processID": _words("processID", None, "Processes whose jobs are wanted"),
        "status": _words("status", [status.value for status in JobStatus], "Which statuses"),
        "datetime": _parameter("datetime", "query", {"type": "string"}, "Moment or interval of creation, RFC 3339"),
        "minDuration": _seconds("minDuration", "Seconds that a job took at least"),
        "maxDuration": _seconds("maxDuration", "Seconds that a job took at most"),
    }


def _parameter(name: str, where: str, schema: _Object, description: str) -> _Object:
    told = {"name": name, "in": where, "required": where == "path", "description": description, "schema": schema}
    return {**told, "style": "form", "explode": False} if where == "query" else told


def _words(name: str, choices: list[str] | None, description: str) -> _Object:
    items = {"type": "string", **({"enum": choices} if choices else {})}
    return _parameter(name, "query", {"type": "array", "items": items}, description)


def _seconds(name: str, description: str) -> _Object:
    return _parameter(name, "query", {"type": "array", "items": {"type": "integer"}, "maxItems": 1}, description)


def _header(description: str) -> _Object:
    return {"description": description, "schema": {"type": "string"}}


def _ref(kind: str, name: str) -> _Object:
    return {"$ref": f"#/components/{kind}/{name}"}
