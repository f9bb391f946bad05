"""Hiding and revoking, for whoever may: operators, and authors what is theirs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from swath.contract.semver import VersionRange
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid

from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.breaks import Notice, NoticeKind
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.moderation import (
    CALLED_WITHIN,
    Act,
    ActKind,
    Running,
    act_on,
    mend_of,
    notice_of,
    stopped_for,
)
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reports import Reports
from swath_marketplace.store.moderation import ModerationStore

log = logging.getLogger(__name__)


class Moderation:
    """Acts, each appended to a log: who did what, when and why.

    Parameters
    ----------
    wake
        Called after runs were asked to end.
    """

    def __init__(
        self,
        *,
        store: ModerationStore,
        registry: Registry,
        reports: Reports,
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._reports = reports
        self._wake = wake
        self._clock = clock
        self._listeners: list[Callable[[Act], None]] = []

    def add_listener(self, listener: Callable[[Act], None]) -> None:
        """Have `listener` called after each act is stored; what it raises goes to the log."""
        self._listeners.append(listener)

    def hide(self, actor: Actor, path: str, *, reason: str, report_id: str | None = None) -> Algorithm:
        """Hide an algorithm from all but its author and operators. For operators; hidden already, it stays so.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        act = self._of_algorithm(actor, path, ActKind.HIDE, reason=reason, report_id=report_id)
        self._done(self._store.hide(act, told=_to_owner(f"{act.path} was hidden: {reason}")))
        return self._registry.algorithm(actor, path)

    def unhide(self, actor: Actor, path: str, *, reason: str, report_id: str | None = None) -> Algorithm:
        """Show an algorithm again. For operators.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        act = self._of_algorithm(actor, path, ActKind.UNHIDE, reason=reason, report_id=report_id)
        self._done(self._store.unhide(act, told=_to_owner(f"{act.path} is shown again: {reason}")))
        return self._registry.algorithm(actor, path)

    def revoke(
        self, actor: Actor, path: str, *, reason: str, running: Running | None = None, report_id: str | None = None
    ) -> AlgorithmVersion:
        """Have one version run no more, for good; its author or an operator may. The first reason stands.

        Parameters
        ----------
        running
            What becomes of runs that have started; by default an operator stops them, at the platform's cost. An
            author lets them finish: else an author could make other people's computing free of charge.

        Raises
        ------
        Forbidden, NotFound, Invalid
        """
        actor.require(Scope.PUBLISH)
        reference = parse_reference(path)
        is_owner = actor.kind is ActorKind.USER and actor.name == reference.owner
        algorithm = self._registry.algorithm(actor, reference.path)
        if not (actor.is_operator or is_owner):
            raise Forbidden(
                code="not-the-owner",
                message=f"{reference.path} is not yours",
                mend="report it: an operator looks at every report",
            )
        if not actor.is_operator and running is Running.STOP:
            raise Forbidden(
                code="operators-only",
                message="runs that have started are stopped by operators alone, at the platform's cost",
                mend="leave `running` out, or report the version where they must not finish",
            )
        version = self._exact(actor, path)
        act = act_on(
            ActKind.REVOKE,
            version,
            reason=reason,
            by=actor.name,
            at=self._clock(),
            report_id=self._linked(actor, version.algorithm_id, report_id),
        )
        # As it will be: what has no other version must not be told to call itself.
        why = stopped_for(version, reason=reason, versions=algorithm.versions)
        done = self._store.revoke(
            act,
            running=running or (Running.STOP if actor.is_operator else Running.FINISH),
            stopped_for=why,
            called_since=act.at - CALLED_WITHIN,
            told=_to_callers(f"{mend_of(version, algorithm.versions)}"),
        )
        self._done(done)
        return self._registry.version(actor, path)

    def acts(
        self, actor: Actor, *, path: str | None = None, limit: int, offset: int = 0, before: int | None = None
    ) -> tuple[Sequence[Act], int]:
        """A page of acts, the latest first, and how many there are: all for whoever oversees, one's own for an author.

        Parameters
        ----------
        before
            The number below which the page begins.

        Raises
        ------
        NotFound, Forbidden
        """
        actor.require(Scope.READ)
        algorithm_id = self._registry.algorithm(actor, path).id if path else None
        if actor.oversees:
            return self._store.acts(algorithm_id=algorithm_id, limit=limit, offset=offset, before=before)
        if actor.kind is not ActorKind.USER:
            return [], 0
        owner = actor.name
        return self._store.acts(algorithm_id=algorithm_id, owner=owner, limit=limit, offset=offset, before=before)

    def own(self, actor: Actor, *, limit: int) -> tuple[Sequence[Act], int]:
        """The latest acts on what is the caller's, and how many there are in all."""
        actor.require(Scope.READ)
        return self._store.acts(owner=actor.name, limit=limit)

    def _of_algorithm(self, actor: Actor, path: str, kind: ActKind, *, reason: str, report_id: str | None) -> Act:
        actor.require(Scope.ADMINISTER)
        found = self._registry.algorithm(actor, path)
        return Act(
            sequence=0,
            kind=kind,
            algorithm_id=found.id,
            owner=found.owner,
            name=found.name,
            reason=reason,
            by=actor.name,
            at=self._clock(),
            report_id=self._linked(actor, found.id, report_id),
        )

    def _linked(self, actor: Actor, algorithm_id: str, report_id: str | None) -> str | None:
        if report_id is not None:
            self._reports.linked(actor, report_id, algorithm_id=algorithm_id)
        return report_id

    def _exact(self, actor: Actor, path: str) -> AlgorithmVersion:
        try:
            exact = VersionRange.parse(parse_reference(path).range).exact
        except ValueError:
            exact = None
        if exact is None:
            raise Invalid(
                code="not-a-version", message="a revocation names one exact version", mend="for example 1.2.0"
            )
        return self._registry.version(actor, path)

    def _done(self, act: Act | None) -> None:
        if act is None:
            return
        log.info("act %s: %s of %s", act.sequence, act.kind.value, act.path)
        self._wake()
        for listener in self._listeners:
            try:
                listener(act)
            except Exception:
                # It is done, whatever others make of it.
                log.exception("what follows act %s failed", act.sequence)


def _to_owner(text: str) -> Callable[[Act, Sequence[str]], Iterable[Notice]]:
    def told(act: Act, _: Sequence[str]) -> Iterable[Notice]:
        if act.by != act.owner:
            link = f"algorithms/{act.owner}/{act.name}"
            yield notice_of(act, act.owner, kind=NoticeKind.HIDDEN, text=text, link=link)

    return told


def _to_callers(mend: str) -> Callable[[Act, Sequence[str]], Iterable[Notice]]:
    def told(act: Act, callers: Sequence[str]) -> Iterable[Notice]:
        text = f"{act.owner}/{act.name} {act.version} was revoked and does not run any more: {act.reason}"
        link = f"algorithms/{act.owner}/{act.name}"
        for user in {*callers, act.owner} - {act.by}:
            said = text if user == act.owner else f"{text}; {mend}"
            yield notice_of(act, user, kind=NoticeKind.REVOKED, text=said, link=link)

    return told
