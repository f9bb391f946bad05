"""Reproductions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from swath.contract.comparison import Comparison, Tolerance
from swath_service.cursors import Place

from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.origins import Origin
from swath_marketplace.domain.reproductions import Cause, Outcome, Reproduction, Stage, check
from swath_marketplace.store.database import Database
from swath_marketplace.store.paging import newest_first
from swath_marketplace.store.reproduction_tables import reproductions

_table = reproductions


class ReproductionStore:
    """Reproductions, in one database that any number of processes advance.

    Promises: one that has ended is never written again; a reproduction is leased to one holder at a time, and a holder
    whose lease was taken over gets `LeaseLost` and writes nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, reproduction: Reproduction, *, key: str | None, request_sha256: str
    ) -> tuple[Reproduction, str, bool]:
        """Commit a new one.

        Returns
        -------
        tuple
            The stored one (an earlier one when the asker used `key` before), the sha256 of the request it came from,
            and whether it is new.
        """
        values = {
            **_asked(check(reproduction)),
            **_observed(reproduction),
            "idempotency_key": key,
            "request_sha256": request_sha256,
        }
        try:
            with self._database.write() as connection:
                connection.execute(_table.insert().values(values))
        except sa.exc.IntegrityError:
            earlier = self.find(asked_by=reproduction.asked_by, key=key) if key else None
            if earlier is None:
                raise
            return *earlier, False
        return reproduction, request_sha256, True

    def find(self, *, asked_by: str, key: str) -> tuple[Reproduction, str] | None:
        """What `asked_by` asked for under `key`, and the sha256 of that request."""
        wanted = (_table.c.asked_by == asked_by, _table.c.idempotency_key == key)
        with self._database.read() as connection:
            row = connection.execute(sa.select(_table).where(*wanted)).one_or_none()
        return None if row is None else (_reproduction(row), row.request_sha256)

    def get(self, reproduction_id: str) -> Reproduction | None:
        """One reproduction."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(_table).where(_table.c.id == reproduction_id)).one_or_none()
        return None if row is None else _reproduction(row)

    def list(
        self,
        *,
        asked_by: str | None = None,
        origin_run_id: str | None = None,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[Reproduction], int]:
        """A page, the latest asked for first, and how many there are in all; of everybody when `asked_by` is None."""
        wanted: list[sa.ColumnElement[bool]] = []
        if asked_by is not None:
            wanted.append(_table.c.asked_by == asked_by)
        if origin_run_id is not None:
            wanted.append(_table.c.origin_run_id == origin_run_id)
        page = newest_first(after, _table.c.asked_at, _table.c.id)
        query = sa.select(_table).where(*wanted, *page).order_by(_table.c.asked_at.desc(), _table.c.id)
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(_table).where(*wanted)).scalar_one()
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_reproduction(row) for row in rows], total

    def claim(self, *, holder: str, now: datetime, until: datetime, limit: int = 50) -> Sequence[Reproduction]:
        """Lease open ones that nobody holds; answers all that `holder` has now, the one that was asked first first.

        Leases that are half over are prolonged. Most looks find nothing to lease, and only read.
        """
        half = now + (until - now) / 2
        free = sa.or_(_table.c.lease_until.is_(None), _table.c.lease_until < now)
        mine = _table.c.lease_holder == holder
        wanted = sa.or_(free, sa.and_(mine, _table.c.lease_until < half))
        due = sa.select(_table.c.id).where(_open(), wanted).order_by(_table.c.asked_at, _table.c.id).limit(limit)
        held = sa.select(_table).where(_open(), mine).order_by(_table.c.asked_at, _table.c.id)
        with self._database.read() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return [_reproduction(row) for row in connection.execute(held)]
        with self._database.write() as connection:
            ids = list(connection.execute(due.with_for_update(skip_locked=True)).scalars())
            lease = _table.update().where(_table.c.id.in_(ids), _open())
            connection.execute(lease.values(lease_holder=holder, lease_until=until))
            return [_reproduction(row) for row in connection.execute(held)]

    def save(self, reproduction: Reproduction, *, holder: str) -> Reproduction:
        """Write what was observed.

        Raises
        ------
        LeaseLost
            Somebody else holds it, or it has ended.
        """
        values = _observed(check(reproduction))
        if reproduction.ended:
            values |= {"lease_holder": None, "lease_until": None}
        mine = (
            _table.c.id == reproduction.id,
            _table.c.lease_holder == holder,
            _open(),
        )
        with self._database.write() as connection:
            if connection.execute(_table.update().where(*mine).values(values)).rowcount != 1:
                raise LeaseLost(reproduction.id)
        return reproduction

    def holders(self) -> Sequence[str]:
        """Everybody who holds an open one."""
        held = (_open(), _table.c.lease_holder.is_not(None))
        with self._database.read() as connection:
            return [
                str(one)
                for one in connection.execute(sa.select(_table.c.lease_holder).where(*held).distinct()).scalars()
            ]

    def let_go(self, holder: str) -> None:
        """Give every lease of `holder` up."""
        with self._database.write() as connection:
            mine = (_table.c.lease_holder == holder, _open())
            connection.execute(_table.update().where(*mine).values(lease_holder=None, lease_until=None))


def _open() -> sa.ColumnElement[bool]:
    return _table.c.stage != Stage.ENDED.value


def _asked(one: Reproduction) -> dict[str, Any]:
    return {
        "id": one.id,
        "origin_run_id": one.origin.run_id,
        "origin": one.origin.as_dict(),
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "tolerances": {name: tolerance.as_dict() for name, tolerance in one.tolerances.items()},
        "tolerances_from": one.tolerances_from,
        "sees_original": one.sees_original,
        "budget_millicredits": one.budget_millicredits,
    }


def _observed(one: Reproduction) -> dict[str, Any]:
    return {
        "stage": one.stage.value,
        "run_id": one.run_id,
        "causes": [cause.as_dict() for cause in one.causes],
        "outcome": one.outcome.value if one.outcome else None,
        "comparisons": {name: comparison.as_dict() for name, comparison in one.comparisons.items()},
        "message": one.message,
        "ended_at": one.ended_at,
    }


def _reproduction(row: sa.Row[Any]) -> Reproduction:
    return Reproduction(
        id=row.id,
        origin=Origin.from_dict(row.origin),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        tolerances={name: Tolerance.from_dict(data) for name, data in row.tolerances.items()},
        tolerances_from=row.tolerances_from,
        sees_original=row.sees_original,
        budget_millicredits=row.budget_millicredits,
        stage=Stage(row.stage),
        run_id=row.run_id,
        causes=tuple(Cause.from_dict(data) for data in row.causes),
        outcome=Outcome(row.outcome) if row.outcome else None,
        comparisons={name: Comparison.from_dict(data) for name, data in row.comparisons.items()},
        message=row.message,
        ended_at=row.ended_at,
    )
