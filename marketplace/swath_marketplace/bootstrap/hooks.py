"""Webhooks and callbacks: who is told, and who sends; the memory of idempotency keys."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.services.answers import Answers
from swath_marketplace.services.delivering import Deliverer
from swath_marketplace.services.hook_secrets import HookSecrets
from swath_marketplace.services.webhooks import Webhooks
from swath_marketplace.store.deliveries import DeliveryStore
from swath_marketplace.store.idempotency import IdempotencyStore
from swath_marketplace.store.webhooks import WebhookStore


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What tells others."""

    webhooks: Webhooks
    answers: Answers
    deliverer: Deliverer


def make_hooks(ground: Ground, *, prefix: str) -> Hooks:
    """The parts, over the marketplace's database; the key that secrets follow from is in its folder."""
    deliveries = DeliveryStore(ground.database)
    secrets = HookSecrets(ground.home / "webhooks.key")
    deliverer = Deliverer(
        store=deliveries,
        outgoing=ground.outgoing,
        secrets=secrets,
        clock=ground.clock,
        service_url=ground.settings.service_url(prefix),
    )
    webhooks = Webhooks(
        store=WebhookStore(ground.database),
        deliveries=deliveries,
        deliverer=deliverer,
        outgoing=ground.outgoing,
        secrets=secrets,
        registry=ground.registry,
        runs=ground.run_store,
        clock=ground.clock,
    )
    answers = Answers(store=IdempotencyStore(ground.database), secrets=secrets, clock=ground.clock)
    return Hooks(webhooks=webhooks, answers=answers, deliverer=deliverer)
