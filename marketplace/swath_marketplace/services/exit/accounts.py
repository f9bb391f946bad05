"""What a user may do with exports and imports of the own account."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Conflict, Forbidden, NotFound

from swath_marketplace.domain.account_work import AccountWork, WorkKind, WorkStage
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import AccountBusy, ExportNotReady
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.services.exit.files import AccountFiles
from swath_marketplace.store.account_work import AccountWorkStore


class Accounts:
    """Exports and imports, for whose they are; to others they are not there."""

    def __init__(self, *, store: AccountWorkStore, files: AccountFiles, wake: Callable[[], None], clock: Clock) -> None:
        self._store = store
        self._files = files
        self._wake = wake
        self._clock = clock

    def export(self, actor: Actor) -> tuple[AccountWork, bool]:
        """Have everything of the caller's put into an archive; the one that is being made already, if there is one."""
        actor.require(Scope.READ)
        owner = _owner(actor)
        made, created = self._store.create(self._new(WorkKind.EXPORT, owner, uuid.uuid4().hex))
        self._wake()
        return made, created

    def prepare(self, actor: Actor) -> tuple[str, Path, int]:
        """Where an archive that the caller sends is to be written, under a new id, and how many bytes have room."""
        actor.require(Scope.PUBLISH)
        _owner(actor)
        work_id = uuid.uuid4().hex
        return work_id, self._files.partial(work_id), self._files.free_bytes()

    def accept(self, actor: Actor, work_id: str, *, sha256: str, size: int) -> tuple[AccountWork, bool]:
        """Bring in the archive that was written to where `prepare` said.

        The same archive again is the import that it was; nothing is done twice.

        Raises
        ------
        AccountBusy
            Another archive of the caller's is being brought in.
        """
        actor.require(Scope.PUBLISH)
        owner = _owner(actor)
        known = self._store.of_archive(owner, sha256)
        if known is not None:
            self._files.remove(work_id)
            return known, False
        self._files.partial(work_id).replace(self._files.of(work_id))
        work = self._new(WorkKind.IMPORT, owner, work_id, archive_sha256=sha256, archive_bytes=size)
        made, created = self._store.create(work)
        if not created:
            self._files.remove(work_id)
            if made.archive_sha256 == sha256:
                return made, False
            raise AccountBusy(
                code="import-going-on",
                message="another archive of yours is being brought in",
                mend="wait until it is over: see GET account/imports",
                extra={"import": made.id},
            )
        self._wake()
        return made, True

    def drop(self, work_id: str) -> None:
        """Forget an upload that broke off."""
        self._files.remove(work_id)

    def get(self, actor: Actor, kind: WorkKind, work_id: str) -> AccountWork:
        """One export or import of the caller's.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._store.get(work_id) if work_id.isalnum() else None
        mine = found is not None and found.owner == actor.name and actor.kind is ActorKind.USER
        if found is None or not mine or found.kind is not kind:
            raise NotFound(
                code=f"no-such-{kind.value}",
                message=f"there is no such {kind.value} of yours",
                mend=f"see GET account/{kind.value}s",
            )
        return found

    def list(
        self, actor: Actor, kind: WorkKind, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[AccountWork], int]:
        """A page of the caller's, the latest first."""
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return [], 0
        return self._store.list(kind, owner=actor.name, limit=limit, offset=offset, after=after)

    def archive(self, actor: Actor, work_id: str) -> tuple[AccountWork, Path]:
        """The file of an export that is made.

        Raises
        ------
        NotFound, ExportNotReady
        """
        work = self.get(actor, WorkKind.EXPORT, work_id)
        path = self._files.of(work.id)
        if work.stage is WorkStage.DONE and path.is_file():
            return work, path
        if work.open:
            raise ExportNotReady(
                code="export-not-ready",
                message=f"the archive is being made: {work.doing or work.stage.value}",
                mend="ask again when its stage is done",
            )
        raise NotFound(
            code="no-archive",
            message="the file of this export is not kept any more",
            mend="have a new one made: POST account/exports",
        )

    def remove(self, actor: Actor, work_id: str) -> None:
        """Remove the file of an export before its time.

        Raises
        ------
        NotFound, Conflict
        """
        work = self.get(actor, WorkKind.EXPORT, work_id)
        if work.open:
            raise Conflict(code="export-going-on", message="the archive is being made", mend="wait until it is done")
        self._files.remove(work.id)
        self._store.set_expired(work.id)

    def _new(
        self,
        kind: WorkKind,
        owner: str,
        work_id: str,
        *,
        archive_sha256: str | None = None,
        archive_bytes: int | None = None,
    ) -> AccountWork:
        return AccountWork(
            id=work_id,
            kind=kind,
            owner=owner,
            asked_at=self._clock(),
            archive_sha256=archive_sha256,
            archive_bytes=archive_bytes,
        )


def _owner(actor: Actor) -> str:
    if actor.kind is not ActorKind.USER:
        raise Forbidden(
            code="users-only",
            message="an account is a user's, and this token is a service's",
            mend="use a user's token",
        )
    # A name that cannot be written in owner/name owns nothing that could be brought in or out.
    return parse_reference(f"{actor.name}/x1").owner
