"""One step of one reproduction: look for what it needs, have it run, compare, say the verdict. Each may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from swath_service.actor import Actor, Scope
from swath_service.errors import Conflict, Forbidden, Invalid, NotFound, Refused

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.chances import Chance, chances_in
from swath_marketplace.domain.changes import changed_inputs, merged, named, unexplained
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import EnvironmentGone, RunRefused, VersionRevoked, VersionYanked
from swath_marketplace.domain.origins import OriginInput, inputs_of
from swath_marketplace.domain.reproductions import (
    Cause,
    CauseCode,
    Outcome,
    Reproduction,
    Stage,
    ended,
    finished,
    outcome_of,
    started,
)
from swath_marketplace.domain.runs import Run, RunPurpose, RunStatus
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.result_comparing import Compared, ResultComparing
from swath_marketplace.services.runs import RunRequest, Runs
from swath_marketplace.store.archive_files import FileState
from swath_marketplace.store.artifacts import ArtifactDamaged
from swath_marketplace.store.reproductions import ReproductionStore

log = logging.getLogger(__name__)

#: What is to be mended of a reproduction that did not end well, by its first cause.
_SENTENCES = {
    Outcome.IDENTICAL: "every output is the same",
    Outcome.WITHIN: "every output is the same within the tolerances",
    Outcome.DIFFERS: "not every output is the same",
    Outcome.CANNOT: "it cannot be reproduced",
}


class Archive(Protocol):
    """The archive next door; raises `OSError` where something cannot be read at the moment."""

    def state(self, read: OriginInput) -> FileState: ...


class Packages(Protocol):
    """What is installed where runs take place."""

    def changes(self, before: str, after: str) -> Sequence[str] | None:
        """What changed between two inventories, a line each; ``None`` when one of them is not known any more."""
        ...


class Reproducer:
    """Advances reproductions.

    Every method may be repeated after a crash at any point: the run is asked for under one idempotency key, comparing
    changes nothing, and each save needs the lease.
    """

    def __init__(
        self,
        *,
        store: ReproductionStore,
        runs: Runs,
        registry: Registry,
        archive: Archive,
        packages: Packages,
        comparing: ResultComparing,
        clock: Clock,
    ) -> None:
        self._store = store
        self._runs = runs
        self._registry = registry
        self._archive = archive
        self._packages = packages
        self._comparing = comparing
        self._clock = clock

    def advance(self, one: Reproduction, *, holder: str) -> Reproduction:
        """Take steps until it waits for its run, or has ended.

        Raises
        ------
        LeaseLost, Unavailable, OSError, ComparerUnavailable
            It stays as it was saved; try again later.
        """
        while True:
            after = self._step(one)
            if after is one:
                return one
            one = self._store.save(after, holder=holder)
            if one.ended:
                return one

    def give_up(self, one: Reproduction, *, holder: str) -> Reproduction:
        """End one that failed again and again for reasons of the platform.

        Raises
        ------
        LeaseLost
        """
        if one.stage is Stage.COMPARING:
            return self._store.save(self._judge(one, by_hash=True), holder=holder)
        why = "the platform failed while it worked on this; ask again, and tell the operator"
        return self._store.save(self._cannot(one, Cause(code=CauseCode.PLATFORM_FAILED, message=why)), holder=holder)

    def _step(self, one: Reproduction) -> Reproduction:
        match one.stage:
            case Stage.ASKED:
                return self._begin(one)
            case Stage.RUNNING:
                return self._follow(one)
            case Stage.COMPARING:
                return self._judge(one)
            case Stage.ENDED:
                return one

    def _begin(self, one: Reproduction) -> Reproduction:
        actor = _payer(one)
        version = self._version(actor, one)
        if isinstance(version, Cause):
            return self._cannot(one, version)
        states = [(read, self._archive.state(read)) for read in one.origin.inputs]
        gone = [read for read, state in states if state is FileState.GONE]
        if missing := named(CauseCode.INPUT_GONE, gone, "is not in the archive any more", "are not in the archive"):
            return self._cannot(one, missing)
        changed = [read for read, state in states if state is FileState.REPLACED]
        replaced = named(CauseCode.INPUT_REPLACED, changed, "was replaced", "were replaced")
        request = RunRequest(
            algorithm=f"{version.path}@{version.version}",
            parameters=dict(one.origin.parameters),
            budget_millicredits=one.budget_millicredits,
            purpose=RunPurpose.REPRODUCTION,
        )
        try:
            run, _ = self._runs.create(actor, request, key=one.run_key)
        except RunRefused as error:
            return self._cannot(one, Cause(code=CauseCode.REFUSED, message=f"the run was refused: {error.message}"))
        except (Invalid, Refused, Forbidden, Conflict, NotFound) as error:
            told = "; ".join([error.message, *(str(found.get("message")) for found in error.findings[:3])])
            return self._cannot(one, Cause(code=CauseCode.REFUSED, message=f"the run was not accepted: {told}"))
        return started(one, run.id, causes=[replaced] if replaced else [])

    def _version(self, actor: Actor, one: Reproduction) -> AlgorithmVersion | Cause:
        """The version, once it is what it was; otherwise what has become of it."""
        origin = one.origin
        path = f"{origin.algorithm}@{origin.version}"
        try:
            version = self._registry.version(actor, path)
            if version.digest != origin.digest:
                told = f"{path} has the digest {version.digest}, and had {origin.digest}"
                return Cause(code=CauseCode.VERSION_ALTERED, message=told)
            self._registry.notebook(actor, path)
            return self._registry.runnable(actor, path)
        except VersionRevoked as error:
            return Cause(code=CauseCode.VERSION_REVOKED, message=f"{error.message}; {error.mend}")
        except VersionYanked as error:
            return Cause(code=CauseCode.VERSION_YANKED, message=error.message)
        except EnvironmentGone as error:
            return Cause(code=CauseCode.ENVIRONMENT_GONE, message=f"{error.message}; {error.mend}")
        except NotFound as error:
            return Cause(code=CauseCode.VERSION_GONE, message=error.message)
        except ArtifactDamaged:
            told = f"the notebook of {path} is not there any more as it was published"
            return Cause(code=CauseCode.VERSION_ALTERED, message=told)

    def _follow(self, one: Reproduction) -> Reproduction:
        run = self._run(one)
        if not run.terminal:
            return one
        if run.outcome is RunStatus.FINISHED:
            return finished(one)
        # What a run that broke off did not read says nothing.
        changed = [cause for cause in self._changed(one, run) if cause.code is not CauseCode.INPUT_NOT_READ]
        return self._cannot(one, *merged([_why(run)], one.causes, changed))

    def _judge(self, one: Reproduction, *, by_hash: bool = False) -> Reproduction:
        run = self._run(one)
        compared: Compared = self._comparing.compare(one, run, by_hash=by_hash)
        outcome = outcome_of(compared.comparisons)
        causes = merged(compared.causes, one.causes, self._changed(one, run))
        if outcome is Outcome.DIFFERS and not any(cause.code in _EXPLAINS for cause in causes):
            causes = merged(causes, [unexplained(self._chances(one))])
        sentence = _SENTENCES[outcome]
        differing = [name for name, found in compared.comparisons.items() if not found.verdict.same]
        if differing:
            sentence = f"{', '.join(differing)}: {compared.comparisons[differing[0]].message}"
        return ended(one, outcome, message=sentence, causes=causes, comparisons=compared.comparisons, at=self._clock())

    def _chances(self, one: Reproduction) -> Sequence[Chance]:
        try:
            _, notebook = self._registry.notebook(_payer(one), f"{one.origin.algorithm}@{one.origin.version}")
        except (ArtifactDamaged, NotFound):
            return ()
        return chances_in(notebook)

    def _changed(self, one: Reproduction, run: Run) -> list[Cause]:
        causes = changed_inputs(one.origin.inputs, inputs_of(run))
        before, after = one.origin.inventory_sha256, (run.environment or {}).get("inventory_sha256")
        if before and after and before != after:
            told = self._packages.changes(before, after)
            said = ", ".join(told[:10]) if told else "what is installed is not what it was"
            causes.append(Cause(code=CauseCode.PACKAGES_CHANGED, message=f"{one.origin.environment}: {said}"))
        return causes

    def _cannot(self, one: Reproduction, *causes: Cause) -> Reproduction:
        sentence = f"{_SENTENCES[Outcome.CANNOT]}: {causes[0].message}"
        return ended(one, Outcome.CANNOT, message=sentence, causes=causes, at=self._clock())

    def _run(self, one: Reproduction) -> Run:
        assert one.run_id is not None
        return self._runs.get(_payer(one), one.run_id)


#: Causes after which nobody needs to be told what the notebook leaves to chance.
_EXPLAINS = frozenset(
    {CauseCode.NOT_COMPARED, CauseCode.INPUT_REPLACED, CauseCode.INPUT_ADDED, CauseCode.PACKAGES_CHANGED}
)


def _payer(one: Reproduction) -> Actor:
    """Who asked; that they may was made sure of when they did."""
    return Actor(name=one.asked_by, scopes=frozenset({Scope.READ.value, Scope.EXECUTE.value}))


def _why(run: Run) -> Cause:
    if run.refusal:
        return Cause(code=CauseCode.REFUSED, message=f"the run was refused: {run.refusal.message}")
    if run.outcome is RunStatus.CANCELED:
        return Cause(code=CauseCode.CANCELED, message=f"run {run.id} was canceled")
    where = f" in cell {run.error.cell + 1}" if run.error and run.error.cell is not None else ""
    told = f"{run.error.code}{where}: {run.error.message}" if run.error else "it ended in error"
    return Cause(code=CauseCode.RUN_FAILED, message=f"run {run.id} did not finish: {told}")
