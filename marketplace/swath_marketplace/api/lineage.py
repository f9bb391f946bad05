"""Lineage over HTTP: as JSON, or as a picture."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.lineage_svg import picture_of
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.lineage import DEEPEST, Direction, Lineage, Node

router = APIRouter(tags=["lineage"])

#: A browser that shows the picture as a page lets nothing in it act.
_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}


class Format(StrEnum):
    """How a lineage is told."""

    JSON = "json"
    SVG = "svg"


Way = Annotated[Direction, Query()]
Deep = Annotated[int, Query(ge=0, le=DEEPEST)]


@router.get("/runs/{run_id}/lineage")
def of_run(
    run_id: Annotated[str, Path(max_length=64)],
    actor: Caller,
    services: Services,
    *,
    direction: Way = Direction.UP,
    depth: Deep = DEEPEST,
    format: Format = Format.JSON,
) -> Response:
    """What a run's results were made of (`up`), or what was made of them (`down`), through every run between."""
    found = services.lineages.of_run(actor, run_id, direction=direction, depth=depth)
    return _answer(found, format)


@router.get("/lineage/{sha256}")
def of_file(
    sha256: Annotated[str, Path(max_length=100)],
    actor: Caller,
    services: Services,
    *,
    direction: Way = Direction.UP,
    depth: Deep = DEEPEST,
    format: Format = Format.JSON,
) -> Response:
    """The same of a file, known by its bytes' sha256, that a run of the caller's made or read."""
    found = services.lineages.of_file(actor, sha256, direction=direction, depth=depth)
    return _answer(found, format)


def _answer(lineage: Lineage, format: Format) -> Response:
    if format is Format.SVG:
        return Response(picture_of(lineage), media_type="image/svg+xml", headers=_HEADERS)
    return JSONResponse(shaped(lineage), headers={"Cache-Control": "private, no-store"})


def shaped(lineage: Lineage) -> dict[str, Any]:
    """JSON of a lineage; `edges` go with the data, from what was read to who read it."""
    return {
        "root": lineage.root,
        "direction": lineage.direction.value,
        "cut_off": lineage.cut_off,
        "hidden_runs": lineage.hidden_runs,
        "nodes": [_node(node) for node in lineage.nodes],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "files": [
                    {"sha256": one.sha256, "output": one.output, "asset": one.asset, "observed": one.observed}
                    for one in edge.files
                ],
            }
            for edge in lineage.edges
        ],
    }


def _node(node: Node) -> dict[str, Any]:
    told: dict[str, Any] = {"id": node.id, "kind": node.kind.value, "title": node.title, "depth": node.depth}
    names = ("algorithm", "version", "digest", "collection", "item", "sha256", "path")
    told |= {name: getattr(node, name) for name in names if getattr(node, name) is not None}
    told["cut"] = node.cut
    if node.revoked_at:
        told["revoked"] = {"at": iso(node.revoked_at), "reason": node.revoked_reason}
    if node.run:
        told["run"] = {
            "id": node.run.id,
            "caller": node.run.caller,
            "status": node.run.status,
            "parameters": dict(node.run.parameters),
            "started_at": iso(node.run.started_at),
            "ended_at": iso(node.run.ended_at),
        }
    return told
