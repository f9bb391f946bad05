"""Algorithms over HTTP: each handler parses, calls one service function, shapes the answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from swath_service.pages import wants_html

from swath_marketplace.api.bodies import PublishBody, ValidateBody, YankBody
from swath_marketplace.api.card_pages import card_page
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paths import Name, Owner, Version

__all__ = ["Name", "Owner", "Version", "router"]

router = APIRouter(tags=["algorithms"])

#: A notebook is a user's: nothing in it may act in a browser that shows it from here.
_NOTEBOOK_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


@router.get("/environments")
def environments(actor: Caller, services: Services) -> dict[str, Any]:
    """The locked environments that notebooks may name."""
    return {"environments": [services.shapes.environment(found) for found in services.registry.environments(actor)]}


@router.post("/validate")
def validate(body: ValidateBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Everything that keeps a notebook from being published, and its interface."""
    from swath.contract.interface import json_schema

    checked = services.registry.validate(actor, body.notebook)
    interface = checked.interface
    return {
        "ok": checked.ok,
        "findings": list(checked.findings),
        "interface": interface.as_dict() if interface else None,
        "schema": json_schema(interface) if interface else None,
        "metadata": dict(checked.metadata) or None,
    }


@router.post("/algorithms", status_code=201)
def publish(body: PublishBody, response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Publish a notebook: 201 a new version, 200 the same content was published before."""
    published = services.registry.publish(actor, body.notebook, version=body.version)
    shaped = services.shapes.version(published.version)
    if not published.created:
        response.status_code = 200
    response.headers["Location"] = shaped["links"]["self"]
    return {**shaped, "findings": list(published.findings)}


@router.get("/algorithms/{owner}/{name}", response_model=dict[str, Any])
def algorithm(
    request: Request, owner: Owner, name: Name, actor: Caller, services: Services
) -> dict[str, Any] | Response:
    """One algorithm with its versions. To a browser, its card."""
    if wants_html(request):
        return card_page(request, actor, services, path=f"{owner}/{name}")
    return services.shapes.algorithm(services.registry.get(actor, f"{owner}/{name}"), whole=True)


@router.get("/algorithms/{owner}/{name}/versions/{version}", response_model=dict[str, Any])
def version(
    request: Request, owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services
) -> dict[str, Any] | Response:
    """One version, by its number or by a range. To a browser, the card at that version."""
    if wants_html(request):
        return card_page(request, actor, services, path=f"{owner}/{name}", version=version)
    return services.shapes.version(services.registry.version(actor, f"{owner}/{name}@{version}"))


@router.get("/algorithms/{owner}/{name}/versions/{version}/notebook")
def notebook(owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services) -> Response:
    """The notebook as published."""
    found, content = services.registry.notebook(actor, f"{owner}/{name}@{version}")
    headers = {
        **_NOTEBOOK_HEADERS,
        "Content-Disposition": f'attachment; filename="{found.name}-{found.version}.ipynb"',
        "ETag": f'"{found.notebook_sha256}"',
    }
    return Response(content, media_type="application/x-ipynb+json", headers=headers)


@router.get("/algorithms/{owner}/{name}/versions/{version}/schema")
def schema(owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services) -> dict[str, Any]:
    """JSON Schema of a version's parameters."""
    return dict(services.registry.schema(actor, f"{owner}/{name}@{version}"))


@router.post("/algorithms/{owner}/{name}/versions/{version}/yank")
def yank(
    owner: Owner, name: Name, *, version: Version, body: YankBody, actor: Caller, services: Services
) -> dict[str, Any]:
    """Take a version out of every range, for good."""
    return services.shapes.version(services.registry.yank(actor, f"{owner}/{name}@{version}", reason=body.reason))
