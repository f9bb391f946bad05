"""Who is to be told is written down in the transaction of what happened: neither is there without the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.domain.hook_messages import body_of
from swath_marketplace.domain.hooks import (
    STANDARD,
    Callback,
    DeliveryStage,
    Kind,
    Message,
    Topic,
    callback_id,
    delivery_id,
)
from swath_marketplace.store.hook_tables import deliveries, webhooks


def tell(connection: sa.Connection, messages: Sequence[Message]) -> int:
    """Write each of `messages`, all of one user, for everybody who listens; answers how many there are to deliver.

    Telling the same again changes nothing.
    """
    if not messages:
        return 0
    first = messages[0]
    listening = sa.select(webhooks.c.id, webhooks.c.topics, webhooks.c.form).where(
        webhooks.c.user == first.user,
        webhooks.c.disabled_at.is_(None),
        sa.or_(webhooks.c.run_id.is_(None), webhooks.c.run_id == first.run_id),
        sa.or_(webhooks.c.algorithm.is_(None), webhooks.c.algorithm == first.algorithm),
    )
    rows = [
        _row(message, webhook_id=hook.id, form=hook.form, position=position)
        for hook in connection.execute(listening).all()
        for position, message in enumerate(messages)
        if message.topic.within([Topic(one) for one in hook.topics])
    ]
    if rows:
        connection.execute(_insert(connection).on_conflict_do_nothing(), rows)
    return len(rows)


def tell_one(connection: sa.Connection, message: Message, *, webhook_id: str, form: str = STANDARD) -> str:
    """Write `message` for one listener, whatever that listens for; answers the delivery's id."""
    row = _row(message, webhook_id=webhook_id, form=form, position=0)
    connection.execute(_insert(connection).on_conflict_do_nothing(), [row])
    return str(row["id"])


def listen(connection: sa.Connection, callbacks: Sequence[Callback], *, user: str, run_id: str, at: datetime) -> None:
    """Note who came with a run to be told of it."""
    for number, one in enumerate(callbacks):
        values = {
            "id": callback_id(run_id, number),
            "user": user,
            "kind": Kind.CALLBACK.value,
            "url": one.url,
            "topics": [topic.value for topic in one.topics],
            "algorithm": None,
            "run_id": run_id,
            "form": one.form,
            "description": "",
            "secret_number": 1,
            "disabled_why": "",
            "created_at": at,
        }
        connection.execute(webhooks.insert().values(values))


def _row(message: Message, *, webhook_id: str, form: str, position: int) -> dict[str, Any]:
    return {
        "id": delivery_id(webhook_id, message.key),
        "webhook_id": webhook_id,
        "topic": message.topic.value,
        "run_id": message.run_id,
        "at": message.at,
        "position": position,
        "body": body_of(message) if form == STANDARD else None,
        "stage": DeliveryStage.WAITING.value,
        "next_at": message.at,
        "gives_up_at": message.at + message.patience,
        "tries": 0,
        "attempts": [],
    }


def _insert(connection: sa.Connection) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(deliveries)
