"""Makes exports and reads imports: a thread that works on one after the other, whoever asked first first."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from datetime import timedelta

from swath.contract.digest import sha256_file
from swath_service.errors import Unavailable
from swath_service.loops import Loop

from swath_marketplace.domain.account_work import AccountWork, WorkKind, WorkStage, ended
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.services.exit.exporting import Exporter
from swath_marketplace.services.exit.files import AccountFiles
from swath_marketplace.services.exit.importing import Importer
from swath_marketplace.services.exit.reading import ArchiveRefused
from swath_marketplace.services.holders import free_gone, new_holder
from swath_marketplace.store.account_work import AccountWorkStore
from swath_marketplace.store.signing_keys import KeyUnfit

log = logging.getLogger(__name__)

_IDLE_PAUSE_SECONDS = 2.0
_TOLD_EVERY_SECONDS = 1.0
_SWEEP_EVERY_SECONDS = 3600.0
_GIVE_UP_AFTER = 5
_LONGEST_BACKOFF_SECONDS = 60.0
#: Longer than the largest file takes; the lease of a process of this machine that died is taken over at once.
_LEASE = timedelta(hours=1)


class _Stopped(Exception):
    """The service ends; what is under way is begun anew by the next one."""


class AccountKeeper:
    """Advances exports and imports. Several may work on one database; each step may be repeated after a crash."""

    def __init__(
        self,
        *,
        store: AccountWorkStore,
        files: AccountFiles,
        exporter: Exporter,
        importer: Importer,
        keep: timedelta,
        clock: Clock,
    ) -> None:
        self._store = store
        self._files = files
        self._exporter = exporter
        self._importer = importer
        self._keep = keep
        self._clock = clock
        self.holder = new_holder()
        self._loop = Loop("accounts", self._step, every_seconds=_IDLE_PAUSE_SECONDS)
        self._trouble: dict[str, tuple[int, float]] = {}
        self._swept_at = 0.0

    def start(self) -> None:
        """Begin, in a thread of its own."""
        free_gone(self._store)
        self._loop.start()

    def stop(self) -> None:
        """End; the next keeper begins what was under way anew."""
        self._loop.stop()
        self._store.let_go(self.holder)

    def wake(self) -> None:
        """There is something to do."""
        self._loop.wake()

    def look(self) -> bool:
        """Work on the one that was asked for first, to its end; answers whether there was any."""
        self._expire()
        now = self._clock()
        work = self._store.claim(holder=self.holder, now=now, until=now + _LEASE)
        if work is None:
            return False
        failures, not_before = self._trouble.get(work.id, (0, 0.0))
        if not_before > time.monotonic():
            self._store.let_go(self.holder)
            return False
        try:
            self._advance(self._save(replace(work, stage=WorkStage.WORKING)), failures)
            self._trouble.pop(work.id, None)
        except LeaseLost:
            log.info("%s %s belongs to another process now", work.kind.value, work.id)
        except _Stopped:
            self._store.let_go(self.holder)
        except (Unavailable, KeyUnfit, OSError) as error:
            log.warning("%s %s waits: %s", work.kind.value, work.id, error)
            self._later(work, failures)
        except Exception:
            log.exception("%s %s could not be made", work.kind.value, work.id)
            self._later(work, failures)
        return True

    def _later(self, work: AccountWork, failures: int) -> None:
        pause = min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2**failures)
        self._trouble[work.id] = (failures + 1, time.monotonic() + pause)
        self._store.let_go(self.holder)

    def _advance(self, work: AccountWork, failures: int) -> None:
        if failures >= _GIVE_UP_AFTER:
            self._files.remove(work.id)
            message = f"the platform failed at this {work.kind.value}; ask again, and tell the operator"
            self._save(ended(work, WorkStage.FAILED, message=message, at=self._clock()))
        elif work.kind is WorkKind.EXPORT:
            self._export(work)
        else:
            self._import(work)

    def _export(self, work: AccountWork) -> None:
        partial, told = self._files.partial(work.id), _Told(self, work)
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w+b") as stream:
            made = self._exporter.write(work.owner, stream, progress=told)
            stream.flush()
            os.fsync(stream.fileno())
        sha256, size = sha256_file(partial), partial.stat().st_size
        partial.replace(self._files.of(work.id))
        now = self._clock()
        self._save(
            ended(
                told.work,
                WorkStage.DONE,
                message=f"everything of {work.owner} is in it",
                at=now,
                archive_sha256=sha256,
                archive_bytes=size,
                report=made.report,
                expires_at=now + self._keep,
            )
        )

    def _import(self, work: AccountWork) -> None:
        archive, told = self._files.of(work.id), _Told(self, work)
        try:
            made = self._importer.bring(archive, work.owner, progress=told)
        except ArchiveRefused as error:
            findings = [fault.as_dict() for fault in error.faults]
            message = f"nothing was brought in: {findings[0]['message']}"
            over = ended(told.work, WorkStage.REFUSED, message=message, at=self._clock(), findings=findings)
        else:
            report = made.report
            message = f"{report['versions_new']} versions and {report['runs_new']} runs are new here"
            over = ended(told.work, WorkStage.DONE, message=message, at=self._clock(), report=report)
        self._save(over)
        self._files.remove(work.id)

    def _expire(self) -> None:
        for work in self._store.expirable(self._clock()):
            self._files.remove(work.id)
            self._store.set_expired(work.id)
        if self._swept_at + _SWEEP_EVERY_SECONDS < time.monotonic() or not self._swept_at:
            self._files.sweep(self._store.ids())
            self._swept_at = time.monotonic()

    def _save(self, work: AccountWork) -> AccountWork:
        return self._store.save(work, holder=self.holder, until=self._clock() + _LEASE)

    def tell(self, work: AccountWork) -> None:
        """Write how far it is; raises when the service ends."""
        if self._loop.ending:
            raise _Stopped
        self._save(work)

    def _step(self) -> float | None:
        return 0.0 if self.look() else None


class _Told:
    """Progress of one piece of work, written down about once a second."""

    def __init__(self, keeper: AccountKeeper, work: AccountWork) -> None:
        self.work = work
        self._keeper = keeper
        self._at = 0.0

    def __call__(self, doing: str, fraction: float) -> None:
        self.work = replace(self.work, doing=doing[:200], fraction=min(0.999, max(0.0, fraction)))
        if time.monotonic() > self._at + _TOLD_EVERY_SECONDS:
            self._keeper.tell(self.work)
            self._at = time.monotonic()
