"""Webhooks in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.errors import TooManyWebhooks
from swath_marketplace.domain.hooks import MOST_WEBHOOKS, Kind, Message, Topic, Webhook
from swath_marketplace.store import outbox
from swath_marketplace.store.database import Database
from swath_marketplace.store.hook_tables import webhooks

#: Any number that nobody else uses: one user's webhooks are counted and added to in turn.
_TURN = 7_201_140


class WebhookStore:
    """Promises: of one user there are never more than `MOST_WEBHOOKS`; adding one of an id that is there is a no-op."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, webhook: Webhook) -> tuple[Webhook, bool]:
        """Add one; answers the stored one, and whether it is new.

        Raises
        ------
        TooManyWebhooks
        """
        with self._database.write() as connection:
            self._database.lock(connection, _TURN)
            if (known := _get(connection, webhook.id)) is not None:
                return known, False
            mine = (webhooks.c.user == webhook.user, webhooks.c.kind == Kind.WEBHOOK.value)
            count = connection.execute(sa.select(sa.func.count()).select_from(webhooks).where(*mine)).scalar_one()
            if count >= MOST_WEBHOOKS:
                raise TooManyWebhooks(
                    code="too-many-webhooks",
                    message=f"you have {count} webhooks, which is as many as one may have",
                    mend="delete one, or give one more events",
                )
            connection.execute(webhooks.insert().values(_values(webhook)))
        return webhook, True

    def get(self, webhook_id: str) -> Webhook | None:
        """One webhook or callback."""
        with self._database.read() as connection:
            return _get(connection, webhook_id)

    def list(self, user: str) -> Sequence[Webhook]:
        """A user's webhooks, the oldest first; callbacks are not among them."""
        mine = (webhooks.c.user == user, webhooks.c.kind == Kind.WEBHOOK.value)
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(webhooks).where(*mine).order_by(webhooks.c.created_at, webhooks.c.id)
            ).all()
        return [_webhook(row) for row in rows]

    def change(self, webhook_id: str, values: Mapping[str, Any]) -> Webhook | None:
        """Set columns of one."""
        with self._database.write() as connection:
            connection.execute(webhooks.update().where(webhooks.c.id == webhook_id).values(dict(values)))
            return _get(connection, webhook_id)

    def rotate(self, webhook_id: str, *, previous_until: datetime) -> Webhook | None:
        """Sign with the next secret, and until then with the present one, too."""
        values = {"secret_number": webhooks.c.secret_number + 1, "previous_until": previous_until}
        return self.change(webhook_id, values)

    def delete(self, webhook_id: str) -> bool:
        """Forget one, and what was or would be sent to it; false when it was not there."""
        with self._database.write() as connection:
            return bool(connection.execute(webhooks.delete().where(webhooks.c.id == webhook_id)).rowcount)

    def ping(self, webhook: Webhook, message: Message) -> str:
        """Write a message for this one alone; answers the delivery's id."""
        with self._database.write() as connection:
            return outbox.tell_one(connection, message, webhook_id=webhook.id, form=webhook.form)


def webhook_of(row: Mapping[str, Any]) -> Webhook:
    """The webhook in a row."""
    return Webhook(**{**row, "kind": Kind(row["kind"]), "topics": tuple(Topic(topic) for topic in row["topics"])})


def _webhook(row: sa.Row[Any]) -> Webhook:
    return webhook_of(dict(row._mapping))


def _get(connection: sa.Connection, webhook_id: str) -> Webhook | None:
    row = connection.execute(sa.select(webhooks).where(webhooks.c.id == webhook_id)).one_or_none()
    return None if row is None else _webhook(row)


def _values(webhook: Webhook) -> dict[str, Any]:
    values = {name: getattr(webhook, name) for name in webhooks.c.keys()}  # noqa: SIM118 - not a mapping
    return {**values, "kind": webhook.kind.value, "topics": [topic.value for topic in webhook.topics]}
