"""One round brought forward, as far as it goes at the moment. Everything that it has done is stored, so that whoever
takes it over, after whatever crash, goes on where it was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from swath.contract.interface import Interface
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import Scenario
from swath_service.errors import NotFound, SwathError, Unavailable

from swath_marketplace.domain import judging
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Order, RoundRun, ScenarioResult, run_key
from swath_marketplace.domain.breaks import NOTHING, changes
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.errors import RunRefused
from swath_marketplace.domain.runs import Run, RunPurpose
from swath_marketplace.executors.comparer import ComparerUnavailable
from swath_marketplace.services.drifting import Drifts
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_ports import Collections, DossierSource
from swath_marketplace.services.runs import PLATFORM_ACTOR, RunRequest, Runs
from swath_marketplace.services.scenario_files import ReferenceWrong, ScenarioFiles
from swath_marketplace.store.artifacts import ArtifactDamaged
from swath_marketplace.store.breaks import BreakStore
from swath_marketplace.store.rounds import RoundStore

log = logging.getLogger(__name__)

#: After so many vain tries to compare, nothing is known of the scenario.
_PATIENCE = 5


class NotYet(Exception):
    """The round cannot go on at the moment; the message is for the log."""


@dataclass
class _Scene:
    """What a step works with."""

    order: Order
    version: AlgorithmVersion
    dossier: Dossier
    interface: Interface
    known: Mapping[tuple[str, int], RoundRun] = field(default_factory=dict)


class RoundStepper:
    """Brings rounds forward.

    Promises: `step` may be repeated at any time, from a process that knows nothing; a scenario's run is made once
    (by its idempotency key), its result is noted once, and the end comes with all that it changes or not at all.
    """

    def __init__(
        self,
        *,
        store: RoundStore,
        breaks: BreakStore,
        runs: Runs,
        registry: Registry,
        dossiers: DossierSource,
        files: ScenarioFiles,
        drifts: Drifts,
        collections: Collections,
        clock: Clock,
    ) -> None:
        self._store = store
        self._breaks = breaks
        self._runs = runs
        self._registry = registry
        self._dossiers = dossiers
        self._files = files
        self._drifts = drifts
        self._collections = collections
        self._clock = clock
        self._vain: dict[str, int] = {}

    def step(self, order: Order) -> bool:
        """Bring `order`, which runs, forward; whether this has ended it.

        Raises
        ------
        Unavailable, NotYet
            It goes on later.
        """
        scene = self._scene(order)
        if scene is None:
            return self._store.end(order, at=self._clock(), changes=NOTHING)
        done = {result.scenario for result in self._store.results(order.id)}
        for scenario in sorted(scene.dossier.scenarios, key=lambda one: one.name):
            if scenario.name in done:
                continue
            result = self._result(scene, scenario)
            if result is None:
                return False
            self._store.note_result(order.id, result, at=self._clock())
        return self._end(order)

    def give_up(self, order: Order) -> None:
        """Note of every scenario of `order` that has no result that nothing is known of it; `step` then ends it."""
        put = self._dossiers.of(order.algorithm_id, order.version_digest)
        dossier = next((one for one in put if one.digest == order.dossier_digest), None)
        for scenario in dossier.scenarios if dossier else ():
            result = judging.unknown(scenario, "the platform failed while it worked on this scenario")
            self._store.note_result(order.id, result, at=self._clock())

    def _scene(self, order: Order) -> _Scene | None:
        try:
            version = self._registry.version(PLATFORM_ACTOR, f"{order.path}@{order.version}")
        except NotFound:
            log.error("round %s: its version is gone", order.id)
            return None
        put = self._dossiers.of(order.algorithm_id, order.version_digest)
        dossier = next((one for one in put if one.digest == order.dossier_digest), None)
        if dossier is None:
            log.error("round %s: its dossier is gone", order.id)
            return None
        known = {(run.scenario, run.ordinal): run for run in self._store.runs(order.id)}
        interface = Interface.from_dict(version.interface)
        return _Scene(order=order, version=version, dossier=dossier, interface=interface, known=known)

    def _result(self, scene: _Scene, scenario: Scenario) -> ScenarioResult | None:
        """What came of `scenario`; ``None`` while its runs go on."""
        lacking = judging.missing(scenario, self._collections()) if scenario.needs else ()
        if lacking:
            return judging.passed_over(scenario, lacking)
        _, findings = check_parameters(scene.interface, scenario.parameters)
        told = judging.of_parameters(scenario, [f"{one.field}: {one.message}" for one in findings])
        if told is not None:
            return told
        runs: list[Run] = []
        for ordinal in range(1 if scenario.refused else 2):
            made = self._run(scene, scenario, ordinal)
            if isinstance(made, str):
                return judging.unknown(scenario, made, runs)
            if not made.terminal:
                return None
            runs.append(made)
            ended = judging.of_failure(scenario, made) if scenario.refused else judging.of_unfinished(scenario, runs)
            if ended is not None:
                # What failed once is not run again: that it fails is known.
                return ended
        return self._compared(scene, scenario, runs)

    def _run(self, scene: _Scene, scenario: Scenario, ordinal: int) -> Run | str:
        """The run of a scenario, made if need be; or why there is none."""
        known = scene.known.get((scenario.name, ordinal)) or self._made(scene, scenario, ordinal)
        if known.run_id is None:
            return (known.failure or {}).get("message", "the run could not be made")
        return self._runs.get(PLATFORM_ACTOR, known.run_id)

    def _made(self, scene: _Scene, scenario: Scenario, ordinal: int) -> RoundRun:
        request = RunRequest(
            algorithm=f"{scene.version.path}@{scene.version.version}",
            parameters=scenario.parameters,
            purpose=RunPurpose.BENCHMARK,
        )
        run_id, failure = None, None
        try:
            run, _ = self._runs.create(PLATFORM_ACTOR, request, key=run_key(scene.order.id, scenario.name, ordinal))
            run_id = run.id
        except Unavailable:
            raise
        except RunRefused as error:
            run_id = str(error.extra["run"])
        except SwathError as error:
            failure = {"code": error.code, "message": error.message}
        made = RoundRun(scenario=scenario.name, ordinal=ordinal, run_id=run_id, failure=failure)
        self._store.note_run(scene.order.id, made)
        return made

    def _compared(self, scene: _Scene, scenario: Scenario, runs: list[Run]) -> ScenarioResult:
        key = f"{scene.order.id}:{scenario.name}"
        try:
            comparisons = self._files.with_references(scene.order.id, scene.dossier, scenario, runs[0])
            repeated = self._files.with_each_other(scene.order.id, scenario, runs[0], runs[1])
        except ReferenceWrong as error:
            return judging.red(scenario, str(error), runs)
        except (ArtifactDamaged, ComparerUnavailable) as error:
            self._vain[key] = self._vain.get(key, 0) + 1
            if self._vain[key] < _PATIENCE:
                raise NotYet(f"scenario {scenario.name} cannot be compared: {error}") from error
            log.error("round %s: scenario %s was not compared: %s", scene.order.id, scenario.name, error)
            return judging.unknown(scenario, "the platform could not compare the outputs", runs)
        finally:
            if self._vain.get(key, 0) >= _PATIENCE:
                del self._vain[key]
        self._vain.pop(key, None)
        return judging.of_outputs(scenario, runs, comparisons=comparisons, repeated=repeated)

    def _end(self, order: Order) -> bool:
        at = self._clock()
        results = self._store.results(order.id)
        still_open = self._breaks.open_of(order.algorithm_id, order.version_digest)
        found = changes(order, results, still_open=still_open, at=at)
        found = self._drifts.told(order, order.as_round(results, ended_at=at), found, at=at)
        return self._store.end(order, at=at, changes=found)
