"""What is done with reviews after they are written: authors reply, operators withhold, people are told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Conflict, Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.moderation import ActKind, act_on
from swath_marketplace.domain.reviews import Reply, Review
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reports import Reports
from swath_marketplace.store.review_replies import MOST_REPLIES, ReplyStore

MOST_CHARACTERS = 5_000
LEAST_CHARACTERS = 10


class ReviewDesk:
    """Replies and what is withheld.

    Parameters
    ----------
    reviews
        Every review of a version.
    reassess
        Called after a review counts no more.
    """

    def __init__(
        self,
        *,
        store: ReplyStore,
        registry: Registry,
        reports: Reports,
        reviews: Callable[[AlgorithmVersion], Sequence[Review]],
        reassess: Callable[[AlgorithmVersion], object],
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._reports = reports
        self._reviews = reviews
        self._reassess = reassess
        self._clock = clock

    def on_review(self, version: AlgorithmVersion, review: Review) -> None:
        """A review is new: its author is told, and who wrote it stands beside it on the page."""
        text = (
            f"{review.reviewer} reviewed {version.path} {version.version} ({review.kind.value}): {review.verdict.value}"
        )
        self._store.tell([_notice(version, review, version.owner, f"review:{review.sequence}", text, at=review.at)])

    def replies(self, actor: Actor, path: str) -> Mapping[int, Sequence[Reply]]:
        """The replies to the reviews of a version, by the review's number.

        Raises
        ------
        NotFound
        """
        return self._store.of(self._registry.version(actor, path))

    def reply(self, actor: Actor, path: str, *, review: int, text: str) -> Reply:
        """Reply to a review of one's own version; the same words again are one reply.

        Raises
        ------
        Forbidden, NotFound, Conflict, Invalid
        """
        actor.require(Scope.PUBLISH)
        version, found = self._found(actor, path, review)
        if not (actor.kind is ActorKind.USER and actor.name == version.owner):
            raise Forbidden(
                code="not-the-owner", message=f"{version.path} is not yours", mend="its author replies to its reviews"
            )
        words = text.strip()
        if not LEAST_CHARACTERS <= len(" ".join(words.split())) <= len(words) <= MOST_CHARACTERS:
            message = f"a reply has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, spaces aside"
            mend = "say what you make of the review"
            raise Invalid(
                code="reply-invalid",
                message=message,
                mend=mend,
                findings=[{"field": "text", "message": message, "mend": mend}],
            )
        made = Reply(
            algorithm_id=version.algorithm_id,
            digest=version.digest,
            review=review,
            sequence=0,
            text=words,
            by=actor.name,
            at=self._clock(),
        )
        said = f"{actor.name} replied to your review of {version.path} {version.version}"
        words_id = hashlib.sha256(words.encode()).hexdigest()
        told = _notice(version, found, found.reviewer, f"reply:{review}:{words_id}", said, at=made.at)
        stored = self._store.add(made, told=told)
        if stored is None:
            raise Conflict(
                code="too-many-replies",
                message=f"this review has {MOST_REPLIES} replies",
                mend="go on elsewhere; publish what you mended",
            )
        return stored

    def withhold(self, actor: Actor, path: str, *, review: int, reason: str, report_id: str | None = None) -> None:
        """Take a review's words out of sight, with a reason; it counts no more. For operators.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.ADMINISTER)
        version, found = self._found(actor, path, review)
        if report_id is not None:
            self._reports.linked(actor, report_id, algorithm_id=version.algorithm_id)
        now = self._clock()
        act = act_on(
            ActKind.WITHHOLD, version, reason=reason, by=actor.name, at=now, report_id=report_id, review=review
        )
        text = f"your review of {version.path} {version.version} is withheld: {reason}"
        told = _notice(version, found, found.reviewer, f"withheld:{review}", text, at=now)
        if self._store.withhold(act, told=[told]) is not None and found.counts:
            self._reassess(version)

    def _found(self, actor: Actor, path: str, number: int) -> tuple[AlgorithmVersion, Review]:
        version = self._registry.version(actor, path)
        found = next((one for one in self._reviews(version) if one.sequence == number), None)
        if found is None:
            raise NotFound(
                code="no-such-review",
                message="there is no such review of this version",
                mend="see the reviews of the version",
            )
        return version, found


def _notice(version: AlgorithmVersion, review: Review, user: str, what: str, text: str, *, at: datetime) -> Notice:
    known = hashlib.sha256(f"{version.algorithm_id}:{version.digest}:{what}:{user}".encode()).hexdigest()
    link = f"reviews/{version.owner}/{version.name}/{version.version}#review-{review.sequence}"
    return Notice(id=known[:32], user=user, kind=NoticeKind.REVIEW, text=text, link=link, at=at)
