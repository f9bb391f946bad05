"""Two versions of an algorithm compared: what callers meet, and what came of the scenarios that both went through."""

from __future__ import annotations

from swath.contract.diff import diff
from swath.contract.interface import Interface
from swath_service.actor import Actor

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import ScenarioResult
from swath_marketplace.domain.comparisons import ScenarioComparison, VersionComparison
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.comparisons import Comparisons
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.store.runs import RunStore


class VersionComparisons:
    """Comparisons of versions; whoever may see the algorithm may ask, as with its rounds."""

    def __init__(
        self,
        *,
        registry: Registry,
        comparisons: Comparisons,
        rounds: RoundStore,
        runs: RunStore,
        dossiers: DossierStore,
    ) -> None:
        self._registry = registry
        self._comparisons = comparisons
        self._rounds = rounds
        self._runs = runs
        self._dossiers = dossiers

    def of(self, actor: Actor, path: str, *, version: str, with_version: str) -> VersionComparison:
        """Hold a version of the algorithm `path` against another, each a number or a range.

        The outputs are those of the scenarios of their latest rounds, under the tolerances that stand beside
        `with_version`.

        Raises
        ------
        NotFound
        Unavailable
            Nothing can be compared at the moment.
        """
        expected = self._registry.version(actor, f"{path}@{with_version}")
        found = self._registry.version(actor, f"{path}@{version}")
        sides = self._results(expected), self._results(found)
        return VersionComparison(
            expected=expected,
            found=found,
            interface=diff(Interface.from_dict(expected.interface), Interface.from_dict(found.interface)),
            scenarios={
                name: self._scenario(actor, expected, name, results=(sides[0].get(name), sides[1].get(name)))
                for name in sorted(sides[0].keys() | sides[1].keys())
            },
        )

    def _results(self, version: AlgorithmVersion) -> dict[str, ScenarioResult]:
        rounds = self._rounds.of(version.algorithm_id, version.digest, limit=1)
        return {result.scenario: result for one in rounds for result in one.results}

    def _scenario(
        self,
        actor: Actor,
        version: AlgorithmVersion,
        name: str,
        *,
        results: tuple[ScenarioResult | None, ScenarioResult | None],
    ) -> ScenarioComparison:
        runs = self._first_run(results[0]), self._first_run(results[1])
        if runs[0] is None or runs[1] is None:
            which = "neither version" if runs[0] is runs[1] else "one of the versions only"
            return ScenarioComparison(runs=None, message=f"{which} brought results back for it in its latest round")
        shared = runs[0].parameters.keys() & runs[1].parameters.keys()
        changed = sorted(key for key in shared if runs[0].parameters[key] != runs[1].parameters[key])
        if changed:
            return ScenarioComparison(runs=None, message=f"it was called with another {', '.join(changed)}")
        dossier = self._dossiers.latest(version.algorithm_id, version.digest)
        scenario = next((one for one in dossier.scenarios if one.name == name), None) if dossier else None
        tolerances = {key: wanted.tolerance for key, wanted in scenario.outputs.items()} if scenario else {}
        return ScenarioComparison(
            runs=self._comparisons.between(runs[0], runs[1], caller=actor.name, tolerances=tolerances, scenario=name)
        )

    def _first_run(self, result: ScenarioResult | None) -> Run | None:
        if result is None or not result.run_ids:
            return None
        run = self._runs.get(result.run_ids[0])
        return run if run is not None and run.terminal and run.outputs else None
