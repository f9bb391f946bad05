"""Favourites and follows of users, and the work that tells followers what happened."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden
from swath_service.loops import Loop

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.following import Follower, Kept, Known, news_of, notices_of
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.following import FollowingStore

log = logging.getLogger(__name__)

#: How late followers may be told of a level that fell because time went by.
_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """That a user keeps or follows an algorithm."""

    algorithm: str
    """``owner/name``."""
    since: datetime | None
    """``None`` where they do not."""


class Following:
    """What users keep at hand and follow. Each sees and changes their own alone."""

    def __init__(self, *, registry: Registry, store: FollowingStore, keeper: FollowKeeper, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._keeper = keeper
        self._clock = clock

    def standing(self, actor: Actor, algorithm: Algorithm) -> tuple[bool, bool]:
        """Whether an algorithm is the caller's favourite, and followed."""
        favoured, followed = self._store.of(actor.name, algorithm.id)
        return favoured is not None, followed is not None

    def favourite(self, actor: Actor, path: str) -> Choice:
        """Whether an algorithm is the caller's favourite.

        Raises
        ------
        NotFound
        """
        algorithm = self._registry.get(actor, parse_reference(path).path)
        return Choice(algorithm=path, since=self._store.of(actor.name, algorithm.id)[0])

    def followed(self, actor: Actor, path: str) -> Choice:
        """Whether the caller follows an algorithm.

        Raises
        ------
        NotFound
        """
        algorithm = self._registry.get(actor, parse_reference(path).path)
        return Choice(algorithm=path, since=self._store.of(actor.name, algorithm.id)[1])

    def set_favourite(self, actor: Actor, path: str, *, wanted: bool) -> Choice:
        """Put an algorithm into the caller's favourites, or take it out. Idempotent.

        Raises
        ------
        Forbidden, NotFound
        """
        algorithm = self._mine(actor, path)
        if not wanted:
            self._store.unfavour(actor.name, algorithm.id)
            return Choice(algorithm=path, since=None)
        return Choice(algorithm=path, since=self._store.favour(actor.name, algorithm.id, at=self._clock()))

    def set_follow(self, actor: Actor, path: str, *, wanted: bool) -> Choice:
        """Let the caller follow an algorithm, or no more. Idempotent.

        Raises
        ------
        Forbidden, NotFound
        """
        algorithm = self._mine(actor, path)
        if not wanted:
            self._store.unfollow(actor.name, algorithm.id)
            return Choice(algorithm=path, since=None)
        # What was before is no news to a new follower.
        self._keeper.look_at(algorithm)
        return Choice(algorithm=path, since=self._store.follow(actor.name, algorithm.id, at=self._clock()))

    def lists(self, actor: Actor) -> tuple[Sequence[Kept], Sequence[Kept]]:
        """The caller's favourites and what they follow, the latest first."""
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return (), ()
        return self._store.favourites(actor.name), self._store.followed(actor.name)

    def _mine(self, actor: Actor, path: str) -> Algorithm:
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only", message="favourites are people's, and this token is a service's", mend="use a user's"
            )
        return self._registry.get(actor, parse_reference(path).path)


class FollowKeeper:
    """Tells followers what happened, in a thread of its own.

    It compares what is with what was told last, so that what a dead process missed is made up for, and a level that
    falls because nothing happened is told as well.
    """

    def __init__(self, *, algorithms: AlgorithmStore, store: FollowingStore, maturity: Maturity, clock: Clock) -> None:
        self._algorithms = algorithms
        self._store = store
        self._maturity = maturity
        self._clock = clock
        self._loop = Loop("follows", self._step, every_seconds=_PAUSE_SECONDS, first_seconds=_PAUSE_SECONDS)

    def start(self) -> None:
        """Begin to look."""
        self._loop.start()

    def stop(self) -> None:
        """Look no more."""
        self._loop.stop(within_seconds=10)

    def wake(self, _: object = None) -> None:
        """Something happened: look soon."""
        self._loop.wake()

    def look(self) -> Sequence[Notice]:
        """Look at everything that is followed; one that fails does not keep the others from it."""
        told: list[Notice] = []
        for owner, name in self._store.algorithms_followed():
            algorithm = self._algorithms.get(owner, name)
            if algorithm is None or algorithm.hidden_at is not None:
                continue
            try:
                told += self.look_at(algorithm)
            except Exception:
                log.exception("what happened to %s/%s could not be told", owner, name)
        return told

    def look_at(self, algorithm: Algorithm) -> Sequence[Notice]:
        """Tell those who follow `algorithm` what happened to it since it was looked at last."""
        at = self._clock()
        versions = sorted(algorithm.versions, key=lambda version: version.published_at)
        now = self._known(versions)

        def tell(before: Mapping[str, Known], followers: Sequence[Follower]) -> Sequence[Notice]:
            return notices_of(news_of(versions, now=now, before=before, at=at), followers)

        return self._store.tell(algorithm.id, now=now, at=at, tell=tell)

    def _known(self, versions: Iterable[AlgorithmVersion]) -> Mapping[str, Known]:
        some = list(versions)
        levels = self._maturity.levels_of(some)
        return {
            one.digest: Known(level=levels[one.algorithm_id, one.digest], gone=one.yanked_at is not None)
            for one in some
        }

    def _step(self) -> None:
        self.look()
