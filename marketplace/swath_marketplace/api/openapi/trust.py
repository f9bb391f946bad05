"""Doors of receipts, lineage, inventories, reproductions and moderation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.algorithms import Version, WholeAlgorithm
from swath_marketplace.api.openapi.comparisons import Compared, Tolerance
from swath_marketplace.api.openapi.door import Door, Word, page_of
from swath_marketplace.domain.moderation import ActKind


class LogEntry(Word):
    """An entry of the log."""

    index: int
    leaf_sha256: str


class LogEntries(Word):
    """Entries of the log, and how many it has."""

    size: int
    entries: list[LogEntry]


class Inclusion(Word):
    """The proof that an entry stands in the log."""

    index: int
    size: int
    proof: list[str]


class FoundReceipt(Word):
    """A receipt of a run that brought a file back."""

    run: str
    algorithm: str
    version: str
    outputs: list[str]
    finished_at: datetime
    log_index: int | None
    receipt: str


class FoundReceipts(Word):
    """Receipts by a file's hash."""

    sha256: str
    receipts: list[FoundReceipt]


class LineageNode(Word):
    """A run, a scene or a file."""

    id: str
    kind: str
    title: str
    depth: int
    cut: bool


class LineageEdge(Word):
    """What went from one node into another."""

    source: str
    target: str
    files: list[dict[str, Any]]


class Lineage(Word):
    """What results were made of, or what was made of them."""

    root: str
    direction: str
    cut_off: bool
    hidden_runs: int
    nodes: list[LineageNode]
    edges: list[LineageEdge]


class Inventory(Word):
    """What was installed in an environment."""

    inventory_sha256: str
    python: str
    interpreter_sha256: str | None
    packages: dict[str, dict[str, Any]]
    loose: dict[str, str]
    editable: bool


class Changes(Word):
    """What changed from one inventory to another."""

    changes: list[dict[str, Any]]


class Cause(Word):
    """Why a reproduction may differ."""

    code: str
    message: str


class Reproduction(Word):
    """A run that is made again."""

    id: str
    of_run: str
    algorithm: str
    version: str
    digest: str
    asked_by: str
    asked_at: datetime
    stage: str
    run: str | None
    verdict: str | None
    message: str
    causes: list[Cause]
    comparisons: dict[str, Compared]
    tolerances: dict[str, Tolerance]
    tolerances_from: str
    ended_at: datetime | None
    links: dict[str, str | None]


class Act(Word):
    """An act of moderation."""

    number: int
    kind: ActKind
    algorithm: str
    version: str | None
    digest: str | None
    review: int | None
    reason: str
    by: str
    at: datetime
    report: str | None


def _document(title: str) -> dict[str, Any]:
    return {"type": "object", "title": title}


_TO_REPRODUCTION = {"get_reproduction": "reproduction_id=id"}

DOORS = {
    "GET runs/{run_id}/receipt": Door(
        id="get_receipt",
        answer=_document("A receipt"),
        media_type="application/vnd.swath.receipt.v1+json",
        refusals=(409,),
    ),
    "GET runs/{run_id}/receipt/prov": Door(id="get_prov", answer=_document("W3C PROV-JSON"), refusals=(409,)),
    "GET runs/{run_id}/receipt/ro-crate": Door(
        id="get_ro_crate", answer=_document("RO-Crate metadata"), media_type="application/ld+json", refusals=(409,)
    ),
    "GET runs/{run_id}/receipt/cdse": Door(id="get_cdse_trace", answer=_document("A CDSE trace"), refusals=(409,)),
    "GET runs/{run_id}/receipt/stac": Door(
        id="get_stac_item", answer=_document("A STAC Item"), media_type="application/geo+json", refusals=(409,)
    ),
    "GET receipts/keys": Door(id="list_keys", answer=_document("Signing keys"), open=True),
    "POST receipts/keys/rotate": Door(id="rotate_key", answer=_document("A signing key"), refusals=(409,)),
    "POST receipts/keys/{key}/revoke": Door(id="revoke_key", answer=_document("A signing key"), refusals=(409,)),
    "GET receipts/log/checkpoint": Door(id="get_checkpoint", answer=_document("A DSSE envelope"), refusals=(404,)),
    "GET receipts/log/entries": Door(id="list_log_entries", answer=LogEntries),
    "GET receipts/log/consistency": Door(id="get_consistency", answer=_document("A proof"), refusals=(404,)),
    "GET receipts/log/inclusion": Door(id="get_inclusion", answer=Inclusion, refusals=(404,)),
    "GET receipts/by-hash/{sha256}": Door(id="find_receipts", answer=FoundReceipts),
    "GET runs/{run_id}/lineage": Door(id="get_lineage_of_run", answer=Lineage),
    "GET lineage/{sha256}": Door(id="get_lineage_of_file", answer=Lineage),
    "GET inventories/{inventory_sha256}": Door(id="get_inventory", answer=Inventory),
    "GET inventories/{inventory_sha256}/changes/{other_sha256}": Door(id="compare_inventories", answer=Changes),
    "POST runs/{run_id}/reproductions": Door(
        id="reproduce_run", answer=Reproduction, refusals=(402, 409), leads=_TO_REPRODUCTION
    ),
    "GET runs/{run_id}/reproductions": Door(
        id="list_reproductions_of_run", answer=page_of("ReproductionsOfRun", "reproductions", Reproduction)
    ),
    "POST reproductions": Door(
        id="reproduce_receipt", answer=Reproduction, refusals=(402, 404, 409), leads=_TO_REPRODUCTION
    ),
    "GET reproductions": Door(id="list_reproductions", answer=page_of("Reproductions", "reproductions", Reproduction)),
    "GET reproductions/{reproduction_id}": Door(id="get_reproduction", answer=Reproduction),
    "GET reproductions/{reproduction_id}/pictures/{name}": Door(id="get_reproduction_picture", answer="image/png"),
    "POST algorithms/{owner}/{name}/hide": Door(id="hide_algorithm", answer=WholeAlgorithm, refusals=(409,)),
    "POST algorithms/{owner}/{name}/unhide": Door(id="unhide_algorithm", answer=WholeAlgorithm, refusals=(409,)),
    "POST algorithms/{owner}/{name}/versions/{version}/revoke": Door(
        id="revoke_version", answer=Version, refusals=(409,)
    ),
    "GET acts": Door(id="list_acts", answer=page_of("Acts", "acts", Act), refusals=(404,)),
}
