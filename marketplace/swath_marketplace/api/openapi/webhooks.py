"""Doors of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.door import Door, Word, page_of


class Webhook(Word):
    """Where what is told."""

    id: str
    url: str
    events: list[str]
    algorithm: str | None
    run: str | None
    description: str
    active: bool
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    links: dict[str, str]


class NewWebhook(Webhook):
    """A webhook with the secret that its messages are signed with, told once."""

    secret: str


class Webhooks(Word):
    """The caller's webhooks."""

    webhooks: list[Webhook]


class Delivery(Word):
    """A message that was sent, or is to be."""

    id: str
    type: str
    run: str | None
    at: datetime
    status: str
    attempts: int
    answer: int | None
    """Status of the latest answer."""
    error: str | None
    next_at: datetime | None
    gives_up_at: datetime | None
    ended_at: datetime | None
    links: dict[str, str]


class Attempt(Word):
    """One try."""

    at: datetime
    answer: int | None
    error: str | None
    seconds: float


class WholeDelivery(Delivery):
    """A message with its body and each try."""

    body: Any
    tries: list[Attempt]


_TO_WEBHOOK = dict.fromkeys(
    ("get_webhook", "change_webhook", "rotate_webhook_secret", "list_deliveries", "delete_webhook"), "webhook_id=id"
)

DOORS = {
    "GET webhooks": Door(id="list_webhooks", answer=Webhooks),
    "POST webhooks": Door(id="add_webhook", answer=NewWebhook, refusals=(404, 409), leads=_TO_WEBHOOK),
    "GET webhooks/{webhook_id}": Door(id="get_webhook", answer=Webhook),
    "PATCH webhooks/{webhook_id}": Door(id="change_webhook", answer=Webhook),
    "DELETE webhooks/{webhook_id}": Door(id="delete_webhook"),
    "POST webhooks/{webhook_id}/rotate": Door(id="rotate_webhook_secret", answer=NewWebhook),
    "POST webhooks/{webhook_id}/test": Door(id="test_webhook", answer=Delivery, refusals=(409,)),
    "GET webhooks/{webhook_id}/deliveries": Door(
        id="list_deliveries", answer=page_of("Deliveries", "deliveries", Delivery)
    ),
    "GET webhooks/{webhook_id}/deliveries/{delivery_id}": Door(id="get_delivery", answer=WholeDelivery),
    "POST webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": Door(
        id="redeliver", answer=Delivery, refusals=(409,)
    ),
}
