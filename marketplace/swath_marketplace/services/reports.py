"""Reports, for whoever makes them, whom they are about, and who answers them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import ReportAnswered, TooManyReports
from swath_marketplace.domain.moderation import Act, ActKind
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.domain.reports import LEAST_CHARACTERS, MOST_CHARACTERS, Report, ReportKind, ReportState
from swath_marketplace.domain.reviews import Review
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.reports import ReportStore


class Box(StrEnum):
    """Which reports somebody looks at."""

    MINE = "mine"
    """Those that they made."""
    ABOUT = "about"
    """Those about what is theirs; who made them is not told."""
    QUEUE = "queue"
    """All, for operators."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """A report as somebody sees it."""

    report: Report
    reporter: str | None
    """``None`` for all but the reporter and operators."""
    acts: Sequence[Act]
    """What was done about it."""


class Reports:
    """Reports. Nobody but an operator learns who made one.

    Parameters
    ----------
    reviews
        Every review of a version.
    most_a_day
        Reports that one user makes within a day.
    """

    def __init__(
        self,
        *,
        store: ReportStore,
        acts: ModerationStore,
        registry: Registry,
        reviews: Callable[[AlgorithmVersion], Sequence[Review]],
        most_a_day: int,
        clock: Clock,
    ) -> None:
        self._store = store
        self._acts = acts
        self._registry = registry
        self._reviews = reviews
        self._most = most_a_day
        self._clock = clock

    def report(self, actor: Actor, path: str, *, kind: ReportKind, text: str, review: int | None = None) -> ReportView:
        """Tell operators what is wrong with ``owner/name``, one version of it, or a review of that.

        Whoever made what it is about reads the words, and not whose they are.

        Raises
        ------
        TooManyReports, Forbidden, NotFound, Invalid
        """
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only",
                message="reports are people's, and this token is a service's",
                mend="use a user's token",
            )
        words = text.strip()
        if not LEAST_CHARACTERS <= len(" ".join(words.split())) <= len(words) <= MOST_CHARACTERS:
            raise _invalid("text", f"a report has {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, spaces aside")
        algorithm = self._registry.algorithm(actor, parse_reference(path).path)
        version = self._registry.version(actor, path) if "@" in path else None
        about = algorithm.owner if review is None else self._reviewer(version, review)
        made = Report(
            id=uuid.uuid4().hex,
            kind=kind,
            algorithm_id=algorithm.id,
            owner=algorithm.owner,
            name=algorithm.name,
            version=version.version if version else None,
            digest=version.digest if version else None,
            review=review,
            about=about,
            text=words,
            reporter=actor.name,
            at=self._clock(),
        )
        told = _notice(
            made, about, NoticeKind.REPORTED, f"{made.subject} was reported ({kind.value}); an operator looks at it"
        )
        since = made.at - timedelta(days=1)
        if not self._store.add(made, since=since, most=self._most, told=[told] if about != actor.name else []):
            raise TooManyReports(
                code="too-many-reports",
                message=f"you have made {self._most} reports within a day",
                mend="wait until the first of them is a day old; in an emergency write to the operator",
            )
        return self._view(actor, made)

    def get(self, actor: Actor, report_id: str) -> ReportView:
        """One report: its reporter, whom it is about, and operators.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._store.get(report_id) if report_id.isalnum() else None
        if found is None or not (
            actor.oversees or (actor.kind is ActorKind.USER and actor.name in (found.reporter, found.about))
        ):
            raise NotFound(code="no-such-report", message="there is no such report of yours", mend="see GET reports")
        return self._view(actor, found)

    def list(
        self,
        actor: Actor,
        *,
        box: Box = Box.MINE,
        state: ReportState | None = None,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[ReportView], int]:
        """A page of reports and how many there are; open ones alone come the oldest first, others the latest first.

        Raises
        ------
        Forbidden
            The queue is operators'.
        """
        actor.require(Scope.OVERSEE if box is Box.QUEUE else Scope.READ)
        if box is not Box.QUEUE and actor.kind is not ActorKind.USER:
            return [], 0
        found, total = self._store.list(
            state=state,
            reporter=actor.name if box is Box.MINE else None,
            about=actor.name if box is Box.ABOUT else None,
            limit=limit,
            offset=offset,
            after=after,
        )
        return [self._view(actor, one) for one in found], total

    def answer(self, actor: Actor, report_id: str, *, state: ReportState, answer: str) -> ReportView:
        """Answer a report, once. For operators; its reporter and whom it is about are told.

        Raises
        ------
        ReportAnswered, Forbidden, NotFound, Invalid
        """
        actor.require(Scope.ADMINISTER)
        found = self.get(actor, report_id).report
        if state is ReportState.OPEN:
            raise _invalid("state", "an answer upholds a report or dismisses it")
        now = self._clock()
        answered = replace(found, state=state, answer=answer, answered_by=actor.name, answered_at=now)
        act = Act(
            sequence=0,
            kind=ActKind.UPHOLD if state is ReportState.UPHELD else ActKind.DISMISS,
            algorithm_id=found.algorithm_id,
            owner=found.owner,
            name=found.name,
            version=found.version,
            digest=found.digest,
            review=found.review,
            reason=answer,
            by=actor.name,
            at=now,
            report_id=found.id,
        )
        said = f"{state.value}: {answer}"
        told = [
            _notice(answered, found.reporter, NoticeKind.ANSWERED, f"your report about {found.subject} was {said}"),
            _notice(answered, found.about, NoticeKind.ANSWERED, f"a report about {found.subject} was {said}"),
        ]
        if not self._store.answer(answered, act, told=told):
            raise ReportAnswered(
                code="report-answered", message="this report has its answer", mend="see it; an answer is not changed"
            )
        return self._view(actor, answered)

    def linked(self, actor: Actor, report_id: str, *, algorithm_id: str) -> None:
        """Make sure that an operator's act on an algorithm may be the answer to this report.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.ADMINISTER)
        if self.get(actor, report_id).report.algorithm_id != algorithm_id:
            mend = "name a report about this algorithm, or none"
            raise Invalid(
                code="another-report",
                message="this report is about another algorithm",
                mend=mend,
                findings=[{"field": "report", "message": "about another algorithm", "mend": mend}],
            )

    def _reviewer(self, version: AlgorithmVersion | None, number: int) -> str:
        known = self._reviews(version) if version else ()
        found = next((one for one in known if one.sequence == number), None)
        if found is None:
            raise NotFound(
                code="no-such-review",
                message="there is no such review of this version",
                mend="name the version (owner/name@1.2.0) and the review's number",
            )
        return found.reviewer

    def _view(self, actor: Actor, report: Report) -> ReportView:
        knows = actor.oversees or actor.name == report.reporter
        acts = self._acts.of_report(report.id) if report.answered_at or actor.oversees else ()
        return ReportView(report=report, reporter=report.reporter if knows else None, acts=acts)


def _notice(report: Report, user: str, kind: NoticeKind, text: str) -> Notice:
    known = hashlib.sha256(f"report:{report.id}:{kind.value}:{user}".encode()).hexdigest()
    at = report.answered_at or report.at
    return Notice(id=known[:32], user=user, kind=kind, text=text, link=f"reports/{report.id}", at=at)


def _invalid(field: str, message: str) -> Invalid:
    mend = "say what is wrong, where it shows, and what you expected" if field == "text" else "upheld or dismissed"
    return Invalid(
        code="report-invalid",
        message=message,
        mend=mend,
        findings=[{"field": field, "message": message, "mend": mend}],
    )
