"""A run in an archive: what was asked, what came of it, its receipt, and what reproducing it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from swath.contract.bags import BagWriter
from swath.contract.times import moment
from swath_service.actor import Actor
from swath_service.errors import NotFound

from swath_marketplace.domain.account_archive import ArchivedOutput, ArchivedRun, run_folder
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.exit.documents import run_json, written
from swath_marketplace.services.receipts import Receipts
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.runs import RunStore

_BLOCK_BYTES = 1 << 20
#: What is packed already, or is too large to gain much.
_PACK_BELOW = 1 << 20


class RunExporter:
    """Writes what belongs to runs."""

    def __init__(self, *, runs: RunStore, folders: RunFolders, receipts: Receipts, artifacts: ArtifactStore) -> None:
        self._runs = runs
        self._folders = folders
        self._receipts = receipts
        self._artifacts = artifacts

    def write(self, bag: BagWriter, actor: Actor, run: Run, *, left_out: list[str]) -> None:
        """Write everything of an ended run; raises `Unavailable` while its receipt cannot be signed."""
        folder, files = run_folder(run.id), self._folders.of(run.id)
        kept = {output.name for output in run.outputs if files.result(output.name).is_file()}
        for output in run.outputs:
            if output.name in kept:
                path = files.result(output.name)
                size = path.stat().st_size
                bag.add_blocks(f"{folder}/results/{output.name}", _blocks(path), size=size, pack=size < _PACK_BELOW)
        if len(kept) < len(run.outputs):
            left_out.append(f"{len(run.outputs) - len(kept)} results of run {run.id}: they are not kept any more")
        stream = files.open_out("events.jsonl")
        if stream is not None:
            with stream:
                bag.add_blocks(f"{folder}/events.jsonl", _read(stream), size=0, pack=True)
        if run.status is RunStatus.FINISHED:
            self._receipt(bag, actor, run, folder)
        self._inventories(bag, run, left_out)
        bag.add(f"{folder}/run.json", written(run_json(self._document(run, kept))))

    def _receipt(self, bag: BagWriter, actor: Actor, run: Run, folder: str) -> None:
        try:
            bag.add(f"{folder}/receipt.json", self._receipts.bundle(actor, run.id).as_bytes())
        except NotFound:
            return

    def _inventories(self, bag: BagWriter, run: Run, left_out: list[str]) -> None:
        told = run.environment or {}
        for name in ("inventory_sha256", "inventory_at_end_sha256"):
            address = told.get(name)
            path = f"inventories/{address}.json"
            if not address or path in bag:
                continue
            try:
                bag.add(path, self._artifacts.read(address))
            except ArtifactDamaged:
                left_out.append(f"the inventory {address} of run {run.id}: it is not kept any more")

    def _document(self, run: Run, kept: set[str]) -> ArchivedRun:
        return ArchivedRun(
            id=run.id,
            algorithm=f"{run.owner}/{run.name}",
            version=run.version,
            digest=run.digest,
            purpose=run.purpose.value,
            status=run.status.value,
            parameters=run.parameters,
            resources=run.resources.as_dict(),
            created_at=run.created_at,
            queued_at=run.queued_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            error=run.error.as_dict() if run.error else None,
            refusal=run.refusal.as_dict() if run.refusal else None,
            usage=run.usage.as_dict() if run.usage else None,
            quote_millicredits=run.quote_millicredits,
            cost_millicredits=run.cost_millicredits,
            budget_millicredits=run.budget_millicredits,
            outputs=tuple(ArchivedOutput(**output.as_dict(), kept=output.name in kept) for output in run.outputs),
            inputs=run.inputs,
            environment=run.environment,
            observation=run.observation,
            changes=tuple(
                {"seq": one.seq, "at": moment(one.at), "status": one.status.value, "detail": dict(one.detail)}
                for one in self._runs.status_events(run.id)
            ),
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from _read(stream)


def _read(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(_BLOCK_BYTES):
        yield block
