"""What callers may do with reproductions: ask for one, look at it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from swath.contract.comparison import EXACT, Tolerance
from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.interface import GIVEN_OUTPUTS, Interface
from swath.contract.parameters import check_parameters
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.errors import RunNotFinished
from swath_marketplace.domain.idempotency import check_key, same_request
from swath_marketplace.domain.origins import Origin, origin_of_run
from swath_marketplace.domain.reproductions import Reproduction
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.reproductions import ReproductionStore

#: In the place of a name: every output that is not named.
_ALL = "*"
_PICTURE = re.compile(r"[A-Za-z0-9_-]{1,100}\.png")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReproductionRequest:
    """What a caller asks for, beside the run."""

    tolerances: Mapping[str, Tolerance] | None = None
    """By output, ``*`` for those that are not named; ``None``: those of the version's scenarios."""
    budget_millicredits: int | None = None

    def sha256(self, run_id: str) -> str:
        """What makes two requests the same."""
        asked = {name: one.as_dict() for name, one in self.tolerances.items()} if self.tolerances is not None else None
        return sha256_bytes(
            canonical_json({"run": run_id, "tolerances": asked, "budget_millicredits": self.budget_millicredits})
        )


class DossierSource(Protocol):
    """The files beside a version."""

    def latest(self, algorithm_id: str, version_digest: str) -> Dossier | None: ...


#: Reads a receipt that somebody sent; raises `Invalid` unless it is one of this installation's, unaltered, or one of an
#: installation whose keys they brought along.
ReadReceipt = Callable[[Actor, Any], Origin]
#: Whether somebody brought in the run of that id, with its results.
BroughtIn = Callable[[Actor, str], bool]
#: What the receipt of a run says; ``None`` while it has none.
Receipted = Callable[[str], Origin | None]


class Reproductions:
    """Reproductions, for whoever asked for them, and operators."""

    def __init__(
        self,
        *,
        store: ReproductionStore,
        runs: Runs,
        registry: Registry,
        dossiers: DossierSource,
        read_receipt: ReadReceipt,
        receipted: Receipted,
        brought_in: BroughtIn,
        pictures: Callable[[Reproduction], Path],
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._runs = runs
        self._registry = registry
        self._dossiers = dossiers
        self._read_receipt = read_receipt
        self._receipted = receipted
        self._brought_in = brought_in
        self._pictures = pictures
        self._wake = wake
        self._clock = clock

    def of_run(
        self, actor: Actor, run_id: str, request: ReproductionRequest, *, key: str | None = None
    ) -> tuple[Reproduction, bool]:
        """Ask that a finished run is run again, paid by the caller: its own caller may, and an operator.

        Returns
        -------
        tuple
            The reproduction, and whether it is new.

        Raises
        ------
        NotFound
            Also when the run is another's.
        RunNotFinished
            It goes on, or ended without its results.
        Invalid, Forbidden, KeyReused
        """
        run = self._runs.get(actor, run_id)
        if not run.terminal or run.outcome is not RunStatus.FINISHED:
            raise RunNotFinished(
                code="run-not-finished",
                message=f"the run is {run.status.value}; only a finished one has results to compare with",
                mend="wait until it has finished, or name another",
            )
        return self._ask(actor, self._origin(actor, run), request, key=key, sees=True)

    def of_receipt(
        self, actor: Actor, receipt: Any, request: ReproductionRequest, *, key: str | None = None
    ) -> tuple[Reproduction, bool]:
        """The same from a receipt, which anybody may hold: parameters and hashes are in it.

        The original's files stay with who may see its run; for others the hashes are compared.

        Raises
        ------
        Invalid
            It is no receipt of this installation's or of one whose keys the caller brought in, or was altered.
        """
        actor.require(Scope.EXECUTE)
        origin = self._read_receipt(actor, receipt)
        try:
            self._runs.get(actor, origin.run_id)
            sees = True
        except NotFound:
            sees = self._brought_in(actor, origin.run_id)
        return self._ask(actor, origin, request, key=key, sees=sees)

    def of_origin(
        self, actor: Actor, origin: Origin, request: ReproductionRequest, *, key: str | None, sees: bool
    ) -> tuple[Reproduction, bool]:
        """The same from what a caller's imported run tells of itself; `sees`: its files are here, for the caller."""
        return self._ask(actor, origin, request, key=key, sees=sees)

    def get(self, actor: Actor, reproduction_id: str) -> Reproduction:
        """One reproduction of the caller's.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._store.get(reproduction_id) if reproduction_id.isalnum() else None
        if found is None or not (actor.is_operator or _is(actor, found.asked_by)):
            raise NotFound(
                code="no-such-reproduction",
                message="there is no such reproduction of yours",
                mend="see GET reproductions",
            )
        return found

    def list(
        self, actor: Actor, *, run_id: str | None = None, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[Reproduction], int]:
        """A page of the caller's, the latest asked for first; of one run's with `run_id`, an operator sees all of it.

        Raises
        ------
        NotFound
            There is no such run of the caller's.
        """
        actor.require(Scope.READ)
        if run_id is not None:
            self._runs.get(actor, run_id)
        if actor.kind is not ActorKind.USER:
            return [], 0
        everybody = run_id is not None and actor.is_operator
        return self._store.list(
            asked_by=None if everybody else actor.name, origin_run_id=run_id, limit=limit, offset=offset, after=after
        )

    def picture(self, actor: Actor, reproduction_id: str, name: str) -> Path:
        """The PNG of a difference, by the file name that its comparison tells.

        Raises
        ------
        NotFound
        """
        found = self.get(actor, reproduction_id)
        known = {one.picture for one in found.comparisons.values() if one.picture}
        path = self._pictures(found) / name if name in known and _PICTURE.fullmatch(name) else None
        if path is None or not path.is_file():
            raise NotFound(code="no-such-picture", message="there is no such picture", mend="see `comparisons`")
        return path

    def _ask(
        self, actor: Actor, origin: Origin, request: ReproductionRequest, *, key: str | None, sees: bool
    ) -> tuple[Reproduction, bool]:
        actor.require(Scope.EXECUTE)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(
                code="users-only",
                message="a reproduction is paid from a user's wallet, and this token is a service's",
                mend="use a user's token",
            )
        if key is not None:
            check_key(key)
        sha256 = request.sha256(origin.run_id)
        tolerances, told = self._tolerances(actor, origin, request)
        made = Reproduction(
            id=uuid.uuid4().hex,
            origin=origin,
            asked_by=actor.name,
            asked_at=self._clock(),
            tolerances=tolerances,
            tolerances_from=told,
            sees_original=sees,
            budget_millicredits=request.budget_millicredits,
        )
        stored, known, created = self._store.create(made, key=key, request_sha256=sha256)
        if not created:
            same_request(known, sha256)
        self._wake()
        return stored, created

    def _tolerances(
        self, actor: Actor, origin: Origin, request: ReproductionRequest
    ) -> tuple[Mapping[str, Tolerance], str]:
        """Those asked for; else those of the scenario with the same call, or of the first that names an output."""
        names = [one.name for one in origin.outputs if one.name not in GIVEN_OUTPUTS]
        if request.tolerances is not None:
            unknown = sorted(request.tolerances.keys() - {*names, _ALL})
            if unknown:
                mend = f"its outputs: {', '.join(names) or 'none'}"
                raise Invalid(
                    code="no-such-output",
                    message="tolerances are given for outputs that the run does not have",
                    mend=mend,
                    findings=[
                        {"field": f"tolerances.{name[:70]}", "message": "not an output", "mend": mend}
                        for name in unknown
                    ],
                )
            every = request.tolerances.get(_ALL, EXACT)
            asked = {name: request.tolerances.get(name, every) for name in names}
            return {name: one for name, one in asked.items() if one != EXACT}, "asked"
        try:
            version = self._registry.version(actor, f"{origin.algorithm}@{origin.version}")
        except NotFound:
            return {}, "exact"
        return self._of_scenarios(version, origin, names)

    def _of_scenarios(
        self, version: AlgorithmVersion, origin: Origin, names: Sequence[str]
    ) -> tuple[Mapping[str, Tolerance], str]:
        dossier = self._dossiers.latest(version.algorithm_id, version.digest)
        scenarios = [one for one in (dossier.scenarios if dossier else ()) if one.outputs]
        interface = Interface.from_dict(version.interface)
        same = [one for one in scenarios if check_parameters(interface, one.parameters)[0] == origin.parameters]
        found: dict[str, Tolerance] = {}
        used: list[str] = []
        for scenario in [*same, *scenarios]:
            for name in names:
                if name in scenario.outputs and name not in found:
                    found[name] = scenario.outputs[name].tolerance
                    used.append(scenario.name)
        kept = {name: tolerance for name, tolerance in found.items() if tolerance != EXACT}
        return kept, f"scenario {', '.join(dict.fromkeys(used))}" if kept else "exact"

    def _origin(self, actor: Actor, run: Run) -> Origin:
        """What its receipt says; of a run without one, what is stored of it."""
        if origin := self._receipted(run.id):
            return origin
        return origin_of_run(run, self._registry.version(actor, f"{run.owner}/{run.name}@{run.version}"))


def _is(actor: Actor, name: str) -> bool:
    return actor.kind is ActorKind.USER and actor.name == name
