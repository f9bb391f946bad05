"""Deploy, replace and undeploy processes (Part 2, a draft), and the packages they are made of."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from swath.contract.digest import canonical_json
from swath_service.errors import Forbidden

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.asking import Form, form_of, wrong
from swath_marketplace.api.ogc.door import AtDoor, Door, body_of, media_type_of
from swath_marketplace.api.ogc.failures import OgcRoute
from swath_marketplace.api.ogc.pages import page
from swath_marketplace.api.ogc.processes import version_of
from swath_marketplace.services.packages import Unpacked, packed

router = APIRouter(route_class=OgcRoute, include_in_schema=False)

_TAKEN = (words.PACKAGE, words.NOTEBOOK)
_CONFIG = ("cpuMin", "cpuMax", "memoryMin", "memoryMax", "jobTimeout")
_NOTEBOOK_TYPES = (words.NOTEBOOK, "application/vnd.jupyter", "application/json")


@router.post("/ogc/processes")
async def deploy(door: AtDoor) -> Response:
    """Publish a notebook under a name that has none: 201, 409 when it has one."""
    package = _unpacked(door.request, await body_of(door.request, media_types=_TAKEN))
    version = await run_in_threadpool(door.ogc.packages.deploy, door.actor, package)
    told = await run_in_threadpool(door.teller.summary, version, door.actor)
    headers = {"Location": door.teller.process_at(told["id"])}
    return JSONResponse(told, status_code=201, headers=headers)


@router.put("/ogc/processes/{process}")
async def replace(process: str, door: AtDoor) -> Response:
    """Publish a notebook as the next version; the versions before stay, and can be called by their ids."""
    package = _unpacked(door.request, await body_of(door.request, media_types=_TAKEN))
    owner, name, version = words.parts_of(process)
    if version is not None:
        raise Forbidden(
            code="immutable-process", message="a version never changes", mend=f"PUT to {owner}.{name} makes a new one"
        )
    published = await run_in_threadpool(door.ogc.packages.replace, door.actor, owner, name, package)
    told = await run_in_threadpool(door.teller.summary, published.version, door.actor)
    return JSONResponse(told)


@router.delete("/ogc/processes/{process}")
def undeploy(process: str, door: AtDoor) -> Response:
    """Take a process back: its versions start no more runs."""
    owner, name, version = words.parts_of(process)
    door.ogc.packages.undeploy(door.actor, owner, name, version)
    return Response(status_code=204)


@router.get("/ogc/processes/{process}/package")
def package(process: str, door: AtDoor) -> Response:
    """The package that a process was deployed with; for one that was published otherwise, the package that it makes."""
    version, exact = version_of(door, process)
    kept = door.ogc.packages.package_of(door.actor, version)
    if kept is None:
        _, notebook = door.services.registry.notebook(door.actor, f"{version.path}@{version.version}")
        description = door.teller.process(version, door.actor, exact=exact)
        content = packed(version, notebook, description=description, media_type=words.NOTEBOOK)
        kept = content, words.PACKAGE
    if form_of(door.request) is Form.HTML:
        return _package_page(door, process, json.loads(kept[0]))
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(kept[0], media_type=kept[1], headers=headers)


def _package_page(door: Door, process: str, content: dict[str, Any]) -> Response:
    links = door.teller.both(f"{door.teller.process_at(process)}/package", html=True)
    return page(
        door.request, door.services, door.actor, title=f"Package of {process}", document={**content, "links": links}
    )


def _unpacked(request: Request, body: Any) -> Unpacked:
    media_type = media_type_of(request)
    if not isinstance(body, dict):
        raise wrong("body", "it is no JSON object", "send an application package or a notebook")
    content = canonical_json(body)
    if media_type == words.NOTEBOOK:
        return Unpacked(notebook=body, config={}, content=content, media_type=media_type)
    process = _process(body.get("processDescription"))
    notebook, config = _unit(body.get("executionUnit"))
    version = process.get("version")
    if version is not None and not isinstance(version, str):
        raise wrong("processDescription.process.version", "it is no text", "send 1.0.0, or leave it out")
    process_id = process.get("id")
    return Unpacked(
        notebook=notebook,
        config=config,
        process_id=None if process_id is None else str(process_id),
        version=version,
        content=content,
        media_type=media_type,
    )


def _process(description: Any) -> dict[str, Any]:
    """The description, as the draft nests it, or bare as clients of the version before send it."""
    if description is None:
        return {}
    process = description.get("process", description) if isinstance(description, dict) else None
    if not isinstance(process, dict):
        raise wrong("processDescription", "it is no process description", "send {process: {id, version}}")
    return process


def _unit(given: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """The notebook and the known part of the configuration."""
    units = given if isinstance(given, list) else [given]
    notebook: dict[str, Any] | None = None
    config: dict[str, float] = {}
    for unit in units:
        if not isinstance(unit, dict):
            raise wrong("executionUnit", "it is missing", f"send {{value: <notebook>, mediaType: {words.NOTEBOOK}}}")
        if "href" in unit:
            raise wrong("executionUnit.href", "this service opens no address of other servers", "send it by value")
        config |= _config(unit.get("config"))
        if "value" in unit:
            notebook = _notebook(unit)
    if notebook is None:
        raise wrong(
            "executionUnit",
            "only a notebook is run here, and there is none in it",
            f"send {{value: <notebook>, mediaType: {words.NOTEBOOK}}}",
            code="no-notebook",
        )
    return notebook, config


def _notebook(unit: dict[str, Any]) -> dict[str, Any]:
    base = str(unit.get("mediaType", words.NOTEBOOK)).partition(";")[0].strip().lower()
    value = unit["value"]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if base not in _NOTEBOOK_TYPES or not isinstance(value, dict):
        raise wrong("executionUnit.value", "it is no notebook", f"send the .ipynb's content as {words.NOTEBOOK}")
    return value


def _config(given: Any) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong("executionUnit.config", "it is no object", f"send some of {', '.join(_CONFIG)}")
    found = {}
    for name in _CONFIG:
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong(f"executionUnit.config.{name}", "it is no number", "send a number")
        found[name] = float(value)
    return found
