"""Sharing a run: its caller makes a link, whoever has it looks, and it can be taken back."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta

from swath_service.actor import Actor, Scope
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.run_links import MOST_DAYS, MOST_LINKS, RunLink
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.run_links import RunLinkStore
from swath_marketplace.store.runs import RunStore


class RunLinks:
    """Links to runs.

    A link is a capability to read one run, and nothing else: its parameters, log, results and receipt. It needs a
    signed-in user all the same, so that nothing of a Swath is open to the world by somebody's click.
    """

    def __init__(self, store: RunLinkStore, *, runs: Runs, run_store: RunStore, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._run_store = run_store
        self._clock = clock

    def make(self, actor: Actor, run_id: str, *, days: int) -> tuple[RunLink, str]:
        """A new link to a run of one's own, and its secret, which nobody can have again.

        Raises
        ------
        NotFound, Forbidden
        Invalid
            It would last too long, or there are too many already.
        """
        run = self._own(actor, run_id)
        if not 1 <= days <= MOST_DAYS:
            raise Invalid(
                code="bad-days", message=f"a link lasts 1 to {MOST_DAYS} days", mend="choose a number between them"
            )
        now = self._clock()
        if len(self._store.of_run(run.id, now=now)) >= MOST_LINKS:
            raise Invalid(
                code="too-many-links",
                message=f"this run has {MOST_LINKS} links already",
                mend="take one back, or give one of those that there are",
            )
        link = RunLink(
            id=uuid.uuid4().hex,
            run_id=run.id,
            made_by=actor.name,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        secret = secrets.token_urlsafe(32)
        self._store.add(link, secret_sha256=_sha256(secret))
        return link, secret

    def list(self, actor: Actor, run_id: str) -> Sequence[RunLink]:
        """The links of a run of one's own that hold."""
        return self._store.of_run(self._own(actor, run_id).id, now=self._clock())

    def take_back(self, actor: Actor, run_id: str, link_id: str) -> None:
        """A link opens nothing any more; again, it is a no-op.

        Raises
        ------
        NotFound, Forbidden
        """
        run = self._own(actor, run_id)
        if not self._store.revoke(run.id, link_id, at=self._clock()):
            raise NotFound(code="no-such-link", message="the run has no such link", mend="see its links")

    def open(self, actor: Actor, secret: str) -> tuple[RunLink, Run]:
        """The run behind a link.

        Raises
        ------
        NotFound
            It was never made, is over, or was taken back: which of these is nobody's business.
        """
        actor.require(Scope.READ)
        link = self._store.by_secret(_sha256(secret))
        run = self._run_store.get(link.run_id) if link and link.holds(self._clock()) else None
        if link is None or run is None:
            raise NotFound(
                code="no-such-link",
                message="this link opens nothing: it is over, or was taken back",
                mend="ask whoever gave it to you for a new one",
            )
        return link, run

    def _own(self, actor: Actor, run_id: str) -> Run:
        actor.require(Scope.EXECUTE)
        run = self._runs.get(actor, run_id)
        # Others who may see a run, an operator or the author of a benchmark, may not give it away.
        if run.caller != actor.name:
            raise Forbidden(code="not-your-run", message="only who made a run can share it", mend="ask its caller to")
        return run


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
