"""Receipts, their log and their keys over HTTP: each handler parses, calls one service function, shapes the answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from swath.contract.receipts import MEDIA_TYPE

from swath_marketplace.api.bodies import KeyReasonBody
from swath_marketplace.api.context import Caller, RunId, Services
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.receipts import Receipt

router = APIRouter(tags=["receipts"])

Sha256 = Annotated[str, Path(min_length=64, max_length=64, pattern=r"^[0-9a-f]{64}$")]
_DOCUMENT = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}


@router.get("/runs/{run_id}/receipt")
def receipt(run_id: RunId, actor: Caller, services: Services) -> Response:
    """The signed receipt of a finished run with its proof of inclusion: byte for byte what `swath verify` checks."""
    content = services.trust.receipts.bundle(actor, run_id).as_bytes()
    headers = {**_DOCUMENT, "Content-Disposition": f'attachment; filename="{run_id}.receipt.json"'}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


@router.get("/runs/{run_id}/receipt/prov")
def prov(run_id: RunId, actor: Caller, services: Services) -> dict[str, Any]:
    """The run as W3C PROV-JSON."""
    return services.trust.exports.prov(actor, run_id)


@router.get("/runs/{run_id}/receipt/ro-crate")
def ro_crate(run_id: RunId, actor: Caller, services: Services) -> Response:
    """``ro-crate-metadata.json`` of a Process Run RO-Crate, to be put into the folder of the outputs."""
    content = services.trust.exports.crate(actor, run_id)
    return JSONResponse(content, media_type="application/ld+json", headers=_DOCUMENT)


@router.get("/runs/{run_id}/receipt/cdse")
def cdse(run_id: RunId, actor: Caller, services: Services) -> dict[str, Any]:
    """The run as a trace of the Copernicus Data Space Ecosystem's traceability service."""
    return services.trust.exports.cdse(actor, run_id)


@router.get("/runs/{run_id}/receipt/stac")
def stac(run_id: RunId, actor: Caller, services: Services) -> Response:
    """A STAC Item of the outputs, with links to the scenes that they are derived from."""
    shapes = services.shapes
    content = services.trust.exports.stac(
        actor,
        run_id,
        output_href=lambda output: shapes.result_path(run_id, output.name),
        item_href=shapes.archive_item_path,
        receipt_href=shapes.receipt_path(run_id),
    )
    return JSONResponse(content, media_type="application/geo+json", headers=_DOCUMENT)


@router.get("/receipts/keys")
def keys(services: Services) -> Response:
    """Every signing key with its state, and the events that prove them; needs no token."""
    return Response(services.trust.keys.published().as_bytes(), media_type="application/json", headers=_DOCUMENT)


@router.post("/receipts/keys/rotate")
def rotate(body: KeyReasonBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Make a new signing key and retire the one before. Operators only."""
    return services.trust.keys.rotate(actor, reason=body.reason).as_dict()


@router.post("/receipts/keys/{key}/revoke")
def revoke(key: Sha256, body: KeyReasonBody, *, actor: Caller, services: Services) -> dict[str, Any]:
    """Believe nothing any more that a key signed; its receipts are issued anew. Operators only."""
    return services.trust.keys.revoke(actor, key, reason=body.reason).as_dict()


@router.get("/receipts/log/checkpoint")
def checkpoint(actor: Caller, services: Services) -> dict[str, Any]:
    """The latest signed checkpoint of the log: a DSSE envelope."""
    return services.trust.log.checkpoint(actor).as_dict()


@router.get("/receipts/log/entries")
def entries(
    actor: Caller,
    services: Services,
    *,
    start: Annotated[int, Query(ge=0, le=2**53)] = 0,
    end: Annotated[int, Query(ge=0, le=2**53)] = 2**53,
) -> dict[str, Any]:
    """Leaf hashes from `start` up to and without `end`, at most 1,000: from all of them follows the signed root."""
    found, size = services.trust.log.leaves(actor, start=start, end=end)
    return {"size": size, "entries": [{"index": index, "leaf_sha256": leaf} for index, leaf in found]}


@router.get("/receipts/log/consistency")
def consistency(
    actor: Caller,
    services: Services,
    *,
    first: Annotated[int, Query(alias="from", ge=1, le=2**53)],
    second: Annotated[int, Query(alias="to", ge=1, le=2**53)],
) -> dict[str, Any]:
    """The proof that the log of `to` entries begins with that of `from` (RFC 9162, 2.1.4)."""
    proof = services.trust.log.consistency(actor, first=first, second=second)
    return {"from": first, "to": second, "proof": [step.hex() for step in proof]}


@router.get("/receipts/log/inclusion")
def inclusion(
    actor: Caller,
    services: Services,
    *,
    leaf: Annotated[str, Query(alias="hash", pattern=r"^[0-9a-f]{64}$")],
    size: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> dict[str, Any]:
    """The proof that an entry stands in the log (RFC 9162, 2.1.3), by its leaf hash."""
    index, total, proof = services.trust.log.inclusion(actor, leaf, size=size)
    return {"index": index, "size": total, "proof": [step.hex() for step in proof]}


@router.get("/receipts/by-hash/{sha256}")
def by_hash(sha256: Sha256, actor: Caller, services: Services) -> dict[str, Any]:
    """Receipts of runs that the caller may see and that brought back a file of this hash, the newest first."""
    found = services.trust.receipts.with_output(actor, sha256)
    return {"sha256": sha256, "receipts": [_found(one, sha256, services) for one in found]}


def _found(receipt: Receipt, sha256: str, services: Services) -> dict[str, Any]:
    statement = services.trust.receipts.stated(receipt)
    return {
        "run": receipt.run_id,
        "algorithm": statement.algorithm,
        "version": statement.version,
        "outputs": [output.name for output in statement.outputs if output.sha256 == sha256],
        "finished_at": iso(statement.finished_at),
        "log_index": receipt.log_index,
        "receipt": services.shapes.receipt_path(receipt.run_id),
    }
