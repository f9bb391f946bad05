"""Makes the document: what FastAPI sees of each door, and what the modules beside this one say of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from swath_marketplace.api.openapi import (
    account,
    algorithms,
    benchmarks,
    comparisons,
    judging,
    links,
    maturity,
    runs,
    trust,
    webhooks,
)
from swath_marketplace.api.openapi.door import Door
from swath_marketplace.api.openapi.problems import PROBLEMS, Problem, problem_responses

#: Every door that something is said of: a new router's table is added here.
DOORS: dict[str, Door] = {
    **account.DOORS,
    **algorithms.DOORS,
    **benchmarks.DOORS,
    **comparisons.DOORS,
    **judging.DOORS,
    **links.DOORS,
    **maturity.DOORS,
    **runs.DOORS,
    **trust.DOORS,
    **webhooks.DOORS,
}
_REFS = "#/components/schemas/{model}"
_METHODS = ("get", "put", "post", "delete", "patch", "head")
_ABOUT = """Publish notebooks as versions of algorithms, find them, run them, and have their results with a receipt.

Every error is a problem document (RFC 9457) with a stable `code`, a `mend`, and the `id` under which an operator finds
it in the log. Lists take `limit` and `cursor`; the next page is at `links.next` and in the `Link` header.
Amounts are integers of thousandths of a credit; times are ISO 8601 in UTC."""


def key_of(method: str, path: str, base: str) -> str:
    """What a door is known by in a table: ``GET runs/{run_id}``."""
    return f"{method.upper()} {path.removeprefix(base).lstrip('/')}"


@cache
def recorded() -> Mapping[str, Any]:
    """Requests and answers by operation, as they were really sent."""
    told: dict[str, Any] = json.loads((files(__package__) / "examples.json").read_text())
    return told


def make_document(app: FastAPI, base: str) -> dict[str, Any]:
    """The document of `app`, whose doors stand under `base`."""
    with warnings.catch_warnings():
        # One handler answers GET and HEAD; both get names of their own below.
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")
        told = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    for path, item in told["paths"].items():
        for method in _METHODS:
            if method in item:
                key = key_of(method, path, base)
                _describe(item[method], DOORS.get(key) or _unknown(key), method=method)
    parts = told.setdefault("components", {})
    parts["schemas"] = {**parts.get("schemas", {}), **_schemas()}
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts["responses"] = problem_responses()
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of the hub, from `swath token create`."}
    }
    told["security"] = [{"token": []}]
    told["tags"] = [{"name": name} for name in sorted({tag for one in _operations(told) for tag in one["tags"]})]
    return told


def _describe(operation: dict[str, Any], door: Door, *, method: str) -> None:
    operation["operationId"] = door.id
    examples = recorded().get(door.id, {})
    good = next(status for status in operation["responses"] if status.startswith("2"))
    is_json = not isinstance(door.answer, str)
    content = _content(door, examples.get("answers", {}).get(good))
    answer: dict[str, Any] = {"description": operation["responses"][good]["description"]}
    if method != "head" and content and good != "204":
        answer["content"] = content
    if door.leads:
        answer["links"] = {to: _link(to, told) for to, told in door.leads.items()}
    answers = {good: answer}
    for status, meaning in door.also.items():
        with_body = "content" in answer and status not in (206, 304)
        answers[str(status)] = {"description": meaning, **({"content": content} if with_body else {})}
        if status == 206:
            answers["206"]["content"] = {"*/*": {}}
    if method == "get" and is_json:
        answers["304"] = {"description": "The caller has this answer: `If-None-Match` names its entity tag."}
    for status in sorted(_refusals(operation, door, method=method)):
        answers[str(status)] = {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}
    operation["responses"] = answers
    if door.open:
        operation["security"] = []
    _with_examples(operation, examples)
    _with_conditions(operation, method=method, is_json=is_json, ranges=206 in door.also)


def _refusals(operation: Mapping[str, Any], door: Door, *, method: str) -> set[int]:
    told = set(door.refusals)
    if not door.open:
        told |= {401, 403, 429, 503}
    if operation.get("parameters") or operation.get("requestBody"):
        told.add(422)
    if any(one["in"] == "path" for one in operation.get("parameters", ())):
        told.add(404)
    if method not in ("get", "head"):
        # 409: the same request, under the same idempotency key, goes on.
        told |= {409, 413}
    if operation.get("requestBody"):
        told.add(400)
    return told


def _content(door: Door, example: Any) -> dict[str, Any]:
    told = door.answer
    if told is None:
        return {door.media_type: {}}
    if isinstance(told, str):
        return {told: {"schema": {"type": "string"}}} if told.startswith("text/") else {told: {}}
    schema = told if isinstance(told, dict) else {"$ref": _REFS.format(model=told.__name__)}
    return {door.media_type: {"schema": schema, **({"example": example} if example is not None else {})}}


def _link(to: str, told: str) -> dict[str, Any]:
    pairs = (one.split("=") for one in told.split(","))
    return {"operationId": to, "parameters": {name: f"$response.body#/{member}" for name, member in pairs}}


def _with_examples(operation: dict[str, Any], examples: Mapping[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "request" in examples:
        body["example"] = examples["request"]
    for one in operation.get("parameters", ()):
        if one["name"] in examples.get("parameters", {}):
            one["example"] = examples["parameters"][one["name"]]


def _with_conditions(operation: dict[str, Any], *, method: str, is_json: bool, ranges: bool) -> None:
    headers = {
        **({"If-None-Match": "Entity tags that the caller has."} if method == "get" and (is_json or ranges) else {}),
        **({"Range": "Which bytes: `bytes=0-99`.", "If-Range": "The entity tag of which they are."} if ranges else {}),
    }
    told = operation.setdefault("parameters", [])
    for one in told:
        if one["in"] == "header" and any(kind.get("type") == "array" for kind in one["schema"].get("anyOf", ())):
            # Its lines are one text, with commas between.
            one["schema"] = {"type": "string"}
    for name, meaning in headers.items():
        told.append({"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}})
    if not told:
        del operation["parameters"]


def _schemas() -> dict[str, Any]:
    models = {one.answer for one in DOORS.values() if isinstance(one.answer, type)} | {Problem}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "serialization") for model in models]
    _, told = models_json_schema(sorted(wanted, key=lambda one: one[0].__name__), ref_template=_REFS)
    schemas: dict[str, Any] = told["$defs"]
    return dict(sorted(schemas.items()))


def _unknown(key: str) -> Door:
    """What is said of a door of which nobody said anything: a name from its address, and that it may refuse."""
    method, _, path = key.partition(" ")
    words = [part.strip("{}").replace(":path", "") for part in path.split("/")]
    name = "_".join(word.replace("-", "_").replace(".", "_") for word in words if word)
    return Door(id=f"{method.lower()}_{name}", refusals=(400, 402, 409, 410))


def _operations(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item[method] for item in told["paths"].values() for method in _METHODS if method in item]
