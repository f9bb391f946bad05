"""Landing page, conformance and API definition of this door."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from swath_marketplace.api.ogc import words
from swath_marketplace.api.ogc.asking import Form, form_of
from swath_marketplace.api.ogc.document import openapi_document
from swath_marketplace.api.ogc.door import AtDoor
from swath_marketplace.api.ogc.failures import OgcRoute
from swath_marketplace.api.ogc.pages import page, told
from swath_marketplace.api.ogc.telling import link

router = APIRouter(route_class=OgcRoute, include_in_schema=False)


@router.get("/ogc")
@router.get("/ogc/")
def landing(door: AtDoor) -> Response:
    """What this is, and where to go on."""
    teller = door.teller
    document = {
        "title": "Swath: algorithms beside the archive, as OGC API - Processes",
        "description": "Each algorithm of the marketplace is a process, each run of yours a job. A token of the hub is "
        "needed, and runs are paid from its owner's wallet.",
        "links": [
            *teller.both(teller.at()),
            link(teller.at("api"), "service-desc", type=words.OPENAPI, title="The API definition"),
            link(teller.at("api?f=html"), "service-doc", type="text/html", title="The API definition as a page"),
            link(teller.at("conformance"), words.REL_CONFORMANCE, title="What of the standard it conforms to"),
            link(teller.at("processes"), words.REL_PROCESSES, title="The processes"),
            link(teller.at("jobs"), words.REL_JOBS, title="Your jobs"),
        ],
    }
    return told(door.request, door.services, door.actor, title="OGC API - Processes", document=document)


@router.get("/ogc/conformance")
def conformance(door: AtDoor) -> Response:
    """Which classes of requirements this conforms to."""
    document = {"conformsTo": list(words.CONFORMS_TO), "links": door.teller.both(door.teller.at("conformance"))}
    return told(door.request, door.services, door.actor, title="Conformance", document=document)


@router.get("/ogc/api")
def api(door: AtDoor) -> Response:
    """This door's definition, OpenAPI 3.0."""
    definition = openapi_document(door.teller.at().rstrip("/"))
    if form_of(door.request) is Form.JSON:
        return JSONResponse(definition, media_type=words.OPENAPI)
    operations = {
        f"{method.upper()} {path}": operation["summary"]
        for path, methods in definition["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    document = {
        "openapi": definition["openapi"],
        "description": definition["info"]["description"],
        "operations": operations,
        "security": "Authorization: Bearer <token of the hub>",
        "links": door.teller.both(door.teller.at("api"), html=True),
    }
    return page(door.request, door.services, door.actor, title="API definition", document=document)
