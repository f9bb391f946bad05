"""What came from elsewhere, for whoever brought it: versions' provenance, runs, and reproducing them here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.envelopes import Untrusted
from swath.contract.receipts import Believed, Bundle, check_bundle
from swath.contract.signing_keys import KeySet
from swath.signatures import verify
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import NotFound

from swath_marketplace.domain.account_archive import ArchivedOutput, ArchivedRun
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.errors import RunNotFinished
from swath_marketplace.domain.foreign import ForeignRun, ForeignVersion, foreign_run_id
from swath_marketplace.domain.origins import Origin, OriginOutput, input_of
from swath_marketplace.domain.reproductions import Reproduction
from swath_marketplace.domain.runs import RunStatus
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.receipt_reading import origin_of_statement
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reproductions import ReproductionRequest, Reproductions
from swath_marketplace.store.foreign import ForeignStore


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """What the receipt of a foreign run is worth here."""

    origin: str
    checks: Sequence[str]
    keys_head: str
    """SHA-256 of the last event of the origin's keys: to be compared with what its operator tells."""
    refused: str = ""
    """Why it is not believed, if it is not: a key of it may have been revoked since."""


class ForeignReader:
    """Believes receipts of other installations, with the keys that whoever asks brought along."""

    def __init__(self, *, store: ForeignStore) -> None:
        self._store = store

    def origin(self, actor: Actor, receipt: Any) -> Origin | None:
        """What a foreign receipt is reproduced from, as it stands here; ``None`` where the caller brought no keys.

        Raises
        ------
        Untrusted
        """
        bundle = Bundle.from_bytes(canonical_json(receipt))
        keys = self.keys(actor.name, bundle.statement.origin) if actor.kind is ActorKind.USER else None
        if keys is None:
            return None
        statement = check_bundle(bundle, keys, verify).statement
        here = foreign_run_id(actor.name, statement.origin, statement.run_id)
        found = replace(origin_of_statement(statement), run_id=here if self._store.run(here) else statement.run_id)
        return self.localised(found, actor.name)

    def keys(self, importer: str, origin: str) -> KeySet | None:
        """The keys of an installation, as `importer` brought them."""
        stored = self._store.keys(importer, origin)
        return None if stored is None else KeySet.from_bytes(stored.encode(), verify)

    def localised(self, origin: Origin, importer: str) -> Origin:
        """`origin` under the name that its version has here: content is what counts, whoever published it."""
        found = self._store.with_digest(origin.digest, owner=importer)
        return origin if found is None else replace(origin, algorithm=found.path, version=found.version)

    def sees(self, actor: Actor, run_id: str) -> bool:
        """Whether the caller brought the run that has this id here, with its results."""
        found = self._store.run(run_id) if run_id.isalnum() else None
        return found is not None and found.importer == actor.name and actor.kind is ActorKind.USER


class Foreign:
    """Runs and versions from elsewhere. A run is there for whoever brought it in alone."""

    def __init__(
        self,
        *,
        store: ForeignStore,
        reader: ForeignReader,
        registry: Registry,
        reproductions: Reproductions,
        folders: RunFolders,
    ) -> None:
        self._store = store
        self._reader = reader
        self._registry = registry
        self._reproductions = reproductions
        self._folders = folders

    def provenance(self, actor: Actor, path: str) -> tuple[AlgorithmVersion, Sequence[ForeignVersion]]:
        """A version and where it came from: nothing, when it was published here."""
        version = self._registry.version(actor, path)
        return version, self._store.version(version)

    def list(
        self, actor: Actor, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[ForeignRun], int]:
        """A page of the runs that the caller brought in, the latest made first."""
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return [], 0
        return self._store.runs(actor.name, limit=limit, offset=offset, after=after)

    def get(self, actor: Actor, run_id: str) -> ForeignRun:
        """One of them.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._store.run(run_id) if run_id.isalnum() else None
        if found is None or actor.kind is not ActorKind.USER or found.importer != actor.name:
            raise NotFound(
                code="no-such-imported-run",
                message="there is no such imported run of yours",
                mend="see GET imported-runs",
            )
        return found

    def receipt(self, actor: Actor, run_id: str) -> bytes:
        """The receipt's file as its origin signed it; raises `NotFound`."""
        run = self.get(actor, run_id)
        if run.receipt is None:
            raise NotFound(code="no-receipt", message="this run came without a receipt")
        return run.receipt.encode()

    def trust(self, actor: Actor, run: ForeignRun) -> Trusted | None:
        """What its receipt is worth now; ``None`` without one."""
        keys = self._reader.keys(actor.name, run.origin)
        if run.receipt is None or keys is None:
            return None
        try:
            believed: Believed = check_bundle(Bundle.from_bytes(run.receipt.encode()), keys, verify)
        except Untrusted as error:
            return Trusted(origin=run.origin, checks=(), keys_head=keys.head, refused=error.message)
        return Trusted(origin=run.origin, checks=believed.checks, keys_head=keys.head)

    def result(self, actor: Actor, run_id: str, name: str) -> tuple[ArchivedOutput, Path]:
        """One output and its file; raises `NotFound`."""
        run = self.get(actor, run_id)
        output = next((one for one in run.document.outputs if one.name == name), None)
        path = self._folders.of(run.id).result(name) if output else None
        if output is None or path is None or not path.is_file():
            names = ", ".join(one.name for one in run.document.outputs if one.kept) or "none"
            raise NotFound(
                code="no-such-output", message="no file of that name came with the run", mend=f"its files: {names}"
            )
        return output, path

    def reproduce(
        self, actor: Actor, run_id: str, request: ReproductionRequest, *, key: str | None = None
    ) -> tuple[Reproduction, bool]:
        """Run it again here, paid by the caller, and compare with what came along.

        Raises
        ------
        NotFound, RunNotFinished, Invalid, Forbidden, KeyReused
        """
        run = self.get(actor, run_id)
        document = run.document
        if document.status != RunStatus.FINISHED.value:
            raise RunNotFinished(
                code="run-not-finished",
                message=f"the run ended {document.status}; only a finished one has results to compare with",
                mend="name another",
            )
        origin = self._reader.localised(_origin(run, document), actor.name)
        return self._reproductions.of_origin(actor, origin, request, key=key, sees=True)

    def environment_of(self, version: AlgorithmVersion) -> bool:
        """Whether the version could run here."""
        return self._registry.has_environment(version)


def _origin(run: ForeignRun, document: ArchivedRun) -> Origin:
    """What a foreign run is reproduced from: its receipt's words, or those of its document."""
    if run.receipt is not None:
        return replace(origin_of_statement(Bundle.from_bytes(run.receipt.encode()).statement), run_id=run.id)
    environment = document.environment or {}
    return Origin(
        run_id=run.id,
        algorithm=document.algorithm,
        version=document.version,
        digest=document.digest,
        parameters=document.parameters,
        environment=str(environment.get("name") or ""),
        lock_sha256=str(environment.get("lock_sha256") or ""),
        inventory_sha256=environment.get("inventory_sha256"),
        inputs=tuple(dict.fromkeys(input_of(said) for said in document.inputs)),
        outputs=tuple(
            OriginOutput(name=one.name, sha256=one.sha256, media_type=one.media_type) for one in document.outputs
        ),
    )
