"""What users may do with webhooks: add, look at, change, rotate, try, delete; see what was sent and send it again."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Conflict, Forbidden, NotFound

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import RunNotTerminal
from swath_marketplace.domain.hooks import USUAL, Delivery, DeliveryStage, Kind, Message, Topic, Webhook, callback_id
from swath_marketplace.domain.idempotency import same_request
from swath_marketplace.executors.outgoing import Outgoing
from swath_marketplace.services.delivering import Deliverer
from swath_marketplace.services.hook_secrets import HookSecrets
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.runs import get_run
from swath_marketplace.store.deliveries import DeliveryStore
from swath_marketplace.store.runs import RunStore
from swath_marketplace.store.webhooks import WebhookStore


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRequest:
    """What a user asks for."""

    url: str
    topics: tuple[Topic, ...] = USUAL
    algorithm: str | None = None
    """``owner/name``: only its runs."""
    run_id: str | None = None
    description: str = ""


class Webhooks:
    """Webhooks, for whom they belong to; an operator may look at anybody's, switch it off and delete it."""

    def __init__(
        self,
        *,
        store: WebhookStore,
        deliveries: DeliveryStore,
        deliverer: Deliverer,
        outgoing: Outgoing,
        secrets: HookSecrets,
        registry: Registry,
        runs: RunStore,
        clock: Clock,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._deliverer = deliverer
        self._outgoing = outgoing
        self._secrets = secrets
        self._registry = registry
        self._runs = runs
        self._clock = clock
        self._new_id = new_id

    def add(self, actor: Actor, request: WebhookRequest, *, key: str | None = None) -> tuple[Webhook, str]:
        """Add one; answers it and its secret, which is told this once.

        Parameters
        ----------
        key
            Of a request that may come twice: the second finds the first one's.

        Raises
        ------
        AddressRefused
            Nothing is sent to that address.
        NotFound
            Of the algorithm or the run.
        RunNotTerminal
            The run has ended: there is nothing to be told.
        TooManyWebhooks, Forbidden
        """
        self._users_only(actor)
        self._outgoing.check(request.url)
        if request.algorithm is not None:
            self._registry.get(actor, request.algorithm)
        if request.run_id is not None and get_run(self._runs, actor, request.run_id).terminal:
            raise RunNotTerminal(
                code="run-over", message="the run has ended; nothing more is told of it", mend="GET runs/{id} tells all"
            )
        made = Webhook(
            id=self._new_id() if key is None else _named(actor, key),
            user=actor.name,
            kind=Kind.WEBHOOK,
            url=request.url,
            topics=request.topics,
            algorithm=request.algorithm,
            run_id=request.run_id,
            description=request.description,
            created_at=self._clock(),
        )
        stored, created = self._store.add(made)
        if not created:
            same_request(_asked(stored), _asked(made))
        return stored, self._secrets.secret(stored.id, stored.secret_number)

    def list(self, actor: Actor) -> Sequence[Webhook]:
        """The caller's, the oldest first."""
        actor.require(Scope.READ)
        return self._store.list(actor.name) if actor.kind is ActorKind.USER else []

    def get(self, actor: Actor, webhook_id: str) -> Webhook:
        """One of the caller's.

        Raises
        ------
        NotFound
            Also when it is another's.
        """
        actor.require(Scope.READ)
        found = self._store.get(webhook_id) if webhook_id.isalnum() else None
        mine = found is not None and actor.kind is ActorKind.USER and actor.name == found.user
        if found is None or not (mine or actor.is_operator):
            raise NotFound(code="no-such-webhook", message="there is no such webhook of yours", mend="see GET webhooks")
        return found

    def change(
        self,
        actor: Actor,
        webhook_id: str,
        *,
        url: str | None = None,
        topics: tuple[Topic, ...] | None = None,
        active: bool | None = None,
        description: str | None = None,
    ) -> Webhook:
        """Change what is given; switching one on again forgets its failures.

        Raises
        ------
        AddressRefused, NotFound
        """
        found = self._mine(actor, webhook_id)
        values: dict[str, Any] = {}
        if url is not None:
            self._outgoing.check(url)
            values["url"] = url
        if topics is not None:
            values["topics"] = [topic.value for topic in topics]
        if description is not None:
            values["description"] = description
        if active is True and not found.active:
            values |= {"disabled_at": None, "disabled_why": "", "failing_since": None}
        if active is False and found.active:
            values |= {"disabled_at": self._clock(), "disabled_why": f"switched off by {actor.name}"}
        return self._changed(self._store.change(found.id, values) if values else found)

    def delete(self, actor: Actor, webhook_id: str) -> None:
        """Delete one: what was not sent yet never is."""
        self._store.delete(self._mine(actor, webhook_id).id)

    def rotate(self, actor: Actor, webhook_id: str, *, overlap: timedelta) -> tuple[Webhook, str]:
        """A new secret, told this once; for `overlap` the one before it signs, too."""
        found = self._mine(actor, webhook_id)
        self._own_only(actor, found)
        changed = self._changed(self._store.rotate(found.id, previous_until=self._clock() + overlap))
        return changed, self._secrets.secret(changed.id, changed.secret_number)

    def test(self, actor: Actor, webhook_id: str) -> Delivery:
        """Send it a ``ping``.

        Raises
        ------
        Conflict
            It is switched off.
        """
        found = self._mine(actor, webhook_id)
        self._own_only(actor, found)
        self._outgoing.check(found.url)
        self._refuse_inactive(found)
        told = {"webhook": found.id, "message": "If you read this and its signature holds, your webhook works."}
        message = Message(key=f"ping:{self._new_id()}", topic=Topic.PING, user=found.user, at=self._clock(), data=told)
        delivery_id = self._store.ping(found, message)
        self._deliverer.wake()
        return self.delivery(actor, found.id, delivery_id)

    def deliveries(
        self, actor: Actor, webhook_id: str, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Delivery], int]:
        """A page of what was sent and is to be, the latest first, and how many there are."""
        return self._deliveries.list(self.get(actor, webhook_id).id, limit=limit, offset=offset, after=after)

    def delivery(self, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
        """One message, its body and each try.

        Raises
        ------
        NotFound
        """
        found = self.get(actor, webhook_id)
        delivery = self._deliveries.get(delivery_id)
        if delivery is None or delivery.webhook_id != found.id:
            raise NotFound(
                code="no-such-delivery", message="nothing of that id was sent there", mend="see its deliveries"
            )
        return delivery

    def redeliver(self, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a message again, under its id: a receiver that had it knows it for the same.

        Raises
        ------
        Conflict
            The webhook is switched off.
        """
        found = self._mine(actor, webhook_id)
        self._refuse_inactive(found)
        delivery = self.delivery(actor, webhook_id, delivery_id)
        if delivery.stage is DeliveryStage.WAITING and not delivery.tries:
            return delivery
        again = self._deliveries.again(delivery.id, now=self._clock())
        self._deliverer.wake()
        return again or delivery

    def of_run(self, run_id: str) -> tuple[str, str]:
        """The id and the secret of the webhook that came with a run, for whoever asked for that run."""
        made = callback_id(run_id, 0)
        return made, self._secrets.secret(made, 1)

    def _mine(self, actor: Actor, webhook_id: str) -> Webhook:
        actor.require(Scope.EXECUTE)
        return self.get(actor, webhook_id)

    def _changed(self, webhook: Webhook | None) -> Webhook:
        if webhook is None:
            raise NotFound(code="no-such-webhook", message="it was deleted meanwhile", mend="see GET webhooks")
        return webhook

    def _own_only(self, actor: Actor, webhook: Webhook) -> None:
        if actor.name != webhook.user or actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="not-your-webhook",
                message="only its owner is told a secret or has something sent",
                mend="an operator may switch it off or delete it",
            )

    def _refuse_inactive(self, webhook: Webhook) -> None:
        if not webhook.active:
            raise Conflict(
                code="webhook-disabled",
                message=f"this webhook is switched off: {webhook.disabled_why}",
                mend="switch it on again first",
            )

    def _users_only(self, actor: Actor) -> None:
        actor.require(Scope.EXECUTE)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only", message="a webhook is a user's, and this token is a service's", mend="use a user's"
            )


def _named(actor: Actor, key: str) -> str:
    return hashlib.sha256(f"{actor.name}\n{key}".encode()).hexdigest()[:32]


def _asked(webhook: Webhook) -> str:
    topics = ",".join(topic.value for topic in webhook.topics)
    return "\n".join((webhook.url, topics, webhook.algorithm or "", webhook.run_id or "", webhook.description))
