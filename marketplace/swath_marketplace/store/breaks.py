"""Breaks and notices in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from swath_service.cursors import Place

from swath_marketplace.domain.benchmarks import ScenarioResult
from swath_marketplace.domain.breaks import Break, Changes, Notice, NoticeKind
from swath_marketplace.domain.hook_messages import of_notice
from swath_marketplace.domain.visibility import ANYBODY, Viewer
from swath_marketplace.store import outbox
from swath_marketplace.store.algorithms import is_shown
from swath_marketplace.store.database import Database
from swath_marketplace.store.paging import newest_first
from swath_marketplace.store.round_tables import breaks, notices
from swath_marketplace.store.tables import algorithms


class BreakStore:
    """Breaks; written with the end of a round alone (`store.rounds`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_of(self, algorithm_id: str, version_digest: str) -> Mapping[str, Break]:
        """The open breaks of a version, by scenario."""
        wanted = (
            breaks.c.algorithm_id == algorithm_id,
            breaks.c.version_digest == version_digest,
            breaks.c.closed_at.is_(None),
        )
        with self._database.read() as connection:
            rows = connection.execute(sa.select(breaks).where(*wanted)).all()
        return {row.scenario: _break(row) for row in rows}

    def open_of_owner(self, owner: str) -> Sequence[Break]:
        """The open breaks of everything that `owner` has published, the newest first."""
        wanted = (breaks.c.owner == owner, breaks.c.closed_at.is_(None))
        with self._database.read() as connection:
            rows = connection.execute(sa.select(breaks).where(*wanted).order_by(breaks.c.opened_at.desc())).all()
        return [_break(row) for row in rows]

    def rounds_of_open(self) -> frozenset[str]:
        """The rounds that found what is broken still."""
        with self._database.read() as connection:
            return frozenset(
                connection.execute(sa.select(breaks.c.round_id).where(breaks.c.closed_at.is_(None))).scalars()
            )

    def list(
        self,
        *,
        include_closed: bool = False,
        viewer: Viewer = ANYBODY,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[Break], int]:
        """A page of breaks of what `viewer` sees, newest first, and how many there are in all."""
        wanted: list[sa.ColumnElement[bool]] = [] if include_closed else [breaks.c.closed_at.is_(None)]
        if (shown := is_shown(viewer)) is not None:
            wanted.append(sa.exists().where(algorithms.c.id == breaks.c.algorithm_id, shown))
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(breaks).where(*wanted)).scalar_one()
            wanted += newest_first(after, breaks.c.opened_at, breaks.c.id)
            query = sa.select(breaks).where(*wanted).order_by(breaks.c.opened_at.desc(), breaks.c.id)
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_break(row) for row in rows], total


class NoticeStore:
    """Notices to users.

    Promises: a notice of one id is there once; it is read once, and the first time stands.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, user: str, *, unread: bool = False, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Notice], int]:
        """A page of a user's notices, newest first, and how many there are in all."""
        wanted: list[sa.ColumnElement[bool]] = [notices.c.user == user]
        if unread:
            wanted.append(notices.c.read_at.is_(None))
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(notices).where(*wanted)).scalar_one()
            wanted += newest_first(after, notices.c.at, notices.c.id)
            query = sa.select(notices).where(*wanted).order_by(notices.c.at.desc(), notices.c.id)
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_notice(row) for row in rows], total

    def read_all(self, user: str, *, until: datetime, at: datetime) -> int:
        """Note that a user has read every notice up to `until`; how many of them were unread."""
        wanted = (notices.c.user == user, notices.c.at <= until, notices.c.read_at.is_(None))
        with self._database.write() as connection:
            return connection.execute(notices.update().where(*wanted).values(read_at=at)).rowcount

    def read(self, user: str, notice_id: str, *, at: datetime) -> Notice | None:
        """Note that a notice was read; ``None`` when the user has none of that id."""
        mine = sa.and_(notices.c.id == notice_id, notices.c.user == user)
        with self._database.write() as connection:
            connection.execute(notices.update().where(mine, notices.c.read_at.is_(None)).values(read_at=at))
            row = connection.execute(sa.select(notices).where(mine)).one_or_none()
        return None if row is None else _notice(row)


def write_changes(connection: sa.Connection, changes: Changes) -> None:
    """Open and close breaks and tell, in the transaction of `connection`."""
    for one in changes.closed:
        closed = {"closed_by": one.closed_by, "closed_at": one.closed_at, "closed_why": one.closed_why}
        connection.execute(breaks.update().where(breaks.c.id == one.id, breaks.c.closed_at.is_(None)).values(closed))
    for one in changes.opened:
        values = {name: getattr(one, name) for name in breaks.c.keys()}  # noqa: SIM118 - not a mapping
        connection.execute(breaks.insert().values({**values, "result": one.result.as_dict()}))
    write_notices(connection, changes.notices)


def write_notices(connection: sa.Connection, found: Sequence[Notice]) -> None:
    """Tell users, each notice once, in the transaction of `connection`; webhooks that listen for notices hear of it."""
    names = notices.c.keys()
    values = [{**{name: getattr(one, name) for name in names}, "kind": one.kind.value} for one in found]
    if values:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(insert(notices).on_conflict_do_nothing(), values)
    for one in found:
        outbox.tell(connection, [of_notice(one)])


def _break(row: sa.Row[Any]) -> Break:
    return Break(**{**row._mapping, "result": ScenarioResult.from_dict(row.result)})


def _notice(row: sa.Row[Any]) -> Notice:
    return Notice(**{**row._mapping, "kind": NoticeKind(row.kind)})
