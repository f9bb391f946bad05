"""Rounds of benchmarks, breaks and notices, for whoever may see or ask for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swath.contract.semver import VersionRange
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Order, Round, RoundRun, RoundState, ScenarioResult, Trigger
from swath_marketplace.domain.breaks import Break, Notice
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.drift import ScenarioDrift
from swath_marketplace.domain.errors import NothingToBenchmark, TooManyRounds, VersionYanked
from swath_marketplace.domain.moderation import revoked_error
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.domain.schedule import MOST_A_DAY
from swath_marketplace.domain.visibility import viewer_of
from swath_marketplace.services.drifting import Drifts
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_clock import RoundClock
from swath_marketplace.services.round_keeper import RoundKeeper
from swath_marketplace.services.round_ports import DossierSource, RoundListener
from swath_marketplace.services.scenario_files import ScenarioFiles
from swath_marketplace.store.breaks import BreakStore, NoticeStore
from swath_marketplace.store.rounds import RoundStore

_PICTURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\.png")


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundView:
    """A round as it stands, also while it goes on."""

    order: Order
    results: tuple[ScenarioResult, ...]
    """Of the scenarios that are judged."""
    runs: Sequence[RoundRun] = ()


class Rounds:
    """Rounds: anybody who may read sees what they found; the author and operators ask for them."""

    def __init__(
        self,
        *,
        store: RoundStore,
        breaks: BreakStore,
        notices: NoticeStore,
        registry: Registry,
        dossiers: DossierSource,
        rounds_clock: RoundClock,
        keeper: RoundKeeper,
        drifts: Drifts,
        files: ScenarioFiles,
        clock: Clock,
    ) -> None:
        self._store = store
        self._breaks = breaks
        self._notices = notices
        self._registry = registry
        self._dossiers = dossiers
        self._rounds_clock = rounds_clock
        self._keeper = keeper
        self._drifts = drifts
        self._files = files
        self._clock = clock

    def add_listener(self, listener: RoundListener) -> None:
        """Let `listener` know of each round that has ended, at least once, after its end is stored."""
        self._keeper.add_listener(listener)

    def on_dossier(self, dossier: Dossier, version: AlgorithmVersion) -> None:
        """A version or its dossier is new: its scenarios are run."""
        self._rounds_clock.on_dossier(dossier, version)
        self._keeper.wake()

    def ask(self, actor: Actor, path: str) -> tuple[RoundView, bool]:
        """A round of the version ``owner/name@version`` now; the one that is open already, and whether it is new.

        Raises
        ------
        Forbidden
            The caller is neither the author nor an operator.
        NothingToBenchmark
            The version has no dossier with scenarios.
        TooManyRounds
            The algorithm has had its rounds of a day; operators are not asked.
        NotFound, Invalid, VersionRevoked, VersionYanked
        """
        actor.require(Scope.PUBLISH)
        version = self._exact(actor, path)
        if not (actor.is_operator or (actor.kind is ActorKind.USER and actor.name == version.owner)):
            raise Forbidden(
                code="not-the-owner", message=f"{version.path} is not yours", mend="ask its author or an operator"
            )
        if version.revoked_at is not None:
            raise revoked_error(version, self._registry.algorithm(actor, version.path).versions)
        if version.yanked_at is not None:
            raise VersionYanked(
                code="version-yanked",
                message=f"{version.path} {version.version} was yanked: {version.yank_reason}",
                mend="benchmark another version",
            )
        dossier = self._dossiers.latest(version.algorithm_id, version.digest)
        if dossier is None or not dossier.scenarios:
            raise NothingToBenchmark(
                code="no-scenarios",
                message=f"{version.path} {version.version} has no scenarios",
                mend="write scenarios/<name>.yaml beside the notebook and publish the folder",
            )
        if not actor.is_operator and self._rounds_clock.spent(version):
            raise TooManyRounds(
                code="too-many-rounds",
                message=f"{version.path} has had {MOST_A_DAY} rounds within a day, which the platform paid",
                mend="try scenarios at the desk (swath benchmark FOLDER), or ask an operator",
            )
        order, created = self._rounds_clock.ask(version, dossier, trigger=Trigger.ASKED, asked_by=actor.name)
        self._keeper.wake()
        return self._view(order), created

    def get(self, actor: Actor, round_id: str) -> RoundView:
        """One round.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        order = self._store.order(round_id) if round_id.isalnum() else None
        if order is None or not self._is_shown(actor, order):
            raise NotFound(code="no-such-round", message="there is no such round", mend="see the rounds of a version")
        return self._view(order)

    def history(
        self, actor: Actor, path: str, *, limit: int, offset: int = 0, before: int | None = None
    ) -> tuple[Sequence[Round], Sequence[RoundView], int]:
        """A page of the ended rounds of a version, newest last, those that are open, and how many have ended.

        Parameters
        ----------
        before
            The number of the round before which, in time, the page ends.

        Raises
        ------
        NotFound
        """
        version = self._registry.version(actor, path)
        mine = (version.algorithm_id, version.digest)
        going = [one for one in self._store.open() if (one.algorithm_id, one.version_digest) == mine]
        ended = self._store.of(*mine, limit=limit, offset=offset, before=before)
        return ended, [self._view(order) for order in going], self._store.count_ended(*mine)

    def drift(self, actor: Actor, path: str) -> Mapping[str, ScenarioDrift]:
        """How the scenarios of a version drift.

        Raises
        ------
        NotFound
        """
        version = self._registry.version(actor, path)
        return self._drifts.of(version.algorithm_id, version.digest)

    def breaks(
        self, actor: Actor, *, include_closed: bool = False, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Break], int]:
        """A page of breaks, newest first, and how many there are."""
        actor.require(Scope.READ)
        viewer = viewer_of(actor)
        return self._breaks.list(include_closed=include_closed, viewer=viewer, limit=limit, offset=offset, after=after)

    def picture(self, actor: Actor, round_id: str, *, scenario: str, kind: str, name: str) -> Path:
        """The picture of a difference; `kind` is ``reference`` or ``repeat``.

        Raises
        ------
        NotFound
        """
        view = self.get(actor, round_id)
        known = any(result.scenario == scenario for result in view.results)
        path = None
        if known and kind in ("reference", "repeat") and _PICTURE.fullmatch(name):
            path = self._files.pictures_of(view.order.id, scenario) / kind / name
        if path is None or not path.is_file() or path.is_symlink():
            raise NotFound(code="no-such-picture", message="there is no such picture", mend="see the round's results")
        return path

    def notices(
        self, actor: Actor, *, unread: bool = False, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Notice], int]:
        """A page of the caller's notices, newest first, and how many there are."""
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return [], 0
        return self._notices.list(actor.name, unread=unread, limit=limit, offset=offset, after=after)

    def read_all(self, actor: Actor, *, until: datetime) -> int:
        """Note that the caller has read every notice up to `until`; how many of them were unread."""
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return 0
        return self._notices.read_all(actor.name, until=until, at=self._clock())

    def read(self, actor: Actor, notice_id: str) -> Notice:
        """Note that the caller has read a notice.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._notices.read(actor.name, notice_id, at=self._clock()) if actor.kind is ActorKind.USER else None
        if found is None:
            raise NotFound(code="no-such-notice", message="there is no such notice of yours", mend="see GET notices")
        return found

    def _is_shown(self, actor: Actor, order: Order) -> bool:
        try:
            self._registry.algorithm(actor, order.path)
        except NotFound:
            return False
        return True

    def _view(self, order: Order) -> RoundView:
        runs = self._store.runs(order.id) if order.state is not RoundState.WAITING else ()
        return RoundView(order=order, results=self._store.results(order.id), runs=runs)

    def _exact(self, actor: Actor, path: str) -> AlgorithmVersion:
        reference = parse_reference(path)
        try:
            exact = VersionRange.parse(reference.range).exact
        except ValueError:
            exact = None
        if exact is None:
            raise Invalid(code="not-a-version", message="a round is of one exact version", mend="for example 1.2.0")
        return self._registry.version(actor, path)
