"""Exports and imports of accounts in SQL: who may write about one, and what its owner sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from swath_service.cursors import Place

from swath_marketplace.domain.account_work import AccountWork, WorkKind, WorkStage
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.store.account_tables import account_work as _table
from swath_marketplace.store.database import Database
from swath_marketplace.store.paging import newest_first


class AccountWorkStore:
    """Promises: one user has at most one open export and one open import; what is over changes no more, but an export
    may expire; a piece of work is leased to one holder at a time, and whose lease was taken over gets `LeaseLost`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, work: AccountWork) -> tuple[AccountWork, bool]:
        """Commit a new one; the one that is open, and ``False``, where its owner has one of that kind."""
        try:
            with self._database.write() as connection:
                connection.execute(_table.insert().values(_values(work)))
        except sa.exc.IntegrityError:
            wanted = (_table.c.owner == work.owner, _table.c.kind == work.kind.value, _open())
            with self._database.read() as connection:
                row = connection.execute(sa.select(_table).where(*wanted)).one_or_none()
            if row is None:
                raise
            return _work(row), False
        return work, True

    def get(self, work_id: str) -> AccountWork | None:
        """One export or import."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(_table).where(_table.c.id == work_id)).one_or_none()
        return None if row is None else _work(row)

    def list(
        self, kind: WorkKind, *, owner: str, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[AccountWork], int]:
        """A page of one user's, the latest first, and how many there are in all."""
        wanted = (_table.c.owner == owner, _table.c.kind == kind.value)
        beyond = newest_first(after, _table.c.asked_at, _table.c.id)
        query = sa.select(_table).where(*wanted, *beyond).order_by(_table.c.asked_at.desc(), _table.c.id)
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(_table).where(*wanted)).scalar_one()
            return [_work(row) for row in connection.execute(query.limit(limit).offset(offset))], total

    def of_archive(self, owner: str, sha256: str) -> AccountWork | None:
        """The import of that very archive which `owner` began or ended well."""
        good = [stage.value for stage in (WorkStage.ASKED, WorkStage.WORKING, WorkStage.DONE)]
        wanted = (
            _table.c.owner == owner,
            _table.c.kind == WorkKind.IMPORT.value,
            _table.c.archive_sha256 == sha256,
            _table.c.stage.in_(good),
        )
        query = sa.select(_table).where(*wanted).order_by(_table.c.asked_at.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _work(row)

    def claim(self, *, holder: str, now: datetime, until: datetime) -> AccountWork | None:
        """Lease the one that was asked for first among those that nobody works on."""
        free = sa.or_(_table.c.lease_until.is_(None), _table.c.lease_until < now)
        due = sa.select(_table.c.id).where(_open(), free).order_by(_table.c.asked_at, _table.c.id).limit(1)
        with self._database.read() as connection:
            if connection.execute(due).first() is None:
                return None
        with self._database.write() as connection:
            found = connection.execute(due.with_for_update(skip_locked=True)).scalar_one_or_none()
            if found is None:
                return None
            mine = _table.c.id == found
            connection.execute(_table.update().where(mine).values(lease_holder=holder, lease_until=until))
            return _work(connection.execute(sa.select(_table).where(mine)).one())

    def save(self, work: AccountWork, *, holder: str, until: datetime) -> AccountWork:
        """Write how far it is, and prolong the lease; what is over is held by nobody.

        Raises
        ------
        LeaseLost
        """
        held = {"lease_holder": holder, "lease_until": until} if work.open else {}
        values = {**_values(work), "lease_holder": None, "lease_until": None, **held}
        mine = (_table.c.id == work.id, _table.c.lease_holder == holder, _open())
        with self._database.write() as connection:
            if connection.execute(_table.update().where(*mine).values(values)).rowcount != 1:
                raise LeaseLost(work.id)
        return work

    def expirable(self, now: datetime) -> Sequence[AccountWork]:
        """Exports whose file is to be removed."""
        wanted = (
            _table.c.kind == WorkKind.EXPORT.value,
            _table.c.stage == WorkStage.DONE.value,
            _table.c.expires_at < now,
        )
        with self._database.read() as connection:
            return [_work(row) for row in connection.execute(sa.select(_table).where(*wanted).limit(100))]

    def set_expired(self, work_id: str) -> None:
        """Say that the file of an export is gone."""
        mine = (_table.c.id == work_id, _table.c.stage == WorkStage.DONE.value)
        with self._database.write() as connection:
            connection.execute(_table.update().where(*mine).values(stage=WorkStage.EXPIRED.value))

    def ids(self) -> frozenset[str]:
        """Of everything that is open, or whose file is kept."""
        kept = sa.or_(_open(), _table.c.stage == WorkStage.DONE.value)
        with self._database.read() as connection:
            return frozenset(connection.execute(sa.select(_table.c.id).where(kept)).scalars())

    def holders(self) -> Sequence[str]:
        """Everybody who holds an open one."""
        held = sa.select(_table.c.lease_holder).where(_open(), _table.c.lease_holder.is_not(None)).distinct()
        with self._database.read() as connection:
            return [str(one) for one in connection.execute(held).scalars()]

    def let_go(self, holder: str) -> None:
        """Give every lease of `holder` up."""
        mine = (_table.c.lease_holder == holder, _open())
        with self._database.write() as connection:
            connection.execute(_table.update().where(*mine).values(lease_holder=None, lease_until=None))


def _open() -> sa.ColumnElement[bool]:
    return _table.c.stage.in_([WorkStage.ASKED.value, WorkStage.WORKING.value])


def _values(work: AccountWork) -> dict[str, Any]:
    return {
        "id": work.id,
        "kind": work.kind.value,
        "owner": work.owner,
        "asked_at": work.asked_at,
        "stage": work.stage.value,
        "doing": work.doing,
        "fraction": work.fraction,
        "archive_sha256": work.archive_sha256,
        "archive_bytes": work.archive_bytes,
        "findings": [dict(one) for one in work.findings],
        "report": dict(work.report),
        "message": work.message,
        "ended_at": work.ended_at,
        "expires_at": work.expires_at,
    }


def _work(row: sa.Row[Any]) -> AccountWork:
    values = {name: value for name, value in row._mapping.items() if not name.startswith("lease_")}
    return AccountWork(**{**values, "kind": WorkKind(row.kind), "stage": WorkStage(row.stage)})
