"""Leaving and arriving over HTTP: exports and imports of one's account, and what came from elsewhere."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from swath.contract.receipts import MEDIA_TYPE
from swath_service.errors import Invalid, TooLarge
from swath_service.kept_files import KeptFile

from swath_marketplace.api.context import Caller, Context, RunId, Services
from swath_marketplace.api.downloads import download_of
from swath_marketplace.api.paging import AT_AND_ID, Page, Paging
from swath_marketplace.api.reproductions import Key, ReproduceBody, shaped
from swath_marketplace.domain.account_work import AccountWork, WorkKind, WorkStage
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.foreign import ForeignRun, ForeignVersion
from swath_marketplace.domain.runs import OutputFile
from swath_marketplace.services.exit.documents import run_json

router = APIRouter(tags=["account"])

WorkId = Annotated[str, Path(max_length=64)]
_ARCHIVE = "application/zip"
_WRITE_BYTES = 1 << 20


@router.post("/account/exports", status_code=202)
def export(response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Have everything of yours put into one archive. 202: it is made in the background, see ``Location``.

    While one is being made, this is that one.
    """
    work, _ = services.exits.accounts.export(actor)
    return _told(work, services, response)


@router.get("/account/exports")
def exports(actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """Your exports, the latest first."""
    return _page(actor, services, page, kind=WorkKind.EXPORT)


@router.get("/account/exports/{work_id}")
def one_export(work_id: WorkId, actor: Caller, services: Services) -> dict[str, Any]:
    """How far an export is, and what is in it."""
    return _work(services.exits.accounts.get(actor, WorkKind.EXPORT, work_id), services)


@router.get("/account/exports/{work_id}/archive")
def archive(work_id: WorkId, actor: Caller, services: Services) -> Response:
    """The archive: BagIt (RFC 8493) in a ZIP file. Ranges are answered: a broken download can be gone on with."""
    work, path = services.exits.accounts.archive(actor, work_id)
    name = f"swath-{quote(work.owner, safe='@')}-{work.asked_at:%Y%m%d}.zip"
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private",
        "Repr-Digest": f"sha-256=:{_base64(work.archive_sha256 or '')}:",
    }
    return KeptFile(path, tag=work.archive_sha256 or "", media_type=_ARCHIVE, filename=name, headers=headers)


@router.delete("/account/exports/{work_id}", status_code=204)
def remove_export(work_id: WorkId, actor: Caller, services: Services) -> None:
    """Remove the file of an export before its time."""
    services.exits.accounts.remove(actor, work_id)


@router.post(
    "/account/imports",
    status_code=202,
    openapi_extra={
        "requestBody": {"required": False, "content": {_ARCHIVE: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def bring(request: Request, response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Bring in an archive that another Swath made; the body is its file. 202: it is read in the background.

    All of it is checked before anything is stored: when something is wrong, the import is ``refused`` with every
    finding, and nothing of it is here. The same archive again changes nothing.
    """
    if request.headers.get("content-type", _ARCHIVE).partition(";")[0].strip() not in (
        _ARCHIVE,
        "application/octet-stream",
    ):
        raise Invalid(
            code="not-an-archive",
            message="the body is not said to be an archive",
            mend=f"send the file itself with Content-Type: {_ARCHIVE}",
            findings=[{"field": "Content-Type", "message": f"not {_ARCHIVE}", "mend": f"send {_ARCHIVE}"}],
        )
    work_id, sha256, size = await _received(request, actor, services)
    work, created = await run_in_threadpool(services.exits.accounts.accept, actor, work_id, sha256=sha256, size=size)
    if not created:
        response.status_code = 200
    return _told(work, services, response)


@router.get("/account/imports")
def imports(actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """Your imports, the latest first."""
    return _page(actor, services, page, kind=WorkKind.IMPORT)


@router.get("/account/imports/{work_id}")
def one_import(work_id: WorkId, actor: Caller, services: Services) -> dict[str, Any]:
    """How far an import is; once it is over what came of it, or everything that is wrong with the archive."""
    return _work(services.exits.accounts.get(actor, WorkKind.IMPORT, work_id), services)


@router.get("/imported-runs")
def imported_runs(actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """The runs that you brought in from elsewhere, the latest made first. They are read-only, and cost nothing here."""
    found, total = services.exits.foreign.list(
        actor, limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    return page.answer(
        "runs",
        found,
        total=total,
        shape=lambda one: _run(one, services),
        place=lambda one: (one.document.created_at, one.id),
    )


@router.get("/imported-runs/{run_id}")
def imported_run(run_id: RunId, actor: Caller, services: Services) -> dict[str, Any]:
    """One of them, with what its receipt is worth here."""
    run = services.exits.foreign.get(actor, run_id)
    trust = services.exits.foreign.trust(actor, run)
    told = None
    if trust is not None:
        told = {
            "by": trust.origin,
            "pinned": "foreign: these keys came with the archive; compare their head with what the origin tells",
            "keys_head": trust.keys_head,
            "verified": not trust.refused,
            "checks": list(trust.checks),
            "refused": trust.refused or None,
        }
    return {**_run(run, services), "receipt": told}


@router.get("/imported-runs/{run_id}/receipt")
def imported_receipt(run_id: RunId, actor: Caller, services: Services) -> Response:
    """The receipt as its origin signed it: what ``swath verify --keys`` checks, with that origin's keys."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(services.exits.foreign.receipt(actor, run_id), media_type=MEDIA_TYPE, headers=headers)


@router.get("/imported-runs/{run_id}/results/{name}")
def imported_result(
    run_id: RunId, name: Annotated[str, Path(max_length=64)], actor: Caller, services: Services
) -> Response:
    """The bytes of one output; ranges are answered."""
    output, path = services.exits.foreign.result(actor, run_id, name)
    file = OutputFile(name=output.name, media_type=output.media_type, bytes=output.bytes, sha256=output.sha256)
    return download_of(file, path)


@router.post("/imported-runs/{run_id}/reproductions", status_code=202)
def reproduce_imported(
    run_id: RunId,
    response: Response,
    actor: Caller,
    services: Services,
    *,
    body: ReproduceBody | None = None,
    key: Key = None,
) -> dict[str, Any]:
    """Run an imported run again here, and compare with what came along. 202: the verdict is at ``Location``."""
    found, _ = services.exits.foreign.reproduce(actor, run_id, (body or ReproduceBody()).request(), key=key)
    told = shaped(found, services)
    response.headers["Location"] = told["links"]["self"]
    return told


@router.get("/algorithms/{owner}/{name}/versions/{version}/provenance")
def provenance(owner: str, name: str, version: str, *, actor: Caller, services: Services) -> dict[str, Any]:
    """Where a version was published first, and the evidence that it had there: told, not counted here."""
    found, told = services.exits.foreign.provenance(actor, f"{owner}/{name}@{version}")
    return {
        "algorithm": found.path,
        "version": found.version,
        "digest": found.digest,
        "published_here_at": iso(found.published_at),
        "runnable_here": services.exits.foreign.environment_of(found),
        "from": [_foreign(one) for one in told],
    }


def _page(actor: Any, services: Context, page: Paging, *, kind: WorkKind) -> dict[str, Any]:
    found, total = services.exits.accounts.list(
        actor, kind, limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    return page.answer(
        f"{kind.value}s",
        found,
        total=total,
        shape=lambda one: _work(one, services),
        place=lambda one: (one.asked_at, one.id),
    )


async def _received(request: Request, actor: Any, services: Context) -> tuple[str, str, int]:
    """Write the body to where it is read from; answers its id, its sha256 and its bytes."""
    work_id, path, room = await run_in_threadpool(services.exits.accounts.prepare, actor)
    most = min(services.exits.import_max_bytes, room)
    told = request.headers.get("content-length", "")
    digest, size, pieces, gathered = hashlib.sha256(), 0, [], 0
    try:
        if told.isdigit() and int(told) > most:
            raise _too_large(most)
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise _too_large(most)
            pieces.append(piece)
            gathered += len(piece)
            if gathered >= _WRITE_BYTES:
                await run_in_threadpool(_append, path, digest, b"".join(pieces))
                pieces, gathered = [], 0
        await run_in_threadpool(_append, path, digest, b"".join(pieces))
    except BaseException:
        services.exits.accounts.drop(work_id)
        raise
    return work_id, digest.hexdigest(), size


def _append(path: Any, digest: Any, block: bytes) -> None:
    digest.update(block)
    with open(path, "ab", opener=_private) as stream:
        stream.write(block)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        code="archive-too-large",
        message=f"an archive of at most {most >> 20} MiB is taken",
        mend="ask the operator for more (SWATH_MARKETPLACE_IMPORT_MAX_MB, and room on the disk)",
    )


def _base64(sha256: str) -> str:
    return b64encode(bytes.fromhex(sha256)).decode()


def _told(work: AccountWork, services: Context, response: Response) -> dict[str, Any]:
    told = _work(work, services)
    response.headers["Location"] = told["links"]["self"]
    return told


def _work(work: AccountWork, services: Context) -> dict[str, Any]:
    here = f"{services.shapes.base}/account/{work.kind.value}s/{work.id}"
    there = work.kind is WorkKind.EXPORT and work.stage is WorkStage.DONE
    return {
        "id": work.id,
        "kind": work.kind.value,
        "stage": work.stage.value,
        "progress": round(work.fraction, 3),
        "doing": work.doing or None,
        "message": work.message,
        "asked_at": iso(work.asked_at),
        "ended_at": iso(work.ended_at),
        "expires_at": iso(work.expires_at),
        "archive": {"bytes": work.archive_bytes, "sha256": work.archive_sha256} if work.archive_sha256 else None,
        "report": dict(work.report),
        "findings": [dict(one) for one in work.findings],
        "links": {"self": here, "archive": f"{here}/archive" if there else None},
    }


def _run(run: ForeignRun, services: Context) -> dict[str, Any]:
    here = f"{services.shapes.base}/imported-runs/{run.id}"
    told = run_json(run.document)
    outputs = [{**one, "href": f"{here}/results/{one['name']}" if one["kept"] else None} for one in told.pop("outputs")]
    return {
        **told,
        "id": run.id,
        "origin": {"installation": run.origin, "run": run.document.id},
        "imported_at": iso(run.imported_at),
        "outputs": outputs,
        "links": {"self": here, "receipt": f"{here}/receipt" if run.receipt else None},
    }


def _foreign(one: ForeignVersion) -> dict[str, Any]:
    return {
        "installation": one.origin,
        "algorithm": one.path,
        "version": one.version,
        "published_at": iso(one.published_at),
        "imported_at": iso(one.imported_at),
        "imported_by": one.imported_by,
        "evidence": dict(one.evidence),
    }
