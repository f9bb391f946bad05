"""What a caller may do with runs: ask for one, look at it, read what it left, cancel it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.contract.digest import canonical_json, sha256_bytes
from swath.contract.interface import Interface
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.cursors import Place
from swath_service.errors import Forbidden, Invalid, NotFound

from swath_marketplace.domain.added_value import AddedValue
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import RunNotTerminal, RunRefused
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.features import features_of
from swath_marketplace.domain.hooks import Callback
from swath_marketplace.domain.idempotency import check_key, same_request
from swath_marketplace.domain.keeping import expired
from swath_marketplace.domain.runs import PLATFORM, OutputFile, Run, RunPurpose, RunStatus
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.binding import bound_parameters
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.holds import Cashier, Offer
from swath_marketplace.services.reconciler import Reconciler
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.runs import RunStore


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """What a caller asks for."""

    algorithm: str
    """``owner/name`` or ``owner/name@range``."""
    parameters: Mapping[str, Any]
    budget_millicredits: int | None = None
    """The most that the run may cost: it caps what is held; what reaches it is asked to checkpoint, then stopped."""
    purpose: RunPurpose = RunPurpose.CALL
    callbacks: tuple[Callback, ...] = ()
    """Who is to be told of it, committed with it."""

    @property
    def sha256(self) -> str:
        """What makes two requests the same.

        Raises
        ------
        Invalid
            When a value cannot be written as JSON.
        """
        try:
            return sha256_bytes(
                canonical_json(
                    {
                        "algorithm": self.algorithm,
                        "parameters": self.parameters,
                        "budget_millicredits": self.budget_millicredits,
                        # Left out of a call, so that keys from before there were purposes are known still.
                        **({} if self.purpose is RunPurpose.CALL else {"purpose": self.purpose.value}),
                        **({"callbacks": [one.as_dict() for one in self.callbacks]} if self.callbacks else {}),
                    }
                )
            )
        except ValueError as error:
            raise Invalid(
                code="parameters-invalid",
                message=f"the parameters cannot be read: {error}",
                mend="send plain JSON values",
                findings=[{"field": "parameters", "message": str(error), "mend": "send plain JSON values"}],
            ) from error


class Runs:
    """Runs, for whoever may see or change them: the caller and operators; to others a run is not there."""

    def __init__(
        self,
        *,
        store: RunStore,
        registry: Registry,
        added_values: AddedValues,
        cashier: Cashier,
        budgets: BudgetWatch,
        reconciler: Reconciler,
        folders: RunFolders,
        slots: Slots,
        check_address: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._check_address = check_address
        self._registry = registry
        self._added_values = added_values
        self._cashier = cashier
        self._budgets = budgets
        self._reconciler = reconciler
        self._folders = folders
        self._slots = slots
        self._clock = clock

    def create(self, actor: Actor, request: RunRequest, *, key: str | None = None) -> tuple[Run, bool]:
        """Commit a run and hold its price; the same `key` with the same request is the same run.

        Returns
        -------
        tuple
            The run, and whether it is new. It is still ``created`` when the quota service does not answer: the
            reconciler asks again.

        Raises
        ------
        Invalid
            Unknown, missing or wrong parameters, every one named; a budget with which nothing can be done. Nothing is
            held.
        KeyReused
            `key` came with another request before.
        AddressRefused
            Nothing is sent to the address of a callback.
        RunRefused
            The wallet would not hold the price; the run is there, ended, and says why.
        NotFound, VersionYanked, EnvironmentGone
        """
        actor.require(Scope.EXECUTE)
        caller = _payer(actor, request.purpose)
        sha256 = request.sha256
        if key is not None:
            earlier = self._earlier(caller, key, sha256)
            if earlier is not None:
                return _accepted(earlier), False
        for one in request.callbacks:
            self._check_address(one.url)
        run = self._new(actor, caller, request)
        with self._reconciler.handling(run.id):
            stored, known_sha256, created = self._store.create(
                run,
                key=key,
                request_sha256=sha256,
                holder=self._reconciler.holder,
                until=self._reconciler.lease_until(),
                callbacks=request.callbacks,
            )
            if created:
                return _accepted(self._reconciler.advance(stored)), True
        same_request(known_sha256, sha256)
        return _accepted(stored), False

    def quote(self, actor: Actor, request: RunRequest) -> tuple[AlgorithmVersion, Offer]:
        """What the run that `request` asks for would cost, and what would be held. Nothing is held or stored here.

        Raises
        ------
        Invalid, NotFound, VersionYanked, EnvironmentGone
            As `create` would.
        Unavailable
            When the quota service does not answer.
        """
        actor.require(Scope.READ)
        _ = request.sha256
        version, parameters = self._fitting(actor, request)
        features = features_of(Interface.from_dict(version.interface), parameters)
        offer = self._cashier.quote(
            f"ask-{uuid.uuid4().hex}",
            version,
            features=features,
            ending_seconds=self._budgets.ending_seconds,
            budget=request.budget_millicredits,
            added_value=self._added_values.agreed(version, parameters, caller=actor.name),
        )
        return version, offer

    def get(self, actor: Actor, run_id: str) -> Run:
        """One run.

        Raises
        ------
        NotFound
            Also when it is another caller's.
        """
        return get_run(self._store, actor, run_id)

    def list(
        self,
        actor: Actor,
        *,
        statuses: Sequence[RunStatus] = (),
        everybody: bool = False,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[Run], int]:
        """A page of the caller's runs, newest first, and how many there are; of everybody's for an operator."""
        actor.require(Scope.READ)
        if everybody:
            actor.require(Scope.ADMINISTER)
        caller = None if everybody else actor.name
        if caller is not None and actor.kind is not ActorKind.USER:
            return [], 0
        return self._store.list(caller=caller, statuses=statuses, limit=limit, offset=offset, after=after)

    def cancel(self, actor: Actor, run_id: str) -> Run:
        """Ask for an end; a run that has ended stays as it is. What was used until then is paid for."""
        actor.require(Scope.EXECUTE)
        run = self.get(actor, run_id)
        if not (actor.is_operator or _is_callers(actor, run)):
            raise Forbidden(
                code="not-your-run", message="this run is the platform's own", mend="ask an operator to cancel it"
            )
        if not run.terminal:
            self._store.want_canceled(run.id)
            self._reconciler.wake()
        return self.get(actor, run_id)

    def result(self, actor: Actor, run_id: str, name: str) -> tuple[OutputFile, Path]:
        """One output of an ended run, and the file it is in.

        Raises
        ------
        NotFound, RunNotTerminal, ResultsExpired
        """
        run = self.get(actor, run_id)
        if not run.terminal:
            raise RunNotTerminal(
                code="run-not-over",
                message=f"the run is {run.status.value}; its outputs are there when it has ended",
                mend="wait until its status is finished, error or canceled",
            )
        output = next((output for output in run.outputs if output.name == name), None)
        if output is None:
            names = ", ".join(output.name for output in run.outputs) or "none"
            raise NotFound(
                code="no-such-output", message="the run has no output of that name", mend=f"its outputs: {names}"
            )
        path = self._folders.of(run.id).result(name)
        if run.results_expired_at is not None or not path.is_file():
            raise expired(run)
        return output, path

    def with_files(self, actor: Actor, run_id: str) -> Run:
        """One run, whose files are there still.

        Raises
        ------
        NotFound, ResultsExpired
        """
        run = self.get(actor, run_id)
        if run.results_expired_at is not None:
            raise expired(run)
        return run

    def kept(self, run: Run, name: str) -> Path:
        """Where the output `name` of `run` is kept, whether its file is still there or not."""
        return self._folders.of(run.id).result(name)

    def _new(self, actor: Actor, caller: str, request: RunRequest) -> Run:
        version, parameters = self._fitting(actor, request)
        run_id = uuid.uuid4().hex
        features = features_of(Interface.from_dict(version.interface), parameters)
        offer = self._cashier.quote(
            f"run-{run_id}",
            version,
            features=features,
            ending_seconds=self._budgets.ending_seconds,
            budget=request.budget_millicredits,
            added_value=self._added_value(version, parameters, caller=caller, purpose=request.purpose),
        )
        return Run(
            id=run_id,
            algorithm_id=version.algorithm_id,
            owner=version.owner,
            name=version.name,
            version=version.version,
            digest=version.digest,
            caller=caller,
            parameters=parameters,
            resources=version.resources,
            quote_millicredits=offer.hold,
            estimate=offer.estimate,
            features=features,
            added_value=offer.added_value,
            budget_millicredits=request.budget_millicredits,
            ceiling_millicredits=offer.ceiling,
            created_at=self._clock(),
            purpose=request.purpose,
        )

    def _added_value(
        self, version: AlgorithmVersion, parameters: Mapping[str, Any], *, caller: str, purpose: RunPurpose
    ) -> AddedValue | None:
        """What the author gets; nothing of a benchmark, or a broken algorithm would earn by being looked at."""
        if purpose is RunPurpose.BENCHMARK:
            return None
        return self._added_values.agreed(version, parameters, caller=caller)

    def _fitting(self, actor: Actor, request: RunRequest) -> tuple[AlgorithmVersion, Mapping[str, Any]]:
        """The version that is asked for, and its bound parameters."""
        version = self._registry.runnable(actor, request.algorithm)
        parameters = bound_parameters(version, request.parameters)
        if not self._slots.fits(version.resources):
            raise Invalid(
                code="resources-too-large",
                message=f"{version.path} {version.version} asks for more CPU or memory than a run gets here",
                mend="ask the operator for larger slots, or its author for a smaller version",
            )
        return version, parameters

    def _earlier(self, caller: str, key: str, sha256: str) -> Run | None:
        check_key(key)
        found = self._store.find(caller=caller, key=key)
        if found is None:
            return None
        run, known = found
        same_request(known, sha256)
        return run


def _accepted(run: Run) -> Run:
    if run.refusal is None:
        return run
    raise RunRefused(
        code=run.refusal.code,
        message=run.refusal.message,
        mend="see your wallet; nothing was held or charged",
        extra={
            "run": run.id,
            "quote_millicredits": run.quote_millicredits,
            "retry_at": run.refusal.retry_at,
        },
    )


#: Who makes benchmarks. Nobody can present a token of this actor: a purpose is not among what HTTP takes.
PLATFORM_ACTOR = Actor(name=PLATFORM, kind=ActorKind.SERVICE, scopes=frozenset({Scope.READ.value, Scope.EXECUTE.value}))


def _payer(actor: Actor, purpose: RunPurpose) -> str:
    if purpose is RunPurpose.BENCHMARK:
        if actor is not PLATFORM_ACTOR:
            raise Forbidden(
                code="platform-only",
                message="benchmarks are the platform's own runs",
                mend="ask for a round, which the platform pays",
            )
        return PLATFORM
    if actor.kind is not ActorKind.USER:
        raise Forbidden(
            code="users-only",
            message="a run is paid from a user's wallet, and this token is a service's",
            mend="use a user's token",
        )
    if actor.name == PLATFORM:
        raise Forbidden(
            code="reserved-name",
            message=f"the name {PLATFORM!r} is the platform's own, and so is its wallet",
            mend="ask the operator for a user of another name",
        )
    return actor.name


def get_run(store: RunStore, actor: Actor, run_id: str) -> Run:
    """One run, for whoever may see it.

    Raises
    ------
    NotFound
        Also when it is another caller's.
    """
    actor.require(Scope.READ)
    run = store.get(run_id) if run_id.isalnum() else None
    if run is None or not _may_see(actor, run):
        raise NotFound(
            code="no-such-run",
            message="there is no such run of yours",
            mend="look for it in the list of your runs, at `runs`",
        )
    return run


def _may_see(actor: Actor, run: Run) -> bool:
    if actor.is_operator or (actor is PLATFORM_ACTOR and run.caller == PLATFORM):
        return True
    # The author, too, looks at what a benchmark of the algorithm did.
    is_authors = run.purpose is RunPurpose.BENCHMARK and actor.name == run.owner
    return actor.kind is ActorKind.USER and (_is_callers(actor, run) or is_authors)


def _is_callers(actor: Actor, run: Run) -> bool:
    return actor.name == run.caller and run.purpose is not RunPurpose.BENCHMARK
