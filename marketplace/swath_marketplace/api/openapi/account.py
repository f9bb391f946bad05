"""Doors of exports, imports and what was brought in from elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.door import Door, Word, page_of
from swath_marketplace.api.openapi.trust import Reproduction
from swath_marketplace.domain.account_work import WorkKind, WorkStage


class ArchiveFile(Word):
    """The file of an export."""

    bytes: int
    sha256: str


class AccountWork(Word):
    """An export or an import, as far as it is."""

    id: str
    kind: WorkKind
    stage: WorkStage
    progress: float
    doing: str | None
    message: str
    asked_at: datetime
    ended_at: datetime | None
    expires_at: datetime | None
    archive: ArchiveFile | None
    report: dict[str, Any]
    findings: list[dict[str, Any]]
    links: dict[str, str | None]


class ImportedRun(Word):
    """A run that was made elsewhere."""

    id: str
    origin: dict[str, str]
    imported_at: datetime
    outputs: list[dict[str, Any]]
    links: dict[str, str | None]


class Provenance(Word):
    """Where a version was published first."""

    algorithm: str
    version: str
    digest: str
    published_here_at: datetime
    runnable_here: Any


_BINARY = {"type": "object", "title": "A receipt"}

DOORS = {
    "POST account/exports": Door(id="export_account", answer=AccountWork, refusals=(409,)),
    "GET account/exports": Door(id="list_exports", answer=page_of("Exports", "exports", AccountWork)),
    "GET account/exports/{work_id}": Door(id="get_export", answer=AccountWork),
    "GET account/exports/{work_id}/archive": Door(
        id="get_archive",
        answer="application/zip",
        also={206: "Parts of it.", 304: "Had."},
        refusals=(400, 409, 410, 416),
    ),
    "DELETE account/exports/{work_id}": Door(id="remove_export", refusals=(409,)),
    "POST account/imports": Door(
        id="import_account", answer=AccountWork, also={200: "It was brought in before."}, refusals=(409, 422)
    ),
    "GET account/imports": Door(id="list_imports", answer=page_of("Imports", "imports", AccountWork)),
    "GET account/imports/{work_id}": Door(id="get_import", answer=AccountWork),
    "GET imported-runs": Door(id="list_imported_runs", answer=page_of("ImportedRuns", "runs", ImportedRun)),
    "GET imported-runs/{run_id}": Door(id="get_imported_run", answer=ImportedRun),
    "GET imported-runs/{run_id}/receipt": Door(
        id="get_imported_receipt", answer=_BINARY, media_type="application/vnd.swath.receipt.v1+json"
    ),
    "GET imported-runs/{run_id}/results/{name}": Door(
        id="get_imported_result", answer="*/*", also={206: "Parts of it.", 304: "Had."}, refusals=(410, 416)
    ),
    "POST imported-runs/{run_id}/reproductions": Door(
        id="reproduce_imported_run", answer=Reproduction, refusals=(402, 409)
    ),
    "GET algorithms/{owner}/{name}/versions/{version}/provenance": Door(id="get_provenance", answer=Provenance),
}
