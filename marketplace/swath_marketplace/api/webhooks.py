"""Webhooks over HTTP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from swath_service.errors import Invalid

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paging import Page
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.hooks import CHOICES, Attempt, Delivery, Topic, Webhook
from swath_marketplace.services.webhooks import WebhookRequest

router = APIRouter(tags=["webhooks"])

WebhookId = Annotated[str, Path(max_length=64)]
DeliveryId = Annotated[str, Path(max_length=64)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
Description = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Events = Annotated[
    list[Annotated[str, Field(json_schema_extra={"enum": [topic.value for topic in CHOICES]})]],
    Field(min_length=1, max_length=len(CHOICES)),
]


class WebhookBody(BaseModel):
    """Where to tell what."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Url
    """Where messages are posted: https, to an address of the open internet."""
    events: Events = Field(default=["run.start", "run.end"])
    algorithm: str | None = Field(default=None, max_length=300)
    """``owner/name``: only of its runs."""
    run: str | None = Field(default=None, max_length=64)
    """Only of that run."""
    description: Description = ""


class WebhookChange(BaseModel):
    """What is to be another way; what is left out stays."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Url | None = None
    events: Events | None = None
    active: bool | None = None
    description: Description | None = None


class RotateBody(BaseModel):
    """How long the secret before signs, too."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    overlap_hours: float = Field(default=24, ge=0, le=24 * 7, strict=True)


@router.post("/webhooks", status_code=201)
def add(
    body: WebhookBody,
    response: Response,
    *,
    actor: Caller,
    services: Services,
    idempotency_key: Annotated[str | None, Header(max_length=400)] = None,
) -> dict[str, Any]:
    """Have events posted to an address. The secret that messages are signed with is told in this answer alone."""
    request = WebhookRequest(
        url=body.url,
        topics=topics_of(body.events),
        algorithm=body.algorithm,
        run_id=body.run,
        description=body.description,
    )
    webhook, secret = services.webhooks.add(actor, request, key=idempotency_key)
    told = _shaped(services, webhook)
    response.headers["Location"] = told["links"]["self"]
    response.headers["Cache-Control"] = "no-store"
    return {**told, "secret": secret}


@router.get("/webhooks")
def webhooks(actor: Caller, services: Services) -> dict[str, Any]:
    """The caller's webhooks, the oldest first."""
    return {"webhooks": [_shaped(services, one) for one in services.webhooks.list(actor)]}


@router.get("/webhooks/{webhook_id}")
def webhook(webhook_id: WebhookId, actor: Caller, services: Services) -> dict[str, Any]:
    """One webhook."""
    return _shaped(services, services.webhooks.get(actor, webhook_id))


@router.patch("/webhooks/{webhook_id}")
def change(webhook_id: WebhookId, body: WebhookChange, actor: Caller, services: Services) -> dict[str, Any]:
    """Change its address, what it listens for, or whether it is on."""
    changed = services.webhooks.change(
        actor,
        webhook_id,
        url=body.url,
        topics=None if body.events is None else topics_of(body.events),
        active=body.active,
        description=body.description,
    )
    return _shaped(services, changed)


@router.delete("/webhooks/{webhook_id}", status_code=204)
def delete(webhook_id: WebhookId, actor: Caller, services: Services) -> None:
    """Delete it, and what was or would be sent."""
    services.webhooks.delete(actor, webhook_id)


@router.post("/webhooks/{webhook_id}/rotate")
def rotate(
    webhook_id: WebhookId, response: Response, actor: Caller, services: Services, *, body: RotateBody | None = None
) -> dict[str, Any]:
    """A new secret, told in this answer alone; for some hours both sign, so that no message is turned away."""
    overlap = timedelta(hours=(body or RotateBody()).overlap_hours)
    found, secret = services.webhooks.rotate(actor, webhook_id, overlap=overlap)
    response.headers["Cache-Control"] = "no-store"
    return {**_shaped(services, found), "secret": secret}


@router.post("/webhooks/{webhook_id}/test", status_code=202)
def test(webhook_id: WebhookId, response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Send it a ``ping``; what came of it is at ``Location``."""
    told = _delivery(services, services.webhooks.test(actor, webhook_id))
    response.headers["Location"] = told["links"]["self"]
    return told


@router.get("/webhooks/{webhook_id}/deliveries")
def deliveries(webhook_id: WebhookId, actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """What was sent and is to be, the latest first; kept for 30 days."""
    found, total = services.webhooks.deliveries(
        actor, webhook_id, limit=page.asked, offset=page.offset, after=page.after(datetime, int, str)
    )
    return page.answer(
        "deliveries",
        found,
        total=total,
        shape=lambda one: _delivery(services, one),
        place=lambda one: (one.at, one.position, one.id),
    )


@router.get("/webhooks/{webhook_id}/deliveries/{delivery_id}")
def delivery(webhook_id: WebhookId, delivery_id: DeliveryId, actor: Caller, services: Services) -> dict[str, Any]:
    """One message: its body, and each try."""
    found = services.webhooks.delivery(actor, webhook_id, delivery_id)
    return {
        **_delivery(services, found),
        "body": found.body,
        "tries": [_attempt(one) for one in found.attempts],
    }


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202)
def redeliver(webhook_id: WebhookId, delivery_id: DeliveryId, actor: Caller, services: Services) -> dict[str, Any]:
    """Send a message again, under its id and with its body."""
    return _delivery(services, services.webhooks.redeliver(actor, webhook_id, delivery_id))


def topics_of(events: list[str], *, field: str = "events") -> tuple[Topic, ...]:
    """The topics that are named, each once.

    Raises
    ------
    Invalid
        Naming those that are none.
    """
    known = {topic.value: topic for topic in CHOICES}
    unknown = [name for name in events if name not in known]
    if unknown:
        mend = f"one of {', '.join(known)}"
        raise Invalid(
            code="no-such-event",
            message="there are no events of that name",
            mend=mend,
            findings=[
                {"field": f"{field}.{place}", "message": "no such event", "mend": mend}
                for place, name in enumerate(events)
                if name not in known
            ],
        )
    return tuple(known[name] for name in dict.fromkeys(events))


def _shaped(services: Services, webhook: Webhook) -> dict[str, Any]:
    here = f"{services.shapes.base}/webhooks/{webhook.id}"
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": [topic.value for topic in webhook.topics],
        "algorithm": webhook.algorithm,
        "run": webhook.run_id,
        "description": webhook.description,
        "active": webhook.active,
        "disabled_at": iso(webhook.disabled_at),
        "disabled_why": webhook.disabled_why or None,
        "failing_since": iso(webhook.failing_since),
        "previous_secret_until": iso(webhook.previous_until),
        "created_at": iso(webhook.created_at),
        "links": {"self": here, "deliveries": f"{here}/deliveries"},
    }


def _delivery(services: Services, found: Delivery) -> dict[str, Any]:
    latest = found.latest
    return {
        "id": found.id,
        "type": found.topic.type,
        "run": found.run_id,
        "at": iso(found.at),
        "status": found.stage.value,
        "attempts": found.tries,
        "answer": latest.status if latest else None,
        "error": (latest.error or None) if latest else None,
        "next_at": None if found.ended_at else iso(found.next_at),
        "gives_up_at": iso(found.gives_up_at),
        "ended_at": iso(found.ended_at),
        "links": {"self": f"{services.shapes.base}/webhooks/{found.webhook_id}/deliveries/{found.id}"},
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": iso(attempt.at),
        "answer": attempt.status,
        "error": attempt.error or None,
        "seconds": round(attempt.seconds, 3),
    }
