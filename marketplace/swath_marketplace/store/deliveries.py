"""Messages to listeners in SQL: who works on one, what came of each try, and when it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from swath_service.cursors import Place

from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.hooks import KEEP, Attempt, Delivery, DeliveryStage, Kind, Topic, Webhook
from swath_marketplace.domain.runs import Stage
from swath_marketplace.store.breaks import write_notices
from swath_marketplace.store.database import Database
from swath_marketplace.store.hook_tables import deliveries, webhooks
from swath_marketplace.store.paging import after as beyond
from swath_marketplace.store.tables import runs
from swath_marketplace.store.webhooks import webhook_of

_KEPT_ATTEMPTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a try changes."""

    stage: DeliveryStage
    next_at: datetime
    attempt: Attempt
    disabled_why: str = ""
    """Not empty: nothing is sent to the listener any more, and `notice` tells its user."""
    notice: Notice | None = None


class DeliveryStore:
    """Messages to listeners, which any number of processes deliver.

    Promises: one is leased to one holder at a time; whose lease was taken over writes nothing. A crash between the
    sending and the writing down leads to another try under the same id, never to a message that is lost.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, *, holder: str, now: datetime, until: datetime, busy: Collection[str] = (), limit: int = 32
    ) -> Sequence[tuple[Delivery, Webhook]]:
        """Lease what is due, the oldest first: at most one of each listener, and of none in `busy`.

        So one that is slow keeps nobody else waiting, and each gets its messages in their order while all goes well.
        """
        due = (
            sa.select(deliveries.c.id, deliveries.c.webhook_id)
            .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
            .where(
                deliveries.c.stage == DeliveryStage.WAITING.value,
                deliveries.c.next_at <= now,
                sa.or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until < now),
                webhooks.c.disabled_at.is_(None),
                webhooks.c.id.not_in(list(busy)),
                ~_at_work(now),
            )
            .order_by(deliveries.c.next_at, deliveries.c.position, deliveries.c.id)
            .limit(limit * 8)
        )
        with self._database.read() as connection:
            # Most looks find nothing, and a look must not take the write lock.
            if connection.execute(due.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            locked = due.with_for_update(of=deliveries, skip_locked=True)
            chosen: dict[str, str] = {}
            for row in connection.execute(locked):
                if len(chosen) < limit:
                    chosen.setdefault(row.webhook_id, row.id)
            ids = list(chosen.values())
            connection.execute(
                deliveries.update().where(deliveries.c.id.in_(ids)).values(lease_holder=holder, lease_until=until)
            )
            return [found for one in ids if (found := _pair(connection, one)) is not None]

    def write_body(self, delivery_id: str, *, holder: str, body: str) -> bool:
        """Note what is sent, before it is: each further try sends the same. False when the lease is gone."""
        with self._database.write() as connection:
            done = connection.execute(deliveries.update().where(*_mine(delivery_id, holder)).values(body=body))
        return bool(done.rowcount)

    def note(self, delivery: Delivery, outcome: Outcome, *, holder: str) -> bool:
        """Note what came of a try, of the message and of its listener; false when the lease is gone."""
        attempt, ended = outcome.attempt, outcome.stage is not DeliveryStage.WAITING
        kept = [*delivery.attempts, attempt][-_KEPT_ATTEMPTS:]
        values = {
            "stage": outcome.stage.value,
            "next_at": outcome.next_at,
            "tries": delivery.tries + 1,
            "attempts": [_attempt_json(one) for one in kept],
            "ended_at": attempt.at if ended else None,
            "lease_holder": None,
            "lease_until": None,
        }
        listener = webhooks.c.id == delivery.webhook_id
        with self._database.write() as connection:
            if not connection.execute(deliveries.update().where(*_mine(delivery.id, holder)).values(values)).rowcount:
                return False
            if attempt.ok:
                connection.execute(
                    webhooks.update().where(listener, webhooks.c.failing_since.is_not(None)).values(failing_since=None)
                )
                return True
            connection.execute(
                webhooks.update().where(listener, webhooks.c.failing_since.is_(None)).values(failing_since=attempt.at)
            )
            if outcome.disabled_why:
                self._disable(connection, delivery.webhook_id, outcome)
        return True

    def get(self, delivery_id: str) -> Delivery | None:
        """One message to a listener."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
        return None if row is None else _delivery(row)

    def list(
        self, webhook_id: str, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Delivery], int]:
        """A page of what was and is to be sent to a listener, the latest first, and how many there are."""
        mine = deliveries.c.webhook_id == webhook_id
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(deliveries).where(mine)).scalar_one()
            order = (deliveries.c.at, deliveries.c.position, deliveries.c.id)
            query = sa.select(deliveries).where(mine).order_by(order[0].desc(), order[1].desc(), order[2])
            if after is not None:
                query = query.where(beyond(after, order, descending=(True, True, False)))
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_delivery(row) for row in rows], total

    def again(self, delivery_id: str, *, now: datetime) -> Delivery | None:
        """Send it once more, now, under the same id; one that is under way is left alone."""
        idle = sa.or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until < now)
        row = deliveries.c.id == delivery_id
        with self._database.write() as connection:
            patience = sa.select(deliveries.c.at, deliveries.c.gives_up_at).where(row)
            known = connection.execute(patience).one_or_none()
            if known is None:
                return None
            values = {
                "stage": DeliveryStage.WAITING.value,
                "next_at": now,
                "gives_up_at": now + (known.gives_up_at - known.at),
                "ended_at": None,
            }
            connection.execute(deliveries.update().where(row, idle).values(values))
        return self.get(delivery_id)

    def holders(self) -> Sequence[str]:
        """Everybody who holds a lease."""
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(deliveries.c.lease_holder).where(deliveries.c.lease_holder.is_not(None)).distinct()
            )
            return [holder for holder in found.scalars() if holder]

    def let_go(self, holder: str) -> None:
        """Give every lease of `holder` up, so that another takes over at once."""
        with self._database.write() as connection:
            connection.execute(
                deliveries.update()
                .where(deliveries.c.lease_holder == holder)
                .values(lease_holder=None, lease_until=None)
            )

    def prune(self, *, now: datetime) -> int:
        """Forget what ended long ago, and callbacks of runs that did; answers how many messages that were."""
        long_ago = now - KEEP
        with self._database.write() as connection:
            gone = connection.execute(deliveries.delete().where(deliveries.c.ended_at < long_ago)).rowcount
            ended = sa.select(runs.c.id).where(runs.c.stage == Stage.TERMINAL.value, runs.c.ended_at < long_ago)
            waiting = sa.select(deliveries.c.webhook_id)
            connection.execute(
                webhooks.delete().where(
                    webhooks.c.kind == Kind.CALLBACK.value,
                    webhooks.c.run_id.in_(ended),
                    webhooks.c.id.not_in(waiting),
                )
            )
        return gone

    def _disable(self, connection: sa.Connection, webhook_id: str, outcome: Outcome) -> None:
        at = outcome.attempt.at
        values = {"disabled_at": at, "disabled_why": outcome.disabled_why}
        mine = (webhooks.c.id == webhook_id, webhooks.c.disabled_at.is_(None))
        if not connection.execute(webhooks.update().where(*mine).values(values)).rowcount:
            return
        waiting = (deliveries.c.webhook_id == webhook_id, deliveries.c.stage == DeliveryStage.WAITING.value)
        connection.execute(
            deliveries.update().where(*waiting).values(stage=DeliveryStage.FAILED.value, ended_at=at, lease_holder=None)
        )
        if outcome.notice:
            write_notices(connection, [outcome.notice])


def _at_work(now: datetime) -> sa.ColumnElement[bool]:
    """Whether anybody, here or elsewhere, sends something to the listener at this moment."""
    other = deliveries.alias()
    return sa.exists().where(other.c.webhook_id == webhooks.c.id, other.c.lease_until >= now)


def _mine(delivery_id: str, holder: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (deliveries.c.id == delivery_id, deliveries.c.lease_holder == holder)


def _pair(connection: sa.Connection, delivery_id: str) -> tuple[Delivery, Webhook] | None:
    row = connection.execute(sa.select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
    if row is None:
        return None
    hook = connection.execute(sa.select(webhooks).where(webhooks.c.id == row.webhook_id)).one()
    return _delivery(row), webhook_of(dict(hook._mapping))


def _delivery(row: sa.Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        topic=Topic(row.topic),
        run_id=row.run_id,
        at=row.at,
        position=row.position,
        body=row.body,
        stage=DeliveryStage(row.stage),
        next_at=row.next_at,
        gives_up_at=row.gives_up_at,
        tries=row.tries,
        attempts=tuple(Attempt(**{**one, "at": datetime.fromisoformat(one["at"])}) for one in row.attempts),
        ended_at=row.ended_at,
    )


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at.isoformat(),
        "status": attempt.status,
        "error": attempt.error,
        "seconds": round(attempt.seconds, 3),
    }
