"""Sends what is due to those who listen: a thread that looks, and a few that send."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from swath_service.loops import Loop

from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import AddressRefused
from swath_marketplace.domain.hook_messages import led_here
from swath_marketplace.domain.hooks import (
    DISABLE_AFTER,
    STANDARD,
    Attempt,
    Delivery,
    DeliveryStage,
    Kind,
    Webhook,
    pause_after,
)
from swath_marketplace.executors.outgoing import Answer, Outgoing, OutgoingFailed
from swath_marketplace.services.holders import free_gone, new_holder
from swath_marketplace.services.hook_secrets import HookSecrets
from swath_marketplace.store.deliveries import DeliveryStore, Outcome

log = logging.getLogger(__name__)

#: Writes the body of a message of another form than the standard one; ``None``: there is nothing to tell.
Writer = Callable[[Delivery, Webhook], str | None]

_SENDERS = 4
_BUSY_PAUSE_SECONDS = 0.05
_IDLE_PAUSE_SECONDS = 1.0
_PRUNE_SECONDS = 3600.0
_GONE = 410
_ASKS_FOR_PATIENCE = (429, 503)


class Deliverer:
    """Delivers; several may work on one database.

    Every message is sent at least once: whoever dies between the sending and the writing down is taken over from, and
    the receiver tells a double by its id.

    Parameters
    ----------
    service_url
        Where this service is reached from elsewhere, without a last slash; where it is not known, messages carry paths.
    """

    def __init__(
        self,
        *,
        store: DeliveryStore,
        outgoing: Outgoing,
        secrets: HookSecrets,
        clock: Clock,
        service_url: str = "",
        lease_seconds: float = 60.0,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._secrets = secrets
        self._clock = clock
        self._service_url = service_url
        # Longer than an exchange may take.
        self._lease = timedelta(seconds=lease_seconds)
        self._spread = spread
        self._writers: dict[str, Writer] = {}
        self.holder = new_holder()
        self._pruned_at = float("-inf")
        self._loop = Loop("deliverer", self._step, every_seconds=_IDLE_PAUSE_SECONDS)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def add_writer(self, form: str, writer: Writer) -> None:
        """Have messages of callbacks of that form written by `writer`; called once a message, unless it raises."""
        self._writers[form] = writer

    def start(self) -> None:
        """Begin, in threads of its own."""
        free_gone(self._store)
        self._pool = ThreadPoolExecutor(max_workers=_SENDERS, thread_name_prefix="deliver")
        self._loop.start()

    def stop(self) -> None:
        """End after what is being sent; the next one takes over at once."""
        self._loop.stop()
        if self._pool:
            self._pool.shutdown(wait=True)
        self._store.let_go(self.holder)

    def wake(self) -> None:
        """There is something to send."""
        self._loop.wake()

    def look(self) -> int:
        """Send what is due; answers how much that was. Without `start`, all of it in this thread."""
        now = self._clock()
        with self._lock:
            busy, free = set(self._busy), _SENDERS - len(self._busy)
        if free <= 0:
            return 0
        found = self._store.claim(holder=self.holder, now=now, until=now + self._lease, busy=busy, limit=free)
        for delivery, webhook in found:
            with self._lock:
                self._busy.add(webhook.id)
            if self._pool is None:
                self._work(delivery, webhook)
            else:
                self._pool.submit(self._work, delivery, webhook)
        return len(found)

    def _work(self, delivery: Delivery, webhook: Webhook) -> None:
        try:
            self._deliver(delivery, webhook)
        except Exception:
            # Its lease ends, and it is tried again.
            log.exception("message %s could not be delivered", delivery.id)
        finally:
            with self._lock:
                self._busy.discard(webhook.id)
            self.wake()

    def _deliver(self, delivery: Delivery, webhook: Webhook) -> None:
        body = delivery.body
        if body is None:
            writer = self._writers.get(webhook.form)
            body = writer(delivery, webhook) if writer else None
            if body is None:
                now = self._clock()
                attempt = Attempt(at=now, status=None, error="there was nothing to tell")
                outcome = Outcome(stage=DeliveryStage.FAILED, next_at=now, attempt=attempt)
                self._store.note(delivery, outcome, holder=self.holder)
                return
            if not self._store.write_body(delivery.id, holder=self.holder, body=body):
                return
        if webhook.form == STANDARD:
            body = led_here(body, self._service_url)
        began = time.monotonic()
        answer, error = self._send(delivery, webhook, body)
        now = self._clock()
        attempt = Attempt(
            at=now, status=answer.status if answer else None, error=error, seconds=time.monotonic() - began
        )
        self._store.note(delivery, self._outcome(delivery, webhook, attempt, answer), holder=self.holder)

    def _send(self, delivery: Delivery, webhook: Webhook, body: str) -> tuple[Answer | None, str]:
        now = self._clock()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if webhook.form == STANDARD:
            headers["webhook-signature"] = self._secrets.signature(webhook, message_id=delivery.id, at=now, body=body)
        try:
            answer = self._outgoing.post(webhook.url, body.encode(), headers=headers)
        except (AddressRefused, OutgoingFailed) as error:
            return None, str(error)
        if answer.ok:
            return answer, ""
        redirects = 300 <= answer.status < 400
        return answer, f"it answered {answer.status}" + ("; no redirect is followed" if redirects else "")

    def _outcome(self, delivery: Delivery, webhook: Webhook, attempt: Attempt, answer: Answer | None) -> Outcome:
        if attempt.ok:
            return Outcome(stage=DeliveryStage.DELIVERED, next_at=attempt.at, attempt=attempt)
        asked = answer.headers.get("retry-after", "") if answer and answer.status in _ASKS_FOR_PATIENCE else ""
        retry_after = float(asked) if asked.isdigit() and len(asked) < 8 else None
        pause = pause_after(delivery.tries + 1, spread=self._spread(), retry_after=retry_after)
        next_at = attempt.at + timedelta(seconds=pause)
        over = next_at > delivery.gives_up_at
        stage = DeliveryStage.FAILED if over or attempt.status == _GONE else DeliveryStage.WAITING
        why = self._why_disabled(webhook, attempt) if stage is DeliveryStage.FAILED else ""
        return Outcome(
            stage=stage,
            next_at=next_at,
            attempt=attempt,
            disabled_why=why,
            notice=_notice(webhook, why, attempt) if why else None,
        )

    def _why_disabled(self, webhook: Webhook, attempt: Attempt) -> str:
        if webhook.kind is not Kind.WEBHOOK:
            return ""
        if attempt.status == _GONE:
            return "it answered 410: what was there is gone for good"
        if webhook.failing_since and attempt.at - webhook.failing_since >= DISABLE_AFTER:
            return f"it took nothing since {webhook.failing_since:%Y-%m-%d %H:%M} UTC; at last {attempt.error}"
        return ""

    def _step(self) -> float | None:
        sent = self.look()
        if time.monotonic() - self._pruned_at > _PRUNE_SECONDS:
            self._pruned_at = time.monotonic()
            self._store.prune(now=self._clock())
        return _BUSY_PAUSE_SECONDS if sent else None


def _notice(webhook: Webhook, why: str, attempt: Attempt) -> Notice:
    named = f"{webhook.description!a} " if webhook.description else ""
    return Notice(
        id=uuid.uuid4().hex,
        user=webhook.user,
        kind=NoticeKind.WEBHOOK_DISABLED,
        text=f"The webhook {named}({webhook.id[:8]}) is switched off: {why}. Mend it, then switch it on again.",
        link=f"webhooks/{webhook.id}",
        at=attempt.at,
    )
