"""Favourites and follows in SQL, and what followers were told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.following import Follower, Kept, Known
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.store import tables
from swath_marketplace.store.breaks import write_notices
from swath_marketplace.store.card_tables import favourites, followed_versions, follows
from swath_marketplace.store.database import Database

#: Sees what was told before and who follows; answers the notices to write.
Tell = Callable[[Mapping[str, Known], Sequence[Follower]], Sequence[Notice]]


class FollowingStore:
    """Who keeps and follows what.

    Promises: adding what is there and removing what is not changes nothing; `tell` is one transaction, so that what
    happened is told to everybody who followed then, once, whatever races or dies.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def favour(self, user: str, algorithm_id: str, *, at: datetime) -> datetime:
        """Put into a user's favourites; answers since when it is there."""
        return self._add(favourites, user, algorithm_id, at=at)

    def unfavour(self, user: str, algorithm_id: str) -> None:
        """Take out of a user's favourites."""
        self._remove(favourites, user, algorithm_id)

    def favourites(self, user: str) -> Sequence[Kept]:
        """A user's favourites, the latest first."""
        return self._list(favourites, user)

    def follow(self, user: str, algorithm_id: str, *, at: datetime) -> datetime:
        """Let a user follow; answers since when."""
        return self._add(follows, user, algorithm_id, at=at)

    def unfollow(self, user: str, algorithm_id: str) -> None:
        """Let a user follow no more."""
        self._remove(follows, user, algorithm_id)

    def followed(self, user: str) -> Sequence[Kept]:
        """What a user follows, the latest first."""
        return self._list(follows, user)

    def of(self, user: str, algorithm_id: str) -> tuple[datetime | None, datetime | None]:
        """Since when an algorithm is a user's favourite, and followed; ``None`` where it is not."""
        with self._database.read() as connection:
            favoured, followed = (
                connection.execute(
                    sa.select(table.c.at).where(table.c.user == user, table.c.algorithm_id == algorithm_id)
                ).scalar_one_or_none()
                for table in (favourites, follows)
            )
        return favoured, followed

    def algorithms_followed(self) -> Sequence[tuple[str, str]]:
        """Owner and name of everything that somebody follows."""
        table = tables.algorithms
        query = sa.select(table.c.owner, table.c.name).where(table.c.id.in_(sa.select(follows.c.algorithm_id)))
        with self._database.read() as connection:
            return [(row.owner, row.name) for row in connection.execute(query.order_by(table.c.owner, table.c.name))]

    def tell(self, algorithm_id: str, *, now: Mapping[str, Known], at: datetime, tell: Tell) -> Sequence[Notice]:
        """Note what is known of an algorithm's versions `now`, by digest, and write the notices that `tell` makes.

        The first time an algorithm is looked at nothing is new: its versions were there before anybody followed.
        """
        with self._database.write() as connection:
            # In turn: two that look at once would tell the same twice, under other ids.
            connection.execute(
                sa.select(tables.algorithms.c.id).where(tables.algorithms.c.id == algorithm_id).with_for_update()
            )
            mine = followed_versions.c.algorithm_id == algorithm_id
            before = {
                row.digest: Known(level=MaturityLevel(row.level), gone=row.gone)
                for row in connection.execute(sa.select(followed_versions).where(mine))
            }
            if before == now:
                return ()
            found = connection.execute(sa.select(follows).where(follows.c.algorithm_id == algorithm_id)).all()
            followers = [Follower(user=row.user, at=row.at) for row in found]
            made = tell(before, followers) if before else ()
            for digest, known in now.items():
                if before.get(digest) != known:
                    self._note(connection, algorithm_id, digest, known=known, at=at)
            write_notices(connection, list(made))
        return made

    def _note(self, connection: sa.Connection, algorithm_id: str, digest: str, *, known: Known, at: datetime) -> None:
        key = {"algorithm_id": algorithm_id, "digest": digest}
        told = {"level": known.level.value, "gone": known.gone, "at": at}
        insert = self._insert(followed_versions).values({**key, **told})
        connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=told))

    def _add(self, table: sa.Table, user: str, algorithm_id: str, *, at: datetime) -> datetime:
        mine = sa.and_(table.c.user == user, table.c.algorithm_id == algorithm_id)
        values = {"user": user, "algorithm_id": algorithm_id, "at": at}
        with self._database.write() as connection:
            connection.execute(self._insert(table).values(values).on_conflict_do_nothing())
            since: datetime = connection.execute(sa.select(table.c.at).where(mine)).scalar_one()
        return since

    def _remove(self, table: sa.Table, user: str, algorithm_id: str) -> None:
        with self._database.write() as connection:
            connection.execute(table.delete().where(table.c.user == user, table.c.algorithm_id == algorithm_id))

    def _list(self, table: sa.Table, user: str) -> Sequence[Kept]:
        algorithms = tables.algorithms
        query = (
            sa.select(algorithms.c.owner, algorithms.c.name, table.c.at)
            .join(algorithms, algorithms.c.id == table.c.algorithm_id)
            .where(table.c.user == user, sa.or_(algorithms.c.hidden_at.is_(None), algorithms.c.owner == user))
            .order_by(table.c.at.desc(), algorithms.c.owner, algorithms.c.name)
        )
        with self._database.read() as connection:
            return [Kept(owner=row.owner, name=row.name, at=row.at) for row in connection.execute(query)]

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite.insert if self._database.is_sqlite else postgresql.insert)(table)
