"""Replies to reviews in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.moderation import Act, ActKind
from swath_marketplace.domain.reviews import Reply
from swath_marketplace.store.database import Database
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.moderation_tables import acts, replies
from swath_marketplace.store.tables import algorithms

#: Of one review; an argument goes on elsewhere.
MOST_REPLIES = 20


class ReplyStore:
    """Promises: a reply is only ever added; the same words again are one reply."""

    def __init__(self, database: Database, acts: ModerationStore) -> None:
        self._database = database
        self._acts = acts

    def add(self, reply: Reply, *, told: Notice) -> Reply | None:
        """Append `reply` under the next number of its review, and tell; ``None`` when there are too many already."""
        table = replies
        with self._database.write() as connection:
            of_algorithm = algorithms.c.id == reply.algorithm_id
            connection.execute(sa.select(algorithms.c.id).where(of_algorithm).with_for_update())
            mine = (
                table.c.algorithm_id == reply.algorithm_id,
                table.c.digest == reply.digest,
                table.c.review == reply.review,
            )
            rows = connection.execute(sa.select(table).where(*mine).order_by(table.c.sequence))
            known = [Reply(**row._mapping) for row in rows]
            if known and (known[-1].text, known[-1].by) == (reply.text, reply.by):
                return known[-1]
            if len(known) >= MOST_REPLIES:
                return None
            made = replace(reply, sequence=len(known) + 1)
            values = {name: getattr(made, name) for name in table.c.keys()}  # noqa: SIM118 - not a mapping
            connection.execute(table.insert().values(values))
            self._acts.tell(connection, [told])
        return made

    def of(self, version: AlgorithmVersion) -> Mapping[int, Sequence[Reply]]:
        """The replies to the reviews of a version, by review, the first first."""
        mine = (replies.c.algorithm_id == version.algorithm_id, replies.c.digest == version.digest)
        found: dict[int, list[Reply]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(sa.select(replies).where(*mine).order_by(replies.c.sequence)):
                found[row.review].append(Reply(**row._mapping))
        return found

    def tell(self, told: Sequence[Notice]) -> None:
        """Add notices, each once."""
        with self._database.write() as connection:
            self._acts.tell(connection, told)

    def withhold(self, act: Act, *, told: Sequence[Notice]) -> Act | None:
        """Keep the act that withholds a review; ``None`` when one did before."""
        done = sa.exists().where(
            acts.c.algorithm_id == act.algorithm_id,
            acts.c.digest == act.digest,
            acts.c.review == act.review,
            acts.c.kind == ActKind.WITHHOLD.value,
        )
        with self._database.write() as connection:
            of_algorithm = algorithms.c.id == act.algorithm_id
            connection.execute(sa.select(algorithms.c.id).where(of_algorithm).with_for_update())
            if connection.execute(sa.select(done)).scalar_one():
                return None
            return self._acts.append(connection, act, told=lambda *_: told)
