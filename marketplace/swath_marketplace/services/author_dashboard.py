"""The author's dashboard: how one's own algorithms are used, how it went, and what there is to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.assessments import Standing
from swath_marketplace.domain.breaks import Break
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dashboards import Told, Use
from swath_marketplace.domain.moderation import Act
from swath_marketplace.domain.reports import ReportState
from swath_marketplace.domain.reviews import Review
from swath_marketplace.services.moderation import Moderation
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reports import Box, Reports, ReportView
from swath_marketplace.store.assessments import Key, key_of
from swath_marketplace.store.dashboards import UseFacts

_SHOWN = 20
#: Algorithms of one author that a dashboard tells of.
MOST_ALGORITHMS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmDesk:
    """One algorithm on its author's dashboard."""

    algorithm: Algorithm
    use: Use
    standing: Standing | None
    """Of its latest version; ``None`` when it offers none."""
    breaks: Sequence[Break]
    """Those that are open."""
    reviews: Sequence[tuple[AlgorithmVersion, Review]]
    """The latest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorDashboard(Told):
    """What an author is told."""

    author: str
    algorithms: Sequence[AlgorithmDesk]
    reports: Sequence[ReportView]
    """The latest about what is theirs."""
    open_reports: int
    acts: Sequence[Act]


class AuthorDashboards:
    """Makes dashboards; each author sees their own alone.

    Parameters
    ----------
    standings
        The level of each version, and what is missing.
    reviews
        The latest reviews of what an author has.
    breaks
        The open breaks of an author.
    """

    def __init__(
        self,
        *,
        facts: UseFacts,
        registry: Registry,
        standings: Callable[[Sequence[AlgorithmVersion]], Mapping[Key, Standing]],
        reviews: Callable[[str], Sequence[Review]],
        breaks: Callable[[str], Sequence[Break]],
        reports: Reports,
        acts: Moderation,
        clock: Clock,
    ) -> None:
        self._facts = facts
        self._registry = registry
        self._standings = standings
        self._reviews = reviews
        self._breaks = breaks
        self._reports = reports
        self._acts = acts
        self._clock = clock

    def of(self, actor: Actor, *, days: int = 30) -> AuthorDashboard:
        """The caller's own dashboard of the last `days` days, today among them.

        Raises
        ------
        Forbidden
            The caller is no user.
        """
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only", message="a service has no algorithms of its own", mend="use a user's token"
            )
        now = self._clock()
        since = datetime.combine(now.date() - timedelta(days=days - 1), datetime.min.time(), now.tzinfo)
        own = self._facts.algorithms_of(actor.name)[:MOST_ALGORITHMS]
        uses = self._facts.of([one for one, _ in own], owner=actor.name, since=since)
        whole = {one: self._registry.algorithm(actor, f"{actor.name}/{name}") for one, name in own}
        standings = self._standings([found.latest for found in whole.values() if found.latest])
        breaks, reviews = self._breaks(actor.name), self._reviews(actor.name)
        reports, _ = self._reports.list(actor, box=Box.ABOUT, limit=_SHOWN, offset=0)
        _, still_open = self._reports.list(actor, box=Box.ABOUT, state=ReportState.OPEN, limit=1, offset=0)
        acts, _ = self._acts.own(actor, limit=_SHOWN, offset=0)
        return AuthorDashboard(
            author=actor.name,
            since=since,
            until=now,
            algorithms=[
                AlgorithmDesk(
                    algorithm=found,
                    use=uses.get(one, Use()),
                    standing=standings.get(key_of(found.latest)) if found.latest else None,
                    breaks=[broken for broken in breaks if broken.algorithm_id == one],
                    reviews=_of(found, reviews),
                )
                for one, found in whole.items()
            ],
            reports=reports,
            open_reports=still_open,
            acts=acts,
        )


def _of(algorithm: Algorithm, reviews: Sequence[Review]) -> Sequence[tuple[AlgorithmVersion, Review]]:
    versions = {(one.algorithm_id, one.digest): one for one in algorithm.versions}
    mine = [(version, one) for one in reviews if (version := versions.get((one.algorithm_id, one.digest)))]
    return sorted(mine, key=lambda pair: pair[1].at, reverse=True)[:_SHOWN]
